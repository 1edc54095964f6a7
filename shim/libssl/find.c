#include "libssl/find.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "os/dl.h"
#include "os/lock.h"

/* --- the libraries --- */

static struct rg_libssl libraries[RG_LIBSSL_MAX]; /* immutable up to library_count */
static _Atomic unsigned library_count;

/*
 * Held for a few loads and stores, never during a call to the loader. A thread inside dlopen(3)
 * holds the loader's lock, and a constructor that it runs may wait here for this one.
 */
static struct rg_lock lock;

static void read_version(struct rg_libssl *lib)
{
	const char *text = lib->OpenSSL_version != NULL	 ? lib->OpenSSL_version(0)
			   : lib->SSLeay_version != NULL ? lib->SSLeay_version(0)
							 : "";
	/* "OpenSSL 3.0.19 1 Jan 2026" gives "3.0.19"; "BoringSSL" stays what it is. */
	const char *space = strchr(text, ' ');
	const char *word = space != NULL ? space + 1 : text[0] != '\0' ? text : "unknown";

	lib->number = lib->OpenSSL_version_num != NULL ? lib->OpenSSL_version_num()
		      : lib->SSLeay != NULL	       ? lib->SSLeay()
						       : 0;
	snprintf(lib->version, sizeof lib->version, "%.*s", (int)strcspn(word, " "), word);
	/* LibreSSL always reports version 2.0.0. For our purposes it has what 1.0.x has. */
	if (strncmp(text, "LibreSSL", 8) == 0)
		lib->number = 0x10002000UL;
}

/* The symbol NAME that the object containing ADDRESS defines itself; NULL if it does not. */
static void *symbol_in_same_object(const void *address, const char *name)
{
	void *found = rg_dl_sym_from(address, name);

	return rg_dl_same_object(found, address) ? found : NULL;
}

/* Is FUNCTION, one that we hook, in a libssl? Another preload's hook is not: its object defines no
 * SSL_get_finished. */
static bool is_in_libssl(const void *function)
{
	return function != NULL && !rg_dl_is_ours(function) &&
	       symbol_in_same_object(function, "SSL_get_finished") != NULL;
}

/* Store the result of dlsym, a `void *`, in a function pointer. ISO C does not let us cast it. */
static void store_pointer(void *function, void *symbol)
{
	memcpy(function, &symbol, sizeof symbol);
}

/* If another preload behind us hooks NAME as well, point *FUNCTION at its hook. */
static void prefer_next_preload(const char *name, void *function)
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
#define X(returns, name, arguments) prefer_next_preload(#name, &lib->name);
	RG_LIBSSL_HOOKS(X)
#undef X
	read_version(lib);
	lib->callback_index = lib->state_index = -1;
}

static struct rg_libssl *library_by_ssl_new(const void *ssl_new)
{
	unsigned count = atomic_load_explicit(&library_count, memory_order_acquire);

	for (unsigned slot = 0; slot < count; slot++)
		if (libraries[slot].ssl_new == ssl_new)
			return &libraries[slot];
	return NULL;
}

/* Keep a copy of MADE, unless another thread was faster. NULL if there is no room for it. */
static struct rg_libssl *publish(const struct rg_libssl *made)
{
	struct rg_libssl *lib;
	unsigned slot;

	if (!rg_lock(&lock))
		return library_by_ssl_new(made->ssl_new);
	lib = library_by_ssl_new(made->ssl_new);
	slot = atomic_load(&library_count);
	if (lib == NULL && slot < RG_LIBSSL_MAX) {
		lib = &libraries[slot];
		*lib = *made;
		lib->slot = slot;
		atomic_store_explicit(&library_count, slot + 1, memory_order_release);
	}
	rg_unlock(&lock);
	return lib;
}

static int read_unload_count(struct dl_phdr_info *info, size_t size, void *arg)
{
	unsigned long long *count = arg;

	(void)size;
	*count = info->dlpi_subs;
	return 1;
}

/* How many objects have been unloaded so far. */
static unsigned long long unloads(void)
{
	unsigned long long count = 0;

	(void)dl_iterate_phdr(read_unload_count, &count);
	return count;
}

/* A library for which there is no room is passed through. It is not kept loaded, so its functions
 * are found again once anything was unloaded. */
static _Thread_local struct rg_libssl beyond __attribute__((tls_model("initial-exec")));
static _Thread_local unsigned long long beyond_unloads __attribute__((tls_model("initial-exec")));

static struct rg_libssl *pass_through(const struct rg_libssl *made)
{
	beyond = *made;
	beyond.slot = RG_LIBSSL_MAX;
	beyond.guardable = false;
	beyond_unloads = unloads();
	return &beyond;
}

/* The library whose SSL_new is SSL_NEW. The handle of one that is published is never closed, so
 * that its functions stay valid. */
