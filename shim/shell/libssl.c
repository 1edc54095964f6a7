#include "rg_libssl.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "patience.h"

/* Which callers are bound to which library: filled once for each module, only ever appended to. */
#define MODULES_MAX 32

struct module {
	_Atomic uintptr_t start; /* written last */
	uintptr_t end;
	struct rg_libssl *lib;
};

static struct rg_libssl libraries[RG_LIBSSL_MAX];
static unsigned library_count; /* under `busy` */
static struct module modules[MODULES_MAX];
static _Atomic unsigned module_count;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static struct rg_libssl
    ourselves; /* stands for this library in `modules`; never used as a libssl */

/* dlsym answers `void *`; ISO C wants function pointers kept apart. */
#define LOOK_UP(handle, name, place)                                                               \
	do {                                                                                       \
		void *symbol = dlsym(handle, name);                                                \
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
	read_version(lib);
	lib->callback_index = -1;
}

/* The library in which the code at FUNCTION (an SSL_new) lies, as a handle of its own; pinned by
 * never being closed. */
static void *pin(const void *function)
{
	Dl_info info;

	if (function == NULL || dladdr(function, &info) == 0 || info.dli_fname == NULL)
		return NULL;
	return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
}

static bool is_ours(const void *address)
{
	Dl_info theirs, ours;

	return dladdr(address, &theirs) != 0 && dladdr((const void *)&modules, &ours) != 0 &&
	       theirs.dli_fbase == ours.dli_fbase;
}

/* A loaded object that calls itself libssl, wherever it came from. */
static int is_libssl(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = strrchr(info->dlpi_name != NULL ? info->dlpi_name : "", '/');

	(void)size, (void)arg;
	return name != NULL && strncmp(name, "/libssl", 7) == 0;
}

static int find_libssl(struct dl_phdr_info *info, size_t size, void *arg)
{
	void **found = arg, *handle;

	if (!is_libssl(info, size, NULL))
		return 0;
	handle = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
	if (handle == NULL)
		return 0;
	*found = dlsym(handle, "SSL_new");
	dlclose(handle);
	return *found != NULL && !is_ours(*found);
}

/*
 * The SSL_new that code in the module at CALLER means, if it were not for us: of the libraries it
 * was linked to; of the program's global scope, all that RTLD_NEXT knows; of any libssl that is
 * loaded, for a module that got here by a jump (a tail call in a plug-in leaves the return address
 * of its host).
 */
static void *real_ssl_new(const void *caller)
{
	void *found = NULL, *module = pin(caller);

	if (module != NULL) {
		found = dlsym(module, "SSL_new");
		dlclose(module);
	}
	if (found == NULL || is_ours(found))
		found = dlsym(RTLD_NEXT, "SSL_new");
	if ((found == NULL || is_ours(found)) && dl_iterate_phdr(find_libssl, &found) == 0)
		found = NULL;
	return found;
}

static struct rg_libssl *library_with(void *ssl_new)
{
	void *handle;

	for (unsigned i = 0; i < library_count; i++)
		if (memcmp(&libraries[i].SSL_new, &ssl_new, sizeof ssl_new) == 0)
			return &libraries[i];
	if (library_count == RG_LIBSSL_MAX)
		return NULL;
	handle = pin(ssl_new);
	if (handle == NULL)
		return NULL;
	fill(&libraries[library_count], handle);
	libraries[library_count].slot = library_count;
	return &libraries[library_count++];
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

static struct rg_libssl *known(uintptr_t address)
{
	unsigned count = atomic_load_explicit(&module_count, memory_order_acquire);

	for (unsigned i = 0; i < count; i++)
		if (address - modules[i].start < modules[i].end - modules[i].start)
			return modules[i].lib;
	return NULL;
}

static void remember(uintptr_t address, struct rg_libssl *lib)
{
	struct range range = {.address = address};
	unsigned count = atomic_load(&module_count);

	if (count == MODULES_MAX || dl_iterate_phdr(find_range, &range) == 0)
		return;
	modules[count].start = range.start;
	modules[count].end = range.end;
	modules[count].lib = lib;
	atomic_store_explicit(&module_count, count + 1, memory_order_release);
}

static struct rg_libssl *find_library(const void *caller)
{
	void *ssl_new = real_ssl_new(caller);
	struct rg_libssl *lib;

	if (ssl_new == NULL)
		return NULL;
	rg_lock(&busy);
	if (atomic_load(&module_count) == 0)
		remember((uintptr_t)&modules, &ourselves);
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
	struct rg_libssl *lib = known((uintptr_t)caller);

	if (lib == &ourselves)
		return current != NULL ? current : &libraries[0];
	if (lib == NULL)
		lib = find_library(caller);
	current = lib;
	return lib;
}

/* By name, not by symbol: a dlsym(3) that finds nothing allocates memory to say so. */
bool rg_libssl_is_loaded(void)
{
	return dl_iterate_phdr(is_libssl, NULL) != 0;
}
