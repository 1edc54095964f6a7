#include "os/fd_history.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "os/process.h"

_Thread_local struct rg_fd_history rg_fd_history __attribute__((tls_model("initial-exec")));

__attribute__((noinline)) void rg_fd_history_remember(int fd)
{
	rg_fd_history.newest = (rg_fd_history.newest + 1) % RG_FD_HISTORY_KEPT;
	rg_fd_history.fds[rg_fd_history.newest] = fd + 1;
	rg_fd_history.last = fd + 1;
}

int rg_fd_history_recent(unsigned back)
{
	unsigned at = (rg_fd_history.newest + RG_FD_HISTORY_KEPT - back) % RG_FD_HISTORY_KEPT;

	return rg_fd_history.fds[at] - 1;
}

/* --- accepted sockets --- */

#define DESCRIPTORS_MAX 65536
#define ADDRESS_WORDS	(sizeof(struct sockaddr_in6) / sizeof(uint32_t))

/*
 * By descriptor: the address that accept(2) gave, and the socket's inode. The inode is needed
 * because the kernel reuses the number, and the next socket need not come from accept(2). All zero
 * unless it was an Internet address. Written before anyone can use the descriptor.
 */
static struct accepted {
	_Atomic uint32_t address[ADDRESS_WORDS];
	_Atomic uint32_t inode;
} accepted[DESCRIPTORS_MAX];
static _Atomic int accepted_last; /* the highest index ever written */

static uint32_t inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? (uint32_t)status.st_ino : 0;
}

void rg_fd_history_note_accepted(int fd, const struct sockaddr *from, socklen_t bytes)
{
	uint32_t words[ADDRESS_WORDS] = {0}, inode = 0;
	int last = atomic_load_explicit(&accepted_last, memory_order_relaxed);

	/* Without a ledger nothing is guarded, and nobody will ask. */
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

/* The socket may be noted under the number it had before dup2(2): vsftpd makes it 0. */
bool rg_fd_history_accepted(int fd, struct sockaddr_storage *address)
{
	uint32_t words[ADDRESS_WORDS], inode = inode_of(fd);
	int last = atomic_load_explicit(&accepted_last, memory_order_relaxed), number = fd;

	if (inode == 0)
		return false;
	if (fd >= DESCRIPTORS_MAX || !is_accepted_as(fd, inode))
		for (number = 0; number <= last && !is_accepted_as(number, inode);)
			number++;
	if (number > last)
		return false;
	for (size_t i = 0; i < ADDRESS_WORDS; i++)
		words[i] = atomic_load_explicit(&accepted[number].address[i], memory_order_relaxed);
	memcpy(address, words, sizeof words);
	return true;
}