static struct rg_libssl *library_with(void *ssl_new)
{
	struct rg_libssl *lib = library_by_ssl_new(ssl_new), made = {.ssl_new = ssl_new};
	void *handle;

	if (lib != NULL)
		return lib;
	if (beyond.ssl_new == ssl_new && beyond_unloads == unloads())
		return &beyond;
	handle = rg_dl_handle_at(ssl_new);
	if (handle == NULL)
		return NULL;
	fill(&made, handle);
	lib = publish(&made);
	if (lib != NULL)
		return lib;
	dlclose(handle);
	return pass_through(&made);
}

/* --- which library a caller means --- */

/* Is this a loaded object whose file name begins with libssl? For dl_iterate_phdr(3). */
static int is_libssl(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = strrchr(info->dlpi_name != NULL ? info->dlpi_name : "", '/');

	(void)size, (void)arg;
	return name != NULL && strncmp(name, "/libssl", 7) == 0;
}

struct nth_libssl {
	unsigned n; /* how many still to pass over */
	const char *path;
};

static int find_nth(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct nth_libssl *nth = arg;

	if (!is_libssl(info, size, NULL) || nth->n-- != 0)
		return 0;
	nth->path = info->dlpi_name;
	return 1;
}

/*
 * The SSL_new of the first loaded libssl; NULL if there is none. No handle is opened inside
 * dl_iterate_phdr(3): it holds a lock that a thread inside dlopen(3) waits for.
 */
static void *any_ssl_new(void)
{
	void *found = NULL;

	for (unsigned n = 0; !is_in_libssl(found); n++) {
		struct nth_libssl nth = {.n = n};
		void *object;

		if (dl_iterate_phdr(find_nth, &nth) == 0)
			return NULL;
		object = rg_dl_open_loaded(nth.path);
		if (object == NULL)
			continue;
		found = rg_dl_sym(object, "SSL_new");
		dlclose(object);
	}
	return found;
}

/*
 * The SSL_new that the code at CALLER would get without us. Searched for in this order:
 * 1. in the libraries that its module was linked to;
 * 2. in the program's global scope, by RTLD_NEXT;
 * 3. in any loaded libssl;
 * 4. by RTLD_NEXT, even if the object does not look like a libssl.
 * CALLER may be in a module that is not bound to libssl, hence step 3. A tail call in a plug-in
 * leaves its host's return address, or the call came through another preload's hook.
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

/* Which library each calling module is bound to; under `lock`. */
#define MODULES_MAX 32

static struct module {
	uintptr_t start, end;
	struct rg_libssl *lib;
} modules[MODULES_MAX];
static unsigned module_count;
static unsigned long long unload_count; /* objects unloaded so far, when `modules` was last right */

/* The library of the module that contains CALLER; NULL if it is not known yet. */
static struct rg_libssl *known_library(uintptr_t caller)
{
	struct rg_libssl *lib = NULL;
	unsigned long long now = unloads();

	if (!rg_lock(&lock))
		return NULL;
	/* A module with another libssl may now be where an unloaded one was. */
	if (now != unload_count)
		module_count = 0;
	unload_count = now;
	for (unsigned i = 0; i < module_count && lib == NULL; i++)
		if (caller - modules[i].start < modules[i].end - modules[i].start)
			lib = modules[i].lib;
	rg_unlock(&lock);
	return lib;
}

static void remember(const void *caller, struct rg_libssl *lib)
{
	struct rg_dl_object object;
	unsigned i = 0;

	if (!rg_dl_object_at(caller, &object) || !rg_lock(&lock))
		return;
	while (i < module_count && modules[i].start != object.start)
		i++;
	if (i == module_count && i < MODULES_MAX)
		modules[module_count++] = (struct module){object.start, object.end, lib};
	rg_unlock(&lock);
}

static struct rg_libssl *find_library(const void *caller)
{
	void *ssl_new = real_ssl_new(caller);
	struct rg_libssl *lib = ssl_new != NULL ? library_with(ssl_new) : NULL;

	if (lib != NULL && lib->slot < RG_LIBSSL_MAX)
		remember(caller, lib);
	return lib;
}

/*
 * In some builds of libssl, SSL_accept jumps to SSL_do_handshake through the PLT, for instance. The
 * return address of the second hook is then in the first. The library that this thread was given
 * last is the right one.
 */
struct rg_libssl *rg_libssl_of(const void *caller)
{
	static _Thread_local struct rg_libssl *current __attribute__((tls_model("initial-exec")));
	struct rg_libssl *lib;

	if (rg_dl_is_ours(caller))
		return current != NULL ? current : &libraries[0];
	lib = known_library((uintptr_t)caller);
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

/* Looks at file names, not symbols: a dlsym(3) that finds nothing allocates memory. */
bool rg_libssl_is_loaded(void)
{
	return dl_iterate_phdr(is_libssl, NULL) != 0;
}
