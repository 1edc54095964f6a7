#include "hooks/dlsym.h"

#ifdef RG_DL_STUBS

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "guard/libraries.h"
#include "hooks/deepbind.h"
#include "hooks/libssl.h"
#include "libssl/find.h"
#include "os/process.h"

/* Where the exported stubs jump: to rg_dlsym_first and rg_dlopen_first, or to the next functions.
 */
void *_Atomic rg_dlsym_target = (void *)rg_dlsym_first;
void *_Atomic rg_dlopen_target = (void *)rg_dlopen_first;

/* The stubs jump by themselves from now on. */
static void rest(void)
{
	atomic_store(&rg_dlsym_target, rg_dl_next_dlsym());
	atomic_store(&rg_dlopen_target, rg_dl_next_dlopen());
}

/* --- RTLD_DEEPBIND: looked at in the call after, since nobody comes back from the call itself ---
 */

/* Another thread may be within dlopen still: then the next call looks again. */
void *rg_dlsym_wake(void)
{
	int saved = errno;
	void *function = rg_dl_next_dlsym();

	if (rg_deepbind_check())
		rest();
	errno = saved;
	return function;
}

void *rg_dlopen_wake(void)
{
	(void)rg_dlsym_wake();
	rest();
	rg_deepbind_forget();
	return rg_dl_next_dlopen();
}

void *rg_dlopen_deepbind(void)
{
	void *function = rg_dlopen_wake();

	if (rg_process_policy()->on) {
		rg_deepbind_expect();
		atomic_store(&rg_dlsym_target, (void *)rg_dlsym_first);
		atomic_store(&rg_dlopen_target, (void *)rg_dlopen_first);
	}
	return function;
}

/* --- one of our names --- */

#define PASS ((void *)(intptr_t)RG_DLSYM_PASS)

static const struct rg_hook *hook_named(const char *name)
{
	const struct rg_hook *hook = rg_hooks;

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

static void *answer_of_handle(void *handle, const struct rg_hook *hook, const void *caller)
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
	if (lib == NULL || !lib->guardable)
		return PASS;
	rg_libraries_note_dlsym(lib);
	(void)dlerror(); /* of what we looked for in vain */
	return hook->hook;
}

void *rg_dlsym_answer(void *handle, const char *name, const void *caller)
{
	const struct rg_hook *hook = hook_named(name);
	int saved = errno;
	void *answer = PASS;

	if (hook != NULL && rg_process_policy()->on)
		answer = handle == RTLD_DEFAULT || handle == RTLD_NEXT
			     ? answer_in_scope(handle, name, caller)
			     : answer_of_handle(handle, hook, caller);
	errno = saved;
	return answer;
}

#endif
