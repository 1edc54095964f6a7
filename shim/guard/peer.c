#include "guard/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "os/fd_history.h"

#define CTRL_DGRAM_GET_PEER 46 /* BIO_CTRL_DGRAM_GET_PEER */

static struct rg_client client_of(const struct sockaddr_storage *address, uint16_t *port)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;

	switch (address->ss_family) {
	case AF_INET:
		*port = ntohs(ipv4->sin_port);
		return rg_client_ipv4((const uint8_t *)&ipv4->sin_addr);
	case AF_INET6:
		*port = ntohs(ipv6->sin6_port);
		return rg_client_ipv6(ipv6->sin6_addr.s6_addr);
	default:
		return (struct rg_client){.family = RG_UNKNOWN};
	}
}

/* One whose peer has reset the connection, or that has many, is what it was, but getpeername(2)
 * says ENOTCONN. */
static bool is_internet_socket(int fd)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof address;

	return getsockname(fd, (struct sockaddr *)&address, &bytes) == 0 &&
	       (address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

/* *IS_PEERS: the descriptor is an Internet socket's, known or not whose. */
static struct rg_client client_at(int fd, uint16_t *port, bool *is_peers)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof address;
	struct rg_client client = {.family = RG_UNKNOWN};

	*is_peers = false;
	if (fd < 0)
		return client;
	if (getpeername(fd, (struct sockaddr *)&address, &bytes) == 0)
		client = client_of(&address, port);
	else if (errno == ENOTCONN && (*is_peers = is_internet_socket(fd)) &&
		 rg_fd_history_accepted(fd, &address))
		client = client_of(&address, port);
	*is_peers |= client.family != RG_UNKNOWN;
	return client;
}

/* The sender of the last datagram, for a DTLS socket that is not connected. */
static struct rg_client datagram_peer(const struct rg_libssl *lib, struct ssl_st *ssl, int fd,
				      uint16_t *port)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	int type = 0;
	socklen_t bytes = sizeof type;

	if (fd < 0 || lib->BIO_ctrl == NULL ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0 || type != SOCK_DGRAM ||
	    lib->BIO_ctrl(lib->SSL_get_rbio(ssl), CTRL_DGRAM_GET_PEER, 0, &address) <= 0)
		return (struct rg_client){.family = RG_UNKNOWN};
	return client_of(&address, port);
}

/* The last Internet socket this thread read: from inside the call that runs, else before it. Where
 * that one's peer is gone, or it is one for datagrams of many peers (nginx 1.26 hands QUIC's
 * handshakes to libssl from one), the one before is another client's. */
static struct rg_client reader_peer(uint16_t *port)
{
	struct rg_client client = {.family = RG_UNKNOWN};

	bool is_peers = false;

	for (unsigned back = 0; back < RG_FD_HISTORY_KEPT && !is_peers; back++)
		client = client_at(rg_fd_history_recent(back), port, &is_peers);
	return client;
}

struct rg_client rg_peer(const struct rg_libssl *lib, struct ssl_st *ssl, uint16_t *port)
{
	int saved = errno;
	int fd = lib->SSL_get_rfd(ssl);
	struct rg_client client;
	bool is_peers;

	*port = 0;
	client = client_at(fd, port, &is_peers);
	if (client.family == RG_UNKNOWN)
		client = datagram_peer(lib, ssl, fd, port);
	/* A descriptor of the SSL's own that is no Internet socket (a Unix socket, a pipe) is the
	 * answer: unknown. */
	if (client.family == RG_UNKNOWN && fd < 0)
		client = reader_peer(port);
	errno = saved;
	return client;
}
