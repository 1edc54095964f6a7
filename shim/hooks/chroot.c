/*
 * The hook of chroot(2). A program may enter a chroot first and load its libssl later. The log's
 * socket and the state file cannot be opened inside, so both are opened before.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "guard/prepare.h"
#include "os/next.h"

__attribute__((visibility("default"))) int chroot(const char *path)
{
	void *found = rg_next(RG_NEXT_chroot);
	int (*function)(const char *);

	memcpy(&function, &found, sizeof function);
	rg_prepare_before_chroot();
	if (function != NULL)
		return function(path);
	errno = ENOSYS;
	return -1;
}
