/*
 * The loader, as this library uses it: the real dlsym(3), the next dlsym and dlopen(3), and which
 * object contains an address. Any thread may call anything here. Compiled without sanitizers: their
 * runtime calls dlsym before it is ready.
 */
#ifndef RG_DL_H
#define RG_DL_H

/* On these processors this library exports its own dlsym and dlopen (hooks/dlsym_stubs.S). A plain
 * call to dlsym from inside it would then land there. */
#if (defined __x86_64__ && !defined __ILP32__) || defined __i386__ || defined __aarch64__
#define RG_DL_STUBS 1
#endif

#ifndef RG_ASSEMBLER

#include <stdbool.h>
#include <stdint.h>

/* The real dlsym(3). With RTLD_NEXT, it searches the objects after this library. NULL if NAME is
 * not found. */
void *rg_dl_sym(void *handle, const char *name);

/* The functions behind our own dlsym and dlopen: another preload's, or libc's. Only with
 * RG_DL_STUBS. */
void *rg_dl_next_dlsym(void);
void *rg_dl_next_dlopen(void);

/*
 * A handle on the object at PATH, for the caller to close; NULL if it is not loaded. Uses the
 * dlopen(3) behind us, because a program's own may ask dlsym for our names (HAProxy 3.0).
 */
void *rg_dl_open_loaded(const char *path);

/* A loaded object: the first address of its segments, the one after the last, and its path ("" for
 * the program itself). */
struct rg_dl_object {
	uintptr_t start, end;
	const char *path;
};

/* Find the object that contains ADDRESS. False if none does; *OBJECT is untouched then. */
bool rg_dl_object_at(const void *address, struct rg_dl_object *object);

/* Are both addresses in the same object? False if one is NULL. */
bool rg_dl_same_object(const void *one, const void *other);

/* The first address of this library and the one after its last, set by the linker. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

/* Is ADDRESS in this library? */
static inline bool rg_dl_is_ours(const void *address)
{
	return (uintptr_t)address - (uintptr_t)__ehdr_start <
	       (uintptr_t)_end - (uintptr_t)__ehdr_start;
}

/* The symbol NAME in the object at ADDRESS, or in what that object was linked to. NULL if it is in
 * neither. */
void *rg_dl_sym_from(const void *address, const char *name);

/* A handle on the object at ADDRESS, for the caller to close. NULL if there is no object, or if it
 * is the program itself. */
void *rg_dl_handle_at(const void *address);

#endif
#endif
