// Another preload that hooks libssl, as key loggers and tracers do: it says what it was called for, and
// forwards to what it found by RTLD_NEXT, or (BY_HANDLE) in the libssl that it opened itself.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *find(const char *name)
{
#ifdef BY_HANDLE
	return dlsym(dlopen(LIBSSL, RTLD_LAZY | RTLD_LOCAL), name);
#else
	return dlsym(RTLD_NEXT, name);
#endif
}

#define FORWARD(returns, name, parameters, arguments)                                              \
	__attribute__((visibility("default"))) returns name parameters                             \
	{                                                                                          \
		static returns(*real) parameters;                                                  \
                                                                                                   \
		if (!real)                                                                         \
			*(void **)&real = find(#name);                                             \
		fprintf(stderr, "interposed " #name "\n");                                         \
		return real arguments;                                                             \
	}

FORWARD(void *, SSL_new, (void *ctx), (ctx))
FORWARD(int, SSL_accept, (void *ssl), (ssl))
FORWARD(int, SSL_read, (void *ssl, void *data, int bytes), (ssl, data, bytes))

__attribute__((constructor)) static void tell(void)
{
	if (getenv("INTERPOSER_TELLS"))
		printf("SSL_new: %s\n", find("SSL_new") ? "found" : "nothing");
}
