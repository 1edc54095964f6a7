/*
 * The fd history: which descriptors this thread read from last, and from which address this process
 * accepted them. Programs that feed libssl from memory (Node.js, asyncio, Dovecot) or through a BIO
 * of their own (Apache httpd, HAProxy) set no descriptor on the SSL. The bytes then come from the
 * socket that the thread read last.
 *
 * Any thread may call anything here; nothing fails. Noting a read costs two comparisons: no system
 * call, no lock, no memory. Noting an accept costs an fstat(2).
 */
#ifndef RG_FD_HISTORY_H
#define RG_FD_HISTORY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* How many descriptors are kept, each different from the one before. The client's is not always the
 * last: Postfix reads an AF_UNIX socket (tlsmgr's) inside SSL_accept. */
#define RG_FD_HISTORY_KEPT 4

struct rg_fd_history {
	int fds[RG_FD_HISTORY_KEPT]; /* a ring: each descriptor plus one; 0: none */
	unsigned newest;	     /* index in fds */
	int last;		     /* fds[newest] */
};

#pragma GCC visibility push(hidden)
extern _Thread_local struct rg_fd_history rg_fd_history __attribute__((tls_model("initial-exec")));
#pragma GCC visibility pop

/* Add FD to the history. It must differ from the last one. */
void rg_fd_history_remember(int fd);

/* This thread read GOT bytes from FD, or got an error (-1). Returns GOT. */
static inline ssize_t rg_fd_history_note(int fd, ssize_t got)
{
	if (got > 0 && __builtin_expect(rg_fd_history.last != fd + 1, 0))
		rg_fd_history_remember(fd);
	return got;
}

/* The descriptor this thread read from, BACK different ones ago: 0 is the last. -1 if there is
 * none. BACK is less than RG_FD_HISTORY_KEPT. */
int rg_fd_history_recent(unsigned back);

/* This process accepted FD from the address at FROM, which is BYTES long. */
void rg_fd_history_note_accepted(int fd, const struct sockaddr *from, socklen_t bytes);

/*
 * Store in ADDRESS the address from which this process accepted FD. Use it for a socket that no
 * longer knows its peer, because the client has reset the connection. False if the address is not
 * known.
 */
bool rg_fd_history_accepted(int fd, struct sockaddr_storage *address);

#endif
