/*
 * The hooks of read(2), recv(2) and related functions. Each calls the next function of its name and
 * notes what was read in the fd history (os/fd_history.h) and, if it may be a ClientHello, in
 * os/hellos.h.
 */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/fd_history.h"
#include "os/hellos.h"
#include "os/next.h"

#define EXPORT __attribute__((visibility("default")))

/* The names that _FORTIFY_SOURCE gives to these functions. No header declares them. */
ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room);
ssize_t __recv_chk(int fd, void *buffer, size_t bytes, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict buffer, size_t bytes, size_t room, int flags,
		       struct sockaddr *restrict from, socklen_t *restrict from_bytes);

/* Declare `function`, a pointer to the next function NAME. It is NULL before dlsym(3) works: then
 * the hook makes the system call itself. */
#define NEXT(returns, name, parameters)                                                            \
	void *found = rg_next(RG_NEXT_##name);                                                     \
	returns(*function) parameters;                                                             \
	memcpy(&function, &found, sizeof function)

/* --- what has been read --- */

/* With these flags a call takes nothing that libssl could get: it leaves it there, or it is not
 * what the peer sent. */
#define NOT_CONSUMED (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)

/* READ->parts are COUNT parts, of which the first is not empty. */
static __attribute__((noinline)) void note_slowly(struct rg_read *read, size_t count, size_t got)
{
	size_t room = 0;

	for (size_t i = 0; i < count; i++)
		room += read->parts[i].iov_len;
	/* With MSG_TRUNC a call returns more than it stores. */
	read->bytes = got < room ? got : room;
	rg_hellos_note(read);
}

static inline void note_parts(struct rg_read *read, size_t count, size_t got)
{
	while (count != 0 && read->parts->iov_len == 0) {
		read->parts++;
		count--;
	}
	/* With MSG_TRUNC a call may store nothing. */
	if (count != 0 && read->parts->iov_base != NULL && rg_hellos_cares(read->parts->iov_base))
		note_slowly(read, count, got);
}

/* Functions of their own, so that the usual way keeps nothing but its arguments. They return GOT.
 */
static __attribute__((noinline)) ssize_t note_hello(int fd, void *buffer, ssize_t got)
{
	struct iovec part = {buffer, (size_t)got};
	struct rg_read read = {.fd = fd, .parts = &part, .bytes = (size_t)got};

	rg_hellos_note(&read);
	return got;
}

static __attribute__((noinline)) ssize_t note_another(int fd, void *buffer, ssize_t got)
{
	rg_fd_history_remember(fd);
	return rg_hellos_cares(buffer) ? note_hello(fd, buffer, got) : got;
}

/* GOT bytes, or an error (-1), were read from FD into BUFFER. Returns GOT. */
static inline ssize_t note_read(int fd, void *buffer, ssize_t got)
{
	if (got <= 0)
		return got;
	if (!rg_fd_history_is_last(fd))
		return note_another(fd, buffer, got);
	return rg_hellos_cares(buffer) ? note_hello(fd, buffer, got) : got;
}

static ssize_t note_vector(int fd, const struct iovec *parts, int count, ssize_t got)
{
	struct rg_read read = {.fd = fd, .parts = parts};

	if (got > 0) {
		rg_fd_history_note(fd);
		note_parts(&read, (size_t)count, (size_t)got);
	}
	return got;
}

static inline ssize_t note_received(int fd, void *buffer, int flags, ssize_t got)
{
	return (flags & (NOT_CONSUMED | MSG_TRUNC)) == 0 ? note_read(fd, buffer, got) : got;
}

/* There was ROOM for the sender's address. */
static inline ssize_t note_message(int fd, const struct msghdr *message, socklen_t room, int flags,
				   ssize_t got)
{
	struct rg_read read = {.fd = fd, .only_datagram = (flags & MSG_TRUNC) != 0};

	if (got <= 0 || (flags & NOT_CONSUMED) != 0)
		return got;
	rg_fd_history_note(fd);
	read.parts = message->msg_iov;
	read.sender = message->msg_name;
	if (read.sender != NULL)
		read.sender_bytes = message->msg_namelen < room ? message->msg_namelen : room;
	note_parts(&read, (size_t)message->msg_iovlen, (size_t)got);
	return got;
}

/* --- the hooks --- */

EXPORT ssize_t read(int fd, void *buffer, size_t bytes)
{
	NEXT(ssize_t, read, (int, void *, size_t));

	return note_read(fd, buffer,
			 function != NULL ? function(fd, buffer, bytes)
					  : syscall(SYS_read, fd, buffer, bytes));
}

EXPORT ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room)
{
	NEXT(ssize_t, __read_chk, (int, void *, size_t, size_t));

	return note_read(fd, buffer,
			 function != NULL ? function(fd, buffer, bytes, room)
					  : syscall(SYS_read, fd, buffer, bytes));
}

