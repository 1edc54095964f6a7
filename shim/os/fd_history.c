#include "os/fd_history.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hooks/dlsym.h"
#include "os/process.h"

#define EXPORT __attribute__((visibility("default")))

struct ring {
	int fds[RG_FD_HISTORY_KEPT]; /* descriptor plus one; 0: none */
	unsigned newest;
	int last; /* as fds[newest], without looking for it */
};

static _Thread_local struct ring ring __attribute__((tls_model("initial-exec")));

static __attribute__((noinline)) void remember(int fd)
{
	ring.newest = (ring.newest + 1) % RG_FD_HISTORY_KEPT;
	ring.fds[ring.newest] = fd + 1;
	ring.last = fd + 1;
}

/* Most reads are of the descriptor that was read last: two comparisons. */
static inline ssize_t note(int fd, ssize_t got)
{
	if (got > 0 && __builtin_expect(ring.last != fd + 1, 0))
		remember(fd);
	return got;
}

int rg_fd_history_recent(unsigned back)
{
	return ring.fds[(ring.newest + RG_FD_HISTORY_KEPT - back) % RG_FD_HISTORY_KEPT] - 1;
}

enum read_index {
	READ,
	READV,
	RECV,
	RECVFROM,
	RECVMSG,
	READ_CHK,
	RECV_CHK,
	RECVFROM_CHK,
	ACCEPT,
	ACCEPT4,
	READ_COUNT
};

static const char *const read_names[READ_COUNT] = {
    "read",	  "readv",	"recv",		  "recvfrom", "recvmsg",
    "__read_chk", "__recv_chk", "__recvfrom_chk", "accept",   "accept4"};
static void *_Atomic read_functions[READ_COUNT];

/*
 * The next function of that name: another preload's, or libc's. dlsym(3) may allocate, and an
 * allocator may read while it starts: such a read, from inside the lookup, gets the system call
 * itself. ERRNO stays as it was.
 */
static __attribute__((noinline, cold)) void *look_up(enum read_index index)
{
	static _Thread_local bool looking_up __attribute__((tls_model("initial-exec")));
	void *found;
	int saved = errno;

	if (looking_up)
		return NULL;
	looking_up = true;
	found = rg_dl_sym(RTLD_NEXT, read_names[index]);
	looking_up = false;
	atomic_store_explicit(&read_functions[index], found, memory_order_relaxed);
	errno = saved;
	return found;
}

void rg_next_prepare(void)
{
	for (enum read_index index = 0; index < READ_COUNT; index++)
		(void)look_up(index);
}

static inline void *next(enum read_index index)
{
	void *found = atomic_load_explicit(&read_functions[index], memory_order_relaxed);

	return __builtin_expect(found != NULL, 1) ? found : look_up(index);
}

#define NEXT(type, index, function)                                                                \
	void *found = next(index);                                                                 \
	type *function;                                                                            \
	memcpy(&function, &found, sizeof function)

typedef ssize_t read_function(int, void *, size_t);
typedef ssize_t read_checked_function(int, void *, size_t, size_t);
typedef ssize_t readv_function(int, const struct iovec *, int);
typedef ssize_t recv_function(int, void *, size_t, int);
typedef ssize_t recv_checked_function(int, void *, size_t, size_t, int);
typedef ssize_t recvfrom_function(int, void *, size_t, int, struct sockaddr *, socklen_t *);
typedef ssize_t recvfrom_checked_function(int, void *, size_t, size_t, int, struct sockaddr *,
					  socklen_t *);
typedef ssize_t recvmsg_function(int, struct msghdr *, int);
typedef int accept_function(int, struct sockaddr *, socklen_t *);
typedef int accept4_function(int, struct sockaddr *, socklen_t *, int);

/* The names that _FORTIFY_SOURCE gives the same functions; no header declares them. */
EXPORT read_checked_function __read_chk;
EXPORT recv_checked_function __recv_chk;
EXPORT recvfrom_checked_function __recvfrom_chk;

EXPORT ssize_t read(int fd, void *buffer, size_t bytes)
{
	NEXT(read_function, READ, function);
	return note(fd, function != NULL ? function(fd, buffer, bytes)
					 : syscall(SYS_read, fd, buffer, bytes));
}

EXPORT ssize_t readv(int fd, const struct iovec *parts, int count)
{
	NEXT(readv_function, READV, function);
	return note(fd, function != NULL ? function(fd, parts, count)
					 : syscall(SYS_readv, fd, parts, count));
}

/* Sockets are not read before dlsym(3) works: where it finds nothing there is nothing to call. */
static ssize_t not_there(void)
{
	errno = ENOSYS;
	return -1;
}

EXPORT ssize_t recv(int fd, void *buffer, size_t bytes, int flags)
{
	NEXT(recv_function, RECV, function);
	return note(fd, function != NULL ? function(fd, buffer, bytes, flags) : not_there());
}

