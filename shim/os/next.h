/*
 * The next functions: what each of our hooks for libc calls, either another preload's function or
 * libc's own. Each is found on first use and kept in one table. Any thread may call anything here.
 */
#ifndef RG_NEXT_H
#define RG_NEXT_H

#include <stdatomic.h>
#include <stddef.h>

/* The functions of libc that hooks/ hooks, except dlsym and dlopen (os/dl.h). */
#define RG_NEXT_FUNCTIONS(X)                                                                       \
	X(read)                                                                                    \
	X(readv)                                                                                   \
	X(recv)                                                                                    \
	X(recvfrom)                                                                                \
	X(recvmsg)                                                                                 \
	X(__read_chk)                                                                              \
	X(__recv_chk)                                                                              \
	X(__recvfrom_chk)                                                                          \
	X(chroot)

enum rg_next_function {
#define X(name) RG_NEXT_##name,
	RG_NEXT_FUNCTIONS(X)
#undef X
	    RG_NEXT_COUNT
};

#pragma GCC visibility push(hidden)
extern void *_Atomic rg_next_found[RG_NEXT_COUNT];
#pragma GCC visibility pop

/*
 * Find FUNCTION, and keep it. NULL if there is none, or if this thread is inside such a search:
 * dlsym(3) may allocate, and an allocator may read a file while it starts. Leaves errno alone.
 */
void *rg_next_find(enum rg_next_function function);

/* FUNCTION, found if necessary. NULL as above: the caller then makes the system call itself. */
static inline void *rg_next(enum rg_next_function function)
{
	void *found = atomic_load_explicit(&rg_next_found[function], memory_order_relaxed);

	return __builtin_expect(found != NULL, 1) ? found : rg_next_find(function);
}

/* Find all functions now, so that no signal handler has to. */
void rg_next_prepare(void);

#endif
