// toomany PLUGIN...: a process with a plug-in for each libssl. Each makes contexts and connections,
// by turns and in two threads at once, and sees a client leave after half a ClientHello. The
// program prints how often all was as it should be, and runs the shell command in the environment
// variable AFTER.
//
// toomany --reload PLUGIN...: opens, uses and closes one plug-in after the other, each of which
// shall lie where the one before lay.
//
// With -DPLUGIN: such a plug-in, linked to the libssl that is meant.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PLUGIN
#include <openssl/ssl.h>

int visit(void)
{
	static const unsigned char half[] = {22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3, 1, 2, 3};
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
	BIO *in = BIO_new(BIO_s_mem());
	char byte;
	int good;

	if (ssl == NULL)
		return 0;
	SSL_set_bio(ssl, in, BIO_new(BIO_s_mem()));
	SSL_set_accept_state(ssl);
	good = SSL_get_error(ssl, SSL_do_handshake(ssl)) == SSL_ERROR_WANT_READ;
	BIO_write(in, half, sizeof half);
	good &= SSL_get_error(ssl, SSL_read(ssl, &byte, 1)) == SSL_ERROR_WANT_READ;
	BIO_set_mem_eof_return(in, 0);
	good &= SSL_get_error(ssl, SSL_accept(ssl)) != SSL_ERROR_NONE;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return good;
}
#else
enum { TIMES = 3, MOST = 64 };

static int (*visits[MOST])(void);
static int count;

static void *work(void *good)
{
	for (int i = 0; i < TIMES * count; i++)
		*(int *)good += visits[i % count]();
	return NULL;
}

static void *opened(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *function = plugin != NULL ? dlsym(plugin, "visit") : NULL;

	if (function == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	visits[count++] = (int (*)(void))function;
	return plugin;
}

static int reload(char **paths)
{
	int good = 0, again = 0;

	for (int i = 0; paths[i] != NULL && count < MOST; i++) {
		void *plugin = opened(paths[i]);

		again += i > 0 && visits[i] == visits[i - 1];
		for (int time = 0; time < TIMES; time++)
			good += visits[i]();
		dlclose(plugin);
	}
	printf("libraries=%d good=%d of %d again=%d\n", count, good, TIMES * count, again);
	return 0;
}

int main(int argc, char **argv)
{
	const char *after = getenv("AFTER");
	int good[2] = {0, 0};
	pthread_t thread;

	if (argc > 1 && strcmp(argv[1], "--reload") == 0)
		return reload(argv + 2);
	for (int i = 1; i < argc && count < MOST; i++)
		(void)opened(argv[i]);
	pthread_create(&thread, NULL, work, &good[1]);
	work(&good[0]);
	pthread_join(thread, NULL);
	printf("libraries=%d good=%d of %d\n", count, good[0] + good[1], 2 * TIMES * count);
	fflush(stdout);
	return after != NULL && system(after) != 0;
}
#endif
