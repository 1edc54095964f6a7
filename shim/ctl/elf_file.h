/*
 * What a program's ELF file tells about it. Files of either word size and of this machine's byte
 * order are read. Nothing in a file is trusted: an offset that leads outside it is treated as if
 * there were nothing at that place.
 */
#ifndef RG_ELF_FILE_H
#define RG_ELF_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct rg_elf_facts {
	bool elf;
	bool foreign;	     /* built for another architecture or word size than the shim */
	bool dynamic;	     /* has a loader, which is what obeys LD_PRELOAD */
	bool go;	     /* made by the Go compiler */
	bool names_libssl;   /* contains the name SSL_CTX_new: linked to libssl, or contains one */
	bool exports_libssl; /* defines SSL_new, which takes precedence over any preload */
	bool opens;	     /* contains the name dlopen */
	bool opens_libssl;   /* and the name libssl: it probably finds its functions by dlsym */
	char loader[PATH_MAX];
};

#define RG_ELF_NAME_BYTES 64

/*
 * Set HAS[i] if NAMES[i] stands in the file at PATH the way names of symbols do: between zero
 * bytes. Each of the COUNT names is shorter than RG_ELF_NAME_BYTES. Returns 0, or -1 if the file
 * cannot be read or is empty.
 */
int rg_elf_has(const char *path, const char *const names[], bool has[], size_t count);

/* Returns 0, or -1 with errno set if the file at PATH cannot be read. */
int rg_elf_read(const char *path, struct rg_elf_facts *facts);

#endif
