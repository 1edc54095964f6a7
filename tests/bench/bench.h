/*
 * What the programs of the bench share: contexts, a loopback connection with both ends in this
 * process, a handshake driven from one end to the other.
 *
 * Functions named counted_… are the server's side and the only code callgrind collects
 * (--toggle-collect); they are never inlined, never nested, and do nothing a server would not do.
 * What runs before bench_measured() warms up (lazy binding, caches, first-time allocations) and is
 * forgotten (--zero-before).
 *
 * A step that fails ends the process with status 1 and a reason: a figure is never taken from less
 * than was asked for.
 */
#ifndef BENCH_H
#define BENCH_H

#include <openssl/ssl.h>

#define BENCH_COUNTED __attribute__((noinline, noclone))

/* Both ends of one connection. Descriptors are -1 where the ends are joined by memory BIOs. */
struct bench_link {
	SSL *server;
	SSL *client;
	int server_fd;
	int client_fd;
};

_Noreturn void bench_die(const char *what);

/* No program of the bench lives longer than a few minutes, whatever happens to its parent. */
void bench_end_in_time(void);

/* The number in text, at least 1. */
int bench_count(const char *text);

/* TLS1_2_VERSION for "1.2", TLS1_3_VERSION for "1.3". */
int bench_version(const char *text);

/* Contexts that speak that one version; the server's with the certificate and key of CERT and KEY
 * (PEM files). */
SSL_CTX *bench_server_ctx(int version, const char *cert, const char *key);
SSL_CTX *bench_client_ctx(int version);

/* A listener on 127.0.0.1, on a port the system picks; a client connected to it; the server's end
 * of that one. */
int bench_listen(void);
int bench_connect(int listener);
int bench_accept(int listener);

/* The server's side of one connection: from SSL_new to the end of SSL_free. */
SSL *counted_open(SSL_CTX *ctx, int fd);
int counted_accept(SSL *ssl);
void counted_close(SSL *ssl);

/* One step of each side in turn until both are done; on sockets each waits until there is something
 * to read, so that the number of steps does not depend on the moment. */
void bench_handshake(struct bench_link *link);

#endif
