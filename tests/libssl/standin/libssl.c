// A stand-in for libssl, where no real one can be had (musl): the functions the shim wants, their
// signatures from its own table, over a protocol of records without encryption: a byte of content type, two of length, and
// a handshake message of TLS, an alert, or data. It does what libssl 3 does with what the shim sets: options, BIO callback,
// shutdown state, session id context, message callback, ex_data. Renegotiation is honoured, until it is refused.
#include "rg_libssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef STANDIN_VERSION
#define STANDIN_VERSION "3.0.99"
#endif

#define X(returns, name, arguments) returns name arguments;
RG_LIBSSL_REQUIRED(X)
RG_LIBSSL_OPTIONAL(X)
#undef X

enum { ALERT = 21, HANDSHAKE = 22, DATA = 23 };
enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE = 11, SERVER_HELLO_DONE = 14, FINISHED = 20 };
enum { WARNING = 1, FATAL = 2, PROTOCOL_VERSION = 70, NO_RENEGOTIATION = 100 };
enum { OP_NO_VERSION = 0x3e000000, OP_NO_RENEGOTIATION = 0x40000000 };
enum { RECEIVED_SHUTDOWN = 2, BIO_READ = 2, LIB_SSL = 20, SESSION_ID_AT = 38, SET_MSG_CALLBACK = 15 };

typedef long bio_callback_ex(struct bio_st *, int, const char *, size_t, int, long, int, size_t *);

struct bio_st {
	bio_callback_ex *callback;
};

struct ssl_ctx_st {
	rg_msg_callback *message;
	void *ex_data[4];
};

struct ssl_st {
	struct ssl_ctx_st *ctx;
	rg_msg_callback *message;
	struct bio_st bio;
	uint64_t options;
	int fd, shutdown, finished, declined;
};

static unsigned long errors[16];
static int error_count, error_mark;
static void (*on_free)(void *, void *, void *, int, long, void *);

static void told(struct ssl_st *ssl, int written, int type, const void *message, size_t bytes)
{
	if (ssl->message)
		ssl->message(written, 0x303, type, message, bytes, ssl, NULL);
}

static void send_record(struct ssl_st *ssl, int type, const void *message, size_t bytes)
{
	unsigned char record[512] = {(unsigned char)type, (unsigned char)(bytes >> 8), (unsigned char)bytes};

	memcpy(record + 3, message, bytes);
	if (write(ssl->fd, record, bytes + 3) < 0)
		ssl->shutdown |= RECEIVED_SHUTDOWN;
	if (type != DATA)
		told(ssl, 1, type, message, bytes);
}

static void alert(struct ssl_st *ssl, int level, int description)
{
	unsigned char message[2] = {(unsigned char)level, (unsigned char)description};

	send_record(ssl, ALERT, message, sizeof(message));
}

static int fail(unsigned reason)
{
	ERR_set_error(LIB_SSL, (int)reason, NULL);
	return -1;
}

static int take(struct ssl_st *ssl, void *to, size_t bytes)
{
	for (size_t got = 0; got < bytes;) {
		ssize_t more = read(ssl->fd, (char *)to + got, bytes - got);

		if (more <= 0)
			return -1;
		got += (size_t)more;
	}
	return 0;
}

// One record: its content type, its length in *BYTES; -1 at the end, and where the BIO's callback says so.
static int next_record(struct ssl_st *ssl, unsigned char *body, size_t *bytes)
{
	unsigned char head[3];

	if ((ssl->shutdown & RECEIVED_SHUTDOWN) ||
	    (ssl->bio.callback && ssl->bio.callback(&ssl->bio, BIO_READ, NULL, 3, 0, 0, 1, NULL) <= 0) ||
	    take(ssl, head, sizeof(head)) < 0)
		return -1;
	*bytes = (size_t)(head[1] << 8 | head[2]);
	return *bytes <= 512 && take(ssl, body, *bytes) == 0 ? head[0] : -1;
}

// The server's flight; a session id that is offered is accepted, unless the context was changed meanwhile.
static void answer(struct ssl_st *ssl, const unsigned char *hello)
{
	static const unsigned char certificate[] = {CERTIFICATE, 0, 0, 0}, done[] = {SERVER_HELLO_DONE, 0, 0, 0},
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
	told(ssl, 0, HANDSHAKE, finished, sizeof(finished));
	send_record(ssl, HANDSHAKE, finished, sizeof(finished));
	ssl->finished = 1;
}

static int client_hello(struct ssl_st *ssl, const unsigned char *hello, size_t bytes)
{
	told(ssl, 0, HANDSHAKE, hello, bytes);
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
		if (next_record(ssl, body, &bytes) != HANDSHAKE || client_hello(ssl, body, bytes) < 0)
			return -1;
	return 1;
}

int SSL_accept(struct ssl_st *ssl) { return SSL_do_handshake(ssl); }
int SSL_connect(struct ssl_st *ssl) { return SSL_do_handshake(ssl); }

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

int SSL_peek(struct ssl_st *ssl, void *buffer, int size) { return SSL_read(ssl, buffer, size); }

int SSL_write(struct ssl_st *ssl, const void *data, int bytes)
{
	send_record(ssl, DATA, data, (size_t)bytes);
	return bytes;
}

