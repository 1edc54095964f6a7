// Another preloaded library that hooks libssl, as key loggers and tracers do. It prints which
// function was called and forwards to the real one, which it finds by RTLD_NEXT. With BY_HANDLE it
// finds it in LIBSSL, which it opens itself.
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

__attribute__((constructor)) static void tell_at_start(void)
{
	if (getenv("INTERPOSER_TELLS"))
		printf("SSL_new: %s\n", find("SSL_new") ? "found" : "nothing");
}
