#include "guard/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "os/fd_history.h"

#define CTRL_DGRAM_GET_PEER 46 /* BIO_CTRL_DGRAM_GET_PEER */

static struct rg_address address_of(const struct sockaddr_storage *name, uint16_t *port)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)name;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)name;

	switch (name->ss_family) {
	case AF_INET:
		*port = ntohs(ipv4->sin_port);
		return rg_address_ipv4((const uint8_t *)&ipv4->sin_addr);
	case AF_INET6:
		*port = ntohs(ipv6->sin6_port);
		return rg_address_on(rg_address_ipv6(ipv6->sin6_addr.s6_addr), ipv6->sin6_scope_id);
	default:
		return (struct rg_address){.family = RG_UNKNOWN};
	}
}

/* After a reset, or on an unconnected socket, getpeername(2) fails with ENOTCONN. getsockname(2)
 * still tells the family. */
static bool is_internet_socket(int fd)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof name;

	return getsockname(fd, (struct sockaddr *)&name, &bytes) == 0 &&
	       (name.ss_family == AF_INET || name.ss_family == AF_INET6);
}

/* *IS_INTERNET: FD is an Internet socket, even if its peer is unknown. */
static struct rg_address peer_of_fd(int fd, uint16_t *port, bool *is_internet)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof name;
	struct rg_address peer = {.family = RG_UNKNOWN};

	*is_internet = false;
	if (fd < 0)
		return peer;
	if (getpeername(fd, (struct sockaddr *)&name, &bytes) == 0)
		peer = address_of(&name, port);
	else if (errno == ENOTCONN && (*is_internet = is_internet_socket(fd)) &&
		 rg_fd_history_accepted(fd, &name))
		peer = address_of(&name, port);
	*is_internet |= peer.family != RG_UNKNOWN;
	return peer;
}

/* For DTLS on an unconnected socket: the sender of the last datagram. */
static struct rg_address datagram_peer(const struct rg_libssl *lib, struct ssl_st *ssl, int fd,
				       uint16_t *port)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	int type = 0;
	socklen_t bytes = sizeof type;

	if (fd < 0 || lib->BIO_ctrl == NULL ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0 || type != SOCK_DGRAM ||
	    lib->BIO_ctrl(lib->SSL_get_rbio(ssl), CTRL_DGRAM_GET_PEER, 0, &name) <= 0)
		return (struct rg_address){.family = RG_UNKNOWN};
	return address_of(&name, port);
}

/*
 * The peer of the Internet socket that this thread read last, during the current call or before it.
 * Earlier sockets are another client's. So the answer is unknown if that peer is gone, or if the
 * socket serves many peers (nginx 1.26 feeds QUIC handshakes to libssl from one datagram socket).
 */
static struct rg_address peer_from_fd_history(uint16_t *port)
{
	struct rg_address peer = {.family = RG_UNKNOWN};
	bool is_internet = false;

	for (unsigned back = 0; back < RG_FD_HISTORY_KEPT && !is_internet; back++)
		peer = peer_of_fd(rg_fd_history_recent(back), port, &is_internet);
	return peer;
}

struct rg_address rg_peer(const struct rg_libssl *lib, struct ssl_st *ssl, uint16_t *port)
{
	int saved = errno;
	int fd = lib->SSL_get_rfd(ssl);
	struct rg_address peer;
	bool is_internet;

	*port = 0;
	peer = peer_of_fd(fd, port, &is_internet);
	if (peer.family == RG_UNKNOWN)
		peer = datagram_peer(lib, ssl, fd, port);
	/* If the SSL has a descriptor that is no Internet socket (a Unix socket, a pipe), its peer
	 * stays unknown. */
	if (peer.family == RG_UNKNOWN && fd < 0)
		peer = peer_from_fd_history(port);
	errno = saved;
	return peer;
}
