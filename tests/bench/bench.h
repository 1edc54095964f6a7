/*
 * Helpers for the benchmark programs: contexts, a loopback connection with both ends in this
 * process, and a handshake that is driven in turns from both ends.
 *
 * Functions named counted_… are the server's side. Callgrind collects nothing else
 * (--toggle-collect). They are never inlined, never nested, and do nothing that a server would not
 * do. Each program measures in its bench_measured(). What runs before that warms up (lazy binding,
 * caches, first allocations) and is not counted (--zero-before).
 *
 * A step that fails ends the process with status 1 and a reason, so no figure comes from less work
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

/* Print WHAT, errno and the errors of libssl; exit with status 1. */
_Noreturn void bench_die(const char *what);

/* Let an alarm end this process after a few minutes, whatever happens to its parent. */
void bench_end_in_time(void);

/* The number in TEXT, from 1 to 1,000,000. */
int bench_count(const char *text);

/* TLS1_2_VERSION for "1.2", TLS1_3_VERSION for "1.3". */
int bench_version(const char *text);

/* Contexts that speak only VERSION. CERT and KEY are PEM files, for the server. */
SSL_CTX *bench_server_ctx(int version, const char *cert, const char *key);
SSL_CTX *bench_client_ctx(int version);

/* A listener on 127.0.0.1, on a port that the system picks; a client's connection to it; and the
 * server's end of that connection. The ends are non-blocking. */
int bench_listen(void);
int bench_connect(int listener);
int bench_accept(int listener);

/* The server's side of one connection: from SSL_new to the end of SSL_free. */
SSL *counted_open(SSL_CTX *ctx, int fd);
int counted_accept(SSL *ssl);
void counted_close(SSL *ssl);

/* Each side makes one step in turn, until both are done. On sockets it first waits until there is
 * something to read, so that the number of steps is the same in every run. */
void bench_handshake(struct bench_link *link);

#endif
