#include "libssl/libssl.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "hooks/dlsym.h"
#include "os/lock.h"

/* Which callers are bound to which library. */
#define MODULES_MAX 32

struct module {
	uintptr_t start, end;
	struct rg_libssl *lib;
};

struct rg_libssl rg_libssl_libraries[RG_LIBSSL_MAX];

/* All of these under `busy`. */
static unsigned library_count;
static struct module modules[MODULES_MAX]; /* the first is this library */
static unsigned module_count;
static unsigned long long unloaded; /* objects so far, as of when `modules` was right */
static atomic_flag busy = ATOMIC_FLAG_INIT;

static struct rg_libssl
    ourselves; /* stands for this library in `modules`; never used as a libssl */

/* dlsym answers `void *`; ISO C wants function pointers kept apart. */
#define LOOK_UP(handle, name, place)                                                               \
	do {                                                                                       \
		void *symbol = rg_dl_sym(handle, name);                                            \
		memcpy(place, &symbol, sizeof symbol);                                             \
	} while (0)

static void read_version(struct rg_libssl *lib)
{
	const char *text = lib->OpenSSL_version != NULL	 ? lib->OpenSSL_version(0)
			   : lib->SSLeay_version != NULL ? lib->SSLeay_version(0)
							 : "";
	const char *word = strchr(text, ' ');
	size_t length;

	lib->number = lib->OpenSSL_version_num != NULL ? lib->OpenSSL_version_num()
		      : lib->SSLeay != NULL	       ? lib->SSLeay()
						       : 0;
	word = word != NULL ? word + 1 : "unknown";
	length = strcspn(word, " ");
	snprintf(lib->version, sizeof lib->version, "%.*s", (int)length, word);
	/* LibreSSL calls itself 2.0.0 for good; what it has is what 1.0.x has, for our purposes. */
	if (strncmp(text, "LibreSSL", 8) == 0)
		lib->number = 0x10002000UL;
}

/* NAME as the object in which ADDRESS lies has it itself; NULL where it has not. */
static void *symbol_in_same_object(const void *address, const char *name)
{
	void *found = rg_dl_sym_from(address, name);

	return rg_dl_same_object(found, address) ? found : NULL;
}

/* Does this SSL_new, or another hook, lie in a libssl? Not in another preload's hooks: those have
 * no SSL_get_finished beside them. */
static bool is_in_libssl(const void *function)
{
	return function != NULL && !rg_dl_is_ours(function) &&
	       symbol_in_same_object(function, "SSL_get_finished") != NULL;
}

/* Another preload behind us, that hooks the same function, comes between the library and us. */
static void chain(const char *name, void *place)
{
	void *next = rg_dl_sym(RTLD_NEXT, name), *own;

	memcpy(&own, place, sizeof own);
	if (own != NULL && next != NULL && next != own && !is_in_libssl(next))
		memcpy(place, &next, sizeof next);
}

static void fill(struct rg_libssl *lib, void *handle)
{
	lib->guardable = true;
#define X(returns, name, arguments)                                                                \
	LOOK_UP(handle, #name, &lib->name);                                                        \
	lib->guardable &= lib->name != NULL;
	RG_LIBSSL_REQUIRED(X)
#undef X
#define X(returns, name, arguments) LOOK_UP(handle, #name, &lib->name);
	RG_LIBSSL_OPTIONAL(X)
#undef X
#define X(returns, name, arguments) chain(#name, &lib->name);
	RG_LIBSSL_HOOKS(X)
#undef X
	read_version(lib);
	lib->callback_index = -1;
}

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

/* The SSL_new of the first libssl that is loaded. No handle is opened inside dl_iterate_phdr(3),
 * which holds a lock that a thread within dlopen(3) waits for. */
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
 * The SSL_new that code in the module at CALLER means, if it were not for us: of the libraries it
 * was linked to; of the program's global scope, all that RTLD_NEXT knows; of any libssl that is
 * loaded, for a module that got here by a jump (a tail call in a plug-in leaves the return address
 * of its host) or through another preload's hook. What only looks like a libssl comes last.
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

/* The handle is never closed: a table must not go stale. */
static struct rg_libssl *library_with(void *ssl_new)
{
	struct rg_libssl *lib = &rg_libssl_libraries[library_count];
	unsigned slot;
	void *handle;

	for (slot = 0; slot < library_count; slot++)
		if (rg_libssl_libraries[slot].ssl_new == ssl_new)
			return &rg_libssl_libraries[slot];
	handle = library_count < RG_LIBSSL_MAX ? rg_dl_object(ssl_new) : NULL;
	if (handle == NULL)
		return NULL;
	fill(lib, handle);
	lib->ssl_new = ssl_new;
	lib->slot = library_count++;
	return lib;
}

struct range {
	uintptr_t address, start, end;
};

/* The whole of the object, not the one segment: our own data tells where our code is. */
static int find_range(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct range *range = arg;

	(void)size;
	range->start = UINTPTR_MAX;
	range->end = 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD)
			continue;
		if (start < range->start)
			range->start = start;
		if (start + segment->p_memsz > range->end)
			range->end = start + segment->p_memsz;
	}
	return range->address >= range->start && range->address < range->end;
}

