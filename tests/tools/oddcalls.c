// oddcalls: calls libssl in orders that programs seldom use, and prints what each call returned,
// what SSL_get_error and errno said, and the whole error queue. The output must not depend on the
// shim.
#include <string.h>

#include "oddreport.h"
#include "versions.h"

static int handshake(SSL *ssl)
{
	return SSL_do_handshake(ssl);
}

static int read_some(SSL *ssl)
{
	char buffer[8];

	return SSL_read(ssl, buffer, sizeof buffer);
}

static int peek_some(SSL *ssl)
{
	char buffer[8];

	return SSL_peek(ssl, buffer, sizeof buffer);
}

static int write_some(SSL *ssl)
{
	return SSL_write(ssl, "x", 1);
}

static int shut_down(SSL *ssl)
{
	return SSL_shutdown(ssl);
}

static const struct {
	const char *name;
	int (*call)(SSL *ssl);
} calls[] = {{"SSL_do_handshake", handshake}, {"SSL_accept", SSL_accept},
	     {"SSL_connect", SSL_connect},    {"SSL_read", read_some},
	     {"SSL_peek", peek_some},	      {"SSL_write", write_some},
	     {"SSL_shutdown", shut_down},     {"SSL_clear", SSL_clear}};

#define CALLS (sizeof calls / sizeof *calls)

// The BIOs an SSL may have: none, an empty memory BIO, one with garbage, only one for reading.
enum bios { NO_BIO, EMPTY, GARBAGE, ONLY_READ, BIOS };

static SSL *prepared(SSL_CTX *ctx, enum bios bios, int server)
{
	SSL *ssl = SSL_new(ctx);
	BIO *in;

	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	if (bios == NO_BIO)
		return ssl;
	in = BIO_new(BIO_s_mem());
	if (bios == GARBAGE)
		BIO_write(in, "GET / HTTP/1.0\r\n\r\n", 18);
	SSL_set_bio(ssl, in, bios == ONLY_READ ? NULL : BIO_new(BIO_s_mem()));
	return ssl;
}

static void try_context(const char *name, SSL_CTX *ctx, int server)
{
	char text[128];

	for (int bios = NO_BIO; bios < BIOS; bios++)
		for (size_t i = 0; i < CALLS; i++) {
			SSL *ssl = prepared(ctx, bios, server);

			snprintf(text, sizeof text, "%s, BIO %d, %s", name, bios, calls[i].name);
			errno = 0;
			report(text, ssl, calls[i].call(ssl));
			// Once more, and another call after it.
			report("again", ssl, calls[i].call(ssl));
			report("then", ssl, calls[(i + 1) % CALLS].call(ssl));
			SSL_free(ssl);
			report("freed", NULL, 0);
		}
}

// An entry that was on the queue before stays the only one.
static void try_queue(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	any_put_error(ERR_LIB_SSL, 123);
	SSL_set_accept_state(ssl);
	(void)SSL_do_handshake(ssl);
	SSL_free(ssl);
	SSL_free(SSL_new(ctx));
	report("queue", NULL, 0);
}

// The context goes first; an SSL is duplicated before use; its BIO is changed halfway.
static void try_order(void)
{
	SSL_CTX *ctx = any_context(true, false, TLS1_VERSION, 0);
	SSL *ssl = prepared(ctx, EMPTY, 1), *copy = SSL_dup(ssl);

	SSL_CTX_free(ctx);
	report("context freed", ssl, SSL_do_handshake(ssl));
	report("the copy", copy, copy != NULL ? SSL_do_handshake(copy) : 0);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	report("another BIO", ssl, SSL_do_handshake(ssl));
	SSL_set_bio(ssl, NULL, NULL);
	report("no BIO any more", ssl, SSL_do_handshake(ssl));
	SSL_free(copy);
	SSL_free(ssl);
	report("all freed", NULL, 0);
}

int main(void)
{
	SSL_CTX *server, *client, *datagrams;

	libssl_start();
	server = any_context(true, false, TLS1_VERSION, 0);
	client = any_context(false, false, TLS1_VERSION, 0);
	datagrams = any_context(true, true, DTLS1_VERSION, 0);
	ERR_clear_error();
	try_context("server", server, 1);
	try_context("client", client, 0);
	try_context("DTLS", datagrams, 1);
	try_queue(server);
	try_order();
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	SSL_CTX_free(datagrams);
	report("contexts freed", NULL, 0);
	return 0;
}
