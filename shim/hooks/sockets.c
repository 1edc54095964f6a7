/*
 * The hooks of read(2), accept(2) and related functions. Each calls the next function of its name
 * and notes the result in the fd history (os/fd_history.h), nothing else.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/fd_history.h"
#include "os/next.h"

#define EXPORT __attribute__((visibility("default")))

/* The names that _FORTIFY_SOURCE gives to these functions. No header declares them. */
ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room);
ssize_t __recv_chk(int fd, void *buffer, size_t bytes, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict buffer, size_t bytes, size_t room, int flags,
		       struct sockaddr *restrict from, socklen_t *restrict from_bytes);

/* There is no next function: dlsym(3) does not work yet. No program reads sockets that early. */
static ssize_t fail_without_next(void)
{
	errno = ENOSYS;
	return -1;
}

/* Declare `function`, a pointer to the next function NAME. It is NULL before dlsym(3) works. */
#define NEXT(returns, name, parameters)                                                            \
	void *found = rg_next(RG_NEXT_##name);                                                     \
	returns(*function) parameters;                                                             \
	memcpy(&function, &found, sizeof function)

/* The hook of a function that reads from its first argument, FD. OTHERWISE: the result if there is
 * no next function. */
#define READ_HOOK(name, parameters, arguments, otherwise)                                          \
	EXPORT ssize_t name parameters                                                             \
	{                                                                                          \
		NEXT(ssize_t, name, parameters);                                                   \
		return rg_fd_history_note(fd,                                                      \
					  function != NULL ? function arguments : (otherwise));    \
	}

/* clang-format off */
READ_HOOK(read, (int fd, void *buffer, size_t bytes),
	  (fd, buffer, bytes), syscall(SYS_read, fd, buffer, bytes))
READ_HOOK(__read_chk, (int fd, void *buffer, size_t bytes, size_t room),
	  (fd, buffer, bytes, room), syscall(SYS_read, fd, buffer, bytes))
READ_HOOK(readv, (int fd, const struct iovec *parts, int count),
	  (fd, parts, count), syscall(SYS_readv, fd, parts, count))
READ_HOOK(recv, (int fd, void *buffer, size_t bytes, int flags),
	  (fd, buffer, bytes, flags), fail_without_next())
READ_HOOK(__recv_chk, (int fd, void *buffer, size_t bytes, size_t room, int flags),
	  (fd, buffer, bytes, room, flags), fail_without_next())
READ_HOOK(recvfrom, (int fd, void *restrict buffer, size_t bytes, int flags,
		     struct sockaddr *restrict from, socklen_t *restrict from_bytes),
	  (fd, buffer, bytes, flags, from, from_bytes), fail_without_next())
READ_HOOK(__recvfrom_chk, (int fd, void *restrict buffer, size_t bytes, size_t room, int flags,
			   struct sockaddr *restrict from, socklen_t *restrict from_bytes),
	  (fd, buffer, bytes, room, flags, from, from_bytes), fail_without_next())
READ_HOOK(recvmsg, (int fd, struct msghdr *message, int flags),
	  (fd, message, flags), fail_without_next())
/* clang-format on */

/* Where accept(2) stores the address: in the program's memory, or in ours if it gave none. */
struct address_memory {
	struct sockaddr_in6 own;
	socklen_t own_bytes, given_bytes;
	struct sockaddr *from;
	socklen_t *bytes;
};

static void choose_memory(struct address_memory *memory, struct sockaddr *from, socklen_t *bytes)
{
	bool given = from != NULL && bytes != NULL;

	memory->own_bytes = sizeof memory->own;
	memory->from = from != NULL ? from : (struct sockaddr *)&memory->own;
	memory->bytes = from != NULL ? bytes : &memory->own_bytes;
	memory->given_bytes = given ? *bytes : sizeof memory->own;
}

static int note_accepted(const struct address_memory *memory, int fd)
{
	if (fd >= 0 && memory->bytes != NULL)
		rg_fd_history_note_accepted(
		    fd, memory->from, *memory->bytes <= memory->given_bytes ? *memory->bytes : 0);
	return fd;
}

EXPORT int accept(int listener, struct sockaddr *restrict from, socklen_t *restrict bytes)
{
	NEXT(int, accept, (int, struct sockaddr *, socklen_t *));
	struct address_memory memory;

	choose_memory(&memory, from, bytes);
	return note_accepted(&memory, function != NULL
					  ? function(listener, memory.from, memory.bytes)
					  : (int)fail_without_next());
}

EXPORT int accept4(int listener, struct sockaddr *restrict from, socklen_t *restrict bytes,
		   int flags)
{
	NEXT(int, accept4, (int, struct sockaddr *, socklen_t *, int));
	struct address_memory memory;

	choose_memory(&memory, from, bytes);
	return note_accepted(&memory, function != NULL
					  ? function(listener, memory.from, memory.bytes, flags)
					  : (int)fail_without_next());
}
