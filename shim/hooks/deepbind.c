#include "hooks/deepbind.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "guard/prepare.h"
#include "guard/report.h"
#include "os/dynamic.h"
#include "rg_policy.h"

/* How many objects were loaded before RTLD_DEEPBIND was used; 0: nothing to check. The loader lists
 * objects in the order in which it loaded them. */
static _Atomic unsigned loaded_before;

static int count_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	unsigned *count = arg;

	(void)info, (void)size;
	++*count;
	return 0;
}

static bool needs_libssl(const struct dl_phdr_info *info)
{
	const ElfW(Dyn) *entry = rg_dynamic(info);
	const char *strings = rg_dynamic_pointer(info, entry, DT_STRTAB);

	for (; strings != NULL && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_NEEDED &&
		    strncmp(strings + entry->d_un.d_val, "libssl.so", 9) == 0)
			return true;
	return false;
}

struct search {
	unsigned seen, before;
	char path[RG_PATH_BYTES]; /* of the first new object that needs libssl */
};

static int find_new_user(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;

	(void)size;
	if (search->seen++ < search->before || !needs_libssl(info))
		return 0;
	snprintf(search->path, sizeof search->path, "%s", info->dlpi_name);
	return 1;
}

void rg_deepbind_expect(void)
{
	unsigned count = 0;

	(void)dl_iterate_phdr(count_object, &count);
	atomic_store(&loaded_before, count);
}

bool rg_deepbind_check(void)
{
	struct search search = {.before = atomic_load(&loaded_before), .path = ""};

	if (search.before == 0)
		return true;
	if (dl_iterate_phdr(find_new_user, &search) != 0) {
		rg_prepare();
		rg_report_deepbind(search.path);
	} else if (search.seen <= search.before) {
		return false;
	}
	rg_deepbind_forget();
	return true;
}

void rg_deepbind_forget(void)
{
	atomic_store(&loaded_before, 0);
}
