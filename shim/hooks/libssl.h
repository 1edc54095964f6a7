/*
 * The hooks of libssl's functions by name, for our dlsym(3). Immutable; any thread may read them.
 */
#ifndef RG_HOOKS_LIBSSL_H
#define RG_HOOKS_LIBSSL_H

struct rg_hook {
	const char *name; /* NULL in the last entry */
	void *hook;
};

#pragma GCC visibility push(hidden)
extern const struct rg_hook rg_hooks[];
#pragma GCC visibility pop

#endif
