/*
 * Programs as execve(2) and the loader see them: which file runs for a name, and what would be
 * loaded for it. Nothing of the program itself is run.
 */
#ifndef RG_PROGRAM_H
#define RG_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

/* The file that runs for NAME, found as execvp(3) would, into PATH: of a SCRIPT its interpreter. 0,
 * or -1 and errno. */
int rg_program_find(const char *name, char path[PATH_MAX], bool *script);

struct rg_loaded {
	char libssl[PATH_MAX]; /* empty where there is none */
	unsigned others;       /* libraries beside libc, the loader and the vdso */
};

/* What LOADER would load for PROGRAM. */
void rg_program_loads(const char *loader, const char *program, struct rg_loaded *loaded);

/* Is there a libssl that a program which opens libraries could open? */
bool rg_program_libssl_is_installed(void);

#endif
