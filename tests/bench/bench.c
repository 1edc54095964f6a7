#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READABLE_WITHIN_MS = 20000, STEPS_AT_MOST = 16, COUNT_AT_MOST = 1000000, END_AFTER_S = 150 };

_Noreturn void bench_die(const char *what)
{
	perror(what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

void bench_end_in_time(void)
{
	alarm(END_AFTER_S);
}

int bench_count(const char *text)
{
	char *end;
	long count = strtol(text, &end, 10);

	if (*end != '\0' || count < 1 || count > COUNT_AT_MOST)
		bench_die("a count is a number from 1 to 1000000");
	return (int)count;
}

int bench_version(const char *text)
{
	if (strcmp(text, "1.2") == 0)
		return TLS1_2_VERSION;
	if (strcmp(text, "1.3") == 0)
		return TLS1_3_VERSION;
	bench_die("a version is 1.2 or 1.3");
}

static SSL_CTX *ctx_of_version(const SSL_METHOD *method, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, "ECDHE-RSA-AES256-GCM-SHA384") != 1)
		bench_die("SSL_CTX");
	return ctx;
}

SSL_CTX *bench_server_ctx(int version, const char *cert, const char *key)
{
	SSL_CTX *ctx = ctx_of_version(TLS_server_method(), version);

	if (SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		bench_die("certificate and key");
	return ctx;
}

SSL_CTX *bench_client_ctx(int version)
{
	return ctx_of_version(TLS_client_method(), version);
}

int bench_listen(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(fd, SOMAXCONN) != 0)
		bench_die("listen");
	return fd;
}

int bench_connect(int listener)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0 ||
	    connect(fd, (struct sockaddr *)&address, length) != 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		bench_die("connect");
	return fd;
}

int bench_accept(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		bench_die("accept");
	return fd;
}

BENCH_COUNTED SSL *counted_open(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1)
		SSL_set_accept_state(ssl);
	return ssl;
}

BENCH_COUNTED int counted_accept(SSL *ssl)
{
	return SSL_do_handshake(ssl);
}

/* SSL_shutdown sends the close_notify. Without it libssl drops the session from its cache, and
 * nothing could be resumed. */
BENCH_COUNTED void counted_close(SSL *ssl)
{
	SSL_shutdown(ssl);
	SSL_free(ssl);
}

static void wait_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (fd >= 0 && poll(&poll_fd, 1, READABLE_WITHIN_MS) != 1)
		bench_die("there is nothing to read");
}

/* Is this side done? Any error other than SSL_ERROR_WANT_READ ends the benchmark. */
static int is_done(SSL *ssl, int result)
{
	if (result == 1)
		return 1;
	if (SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ)
		bench_die("handshake");
	return 0;
}

void bench_handshake(struct bench_link *link)
{
	int client_done = 0;
	int server_done = 0;

	for (int step = 0; step < STEPS_AT_MOST; step++) {
		if (step > 0 && !client_done)
			wait_readable(link->client_fd);
		if (!client_done)
			client_done = is_done(link->client, SSL_do_handshake(link->client));
		if (!server_done) {
			wait_readable(link->server_fd);
			server_done = is_done(link->server, counted_accept(link->server));
		}
		if (client_done && server_done)
			return;
	}
	bench_die("the handshake does not end");
}
