// keptbio CERT KIND WAY: a program that keeps one BIO for all its connections, with a callback of
// its own. KIND of the callback: ex, old, none, late (set after the refusal), fresh (by then
// another one). WAY in which the first connection's SSL leaves the BIO: free, clear, swap. The
// first client renegotiates; the second is an ordinary one. Prints a line for each.
#define OPENSSL_SUPPRESS_DEPRECATED // BIO_set_callback
#include "openssl_compat.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *server_ctx, *client_ctx;
static int reads, writes, mine;

static void note(int operation)
{
	reads += operation == (BIO_CB_READ | BIO_CB_RETURN);
	writes += operation == (BIO_CB_WRITE | BIO_CB_RETURN);
}

static long on_ex(BIO *bio, int operation, const char *data, size_t bytes, int size, long argument,
		  int result, size_t *processed)
{
	(void)data, (void)bytes, (void)size, (void)argument, (void)processed;
	mine += BIO_get_callback_arg(bio) == (char *)&mine;
	note(operation);
	return result;
}

static long on_ex_too(BIO *bio, int operation, const char *data, size_t bytes, int size,
		      long argument, int result, size_t *processed)
{
	return on_ex(bio, operation, data, bytes, size, argument, result, processed);
}

static long on_old(BIO *bio, int operation, const char *data, int size, long argument, long result)
{
	(void)data, (void)size, (void)argument;
	mine += BIO_get_callback_arg(bio) == (char *)&mine;
	note(operation);
	return result;
}

static const char *callback_name(BIO *bio)
{
	if (BIO_get_callback_ex(bio) == on_ex)
		return "ex";
	if (BIO_get_callback_ex(bio) == on_ex_too)
		return "ex_too";
	if (BIO_get_callback_ex(bio) != NULL)
		return "foreign";
	return BIO_get_callback(bio) == on_old ? "old"
	       : BIO_get_callback(bio) != NULL ? "foreign"
					       : "none";
}

// The client's end, all of its life, in a child.
static void client(int fd, int renegotiates)
{
	SSL *ssl = SSL_new(client_ctx);
	char byte = 'x';

	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1 || SSL_write(ssl, &byte, 1) != 1 || SSL_read(ssl, &byte, 1) != 1)
		_exit(1);
	if (renegotiates) {
		SSL_renegotiate(ssl);
		(void)SSL_do_handshake(ssl);
	}
	(void)SSL_write(ssl, &byte, 1);
	(void)SSL_read(ssl, &byte, 1);
	_exit(0);
}

static int connect_client(BIO *bio, int renegotiates)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		exit(2);
	if (fork() == 0) {
		close(ends[0]);
		alarm(20);
		client(ends[1], renegotiates);
	}
	close(ends[1]);
	BIO_set_fd(bio, ends[0], BIO_NOCLOSE);
	return ends[0];
}

// Echoes what comes. How many bytes that were.
static int serve(SSL *ssl)
{
	char byte;
	int echoed = 0;

	while (SSL_read(ssl, &byte, 1) == 1 && SSL_write(ssl, &byte, 1) == 1)
		echoed++;
	return echoed;
}

static SSL *serve_on(SSL *ssl, BIO *bio)
{
	if (ssl == NULL) {
		ssl = SSL_new(server_ctx);
		BIO_up_ref(bio);
		SSL_set_bio(ssl, bio, bio);
	}
	SSL_set_accept_state(ssl);
	return ssl;
}

int main(int argc, char **argv)
{
	const char *kind = argc == 4 ? argv[2] : "", *way = argc == 4 ? argv[3] : "";
	BIO *bio = BIO_new(BIO_s_socket());
	SSL *ssl;
	int fd, echoed, again, entries = 0;
	unsigned long error;
	size_t got;
	char byte;

	server_ctx = SSL_CTX_new(TLS_server_method());
	client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(client_ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(server_ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	if (argc != 4 || SSL_CTX_use_certificate_chain_file(server_ctx, argv[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(server_ctx, argv[1], SSL_FILETYPE_PEM) != 1)
		return 2;
	alarm(30);
	signal(SIGPIPE, SIG_IGN);
	BIO_set_callback_arg(bio, (char *)&mine);
	if (strcmp(kind, "ex") == 0 || strcmp(kind, "fresh") == 0)
		BIO_set_callback_ex(bio, on_ex);
	if (strcmp(kind, "old") == 0)
		BIO_set_callback(bio, on_old);

	fd = connect_client(bio, 1);
	ssl = serve_on(NULL, bio);
	echoed = serve(ssl);
	printf("first: echoed=%d reads=%d writes=%d mine=%d\n", echoed, reads > 0, writes,
	       mine == 0 ? 0 : 1);
	again = SSL_read_ex(ssl, &byte, 1, &got);
	while ((error = ERR_get_error()) != 0)
		entries += ERR_GET_REASON(error) == SSL_R_TLSV1_ALERT_NO_RENEGOTIATION;
	printf("again: read_ex=%d entries=%d\n", again, entries);
	if (strcmp(kind, "late") == 0)
		BIO_set_callback_ex(bio, on_ex);
	if (strcmp(kind, "fresh") == 0)
		BIO_set_callback_ex(bio, on_ex_too);
	if (strcmp(way, "clear") == 0) {
		SSL_clear(ssl);
	} else if (strcmp(way, "swap") == 0) {
		SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	} else {
		SSL_free(ssl);
		ssl = NULL;
	}
	close(fd);
	printf("then: callback=%s\n", callback_name(bio));
	fflush(stdout);

	reads = writes = 0;
	fd = connect_client(bio, 0);
	echoed = serve(ssl = serve_on(strcmp(way, "clear") == 0 ? ssl : NULL, bio));
	printf("second: echoed=%d callback=%s called=%d\n", echoed, callback_name(bio),
	       reads > 0 && writes > 0);
	SSL_free(ssl);
	close(fd);
	BIO_free(bio);
	return 0;
}