struct ssl_st *SSL_new(struct ssl_ctx_st *ctx)
{
	struct ssl_st *ssl = calloc(1, sizeof(*ssl));

	ssl->ctx = ctx;
	ssl->message = ctx->message;
	ssl->fd = -1;
	return ssl;
}

void SSL_free(struct ssl_st *ssl);
void SSL_free(struct ssl_st *ssl)
{
	if (on_free)
		on_free(ssl, NULL, NULL, 1, 0, NULL);
	free(ssl);
}

int SSL_set_fd(struct ssl_st *ssl, int fd);
int SSL_set_fd(struct ssl_st *ssl, int fd)
{
	ssl->fd = fd;
	return 1;
}

struct ssl_ctx_st *SSL_CTX_new(const struct ssl_method_st *method)
{
	(void)method;
	return calloc(1, sizeof(struct ssl_ctx_st));
}

struct ssl_st *SSL_dup(struct ssl_st *ssl) { return SSL_new(ssl->ctx); }
int SSL_clear(struct ssl_st *ssl) { return ssl->finished = 0, 1; }
void SSL_set_accept_state(struct ssl_st *ssl) { (void)ssl; }
void SSL_set_connect_state(struct ssl_st *ssl) { (void)ssl; }
void SSL_set_msg_callback(struct ssl_st *ssl, rg_msg_callback *callback) { ssl->message = callback; }
void SSL_CTX_set_msg_callback(struct ssl_ctx_st *ctx, rg_msg_callback *callback) { ctx->message = callback; }

long SSL_callback_ctrl(struct ssl_st *ssl, int command, void (*callback)(void))
{
	if (command == SET_MSG_CALLBACK)
		ssl->message = (rg_msg_callback *)callback;
	return 1;
}

long SSL_CTX_callback_ctrl(struct ssl_ctx_st *ctx, int command, void (*callback)(void))
{
	if (command == SET_MSG_CALLBACK)
		ctx->message = (rg_msg_callback *)callback;
	return 1;
}

long SSL_ctrl(struct ssl_st *ssl, int command, long number, void *pointer)
{
	(void)ssl, (void)command, (void)number, (void)pointer;
	return 0x303;
}

struct ssl_ctx_st *SSL_get_SSL_CTX(const struct ssl_st *ssl) { return ssl->ctx; }
int SSL_CTX_set_ex_data(struct ssl_ctx_st *ctx, int index, void *data) { return ctx->ex_data[index] = data, 1; }
void *SSL_CTX_get_ex_data(const struct ssl_ctx_st *ctx, int index) { return ctx->ex_data[index]; }
struct bio_st *SSL_get_rbio(const struct ssl_st *ssl) { return (struct bio_st *)&ssl->bio; }
int SSL_get_rfd(const struct ssl_st *ssl) { return ssl->fd; }
void SSL_set_shutdown(struct ssl_st *ssl, int mode) { ssl->shutdown = mode; }
const char *SSL_get_version(const struct ssl_st *ssl) { return (void)ssl, "TLSv1.2"; }
int SSL_set_cipher_list(struct ssl_st *ssl, const char *list) { return (void)ssl, (void)list, 1; }
size_t SSL_get_finished(const struct ssl_st *ssl, void *to, size_t bytes) { return (void)to, (void)bytes, ssl->finished ? 12 : 0; }
size_t SSL_get_peer_finished(const struct ssl_st *ssl, void *to, size_t bytes) { return SSL_get_finished(ssl, to, bytes); }
int SSL_is_server(struct ssl_st *ssl) { return (void)ssl, 1; }
uint64_t SSL_get_options(const struct ssl_st *ssl) { return ssl->options; }
uint64_t SSL_set_options(struct ssl_st *ssl, uint64_t bits) { return ssl->options |= bits; }
uint64_t SSL_clear_options(struct ssl_st *ssl, uint64_t bits) { return ssl->options &= ~bits; }
void BIO_set_callback_ex(struct bio_st *bio, void *callback) { memcpy(&bio->callback, &callback, sizeof(callback)); }

int SSL_set_session_id_context(struct ssl_st *ssl, const unsigned char *context, unsigned bytes)
{
	(void)context, (void)bytes;
	return ssl->declined = 1;
}

int CRYPTO_get_ex_new_index(int class, long number, void *pointer, void *fresh, void *copy, void *release)
{
	static int index;

	(void)class, (void)number, (void)pointer, (void)fresh, (void)copy;
	if (release)
		memcpy(&on_free, &release, sizeof(release));
	return ++index;
}

unsigned long ERR_peek_error(void) { return error_count ? errors[0] : 0; }
unsigned long ERR_peek_last_error(void) { return error_count ? errors[error_count - 1] : 0; }
int ERR_set_mark(void) { return error_mark = error_count, 1; }
int ERR_pop_to_mark(void) { return error_count = error_mark, 1; }
void ERR_new(void) {}
void ERR_set_debug(const char *file, int line, const char *function) { (void)file, (void)line, (void)function; }

void ERR_set_error(int library, int reason, const char *format, ...)
{
	(void)format;
	if (error_count < 16)
		errors[error_count++] = (unsigned long)library << 23 | (unsigned long)reason;
}

unsigned long OpenSSL_version_num(void) { return 0x30000630UL; }
const char *OpenSSL_version(int what) { return (void)what, "OpenSSL " STANDIN_VERSION " stand-in"; }
