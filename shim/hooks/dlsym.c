#include "hooks/dlsym.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "guard/guard.h"
#include "hooks/deepbind.h"
#include "os/dynamic.h"
#include "os/process.h"

bool rg_dl_same_object(const void *one, const void *other)
{
	Dl_info its, others;

	return one != NULL && other != NULL && dladdr(one, &its) != 0 &&
	       dladdr(other, &others) != 0 && its.dli_fbase == others.dli_fbase;
}

bool rg_dl_is_ours(const void *address)
{
	return rg_dl_same_object(address, (const void *)rg_looked_up);
}

void *rg_dl_object(const void *address)
{
	Dl_info info;

	if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL)
		return NULL;
	return rg_dl_open_loaded(info.dli_fname);
}

void *rg_dl_sym_from(const void *address, const char *name)
{
	void *object = rg_dl_object(address), *found;

	if (object == NULL)
		return NULL;
	found = rg_dl_sym(object, name);
	dlclose(object);
	return found;
}

#ifdef RG_LOOKUP_STUBS

#include "os/glibc_floor.h"

#ifndef RG_GLIBC_FIRST
#define RG_GLIBC_FIRST	""
#define RG_GLIBC_DLOPEN ""
#endif

/* musl has none, and loads a library that was built with glibc, too. */
__attribute__((weak)) void *dlvsym(void *handle, const char *name, const char *version);

/* From dlsym_stubs.S; the last two: where the exported stubs jump while there is something to be
 * seen to. */
void rg_lookup_own_dlsym(void); /* the exported one */
void rg_lookup_first_dlsym(void);
void rg_lookup_first_dlopen(void);

/* What the stubs call. */
void *rg_lookup_wake_dlsym(void);
void *rg_lookup_wake_dlopen(void);
void *rg_lookup_deepbind(void);
void *rg_lookup_answer(void *handle, const char *name, const void *caller);

/* Where the exported stubs jump: to the two above, or to the next functions. */
void *_Atomic rg_lookup_dlsym = (void *)rg_lookup_first_dlsym;
void *_Atomic rg_lookup_dlopen = (void *)rg_lookup_first_dlopen;

static void *_Atomic real_dlsym, *_Atomic next_dlsym, *_Atomic next_dlopen;

/* --- the functions behind us --- */

/* musl's library has a hash table of the System V kind, which tells the number of symbols. */
static int find_dlsym(struct dl_phdr_info *info, size_t size, void *arg)
{
	const ElfW(Dyn) *dynamic = rg_dynamic(info);
	const ElfW(Sym) *symbol = rg_dynamic_pointer(info, dynamic, DT_SYMTAB);
	const char *strings = rg_dynamic_pointer(info, dynamic, DT_STRTAB);
	const uint32_t *hash = rg_dynamic_pointer(info, dynamic, DT_HASH);
	uint32_t left = hash != NULL && symbol != NULL && strings != NULL ? hash[1] : 0;
	void **found = arg, *candidate;

	(void)size;
	for (; left != 0; left--, symbol++) {
		candidate = (void *)(info->dlpi_addr + symbol->st_value);
		if (symbol->st_shndx != SHN_UNDEF && candidate != (void *)rg_lookup_own_dlsym &&
		    strcmp(strings + symbol->st_name, "dlsym") == 0)
			*found = candidate;
	}
	return *found != NULL;
}

/* Not by dlsym, which leads back here: dlvsym(3) does not, since our own has no version. */
static void *find_real_dlsym(void)
{
	void *found = NULL;

	if (dlvsym != NULL)
		return dlvsym(RTLD_NEXT, "dlsym", RG_GLIBC_FIRST);
	(void)dl_iterate_phdr(find_dlsym, &found);
	return found;
}

void *rg_dl_sym(void *handle, const char *name)
{
	void *symbol = atomic_load_explicit(&real_dlsym, memory_order_relaxed);
	void *(*function)(void *, const char *);

	if (symbol == NULL) {
		symbol = find_real_dlsym();
		atomic_store_explicit(&real_dlsym, symbol, memory_order_relaxed);
	}
	memcpy(&function, &symbol, sizeof function);
	return function(handle, name);
}

/* Another preload's, or libc's: RTLD_NEXT found the oldest version of that before glibc 2.36. */
static void *next(const char *name, const char *version)
{
	void *found = rg_dl_sym(RTLD_NEXT, name);
	void *libc = dlvsym != NULL ? dlvsym(RTLD_NEXT, name, version) : NULL;

	return rg_dl_same_object(found, libc) ? libc : found;
}

