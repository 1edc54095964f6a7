/*
 * Programs as execve(2) and the loader see them: which file is executed for a name, and which
 * libraries would be loaded. The program itself is never run.
 */
#ifndef RG_PROGRAM_H
#define RG_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

/*
 * Find the file that execvp(3) would execute for NAME. For a script that is its interpreter, and
 * *SCRIPT is true. Returns 0, or -1 with errno set.
 */
int rg_program_find(const char *name, char path[PATH_MAX], bool *script);

struct rg_loaded {
	char libssl[PATH_MAX]; /* its path, "" if none would be loaded */
	char missing[64];      /* a library that it needs and that is not found; "" */
	char asan[PATH_MAX];   /* the path of AddressSanitizer's runtime, "" if it is not loaded */
	unsigned others;       /* libraries other than libssl, libc, the loader and the vdso */
};

/*
 * Ask LOADER what it would load for the program in file PROGRAM, by running `LOADER --list PROGRAM`
 * without LD_PRELOAD. If that fails, nothing is reported as loaded.
 */
void rg_program_loads(const char *loader, const char *program, struct rg_loaded *loaded);

/* Is there a libssl in one of the usual directories, for a program to load with dlopen? */
bool rg_program_libssl_is_installed(void);

#endif