static void remember(uintptr_t address, struct rg_libssl *lib)
{
	struct range range = {.address = address};

	if (module_count < MODULES_MAX && dl_iterate_phdr(find_range, &range) != 0)
		modules[module_count++] = (struct module){range.start, range.end, lib};
}

static int read_unloaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	unsigned long long *count = arg;

	(void)size;
	*count = info->dlpi_subs;
	return 1;
}

/* What was unloaded may have left its place to another module, with another libssl. */
static void forget_unloaded(void)
{
	unsigned long long now = 0;

	(void)dl_iterate_phdr(read_unloaded, &now);
	if (module_count == 0)
		remember((uintptr_t)&modules, &ourselves);
	else if (now != unloaded)
		module_count = 1;
	unloaded = now;
}

static struct rg_libssl *known(uintptr_t address)
{
	for (unsigned i = 0; i < module_count; i++)
		if (address - modules[i].start < modules[i].end - modules[i].start)
			return modules[i].lib;
	return NULL;
}

static struct rg_libssl *known_now(const void *caller)
{
	struct rg_libssl *lib;

	rg_lock(&busy);
	forget_unloaded();
	lib = known((uintptr_t)caller);
	rg_unlock(&busy);
	return lib;
}

static struct rg_libssl *find_library(const void *caller)
{
	void *ssl_new = real_ssl_new(caller);
	struct rg_libssl *lib;

	if (ssl_new == NULL)
		return NULL;
	rg_lock(&busy);
	lib = library_with(ssl_new);
	if (lib != NULL && known((uintptr_t)caller) == NULL)
		remember((uintptr_t)caller, lib);
	rg_unlock(&busy);
	return lib;
}

/*
 * Inside some builds SSL_accept jumps to SSL_do_handshake through the PLT, and so on: the second
 * hook is then called from the first one, and means the library that this thread was just sent to.
 */
struct rg_libssl *rg_libssl_of(const void *caller)
{
	static _Thread_local struct rg_libssl *current __attribute__((tls_model("initial-exec")));
	uintptr_t place = (uintptr_t)caller - (uintptr_t)rg_libssl_libraries;
	struct rg_libssl *lib = place < sizeof rg_libssl_libraries
				    ? &rg_libssl_libraries[place / sizeof *rg_libssl_libraries]
				    : known_now(caller);

	if (lib == &ourselves)
		return current != NULL ? current : &rg_libssl_libraries[0];
	if (lib == NULL)
		lib = find_library(caller);
	current = lib;
	return lib;
}

struct rg_libssl *rg_libssl_holding(const void *function)
{
	void *ssl_new = symbol_in_same_object(function, "SSL_new");
	struct rg_libssl *lib;

	if (ssl_new == NULL || !is_in_libssl(ssl_new))
		return NULL;
	rg_lock(&busy);
	lib = library_with(ssl_new);
	rg_unlock(&busy);
	return lib;
}

/* By name, not by symbol: a dlsym(3) that finds nothing allocates memory to say so. */
bool rg_libssl_is_loaded(void)
{
	return dl_iterate_phdr(is_libssl, NULL) != 0;
}