/* Looked up before anything is stored: dlvsym may allocate, and an allocator may call dlsym. */
static void find_next(void)
{
	void *dlsym_found = next("dlsym", RG_GLIBC_FIRST);
	void *dlopen_found = next("dlopen", RG_GLIBC_DLOPEN);

	atomic_store(&next_dlopen, dlopen_found);
	atomic_store(&next_dlsym, dlsym_found);
}

void *rg_dl_open_loaded(const char *path)
{
	void *symbol;
	void *(*function)(const char *, int);

	if (atomic_load(&next_dlopen) == NULL)
		find_next();
	symbol = atomic_load(&next_dlopen);
	memcpy(&function, &symbol, sizeof function);
	return function(path, RTLD_LAZY | RTLD_NOLOAD);
}

/* The stubs jump by themselves from now on. */
static void rest(void)
{
	atomic_store(&rg_lookup_dlsym, atomic_load(&next_dlsym));
	atomic_store(&rg_lookup_dlopen, atomic_load(&next_dlopen));
}

/* --- RTLD_DEEPBIND: looked at in the call after, since nobody comes back from the call itself ---
 */

/* Another thread may be within dlopen still: then the next call looks again. */
void *rg_lookup_wake_dlsym(void)
{
	int saved = errno;

	if (atomic_load(&next_dlsym) == NULL)
		find_next();
	if (rg_deepbind_check())
		rest();
	errno = saved;
	return atomic_load(&next_dlsym);
}

void *rg_lookup_wake_dlopen(void)
{
	(void)rg_lookup_wake_dlsym();
	rest();
	rg_deepbind_forget();
	return atomic_load(&next_dlopen);
}

void *rg_lookup_deepbind(void)
{
	void *function = rg_lookup_wake_dlopen();

	if (rg_process_policy()->on) {
		rg_deepbind_expect();
		atomic_store(&rg_lookup_dlsym, (void *)rg_lookup_first_dlsym);
		atomic_store(&rg_lookup_dlopen, (void *)rg_lookup_first_dlopen);
	}
	return function;
}

/* --- one of our names --- */

#define PASS ((void *)(intptr_t)RG_LOOKUP_PASS)

static const struct rg_looked_up *hook_named(const char *name)
{
	const struct rg_looked_up *hook = rg_looked_up;

	while (hook->name != NULL && strcmp(hook->name, name) != 0)
		hook++;
	return hook->name != NULL ? hook : NULL;
}

/* Our hook is in the global scope, but there is nothing there that it could call: it must not be
 * found. NULL, and dlerror(3) says so. */
static void *if_behind_us(const char *name)
{
	return rg_dl_sym(RTLD_NEXT, name) != NULL ? PASS : NULL;
}

/* RTLD_DEFAULT and RTLD_NEXT, whose caller only the real dlsym can tell. */
static void *answer_in_scope(const void *handle, const char *name, const void *caller)
{
	const void *first = rg_dl_sym(RTLD_DEFAULT, name), *linked;

	if (handle == RTLD_NEXT)
		return rg_dl_same_object(first, caller) ? if_behind_us(name) : PASS;
	linked = rg_dl_sym_from(caller, name);
	if (!rg_dl_is_ours(first) || (linked != NULL && !rg_dl_is_ours(linked)))
		return PASS;
	return if_behind_us(name);
}

static void *answer_of_handle(void *handle, const struct rg_looked_up *hook, const void *caller)
{
	void *found = rg_dl_sym(handle, hook->name);
	struct rg_libssl *lib;

	if (found == NULL)
		return PASS;
	if (rg_dl_is_ours(found)) /* the program's own handle */
		return if_behind_us(hook->name);
	/* Another preload behind us asks for what it forwards to: we have been asked already. */
	if (rg_dl_same_object(rg_dl_sym(RTLD_NEXT, hook->name), caller))
		return PASS;
	lib = rg_libssl_holding(found);
	if (lib == NULL)
		return PASS;
	rg_guard_looked_up(lib);
	(void)dlerror(); /* of what we looked for in vain */
	return hook->hooks[lib->slot];
}

void *rg_lookup_answer(void *handle, const char *name, const void *caller)
{
	const struct rg_looked_up *hook = hook_named(name);
	int saved = errno;
	void *answer = PASS;

	if (hook != NULL && rg_process_policy()->on)
		answer = handle == RTLD_DEFAULT || handle == RTLD_NEXT
			     ? answer_in_scope(handle, name, caller)
			     : answer_of_handle(handle, hook, caller);
	errno = saved;
	return answer;
}

#else

void *rg_dl_sym(void *handle, const char *name)
{
	return dlsym(handle, name);
}

void *rg_dl_open_loaded(const char *path)
{
	return dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
}

#endif
