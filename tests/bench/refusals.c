/*
 * refusals COUNT CERT KEY: COUNT connections of a blocked client, over loopback TCP, both ends in
 * this process. Run it under the shim with RENEGUARD_HANDSHAKE=block. The first connection, which
 * belongs to the warm-up, gets the client blocked; every later one must be refused.
 */
#include "bench.h"

#include <stdlib.h>
#include <unistd.h>

enum { WARM_UP = 4 };

void bench_measured(SSL_CTX *ctx, int listener, int refusals);

static void refusal(SSL_CTX *ctx, int listener)
{
	int client = bench_connect(listener), server = bench_accept(listener);
	SSL *ssl = counted_open(ctx, server);

	if (ssl == NULL)
		bench_die("SSL_new");
	if (counted_accept(ssl) != -1 || SSL_get_error(ssl, -1) != SSL_ERROR_SSL)
		bench_die("not refused");
	counted_close(ssl);
	close(server);
	close(client);
}

/* The handshake that gets the client blocked. */
static void blocking_handshake(SSL_CTX *ctx, int listener)
{
	SSL_CTX *client_ctx = bench_client_ctx(TLS1_3_VERSION);
	int client_fd = bench_connect(listener);
	SSL *server = counted_open(ctx, bench_accept(listener)), *client = SSL_new(client_ctx);

	if (server == NULL || client == NULL || SSL_set_fd(client, client_fd) != 1)
		bench_die("SSL_new");
	SSL_set_connect_state(client);
	if (SSL_do_handshake(client) == 1 || counted_accept(server) == 1)
		bench_die("not refused");
	close(SSL_get_fd(server));
	close(client_fd);
	counted_close(server);
	SSL_free(client);
	SSL_CTX_free(client_ctx);
}

BENCH_COUNTED void bench_measured(SSL_CTX *ctx, int listener, int refusals)
{
	for (int i = 0; i < refusals; i++)
		refusal(ctx, listener);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		bench_die("usage: refusals COUNT CERT KEY");
	bench_end_in_time();
	int count = bench_count(argv[1]), listener = bench_listen();
	SSL_CTX *ctx = bench_server_ctx(TLS1_3_VERSION, argv[2], argv[3]);

	blocking_handshake(ctx, listener);
	for (int i = 0; i < WARM_UP; i++)
		refusal(ctx, listener);
	bench_measured(ctx, listener, count);
	SSL_CTX_free(ctx);
	return 0;
}