EXPORT ssize_t readv(int fd, const struct iovec *parts, int count)
{
	NEXT(ssize_t, readv, (int, const struct iovec *, int));

	return note_vector(fd, parts, count,
			   function != NULL ? function(fd, parts, count)
					    : syscall(SYS_readv, fd, parts, count));
}

/* What recv(2) and recvfrom(2) are to the kernel. */
static ssize_t receive(int fd, void *buffer, size_t bytes, int flags, struct sockaddr *from,
		       socklen_t *from_bytes)
{
	return syscall(SYS_recvfrom, fd, buffer, bytes, flags, from, from_bytes);
}

EXPORT ssize_t recv(int fd, void *buffer, size_t bytes, int flags)
{
	NEXT(ssize_t, recv, (int, void *, size_t, int));

	return note_received(fd, buffer, flags,
			     function != NULL ? function(fd, buffer, bytes, flags)
					      : receive(fd, buffer, bytes, flags, NULL, NULL));
}

EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t bytes, size_t room, int flags)
{
	NEXT(ssize_t, __recv_chk, (int, void *, size_t, size_t, int));

	return note_received(fd, buffer, flags,
			     function != NULL ? function(fd, buffer, bytes, room, flags)
					      : receive(fd, buffer, bytes, flags, NULL, NULL));
}

static inline ssize_t note_from(int fd, void *buffer, size_t bytes, int flags,
				struct sockaddr *from, const socklen_t *from_bytes, socklen_t room,
				ssize_t got)
{
	struct iovec part = {buffer, bytes};
	struct msghdr message = {.msg_name = from, .msg_iov = &part, .msg_iovlen = 1};

	if (from != NULL && from_bytes != NULL)
		message.msg_namelen = *from_bytes;
	return note_message(fd, &message, room, flags, got);
}

/* Room for the sender's address, before the call. */
static socklen_t room_of(const struct sockaddr *from, const socklen_t *from_bytes)
{
	return from != NULL && from_bytes != NULL ? *from_bytes : 0;
}

EXPORT ssize_t recvfrom(int fd, void *restrict buffer, size_t bytes, int flags,
			struct sockaddr *restrict from, socklen_t *restrict from_bytes)
{
	NEXT(ssize_t, recvfrom, (int, void *, size_t, int, struct sockaddr *, socklen_t *));
	socklen_t room = room_of(from, from_bytes);

	return note_from(fd, buffer, bytes, flags, from, from_bytes, room,
			 function != NULL ? function(fd, buffer, bytes, flags, from, from_bytes)
					  : receive(fd, buffer, bytes, flags, from, from_bytes));
}

EXPORT ssize_t __recvfrom_chk(int fd, void *restrict buffer, size_t bytes, size_t chk, int flags,
			      struct sockaddr *restrict from, socklen_t *restrict from_bytes)
{
	NEXT(ssize_t, __recvfrom_chk,
	     (int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *));
	socklen_t room = room_of(from, from_bytes);

	return note_from(fd, buffer, bytes, flags, from, from_bytes, room,
			 function != NULL
			     ? function(fd, buffer, bytes, chk, flags, from, from_bytes)
			     : receive(fd, buffer, bytes, flags, from, from_bytes));
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	NEXT(ssize_t, recvmsg, (int, struct msghdr *, int));
	socklen_t room = message != NULL && message->msg_name != NULL ? message->msg_namelen : 0;

	return note_message(fd, message, room, flags,
			    function != NULL ? function(fd, message, flags)
					     : syscall(SYS_recvmsg, fd, message, flags));
}
