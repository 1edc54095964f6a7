// A preload in which one call of the library under test fails: a call for memory, or a system call.
// The calls are counted. The environment variable FAULT is the number of the one that fails, "N-" for
// that one and all after it, or the name of a function that always fails. Other callers are served as
// usual. The file that FAULT_RECORD names gets how many calls there were, and which failed.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

// Shared by the processes of the program.
static struct record {
	int calls;
	char failed[32];
} own, *shared = &own;

static const char *chosen = "";
static int chosen_number; // 0: a function is chosen, or nothing
static bool and_later;
static uintptr_t begin, end; // of the library

static int find(struct dl_phdr_info *object, size_t size, void *arg)
{
	(void)size, (void)arg;
	if (strstr(object->dlpi_name, "libreneguard") == NULL)
		return 0;
	begin = object->dlpi_addr;
	for (int i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_LOAD)
			end = begin + object->dlpi_phdr[i].p_vaddr +
			      object->dlpi_phdr[i].p_memsz;
	return 1;
}

// The library's constructor runs before ours, so this is called by the first call.
static void prepare(void)
{
	static bool prepared;
	const char *path = getenv("FAULT_RECORD"), *fault = getenv("FAULT");
	void *map;
	long fd;

	if (prepared)
		return;
	prepared = true;
	dl_iterate_phdr(find, NULL);
	if (fault != NULL) {
		chosen = fault;
		chosen_number = atoi(fault);
		and_later = strchr(fault, '-') != NULL;
	}
	fd = path != NULL ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR) : -1;
	if (fd < 0)
		return;
	map = (void *)syscall(SYS_mmap, NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (map != MAP_FAILED)
		shared = map;
}

static bool fails(const char *name, void *caller, int error)
{
	int number;

	prepare();
	if ((uintptr_t)caller < begin || (uintptr_t)caller >= end)
		return false;
	number = __atomic_add_fetch(&shared->calls, 1, __ATOMIC_RELAXED);
	if (chosen_number == 0 ? strcmp(name, chosen) != 0
			       : number < chosen_number || (number > chosen_number && !and_later))
		return false;
	if (!and_later || number == chosen_number)
		strncpy(shared->failed, name, sizeof shared->failed - 1);
	errno = error;
	return true;
}

// A function that fails with ERROR and returns FAILURE.
#define FAULTY(type, name, error, failure, parameters, arguments)                                  \
	type name parameters                                                                       \
	{                                                                                          \
		static type(*real) parameters;                                                     \
                                                                                                   \
		if (fails(#name, __builtin_return_address(0), error))                              \
			return failure;                                                            \
		if (real == NULL)                                                                  \
			real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                        \
		return real arguments;                                                             \
	}

extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_malloc(size_t bytes);

void *calloc(size_t count, size_t bytes)
{
	return fails("calloc", __builtin_return_address(0), ENOMEM) ? NULL
								    : __libc_calloc(count, bytes);
}

void *malloc(size_t bytes)
{
	return fails("malloc", __builtin_return_address(0), ENOMEM) ? NULL : __libc_malloc(bytes);
}

int close(int fd) // which closes, as Linux does even if it fails
{
	bool failed = fails("close", __builtin_return_address(0), EIO);
	int saved = errno, result = (int)syscall(SYS_close, fd);

	if (!failed)
		return result;
	errno = saved;
	return -1;
}

#define ADDRESS struct sockaddr *address, socklen_t *length

FAULTY(void *, mmap, ENOMEM, MAP_FAILED,
       (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),
       (at, bytes, protection, flags, fd, offset))
FAULTY(int, munmap, ENOMEM, -1, (void *at, size_t bytes), (at, bytes))
FAULTY(int, open, EMFILE, -1, (const char *path, int flags, ...), (path, flags, 0600))
FAULTY(int, unlink, EROFS, -1, (const char *path), (path))
FAULTY(int, linkat, EPERM, -1, (int from, const char *path, int to, const char *name, int flags),
       (from, path, to, name, flags))
FAULTY(int, flock, ENOLCK, -1, (int fd, int operation), (fd, operation))
FAULTY(int, fallocate, ENOSPC, -1, (int fd, int mode, off_t offset, off_t bytes),
       (fd, mode, offset, bytes))
FAULTY(int, ftruncate, EFBIG, -1, (int fd, off_t bytes), (fd, bytes))
FAULTY(int, fchmod, EPERM, -1, (int fd, mode_t mode), (fd, mode))
FAULTY(int, fstatfs, EIO, -1, (int fd, struct statfs *status), (fd, status))
FAULTY(int, __fxstat, EIO, -1, (int version, int fd, struct stat *status), (version, fd, status))
FAULTY(int, __xstat, EACCES, -1, (int version, const char *path, struct stat *status),
       (version, path, status))
FAULTY(ssize_t, pread, EIO, -1, (int fd, void *bytes, size_t count, off_t offset),
       (fd, bytes, count, offset))
FAULTY(ssize_t, pwrite, ENOSPC, -1, (int fd, const void *bytes, size_t count, off_t offset),
       (fd, bytes, count, offset))
FAULTY(ssize_t, write, EAGAIN, -1, (int fd, const void *bytes, size_t count), (fd, bytes, count))
FAULTY(int, socket, EMFILE, -1, (int domain, int type, int protocol), (domain, type, protocol))
FAULTY(int, connect, EAGAIN, -1, (int fd, const struct sockaddr *address, socklen_t length),
       (fd, address, length))
FAULTY(ssize_t, send, ENOBUFS, -1, (int fd, const void *bytes, size_t count, int flags),
       (fd, bytes, count, flags))
FAULTY(int, getpeername, EPERM, -1, (int fd, ADDRESS), (fd, address, length))
FAULTY(int, getsockname, ENOBUFS, -1, (int fd, ADDRESS), (fd, address, length))
FAULTY(int, getsockopt, ENOMEM, -1, (int fd, int level, int name, void *value, socklen_t *length),
       (fd, level, name, value, length))
FAULTY(int, poll, EINTR, -1, (struct pollfd * files, nfds_t count, int milliseconds),
       (files, count, milliseconds))
FAULTY(int, getrlimit, EPERM, -1, (__rlimit_resource_t resource, struct rlimit *limit),
       (resource, limit))
FAULTY(int, nanosleep, EINTR, -1, (const struct timespec *time, struct timespec *left),
       (time, left))
FAULTY(int, sigpending, EFAULT, -1, (sigset_t * set), (set))
FAULTY(int, sigprocmask, EINVAL, -1, (int how, const sigset_t *set, sigset_t *old), (how, set, old))
FAULTY(int, sigtimedwait, EINTR, -1,
       (const sigset_t *set, siginfo_t *information, const struct timespec *time),
       (set, information, time))
FAULTY(int, clock_gettime, EINVAL, -1, (clockid_t clock, struct timespec *time), (clock, time))
FAULTY(int, __register_atfork, ENOMEM, ENOMEM,
       (void (*before)(void), void (*parent)(void), void (*child)(void), void *object),
       (before, parent, child, object))

int fcntl(int fd, int command, ...)
{
	va_list list;
	void *argument;

	if (fails("fcntl", __builtin_return_address(0), EMFILE))
		return -1;
	va_start(list, command);
	argument = va_arg(list, void *);
	va_end(list);
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	va_list list;
	long arguments[6];

	// Others are read(2) and its kin, made for the program where libc's own are not known yet.
	if (number == SYS_memfd_create &&
	    fails("memfd_create", __builtin_return_address(0), ENOSYS))
		return -1;
	if (real == NULL)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
		    arguments[5]);
}
