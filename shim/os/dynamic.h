/*
 * Reads the dynamic section of a loaded object (ELF gABI, chapter 5) inside a callback of
 * dl_iterate_phdr(3). Any thread may call it.
 */
#ifndef RG_DYNAMIC_H
#define RG_DYNAMIC_H

#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* The dynamic section of INFO's object; NULL if it has none. */
static inline const ElfW(Dyn) * rg_dynamic(const struct dl_phdr_info *info)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			return (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return NULL;
}

/*
 * What the entry with TAG points to; NULL if there is none. The entry is an offset from the load
 * address. glibc turns it into an address in most objects it loads; musl never does.
 */
static inline const void *rg_dynamic_pointer(const struct dl_phdr_info *info,
					     const ElfW(Dyn) * dynamic, long tag)
{
	for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++)
		if (dynamic->d_tag == tag) {
			uintptr_t pointer = dynamic->d_un.d_ptr;

			return (const void *)(pointer < info->dlpi_addr ? info->dlpi_addr + pointer
									: pointer);
		}
	return NULL;
}

#endif
