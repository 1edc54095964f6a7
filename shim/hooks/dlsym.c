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

/* Where the exported stubs jump: to rg_..._first, or to the next function. */
void *_Atomic rg_dlsym_target = (void *)rg_dlsym_first;
void *_Atomic rg_dlopen_target = (void *)rg_dlopen_first;

/* From now on, the stubs jump straight to the next functions. */
static void bypass_checks(void)
{
	atomic_store(&rg_dlsym_target, rg_dl_next_dlsym());
	atomic_store(&rg_dlopen_target, rg_dl_next_dlopen());
}

/* --- RTLD_DEEPBIND, checked in the next call: a stub never gets control back --- */

/* Another thread may still be inside dlopen. Then the next call checks again. */
void *rg_dlsym_check(void)
{
	int saved = errno;
	void *function = rg_dl_next_dlsym();

	if (rg_deepbind_check())
		bypass_checks();
	errno = saved;
	return function;
}

void *rg_dlopen_check(void)
{
	(void)rg_dlsym_check();
	bypass_checks();
	rg_deepbind_forget();
	return rg_dl_next_dlopen();
}

void *rg_dlopen_deepbind(void)
{
	void *function = rg_dlopen_check();

	if (rg_process_policy()->on) {
		rg_deepbind_expect();
		atomic_store(&rg_dlsym_target, (void *)rg_dlsym_first);
		atomic_store(&rg_dlopen_target, (void *)rg_dlopen_first);
	}
	return function;
}

/* --- a dlsym of one of our names --- */

#define PASS ((void *)(intptr_t)RG_DLSYM_PASS)

static const struct rg_hook *hook_named(const char *name)
{
	const struct rg_hook *hook = rg_hooks;

	while (hook->name != NULL && strcmp(hook->name, name) != 0)
		hook++;
	return hook->name != NULL ? hook : NULL;
}

/* Our hook is in the global scope. If no function behind it there has its NAME, the program must
 * not find it. Then NULL, and dlerror(3) tells why. */
static void *if_behind_us(const char *name)
{
	return rg_dl_sym(RTLD_NEXT, name) != NULL ? PASS : NULL;
}

/* For RTLD_DEFAULT and RTLD_NEXT. Only the real dlsym can search on behalf of the caller. */
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
	/* Another preload behind us asks for its next function. Our hook has run already. */
	if (rg_dl_same_object(rg_dl_sym(RTLD_NEXT, hook->name), caller))
		return PASS;
	lib = rg_libssl_holding(found);
	if (lib == NULL || !lib->guardable)
		return PASS;
	rg_libraries_note_dlsym(lib);
	(void)dlerror(); /* clear the error of our own failed searches */
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
