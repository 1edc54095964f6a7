/*
 * handshakes 1.2|1.3 full|ticket|id COUNT CERT KEY: COUNT handshakes over loopback TCP, both ends
 * in this process. Each is checked to be of the kind asked for. id: the session stays in the
 * server's cache, and the client names it. In TLS 1.2 it does so by session id, in TLS 1.3 by a PSK
 * identity that is only a key to the cache.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WARM_UP_HANDSHAKES = 4 };

struct run {
	SSL_CTX *server_ctx;
	SSL_CTX *client_ctx;
	int listener;
	int resume;
};

void bench_measured(const struct run *run, int handshakes);

/* The newest session that the client received. */
static SSL_SESSION *latest;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(latest);
	latest = session;
	return 1;
}

static void handshake(const struct run *run, int may_be_full)
{
	struct bench_link link;
	char byte;

	link.client = SSL_new(run->client_ctx);
	link.client_fd = bench_connect(run->listener);
	link.server_fd = bench_accept(run->listener);
	if (link.client == NULL || SSL_set_fd(link.client, link.client_fd) != 1 ||
	    (run->resume && latest != NULL && SSL_set_session(link.client, latest) != 1))
		bench_die("client");
	SSL_set_connect_state(link.client);
	link.server = counted_open(run->server_ctx, link.server_fd);
	if (link.server == NULL)
		bench_die("SSL_new");
	bench_handshake(&link);
	if (SSL_session_reused(link.server) != run->resume && !may_be_full)
		bench_die(run->resume ? "not resumed" : "resumed");

	counted_close(link.server);
	close(link.server_fd);
	/* The tickets of TLS 1.3, then the close_notify. */
	while (SSL_read(link.client, &byte, 1) > 0)
		;
	SSL_shutdown(link.client);
	SSL_free(link.client);
	close(link.client_fd);
}

BENCH_COUNTED void bench_measured(const struct run *run, int handshakes)
{
	for (int i = 0; i < handshakes; i++)
		handshake(run, 0);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		bench_die("usage: handshakes VERSION full|ticket|id COUNT CERT KEY");
	bench_end_in_time();
	int version = bench_version(argv[1]);
	int handshakes = bench_count(argv[3]);
	struct run run = {.server_ctx = bench_server_ctx(version, argv[4], argv[5]),
			  .client_ctx = bench_client_ctx(version),
			  .listener = bench_listen(),
			  .resume = strcmp(argv[2], "full") != 0};

	SSL_CTX_set_session_cache_mode(run.client_ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(run.client_ctx, keep_session);
	if (strcmp(argv[2], "id") == 0)
		SSL_CTX_set_options(run.server_ctx, SSL_OP_NO_TICKET);

	for (int i = 0; i < WARM_UP_HANDSHAKES; i++)
		handshake(&run, i == 0);
	bench_measured(&run, handshakes);

	SSL_SESSION_free(latest);
	SSL_CTX_free(run.server_ctx);
	SSL_CTX_free(run.client_ctx);
	return 0;
}
