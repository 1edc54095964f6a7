/*
 * The loader, as this library uses it: the real dlsym(3) and dlopen(3), the next function of a
 * name, and which object an address lies in. Any thread may call anything here. Never sanitized: a
 * sanitizer's runtime calls dlsym before it is ready.
 */
#ifndef RG_DL_H
#define RG_DL_H

/*
 * On these processors this library exports a dlsym and a dlopen of its own
 * (hooks/dlsym_stubs.S), so that it cannot simply call dlsym itself.
 */
#if (defined __x86_64__ && !defined __ILP32__) || defined __i386__ || defined __aarch64__
#define RG_DL_STUBS 1
#endif

#ifndef RG_ASSEMBLER

#include <stdbool.h>
#include <stdint.h>

/* The real dlsym(3). RTLD_NEXT means what comes after this library. */
void *rg_dl_sym(void *handle, const char *name);

/* What stands behind our own dlsym and dlopen: another preload's, or libc's. */
void *rg_dl_next_dlsym(void);
void *rg_dl_next_dlopen(void);

/*
 * The object at PATH as a handle, to be closed, if it is loaded; else NULL. Uses the dlopen(3)
 * behind us: a program may have one of its own that asks dlsym for our names (HAProxy 3.0).
 */
void *rg_dl_open_loaded(const char *path);

/* A loaded object: where its segments begin and end, and its path ("" for the program itself). */
struct rg_dl_object {
	uintptr_t start, end;
	const char *path;
};

/* The object in which ADDRESS lies. False where there is none. */
bool rg_dl_object_at(const void *address, struct rg_dl_object *object);

/* Do both addresses lie in the same object? NULL lies nowhere. */
bool rg_dl_same_object(const void *one, const void *other);

/* Where this library begins and ends, as the linker knows it. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

/* Does ADDRESS lie in this library? */
static inline bool rg_dl_is_ours(const void *address)
{
	return (uintptr_t)address - (uintptr_t)__ehdr_start <
	       (uintptr_t)_end - (uintptr_t)__ehdr_start;
}

/* NAME as the object at ADDRESS finds it: in itself, or in what it was linked to. NULL for none. */
void *rg_dl_sym_from(const void *address, const char *name);

/* The same as a handle to be closed; NULL for none, and for the program itself. */
void *rg_dl_handle_at(const void *address);

#endif
#endif
