// A stand-in for libssl, where there is no real one (musl). It has the functions that the shim
// needs, with the signatures of the shim's own table. Its protocol is records without encryption: a
// byte of content type, two of length, then a TLS handshake message, an alert, or data. It treats
// what the shim sets as libssl 3 does: options, BIO callback, shutdown state, session id context,
// message callback, ex_data. It honours renegotiation until that is refused.
#include "objects.h"
#include <string.h>
#include <unistd.h>

// Calls the message callback.
static void report_message(struct ssl_st *ssl, int written, int type, const void *message,
			   size_t bytes)
{
	if (ssl->message)
		ssl->message(written, 0x303, type, message, bytes, ssl, NULL);
}

static void send_record(struct ssl_st *ssl, int type, const void *message, size_t bytes)
{
	unsigned char record[512] = {(unsigned char)type, (unsigned char)(bytes >> 8),
				     (unsigned char)bytes};

	memcpy(record + 3, message, bytes);
	if (write(ssl->fd, record, bytes + 3) < 0)
		ssl->shutdown |= RECEIVED_SHUTDOWN;
	if (type != DATA)
		report_message(ssl, 1, type, message, bytes);
}

static void alert(struct ssl_st *ssl, int level, int description)
{
	unsigned char message[2] = {(unsigned char)level, (unsigned char)description};

	send_record(ssl, ALERT, message, sizeof(message));
}

// Puts reason into the error queue.
static int fail(unsigned reason)
{
	ERR_set_error(LIB_SSL, (int)reason, NULL);
	return -1;
}

// Reads exactly that many bytes; -1 if the connection ends before.
static int read_exactly(struct ssl_st *ssl, void *to, size_t bytes)
{
	for (size_t got = 0; got < bytes;) {
		ssize_t more = read(ssl->fd, (char *)to + got, bytes - got);

		if (more <= 0)
			return -1;
		got += (size_t)more;
		ssl->bio.bytes_read += (unsigned long)more;
	}
	return 0;
}

// Reads one record; *bytes is its length. Returns its content type, or -1 at the end or if the
// BIO's callback fails.
static int next_record(struct ssl_st *ssl, unsigned char *body, size_t *bytes)
{
	unsigned char head[3];

	if ((ssl->shutdown & RECEIVED_SHUTDOWN) ||
	    (ssl->bio.callback &&
	     ssl->bio.callback(&ssl->bio, BIO_READ, NULL, 3, 0, 0, 1, NULL) <= 0) ||
	    read_exactly(ssl, head, sizeof(head)) < 0)
		return -1;
	*bytes = (size_t)(head[1] << 8 | head[2]);
	return *bytes <= 512 && read_exactly(ssl, body, *bytes) == 0 ? head[0] : -1;
}

// Sends the server's messages. A session id that is offered is accepted, unless the session id
// context was changed.
static void answer(struct ssl_st *ssl, const unsigned char *hello)
{
	static const unsigned char certificate[] = {CERTIFICATE, 0, 0, 0},
				   done[] = {SERVER_HELLO_DONE, 0, 0, 0},
				   finished[] = {FINISHED, 0, 0, 0};
	unsigned char server_hello[80] = {SERVER_HELLO, 0, 0, 70, 3, 3};
	int resumed = hello[SESSION_ID_AT] == 32 && !ssl->declined && !ssl->finished;

	server_hello[SESSION_ID_AT] = 32;
	if (resumed)
		memcpy(server_hello + SESSION_ID_AT + 1, hello + SESSION_ID_AT + 1, 32);
	send_record(ssl, HANDSHAKE, server_hello, 74);
	if (!resumed) {
		send_record(ssl, HANDSHAKE, certificate, sizeof(certificate));
		send_record(ssl, HANDSHAKE, done, sizeof(done));
	}
	report_message(ssl, 0, HANDSHAKE, finished, sizeof(finished));
	send_record(ssl, HANDSHAKE, finished, sizeof(finished));
	ssl->finished = 1;
}

static int client_hello(struct ssl_st *ssl, const unsigned char *hello, size_t bytes)
{
	report_message(ssl, 0, HANDSHAKE, hello, bytes);
	if (ssl->finished && (ssl->options & OP_NO_RENEGOTIATION)) {
		alert(ssl, WARNING, NO_RENEGOTIATION);
		return 0;
	}
	if ((ssl->options & OP_NO_VERSION) == OP_NO_VERSION) {
		alert(ssl, FATAL, PROTOCOL_VERSION);
		return fail(258);
	}
	answer(ssl, hello);
	return 0;
}

int SSL_do_handshake(struct ssl_st *ssl)
{
	unsigned char body[512];
	size_t bytes;

	while (!ssl->finished)
		if (next_record(ssl, body, &bytes) != HANDSHAKE ||
		    client_hello(ssl, body, bytes) < 0)
			return -1;
	return 1;
}

int SSL_accept(struct ssl_st *ssl)
{
	return SSL_do_handshake(ssl);
}
int SSL_connect(struct ssl_st *ssl)
{
	return SSL_do_handshake(ssl);
}

int SSL_read(struct ssl_st *ssl, void *buffer, int size)
{
	unsigned char body[512];
	size_t bytes;
	int type;

	while ((type = next_record(ssl, body, &bytes)) == HANDSHAKE)
		if (client_hello(ssl, body, bytes) < 0)
			return -1;
	if (type != DATA || bytes > (size_t)size)
		return -1;
	memcpy(buffer, body, bytes);
	return (int)bytes;
}

int SSL_peek(struct ssl_st *ssl, void *buffer, int size)
{
	return SSL_read(ssl, buffer, size);
}

int SSL_write(struct ssl_st *ssl, const void *data, int bytes)
{
	send_record(ssl, DATA, data, (size_t)bytes);
	return bytes;
}
