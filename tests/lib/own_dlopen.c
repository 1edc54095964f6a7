// A program's own dlopen, as HAProxy 3.0 has it. Before and after loading an object it asks dlsym
// for a function of libssl. It says so if the answer has changed.
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
