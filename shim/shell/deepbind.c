#include "deepbind.h"

#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "rg_policy.h"
#include "rg_process.h"
#include "rg_report.h"

/* How many objects were loaded before; 0: nothing is expected. Objects stay in the order in which
 * they were loaded. */
static _Atomic unsigned loaded_before;

static int count_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	unsigned *count = arg;

	(void)info, (void)size;
	++*count;
	return 0;
}

/* The loader has made addresses of what are offsets in the file, but not in every object. */
static const char *pointed_to(const struct dl_phdr_info *info, uintptr_t pointer)
{
	return (const char *)(pointer < info->dlpi_addr ? info->dlpi_addr + pointer : pointer);
}

static bool needs_libssl(const struct dl_phdr_info *info, const ElfW(Dyn) * dynamic)
{
	const char *strings = NULL;

	for (const ElfW(Dyn) *entry = dynamic; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_STRTAB)
			strings = pointed_to(info, entry->d_un.d_ptr);
	for (; strings != NULL && dynamic->d_tag != DT_NULL; dynamic++)
		if (dynamic->d_tag == DT_NEEDED &&
		    strncmp(strings + dynamic->d_un.d_val, "libssl.so", 9) == 0)
			return true;
	return false;
}

struct look {
	unsigned seen, before;
	char name[RG_PATH_BYTES]; /* of the first object that needs libssl */
};

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct look *look = arg;

	(void)size;
	if (look->seen++ < look->before)
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type != PT_DYNAMIC ||
		    !needs_libssl(info, (const void *)(info->dlpi_addr + segment->p_vaddr)))
			continue;
		snprintf(look->name, sizeof look->name, "%s", info->dlpi_name);
		return 1;
	}
	return 0;
}

void rg_deepbind_expect(void)
{
	unsigned count = 0;

	(void)dl_iterate_phdr(count_object, &count);
	atomic_store(&loaded_before, count);
}

bool rg_deepbind_look(void)
{
	struct look look = {.before = atomic_load(&loaded_before)};

	if (look.before == 0)
		return true;
	if (dl_iterate_phdr(look_at, &look) != 0) {
		rg_process_prepare();
		rg_report_deepbind(look.name);
	} else if (look.seen <= look.before) {
		return false;
	}
	rg_deepbind_forget();
	return true;
}

void rg_deepbind_forget(void)
{
	atomic_store(&loaded_before, 0);
}
