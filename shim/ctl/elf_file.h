/*
 * What the file of a program says about it: an ELF file of either word size, of this machine's byte
 * order. Nothing in the file is trusted: an offset that leads outside of it is as if nothing stood
 * there.
 */
#ifndef RG_ELF_FILE_H
#define RG_ELF_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct rg_elf_facts {
	bool elf;
	bool foreign; /* for another architecture or word size than this library */
	bool dynamic; /* has a loader, which is what obeys LD_PRELOAD */
	bool go;
	bool own_libssl;     /* names a libssl function: linked to one, or with one inside */
	bool exports_libssl; /* defines SSL_new for everybody, before any preload does */
	bool opens;	     /* names dlopen */
	bool looks_up;	     /* and libssl, whose functions it then finds by name */
	char loader[PATH_MAX];
};

#define RG_ELF_NAME_BYTES 64

/* Which of COUNT NAMES, each shorter than RG_ELF_NAME_BYTES, stand in the file as symbols' names
 * do. 0, or -1 where it can not be read. */
int rg_elf_has(const char *path, const char *const names[], bool has[], size_t count);

/* 0, or -1 where the file at PATH can not be read. */
int rg_elf_read(const char *path, struct rg_elf_facts *facts);

#endif
