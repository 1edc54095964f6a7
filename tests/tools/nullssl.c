// nullssl [LIBSSL]: makes and frees many SSLs, then asks for one without a context, which libssl
// answers with an error. With LIBSSL, a second libssl is in use by then. Prints what happened.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

enum { SSLS = 2000 };

static int use_another(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *method = handle ? dlsym(handle, "TLS_server_method") : NULL;
	void *new = handle ? dlsym(handle, "SSL_CTX_new") : NULL;
	const SSL_METHOD *(*other_method)(void);
	SSL_CTX *(*other_new)(const SSL_METHOD *);

	if (!method || !new)
		return 0;
	memcpy(&other_method, &method, sizeof method);
	memcpy(&other_new, &new, sizeof new);
	return other_new(other_method()) != NULL;
}

int main(int argc, char **argv)
{
	static SSL *all[SSLS];
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *none;

	if (!ctx || (argc > 1 && !use_another(argv[1]))) {
		fprintf(stderr, "nullssl: %s\n", ctx ? dlerror() : "no context");
		return 2;
	}
	for (int i = 0; i < SSLS; i++)
		all[i] = SSL_new(ctx);
	for (int i = 0; i < SSLS; i++)
		SSL_free(all[i]);
	SSL_free(NULL);
	SSL_CTX_free(NULL);
	ERR_clear_error();
	none = SSL_new(NULL);
	printf("%s, %s\n", none ? "an SSL" : "none", ERR_reason_error_string(ERR_get_error()));
	return 0;
}
