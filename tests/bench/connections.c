/*
 * connections COUNT CERT KEY: the memory of a server process that holds COUNT connections open at
 * once, over loopback TCP. The client is another process. Prints `NAME VALUE` lines:
 *
 *   start_rss_bytes     the resident pages of the process, before it used libssl
 *   start_dirty_bytes   those of them that it wrote to
 *   warm_rss_bytes      the same two after the first connections
 *   warm_dirty_bytes
 *   malloc_bytes_each   bytes in use from malloc, per connection
 *   dirty_bytes_each    pages written to, per connection: also memory that is not from malloc
 */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPARE_DESCRIPTORS = 64, WARM_UP_CONNECTIONS = 50 };

struct pages {
	long rss;
	long dirty;
};

/* A field of /proc/self/smaps_rollup, in bytes. */
static long smaps_bytes(const char *field)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	size_t length = strlen(field);
	char line[256];
	long kilobytes = -1;

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, field, length) == 0)
			kilobytes = strtol(line + length, NULL, 10);
	if (kilobytes < 0)
		bench_die("/proc/self/smaps_rollup");
	fclose(file);
	return kilobytes * 1024;
}

/* Dirty pages rather than Pss: they do not change when other processes map the same files. */
static struct pages pages(void)
{
	return (struct pages){.rss = smaps_bytes("Rss:"),
			      .dirty =
				  smaps_bytes("Shared_Dirty:") + smaps_bytes("Private_Dirty:")};
}

static long malloc_bytes(void)
{
#if __GLIBC_PREREQ(2, 33)
	struct mallinfo2 info = mallinfo2();
#else
	struct mallinfo info = mallinfo();
#endif
	return (long)(info.uordblks + info.hblkhd);
}

/* The client process. It makes the connections and keeps them open until the server closes its end
 * of the pipe. */
static void client(int listener, int connections, int wait_fd)
{
	SSL_CTX *ctx = bench_client_ctx(TLS1_3_VERSION);
	char byte;

	for (int i = 0; i < connections; i++) {
		SSL *ssl = SSL_new(ctx);
		int fd = bench_connect(listener);
		BIO *bio = BIO_new_socket(fd, BIO_NOCLOSE);

		BIO_socket_nbio(fd, 0);
		SSL_set_bio(ssl, bio, bio);
		if (SSL_connect(ssl) != 1)
			bench_die("SSL_connect");
	}
	if (read(wait_fd, &byte, 1) != 0)
		bench_die("pipe");
	_exit(0);
}

static void serve(SSL_CTX *ctx, int listener, int connections, SSL **held)
{
	for (int i = 0; i < connections; i++) {
		int fd = bench_accept(listener);

		BIO_socket_nbio(fd, 0);
		held[i] = counted_open(ctx, fd);
		if (held[i] == NULL || counted_accept(held[i]) != 1)
			bench_die("SSL_accept");
	}
}

/* Raise the limit of open files where it is too low. */
static void need_descriptors(int connections)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		bench_die("getrlimit");
	rlim_t wanted = (rlim_t)connections + SPARE_DESCRIPTORS;
	if (limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		bench_die("the limit of open files is too low");
}

int main(int argc, char **argv)
{
	struct pages start = pages();
	int pipe_fds[2];

	if (argc != 4)
		bench_die("usage: connections COUNT CERT KEY");
	int connections = bench_count(argv[1]);
	int all = connections + WARM_UP_CONNECTIONS;
	bench_end_in_time();
	need_descriptors(all);
	int listener = bench_listen();
	pid_t child = pipe(pipe_fds) == 0 ? fork() : -1;
	if (child < 0)
		bench_die("fork");
	if (child == 0) {
		bench_end_in_time();
		close(pipe_fds[1]);
		client(listener, all, pipe_fds[0]);
	}
	close(pipe_fds[0]);

	SSL_CTX *ctx = bench_server_ctx(TLS1_3_VERSION, argv[2], argv[3]);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL **held = calloc((size_t)all, sizeof *held);
	if (held == NULL)
		bench_die("calloc");
	serve(ctx, listener, WARM_UP_CONNECTIONS, held);
	long malloc_before = malloc_bytes();
	struct pages warm = pages();
	serve(ctx, listener, connections, held + WARM_UP_CONNECTIONS);
	long malloc_after = malloc_bytes();
	struct pages after = pages();
	printf("start_rss_bytes %ld\nstart_dirty_bytes %ld\n", start.rss, start.dirty);
	printf("warm_rss_bytes %ld\nwarm_dirty_bytes %ld\n", warm.rss, warm.dirty);
	printf("malloc_bytes_each %ld\n", (malloc_after - malloc_before) / connections);
	printf("dirty_bytes_each %ld\n", (after.dirty - warm.dirty) / connections);

	for (int i = 0; i < all; i++)
		SSL_free(held[i]);
	free(held);
	SSL_CTX_free(ctx);
	close(pipe_fds[1]);
	int status;
	return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}
