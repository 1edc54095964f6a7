// A dlopen of a program's own, as HAProxy 3.0 has one: before and after it loads anything it asks dlsym
// whether functions of libssl are still where they were.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

__attribute__((visibility("default"))) void *dlopen(const char *path, int flags)
{
	void *(*next)(const char *, int);
	void *before = dlsym(RTLD_DEFAULT, "SSL_CTX_new_ex"), *handle;

	*(void **)&next = dlsym(RTLD_NEXT, "dlopen");
	handle = next(path, flags);
	if (before != dlsym(RTLD_DEFAULT, "SSL_CTX_new_ex"))
		puts("SSL_CTX_new_ex is another one now");
	return handle;
}
