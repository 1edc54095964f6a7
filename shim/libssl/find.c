#include "libssl/find.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "os/dl.h"
#include "os/lock.h"

/* --- the libraries --- */

static struct rg_libssl libraries[RG_LIBSSL_MAX]; /* each immutable once it is counted */
static _Atomic unsigned library_count;

/*
 * Held for a few loads and stores, never while the loader is asked anything: a thread inside
 * dlopen(3) has the loader's lock, and a constructor it runs may come here for this one.
 */
static struct rg_lock busy;

static void read_version(struct rg_libssl *lib)
{
	const char *text = lib->OpenSSL_version != NULL	 ? lib->OpenSSL_version(0)
			   : lib->SSLeay_version != NULL ? lib->SSLeay_version(0)
							 : "";
	const char *word = strchr(text, ' ');

	lib->number = lib->OpenSSL_version_num != NULL ? lib->OpenSSL_version_num()
		      : lib->SSLeay != NULL	       ? lib->SSLeay()
						       : 0;
	word = word != NULL ? word + 1 : "unknown";
	snprintf(lib->version, sizeof lib->version, "%.*s", (int)strcspn(word, " "), word);
	/* LibreSSL calls itself 2.0.0 for good; what it has is what 1.0.x has, for our purposes. */
	if (strncmp(text, "LibreSSL", 8) == 0)
		lib->number = 0x10002000UL;
}

/* NAME as the object in which ADDRESS lies defines it itself; NULL if it does not. */
static void *symbol_in_same_object(const void *address, const char *name)
{
	void *found = rg_dl_sym_from(address, name);

	return rg_dl_same_object(found, address) ? found : NULL;
}

/* Does this SSL_new, or another hook, lie in a libssl? Another preload's hooks do not: they have no
 * SSL_get_finished beside them. */
static bool is_in_libssl(const void *function)
{
	return function != NULL && !rg_dl_is_ours(function) &&
	       symbol_in_same_object(function, "SSL_get_finished") != NULL;
}

/* dlsym answers `void *`; ISO C wants function pointers kept apart. */
static void store_pointer(void *function, void *symbol)
{
	memcpy(function, &symbol, sizeof symbol);
}

/* Another preload behind us that hooks the same function comes between the library and us. */
static void chain(const char *name, void *function)
{
	void *next = rg_dl_sym(RTLD_NEXT, name), *own;

	memcpy(&own, function, sizeof own);
	if (own != NULL && next != NULL && next != own && !is_in_libssl(next))
		store_pointer(function, next);
}

