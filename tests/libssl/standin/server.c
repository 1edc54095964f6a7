// server [--port P] [--connections N] [--where main|thread|fork]: an echo server on the stand-in
// for libssl. It serves N connections (-1: without end), one after the other, and prints how the
// last read of each ended. It is built as a program and as a plug-in for plughost and manyhost.
// With SERVE_IN_CONSTRUCTOR=1 the plug-in serves from a constructor, as a preloaded library may,
// before the shim's has run.
#include "netutil.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct ssl_ctx_st *SSL_CTX_new(const void *method);
struct ssl_st *SSL_new(struct ssl_ctx_st *ctx);
void SSL_free(struct ssl_st *ssl);
int SSL_set_fd(struct ssl_st *ssl, int fd);
int SSL_accept(struct ssl_st *ssl);
int SSL_read(struct ssl_st *ssl, void *buffer, int bytes);
int SSL_write(struct ssl_st *ssl, const void *data, int bytes);
unsigned long ERR_peek_last_error(void);

struct work {
	struct ssl_ctx_st *ctx;
	int fd;
};

static void *serve(void *argument)
{
	struct work *work = argument;
	struct ssl_st *ssl = SSL_new(work->ctx);
	char data[512];
	int got, accepted;

	SSL_set_fd(ssl, work->fd);
	accepted = SSL_accept(ssl);
	while ((got = accepted == 1 ? SSL_read(ssl, data, sizeof(data)) : -1) > 0)
		SSL_write(ssl, data, got);
	printf("accepted=%d reason=%lu later_read=%d later_write=%d\n", accepted,
	       ERR_peek_last_error() & 0xfff, SSL_read(ssl, data, sizeof(data)),
	       SSL_write(ssl, "late", 4));
	fflush(stdout);
	SSL_free(ssl);
	close(work->fd);
	return NULL;
}

static void serve_in(const char *where, struct work *work)
{
	pthread_t thread;

	if (strcmp(where, "thread") == 0) {
		pthread_create(&thread, NULL, serve, work);
		pthread_join(thread, NULL);
	} else if (strcmp(where, "fork") == 0) {
		if (fork() == 0) {
			serve(work);
			_exit(0);
		}
		close(work->fd);
		wait(NULL);
	} else {
		serve(work);
	}
}

__attribute__((visibility("default"))) int tlsserver_main(int argc, char **argv);

int tlsserver_main(int argc, char **argv)
{
	struct work work = {.ctx = SSL_CTX_new(NULL)};
	const char *where = "main";
	int port = 0, connections = 1, listener;

	alarm(120);
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--port") == 0)
			port = atoi(argv[i + 1]);
		if (strcmp(argv[i], "--connections") == 0)
			connections = atoi(argv[i + 1]);
		if (strcmp(argv[i], "--where") == 0)
			where = argv[i + 1];
	}
	listener = net_listen("127.0.0.1", &port);
	printf("port=%d\n", port);
	fflush(stdout);
	while (connections-- != 0 && (work.fd = accept(listener, NULL, NULL)) >= 0)
		serve_in(where, &work);
	close(listener);
	return 0;
}

#ifdef TLSSERVER_PLUGIN
__attribute__((constructor)) static void serve_at_once(void)
{
	char *argv[] = {"constructor", NULL};

	if (getenv("SERVE_IN_CONSTRUCTOR"))
		exit(tlsserver_main(1, argv));
}
#else
int main(int argc, char **argv)
{
	return tlsserver_main(argc, argv);
}
#endif
