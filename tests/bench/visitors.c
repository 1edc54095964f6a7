/*
 * visitors full|resumed|bare PORT FROM MILLISECONDS THREADS RATE: connects to 127.0.0.1:PORT from
 * the address FROM, one connection after the other in each thread. full: TLS 1.3 and one HTTP
 * request. resumed: the same, each connection offering the newest session. bare: nothing is sent,
 * the server has to end the connection. RATE is the number of connections per second to aim at, of
 * all threads together; 0: as many as possible.
 *
 * Prints `NAME VALUE` lines: served, refused, seconds, and percentiles of the latency, from connect
 * to the end of the answer, of the connections that were served (bare: of all).
 */
#include "bench.h"
#include "../lib/openssl_compat.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 32, SAMPLES_MAX = 200000, TIMEOUT_S = 5, NS_PER_S = 1000000000 };
enum kind { FULL, RESUMED, BARE };

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

static struct {
	struct sockaddr_in to, from;
	SSL_CTX *ctx;
	enum kind kind;
	int threads, rate;
	long long begin_ns, end_ns;
} run;

static atomic_long served, refused, sample_count;
static int samples_us[SAMPLES_MAX];

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The newest session of this thread. The context's new-session callback sets it. */
static _Thread_local SSL_SESSION *latest;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(latest);
	latest = session;
	return 1;
}

/* A connected socket, or -1. It is closed by a RST, so that no connection stays in TIME_WAIT. */
static int open_socket(void)
{
	struct timeval timeout = {TIMEOUT_S, 0};
	struct linger abortive = {1, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		bench_die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&run.from, sizeof run.from) != 0)
		bench_die("bind");
	if (connect(fd, (struct sockaddr *)&run.to, sizeof run.to) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Make a TLS connection and a request on FD. Did an answer come? */
static int visit_tls(int fd)
{
	SSL *ssl = SSL_new(run.ctx);
	int answered = 0, n;
	char text[4096];

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		bench_die("SSL_new");
	if (run.kind == RESUMED && latest != NULL)
		SSL_set_session(ssl, latest);
	if (SSL_connect(ssl) == 1 &&
	    SSL_write(ssl, request, sizeof request - 1) == sizeof request - 1)
		while ((n = SSL_read(ssl, text, sizeof text)) > 0)
			answered = 1;
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN); /* keeps the session usable */
	SSL_free(ssl);
	return answered;
}

static void visit(void)
{
	long long begin = now_ns();
	int fd = open_socket(), answered = 0;
	char byte;

	if (fd >= 0 && run.kind == BARE)
		answered = recv(fd, &byte, 1, 0) > 0;
	else if (fd >= 0)
		answered = visit_tls(fd);
	if (fd >= 0)
		close(fd);
	atomic_fetch_add(answered ? &served : &refused, 1);
	if (answered || run.kind == BARE) {
		long sample = atomic_fetch_add(&sample_count, 1);

		if (sample < SAMPLES_MAX)
			samples_us[sample] = (int)((now_ns() - begin) / 1000);
	}
}

static void wait_until(long long when_ns)
{
	struct timespec when = {when_ns / NS_PER_S, when_ns % NS_PER_S};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) != 0)
		;
}

static void *keep_visiting(void *number)
{
	long long gap_ns = run.rate ? (long long)NS_PER_S * run.threads / run.rate : 0;
	long long due_ns = run.begin_ns + gap_ns * (long)(intptr_t)number / run.threads;

	while (now_ns() < run.end_ns && due_ns < run.end_ns) {
		wait_until(due_ns);
		visit();
		/* A thread that is late does not catch up. */
		due_ns += gap_ns;
		due_ns = due_ns > now_ns() - gap_ns ? due_ns : now_ns();
	}
	SSL_SESSION_free(latest);
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void print(void)
{
	long count = atomic_load(&sample_count);

	count = count < SAMPLES_MAX ? count : SAMPLES_MAX;
	qsort(samples_us, (size_t)count, sizeof *samples_us, ascending);
	printf("served %ld\nrefused %ld\nseconds %.3f\n", atomic_load(&served),
	       atomic_load(&refused), (double)(now_ns() - run.begin_ns) / NS_PER_S);
	if (count > 0)
		printf("p50_us %d\np99_us %d\n", samples_us[count / 2],
		       samples_us[count * 99 / 100]);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];

	if (argc != 7)
		bench_die("usage: visitors full|resumed|bare PORT FROM MILLISECONDS THREADS RATE");
	bench_end_in_time();
	(void)signal(SIGPIPE, SIG_IGN);
	run.kind = argv[1][0] == 'f' ? FULL : argv[1][0] == 'r' ? RESUMED : BARE;
	run.to = run.from = (struct sockaddr_in){.sin_family = AF_INET};
	run.to.sin_port = htons((uint16_t)bench_count(argv[2]));
	run.threads = bench_count(argv[5]);
	run.rate = (int)strtol(argv[6], NULL, 10);
	if (inet_pton(AF_INET, "127.0.0.1", &run.to.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[3], &run.from.sin_addr) != 1 || run.threads > THREADS_MAX)
		bench_die("FROM is an IPv4 address, THREADS at most 32");
	run.ctx = bench_client_ctx(TLS1_3_VERSION);
	SSL_CTX_set_mode(run.ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_options(run.ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(run.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(run.ctx, keep_session);
	run.begin_ns = now_ns();
	run.end_ns = run.begin_ns + bench_count(argv[4]) * 1000000LL;
	for (int i = 0; i < run.threads; i++)
		if (pthread_create(&threads[i], NULL, keep_visiting, (void *)(intptr_t)i) != 0)
			bench_die("pthread_create");
	for (int i = 0; i < run.threads; i++)
		pthread_join(threads[i], NULL);
	print();
	SSL_CTX_free(run.ctx);
	return 0;
}
