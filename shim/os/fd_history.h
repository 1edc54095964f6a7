/*
 * Which descriptors this thread read from last, and from whom this process accepted them. Programs
 * that feed libssl from memory (Node.js, asyncio, Dovecot) or through a BIO of their own (Apache
 * httpd, HAProxy) leave no descriptor on the SSL; but the socket that the bytes came from is the
 * last one their thread read. The hooks of read(2) and its kin note a number and nothing else: no
 * system call, no lock, no memory. Those of accept(2) note an address, and ask which socket it is.
 */
#ifndef RG_FD_HISTORY_H
#define RG_FD_HISTORY_H

#include <stdbool.h>
#include <sys/socket.h>

#define RG_FD_HISTORY_KEPT                                                                         \
	4 /* distinct in a row: an AF_UNIX one may lie in between (Postfix reads tlsmgr's inside   \
	     SSL_accept) */

/* The descriptor this thread read from, BACK different ones ago: 0 is the last. -1 where there is
 * none. */
int rg_fd_history_recent(unsigned back);

/*
 * From whom this process accepted FD, into ADDRESS: for a socket that has no peer any more, because
 * the client has reset the connection since. False where that is not known.
 */
bool rg_fd_history_accepted(int fd, struct sockaddr_storage *address);

/* Look up the functions behind the hooks now, so that none is looked up in a signal handler. */
void rg_next_prepare(void);

#endif
