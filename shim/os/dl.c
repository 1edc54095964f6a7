#include "os/dl.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#include "os/dynamic.h"
#include "os/glibc_floor.h"

/* --- which object contains an address --- */

struct search {
	uintptr_t address;
	struct rg_dl_object object;
};

static int holds_address(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	struct rg_dl_object *object = &search->object;

	(void)size;
	object->start = UINTPTR_MAX;
	object->end = 0;
	object->path = info->dlpi_name != NULL ? info->dlpi_name : "";
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD)
			continue;
		if (start < object->start)
			object->start = start;
		if (start + segment->p_memsz > object->end)
			object->end = start + segment->p_memsz;
	}
	return search->address >= object->start && search->address < object->end;
}

/* dladdr(3) would tell too, but it scans all symbols of the object: 100,000 instructions. */
bool rg_dl_object_at(const void *address, struct rg_dl_object *object)
{
	struct search search = {.address = (uintptr_t)address};

	if (address == NULL || dl_iterate_phdr(holds_address, &search) == 0)
		return false;
	*object = search.object;
	return true;
}

bool rg_dl_same_object(const void *one, const void *other)
{
	struct rg_dl_object object;

	return other != NULL && rg_dl_object_at(one, &object) &&
	       (uintptr_t)other - object.start < object.end - object.start;
}

void *rg_dl_handle_at(const void *address)
{
	struct rg_dl_object object;

	return rg_dl_object_at(address, &object) && object.path[0] != '\0'
		   ? rg_dl_open_loaded(object.path)
		   : NULL;
}

void *rg_dl_sym_from(const void *address, const char *name)
{
	void *object = rg_dl_handle_at(address), *found;

	if (object == NULL)
		return NULL;
	found = rg_dl_sym(object, name);
	dlclose(object);
	return found;
}

#ifdef RG_DL_STUBS

/* --- the functions behind our own dlsym and dlopen --- */

#ifndef RG_GLIBC_FIRST
#define RG_GLIBC_FIRST	""
#define RG_GLIBC_DLOPEN ""
#endif

/* Weak: musl has no dlvsym, and musl loads a library that was built with glibc. */
__attribute__((weak)) void *dlvsym(void *handle, const char *name, const char *version);

static void *_Atomic real_dlsym, *_Atomic next_dlsym, *_Atomic next_dlopen;

/*
 * Find a dlsym that is not ours, for dl_iterate_phdr(3). Used on musl only, whose library has a
 * System V hash table; that tells the number of symbols.
 */
static int find_dlsym(struct dl_phdr_info *info, size_t size, void *arg)
{
	const ElfW(Dyn) *dynamic = rg_dynamic(info);
	const ElfW(Sym) *symbol = rg_dynamic_pointer(info, dynamic, DT_SYMTAB);
	const char *strings = rg_dynamic_pointer(info, dynamic, DT_STRTAB);
	const uint32_t *hash = rg_dynamic_pointer(info, dynamic, DT_HASH);
	uint32_t symbols_left = hash != NULL && symbol != NULL && strings != NULL ? hash[1] : 0;
	void **found = arg, *candidate;

	(void)size;
	for (; symbols_left != 0; symbols_left--, symbol++) {
		candidate = (void *)(info->dlpi_addr + symbol->st_value);
		if (symbol->st_shndx != SHN_UNDEF &&
		    strcmp(strings + symbol->st_name, "dlsym") == 0 && !rg_dl_is_ours(candidate))
			*found = candidate;
	}
	return *found != NULL;
}

/* dlsym would lead back here. dlvsym(3) does not, because our dlsym has no version. */
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

/*
 * The next NAME: another preload's or libc's. Before glibc 2.36, RTLD_NEXT finds the oldest version
 * of a libc function, so ask for VERSION. ThreadSanitizer calls dlsym before its dl_iterate_phdr
 * works, so do without that if the two agree.
 */
static void *find_next(const char *name, const char *version)
{
	void *found = rg_dl_sym(RTLD_NEXT, name);
	void *libc = dlvsym != NULL ? dlvsym(RTLD_NEXT, name, version) : NULL;

	return found == libc || rg_dl_same_object(found, libc) ? libc : found;
}

/* Both are found before either is stored: dlvsym may allocate, and an allocator may call dlsym. */
static void find_both(void)
{
	void *dlsym_found = find_next("dlsym", RG_GLIBC_FIRST);
	void *dlopen_found = find_next("dlopen", RG_GLIBC_DLOPEN);

	atomic_store(&next_dlopen, dlopen_found);
	atomic_store(&next_dlsym, dlsym_found);
}

void *rg_dl_next_dlsym(void)
{
	if (atomic_load(&next_dlsym) == NULL)
		find_both();
	return atomic_load(&next_dlsym);
}

void *rg_dl_next_dlopen(void)
{
	if (atomic_load(&next_dlsym) == NULL)
		find_both();
	return atomic_load(&next_dlopen);
}

void *rg_dl_open_loaded(const char *path)
{
	void *symbol = rg_dl_next_dlopen();
	void *(*function)(const char *, int);

	memcpy(&function, &symbol, sizeof function);
	return function(path, RTLD_LAZY | RTLD_NOLOAD);
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
