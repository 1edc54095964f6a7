#include "os/clock.h"

#include <sys/stat.h>
#include <time.h>

#include "rg_limit.h"

uint64_t rg_clock_ns(void)
{
	struct timespec now;

	/* Linux before 2.6.39 has no CLOCK_BOOTTIME. Time while suspended is not counted there. */
	if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * RG_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t rg_clock_space(void)
{
	struct stat namespace;

	return stat("/proc/self/ns/time", &namespace) == 0 ? namespace.st_ino : 0;
}
