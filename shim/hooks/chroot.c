/*
 * A program that shuts itself in and opens its libssl only then: where it is going, neither the
 * log's socket nor the state file can be found.
 */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hooks/dlsym.h"
#include "os/process.h"

__attribute__((visibility("default"))) int chroot(const char *path)
{
	void *found = rg_dl_sym(RTLD_NEXT, "chroot");
	int (*function)(const char *);

	memcpy(&function, &found, sizeof function);
	rg_process_before_chroot();
	if (function != NULL)
		return function(path);
	errno = ENOSYS;
	return -1;
}
