/*
 * The hooks of libssl's functions by name: what dlsym(3) answers with.
 */
#ifndef RG_HOOKS_LIBSSL_H
#define RG_HOOKS_LIBSSL_H

struct rg_hook {
	const char *name; /* NULL: the end */
	void *hook;
};

#pragma GCC visibility push(hidden)
extern const struct rg_hook rg_hooks[];
#pragma GCC visibility pop

#endif
