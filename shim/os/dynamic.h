/*
 * The dynamic section of a loaded object (ELF gABI, chapter 5), for dl_iterate_phdr(3).
 */
#ifndef RG_DYNAMIC_H
#define RG_DYNAMIC_H

#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* NULL where there is none. */
static inline const ElfW(Dyn) * rg_dynamic(const struct dl_phdr_info *info)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			return (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return NULL;
}

/* What the entry of TAG points to, or NULL. glibc makes addresses of these offsets while it loads
 * an object, not of every one; musl never. */
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