static void fill(struct rg_libssl *lib, void *handle)
{
	lib->guardable = true;
#define X(returns, name, arguments)                                                                \
	store_pointer(&lib->name, rg_dl_sym(handle, #name));                                       \
	lib->guardable &= lib->name != NULL;
	RG_LIBSSL_REQUIRED(X)
#undef X
#define X(returns, name, arguments) store_pointer(&lib->name, rg_dl_sym(handle, #name));
	RG_LIBSSL_OPTIONAL(X)
#undef X
#define X(returns, name, arguments) chain(#name, &lib->name);
	RG_LIBSSL_HOOKS(X)
#undef X
	read_version(lib);
	lib->callback_index = -1;
}

static struct rg_libssl *existing(const void *ssl_new)
{
	unsigned count = atomic_load_explicit(&library_count, memory_order_acquire);

	for (unsigned slot = 0; slot < count; slot++)
		if (libraries[slot].ssl_new == ssl_new)
			return &libraries[slot];
	return NULL;
}

/* Keep MADE, unless another thread was faster. NULL where there is no room for it. */
static struct rg_libssl *publish(const struct rg_libssl *made)
{
	struct rg_libssl *lib;
	unsigned slot;

	if (!rg_lock(&busy))
		return existing(made->ssl_new);
	lib = existing(made->ssl_new);
	slot = atomic_load(&library_count);
	if (lib == NULL && slot < RG_LIBSSL_MAX) {
		lib = &libraries[slot];
		*lib = *made;
		lib->slot = slot;
		atomic_store_explicit(&library_count, slot + 1, memory_order_release);
	}
	rg_unlock(&busy);
	return lib;
}

/* The library whose SSL_new is SSL_NEW. Its handle is never closed: a table must not go stale. */
static struct rg_libssl *library_with(void *ssl_new)
{
	struct rg_libssl *lib = existing(ssl_new), made = {.ssl_new = ssl_new};
	void *handle = lib == NULL ? rg_dl_handle_at(ssl_new) : NULL;

	if (handle == NULL)
		return lib;
	fill(&made, handle);
	return publish(&made);
}

/* --- which one a caller means --- */

/* A loaded object that calls itself libssl, wherever it came from. */
static int is_libssl(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = strrchr(info->dlpi_name != NULL ? info->dlpi_name : "", '/');

	(void)size, (void)arg;
	return name != NULL && strncmp(name, "/libssl", 7) == 0;
}

struct nth {
	unsigned n;
	const char *name;
};

static int find_nth(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct nth *nth = arg;

	if (!is_libssl(info, size, NULL) || nth->n-- != 0)
		return 0;
	nth->name = info->dlpi_name;
	return 1;
}

/* The SSL_new of the first libssl that is loaded. No handle is opened inside dl_iterate_phdr(3): it
 * holds a lock that a thread within dlopen(3) waits for. */
static void *any_ssl_new(void)
{
	void *found = NULL;

	for (unsigned n = 0; !is_in_libssl(found); n++) {
		struct nth nth = {.n = n};
		void *object;

		if (dl_iterate_phdr(find_nth, &nth) == 0)
			return NULL;
		object = rg_dl_open_loaded(nth.name);
		if (object == NULL)
			continue;
		found = rg_dl_sym(object, "SSL_new");
		dlclose(object);
	}
	return found;
}

/*
 * The SSL_new that code at CALLER would get without us, searched for in this order:
 * 1. the libraries that its module was linked to;
 * 2. the program's global scope, which RTLD_NEXT knows;
 * 3. any libssl that is loaded. A module may get here by a jump (a tail call in a plug-in leaves
 *    its host's return address) or through another preload's hook.
 * A function that only looks like a libssl's comes last.
 */
static void *real_ssl_new(const void *caller)
{
	void *found = rg_dl_sym_from(caller, "SSL_new"), *next;

	if (is_in_libssl(found))
		return found;
	next = rg_dl_sym(RTLD_NEXT, "SSL_new");
	found = is_in_libssl(next) ? next : any_ssl_new();
	return found != NULL ? found : next;
}

/* Which callers are bound to which library; under `busy`. */
#define MODULES_MAX 32

static struct module {
	uintptr_t start, end;
	struct rg_libssl *lib;
} modules[MODULES_MAX];
static unsigned module_count;
static unsigned long long unloaded; /* objects so far, as of when `modules` was right */

static int read_unloaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	unsigned long long *count = arg;

	(void)size;
	*count = info->dlpi_subs;
	return 1;
}

/* The library of the module that CALLER lies in; NULL if that is not known yet. */
static struct rg_libssl *known(uintptr_t caller)
{
	struct rg_libssl *lib = NULL;
	unsigned long long now = 0;

	(void)dl_iterate_phdr(read_unloaded, &now);
	if (!rg_lock(&busy))
		return NULL;
	/* A module that was unloaded may have left its place to another, with another libssl. */
	if (now != unloaded)
		module_count = 0;
	unloaded = now;
	for (unsigned i = 0; i < module_count && lib == NULL; i++)
		if (caller - modules[i].start < modules[i].end - modules[i].start)
			lib = modules[i].lib;
	rg_unlock(&busy);
	return lib;
}

static void remember(const void *caller, struct rg_libssl *lib)
{
	struct rg_dl_object object;
	unsigned i = 0;

	if (!rg_dl_object_at(caller, &object) || !rg_lock(&busy))
		return;
	while (i < module_count && modules[i].start != object.start)
		i++;
	if (i == module_count && i < MODULES_MAX)
		modules[module_count++] = (struct module){object.start, object.end, lib};
	rg_unlock(&busy);
}

static struct rg_libssl *find_library(const void *caller)
{
	void *ssl_new = real_ssl_new(caller);
	struct rg_libssl *lib = ssl_new != NULL ? library_with(ssl_new) : NULL;

	if (lib != NULL)
		remember(caller, lib);
	return lib;
}

/*
 * Inside some builds SSL_accept jumps to SSL_do_handshake through the PLT, and so on. The second
 * hook is then called from the first one, and means the library that this thread was just sent to.
 */
struct rg_libssl *rg_libssl_of(const void *caller)
{
	static _Thread_local struct rg_libssl *current __attribute__((tls_model("initial-exec")));
	struct rg_libssl *lib;

	if (rg_dl_is_ours(caller))
		return current != NULL ? current : &libraries[0];
	lib = known((uintptr_t)caller);
	if (lib == NULL)
		lib = find_library(caller);
	current = lib;
	return lib;
}

struct rg_libssl *rg_libssl_holding(const void *function)
{
	void *ssl_new = symbol_in_same_object(function, "SSL_new");

	return ssl_new != NULL && is_in_libssl(ssl_new) ? library_with(ssl_new) : NULL;
}

/* By name, not by symbol: a dlsym(3) that finds nothing allocates memory to say so. */
bool rg_libssl_is_loaded(void)
{
	return dl_iterate_phdr(is_libssl, NULL) != 0;
}
