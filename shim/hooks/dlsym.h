/*
 * dlsym(3) and dlopen(3) as the program calls them. Exported are two stubs of a few instructions
 * (dlsym_stubs.S) that JUMP to the next function of that name: the real ones find their caller by
 * its return address (RTLD_NEXT, RTLD_DEFAULT, a RUNPATH), so it has to stay where it is. Only who
 * asks for one of our names is asked here first, and gets a hook of ours where the answer lies in a
 * libssl; of dlopen only RTLD_DEEPBIND is noted. Not on every processor: where the stubs are not
 * built, neither is exported.
 *
 * Any thread may call anything here. Neither lookup.c nor deepbind.c is sanitized: a runtime calls
 * dlsym before it is ready.
 */
#ifndef RG_LOOKUP_H
#define RG_LOOKUP_H

/* Where dlsym_stubs.S has stubs. */
#if (defined __x86_64__ && !defined __ILP32__) || defined __i386__ || defined __aarch64__
#define RG_LOOKUP_STUBS 1
#endif

#define RG_LOOKUP_DEEPBIND 8  /* RTLD_DEEPBIND */
#define RG_LOOKUP_PASS	   -1 /* rg_lookup_answer: what the real dlsym says */

#ifndef RG_LOOKUP_ASSEMBLER

#include <stdbool.h>

#include "libssl/libssl.h"

/* The real dlsym(3), for ourselves: RTLD_NEXT is what comes after this library. */
void *rg_dl_sym(void *handle, const char *name);

/*
 * The object at PATH as a handle, if it is loaded; NULL where it is not. By the dlopen(3) behind
 * us: a program may have one of its own, which asks dlsym for our names (HAProxy 3.0).
 */
void *rg_dl_open_loaded(const char *path);

/* Do both addresses lie in the same loaded object? Does this one lie in ours? */
bool rg_dl_same_object(const void *one, const void *other);
bool rg_dl_is_ours(const void *address);

/* The object in which ADDRESS lies, as a handle to be closed; NULL where it is none. */
void *rg_dl_object(const void *address);

/* NAME as that object finds it: in itself, or in what it was linked to. */
void *rg_dl_sym_from(const void *address, const char *name);

/* A hook by its name, and the one that is to be called for each library (by its slot). */
struct rg_looked_up {
	const char *name; /* NULL: the end */
	void *hooks[RG_LIBSSL_MAX];
};

#pragma GCC visibility push(hidden)
extern const struct rg_looked_up rg_looked_up[];
#pragma GCC visibility pop

#endif
#endif
