#include "os/next.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#include "os/dl.h"

void *_Atomic rg_next_found[RG_NEXT_COUNT];

static const char *const names[RG_NEXT_COUNT] = {
#define X(name) #name,
    RG_NEXT_FUNCTIONS(X)
#undef X
};

__attribute__((noinline, cold)) void *rg_next_find(enum rg_next_function function)
{
	static _Thread_local bool searching __attribute__((tls_model("initial-exec")));
	void *found;
	int saved = errno;

	if (searching)
		return NULL;
	searching = true;
	found = rg_dl_sym(RTLD_NEXT, names[function]);
	searching = false;
	atomic_store_explicit(&rg_next_found[function], found, memory_order_relaxed);
	errno = saved;
	return found;
}

void rg_next_prepare(void)
{
	for (enum rg_next_function function = 0; function < RG_NEXT_COUNT; function++)
		(void)rg_next_find(function);
}
