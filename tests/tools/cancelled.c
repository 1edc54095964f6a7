// cancelled: a thread that has been cancelled goes on until it comes to a cancellation point
// (pthreads(7)). It feeds the ends of connections from memory, which no call of libssl makes a
// cancellation point, and then comes to one. Prints how far it got.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>

enum { CONNECTIONS = 3 };

static int ended;

static int serve_garbage(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	int ret;

	BIO_write(in, "garbage, no TLS", 15);
	SSL_set_bio(ssl, in, out);
	SSL_set_accept_state(ssl);
	ret = SSL_do_handshake(ssl);
	SSL_free(ssl);
	ERR_clear_error();
	return ret <= 0;
}

static void *serve(void *ctx)
{
	pthread_cancel(pthread_self());
	for (int i = 0; i < CONNECTIONS; i++)
		ended += serve_garbage(ctx);
	pthread_testcancel();
	return ctx;
}

int main(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	pthread_t thread;
	void *result;

	if (!ctx || pthread_create(&thread, NULL, serve, ctx) ||
	    pthread_join(thread, &result))
		return 2;
	printf("ended=%d cancelled=%d\n", ended, result == PTHREAD_CANCELED);
	SSL_CTX_free(ctx);
	return 0;
}