EXPORT ssize_t recvfrom(int fd, void *restrict buffer, size_t bytes, int flags,
			struct sockaddr *restrict from, socklen_t *restrict from_bytes)
{
	NEXT(recvfrom_function, RECVFROM, function);
	return note(fd, function != NULL ? function(fd, buffer, bytes, flags, from, from_bytes)
					 : not_there());
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	NEXT(recvmsg_function, RECVMSG, function);
	return note(fd, function != NULL ? function(fd, message, flags) : not_there());
}

ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room)
{
	NEXT(read_checked_function, READ_CHK, function);
	return note(fd, function != NULL ? function(fd, buffer, bytes, room)
					 : syscall(SYS_read, fd, buffer, bytes));
}

ssize_t __recv_chk(int fd, void *buffer, size_t bytes, size_t room, int flags)
{
	NEXT(recv_checked_function, RECV_CHK, function);
	return note(fd, function != NULL ? function(fd, buffer, bytes, room, flags) : not_there());
}

ssize_t __recvfrom_chk(int fd, void *buffer, size_t bytes, size_t room, int flags,
		       struct sockaddr *from, socklen_t *from_bytes)
{
	NEXT(recvfrom_checked_function, RECVFROM_CHK, function);
	return note(fd, function != NULL
			    ? function(fd, buffer, bytes, room, flags, from, from_bytes)
			    : not_there());
}

/* --- who was accepted --- */

#define DESCRIPTORS_MAX 65536
#define ADDRESS_WORDS	(sizeof(struct sockaddr_in6) / sizeof(uint32_t))

/*
 * What accept(2) said, and which socket it was: a number is given to another one sooner or later,
 * that need not come from accept(2). All zero where it was no Internet address. Written before
 * anyone can use the descriptor.
 */
static struct accepted {
	_Atomic uint32_t address[ADDRESS_WORDS];
	_Atomic uint32_t inode;
} accepted[DESCRIPTORS_MAX];
static _Atomic int accepted_last; /* the highest of these that was ever written */

static uint32_t inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? (uint32_t)status.st_ino : 0;
}

static void note_accepted(int fd, const struct sockaddr *from, socklen_t bytes)
{
	uint32_t words[ADDRESS_WORDS] = {0}, inode = 0;
	int last = atomic_load_explicit(&accepted_last, memory_order_relaxed);

	/* Where nothing is guarded nobody is going to ask. */
	if (fd < 0 || fd >= DESCRIPTORS_MAX || rg_process_ledger() == NULL)
		return;
	if (bytes >= sizeof(struct sockaddr_in) && bytes <= sizeof words &&
	    (from->sa_family == AF_INET || from->sa_family == AF_INET6)) {
		memcpy(words, from, bytes);
		inode = inode_of(fd);
	}
	for (size_t i = 0; i < ADDRESS_WORDS; i++)
		atomic_store_explicit(&accepted[fd].address[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&accepted[fd].inode, inode, memory_order_relaxed);
	while (last < fd && !atomic_compare_exchange_weak(&accepted_last, &last, fd))
		;
}

static bool is_accepted_as(int fd, uint32_t inode)
{
	return atomic_load_explicit(&accepted[fd].inode, memory_order_relaxed) == inode;
}

/* Under its own number, or under the one it had before dup2(2): vsftpd makes it 0. */
bool rg_fd_history_accepted(int fd, struct sockaddr_storage *address)
{
	uint32_t words[ADDRESS_WORDS], inode = inode_of(fd);
	int last = atomic_load_explicit(&accepted_last, memory_order_relaxed), place = fd;

	if (inode == 0)
		return false;
	if (fd >= DESCRIPTORS_MAX || !is_accepted_as(fd, inode))
		for (place = 0; place <= last && !is_accepted_as(place, inode);)
			place++;
	if (place > last)
		return false;
	for (size_t i = 0; i < ADDRESS_WORDS; i++)
		words[i] = atomic_load_explicit(&accepted[place].address[i], memory_order_relaxed);
	memcpy(address, words, sizeof words);
	return true;
}

/* The program's room for the address, or ours where it has none. */
struct room {
	struct sockaddr_in6 own;
	socklen_t own_bytes, given_bytes;
	struct sockaddr *from;
	socklen_t *bytes;
};

static void make_room(struct room *room, struct sockaddr *from, socklen_t *bytes)
{
	bool given = from != NULL && bytes != NULL;

	room->own_bytes = sizeof room->own;
	room->from = from != NULL ? from : (struct sockaddr *)&room->own;
	room->bytes = from != NULL ? bytes : &room->own_bytes;
	room->given_bytes = given ? *bytes : sizeof room->own;
}

static int note_room(const struct room *room, int fd)
{
	if (fd >= 0 && room->bytes != NULL)
		note_accepted(fd, room->from, *room->bytes <= room->given_bytes ? *room->bytes : 0);
	return fd;
}

EXPORT int accept(int listener, struct sockaddr *restrict from, socklen_t *restrict bytes)
{
	NEXT(accept_function, ACCEPT, function);
	struct room room;

	make_room(&room, from, bytes);
	return note_room(&room, function != NULL ? function(listener, room.from, room.bytes)
						 : (int)not_there());
}

EXPORT int accept4(int listener, struct sockaddr *restrict from, socklen_t *restrict bytes,
		   int flags)
{
	NEXT(accept4_function, ACCEPT4, function);
	struct room room;

	make_room(&room, from, bytes);
	return note_room(&room, function != NULL ? function(listener, room.from, room.bytes, flags)
						 : (int)not_there());
}
