// One connection of tlspeer: its options, how it opens, exchanges a request and ends, and what it
// saw on the way. Only tlspeer.c includes this.
#ifndef TESTS_LIB_TLSPEER_H
#define TESTS_LIB_TLSPEER_H

#include "netutil.h"
#include "openssl_compat.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>

enum { DEFAULT_TIMEOUT_MS = 5000, RESPONSE_BYTES = 65536 };

static struct {
	const char *host, *from, *sni, *path, *cert;
	int port, timeout_ms, pause_ms;
	enum { HTTP, LINE, SIP, NONE } exchange;
	bool same_session;
} opt = {.path = "/", .timeout_ms = DEFAULT_TIMEOUT_MS};

struct peer {
	SSL *ssl;
	int fd;
	int client_hellos; // sent on this connection
	int status;	   // HTTP status of the last exchange; 0: none
	char alert[64];	   // the last one received
};

static SSL_SESSION *session; // the newest one from the server

static int keep_session(SSL *ssl, SSL_SESSION *fresh)
{
	(void)ssl;
	if (opt.same_session && session)
		return 0;
	SSL_SESSION_free(session);
	session = fresh;
	return 1;
}

static void on_info(const SSL *ssl, int where, int ret)
{
	struct peer *peer = SSL_get_app_data(ssl);
	char *c;

	if (where != SSL_CB_READ_ALERT)
		return;
	snprintf(peer->alert, sizeof(peer->alert), "%s:%s", SSL_alert_type_string_long(ret),
		 SSL_alert_desc_string_long(ret));
	for (c = peer->alert; *c; c++)
		if (*c == ' ')
			*c = '_';
}

static void on_message(int sent, int version, int type, const void *data, size_t length, SSL *ssl,
		       void *arg)
{
	struct peer *peer = SSL_get_app_data(ssl);

	(void)version, (void)arg;
	if (sent && type == SSL3_RT_HANDSHAKE && length &&
	    *(const unsigned char *)data == SSL3_MT_CLIENT_HELLO)
		peer->client_hellos++;
}

// What ended the connection: an alert, or something else.
static const char *ending(struct peer *peer)
{
	if (peer->alert[0])
		return peer->alert;
	if (errno == EAGAIN)
		return "timeout";
	return errno == ECONNRESET || errno == EPIPE ? "reset" : "closed";
}

// Connects the socket and makes the SSL, without a handshake. `offer`: resume the session.
static bool peer_open(struct peer *peer, SSL_CTX *ctx, bool offer)
{
	*peer = (struct peer){.status = 0};
	peer->fd = net_connect(opt.host, opt.port, opt.from, opt.timeout_ms);
	if (peer->fd < 0)
		return false;
	peer->ssl = SSL_new(ctx);
	SSL_set_app_data(peer->ssl, peer);
	SSL_set_fd(peer->ssl, peer->fd);
	if (opt.sni)
		SSL_set_tlsext_host_name(peer->ssl, opt.sni);
	if (offer && session) {
		// libssl never offers a session again with which a connection failed.
		SSL_SESSION *offered = opt.same_session ? SSL_SESSION_dup(session) : NULL;

		SSL_set_session(peer->ssl, offered ? offered : session);
		SSL_SESSION_free(offered);
	}
	return true;
}

static bool peer_connect(struct peer *peer, SSL_CTX *ctx, bool offer)
{
	if (!peer_open(peer, ctx, offer))
		return false;
	errno = 0;
	return SSL_connect(peer->ssl) == 1;
}

static void peer_close(struct peer *peer)
{
	if (peer->ssl && SSL_is_init_finished(peer->ssl))
		SSL_shutdown(peer->ssl);
	SSL_free(peer->ssl);
	if (peer->fd >= 0)
		close(peer->fd);
	ERR_clear_error();
}

// Is the response at `text` complete? HTTP: it is as long as Content-Length says. Without that
// header it is complete when the connection ends.
static bool complete(const char *text, size_t length)
{
	const char *body, *header;

	if (opt.exchange == LINE)
		return length && text[length - 1] == '\n';
	body = strstr(text, "\r\n\r\n");
	header = strcasestr(text, "\r\nContent-Length:");
	return body && header && header < body &&
	       length >= (size_t)(body + 4 - text) +
			     strtoul(header + strlen("\r\nContent-Length:"), NULL, 10);
}

// Reads the response to the request. Did all of it come?
static bool read_response(struct peer *peer)
{
	static char text[RESPONSE_BYTES];
	size_t length = 0;
	bool closed_well = false;

	while (!(length && complete(text, length)) && length < sizeof(text) - 1) {
		int n = (errno = 0,
			 SSL_read(peer->ssl, text + length, (int)(sizeof(text) - 1 - length)));

		if (n <= 0) {
			closed_well = length && opt.exchange == HTTP && n == 0;
			if (!closed_well)
				return false;
			break;
		}
		length += (size_t)n;
		text[length] = '\0';
	}
	text[length] = '\0';
	peer->status = strncmp(text, "HTTP/", 5) == 0 ? atoi(text + strcspn(text, " ")) : 0;
	return length > 0;
}

// Writes the request into text; returns its length.
static int request(char *text, size_t size)
{
	if (opt.exchange == SIP)
		return snprintf(text, size,
				"OPTIONS sip:localhost SIP/2.0\r\n"
				"Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1\r\n"
				"From: <sip:a@localhost>;tag=1\r\nTo: <sip:a@localhost>\r\n"
				"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
	return opt.exchange == LINE ? snprintf(text, size, "ping\n")
				    : snprintf(text, size, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
					       opt.path, opt.sni ? opt.sni : "localhost");
}

static bool exchange(struct peer *peer)
{
	char text[1024];
	int length = request(text, sizeof(text));

	if (opt.exchange == NONE)
		return true;
	return SSL_write(peer->ssl, text, length) == length && read_response(peer);
}

#endif
