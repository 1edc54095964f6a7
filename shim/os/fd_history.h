/*
 * Which descriptors this thread read from last, and from whom this process accepted them. Programs
 * that feed libssl from memory (Node.js, asyncio, Dovecot) or through a BIO of their own (Apache
 * httpd, HAProxy) leave no descriptor on the SSL. The socket that the bytes came from is then the
 * last one that the thread read.
 *
 * Noting a read costs two comparisons: no system call, no lock, no memory. Noting an accept asks
 * which socket it is.
 */
#ifndef RG_FD_HISTORY_H
#define RG_FD_HISTORY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Different descriptors in a row that are kept. An AF_UNIX one may lie between the client's and the
 * handshake: Postfix reads tlsmgr's inside SSL_accept. */
#define RG_FD_HISTORY_KEPT 4

struct rg_fd_history {
	int fds[RG_FD_HISTORY_KEPT]; /* descriptor plus one; 0: none */
	unsigned newest;
	int last; /* the same as fds[newest] */
};

#pragma GCC visibility push(hidden)
extern _Thread_local struct rg_fd_history rg_fd_history __attribute__((tls_model("initial-exec")));
#pragma GCC visibility pop

/* FD is another one than the last. */
void rg_fd_history_remember(int fd);

/* This thread got GOT bytes, or an error, from FD. Returns GOT. */
static inline ssize_t rg_fd_history_note(int fd, ssize_t got)
{
	if (got > 0 && __builtin_expect(rg_fd_history.last != fd + 1, 0))
		rg_fd_history_remember(fd);
	return got;
}

/* The descriptor this thread read from, BACK different ones ago: 0 is the last. -1 for none. */
int rg_fd_history_recent(unsigned back);

/* This process accepted FD from the BYTES of address at FROM. */
void rg_fd_history_note_accepted(int fd, const struct sockaddr *from, socklen_t bytes);

/*
 * From whom this process accepted FD, into ADDRESS: for a socket that has no peer any more, because
 * the client has reset the connection since. False where that is not known.
 */
bool rg_fd_history_accepted(int fd, struct sockaddr_storage *address);

#endif
