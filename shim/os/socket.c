#include "os/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

/* Not in the headers of every system. */
#define SOCKET_PEERNAME 28 /* SO_PEERNAME */
#define SOCKET_COOKIE	57 /* SO_COOKIE, since Linux 4.12 */

struct rg_peer_name rg_socket_peer_name(const void *address, size_t bytes)
{
	struct rg_peer_name peer = {.port = 0};
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&name;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&name;

	if (bytes != 0)
		memcpy(&name, address, bytes < sizeof name ? bytes : sizeof name);
	if (name.ss_family == AF_INET && bytes >= sizeof *ipv4) {
		peer.address = rg_address_ipv4((const uint8_t *)&ipv4->sin_addr);
		peer.port = ntohs(ipv4->sin_port);
	} else if (name.ss_family == AF_INET6 && bytes >= sizeof *ipv6) {
		peer.address =
		    rg_address_on(rg_address_ipv6(ipv6->sin6_addr.s6_addr), ipv6->sin6_scope_id);
		peer.port = ntohs(ipv6->sin6_port);
	}
	return peer;
}

/*
 * After a reset getpeername(2) fails with ENOTCONN, but SO_PEERNAME still tells the peer of a TCP
 * socket. It fails unless it is asked for exactly as many bytes as the address has, or fewer.
 */
static bool reset_peer(int fd, struct rg_peer_name *peer)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof(struct sockaddr_in6);

	if (getsockopt(fd, SOL_SOCKET, SOCKET_PEERNAME, &name, &bytes) != 0) {
		bytes = sizeof(struct sockaddr_in);
		if (errno != EINVAL ||
		    getsockopt(fd, SOL_SOCKET, SOCKET_PEERNAME, &name, &bytes) != 0)
			return false;
	}
	*peer = rg_socket_peer_name(&name, bytes);
	return peer->address.family != RG_UNKNOWN;
}

static bool is_internet(int fd)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof name;

	return getsockname(fd, (struct sockaddr *)&name, &bytes) == 0 &&
	       (name.ss_family == AF_INET || name.ss_family == AF_INET6);
}

static _Atomic bool forbidden;

bool rg_socket_peers_are_hidden(void)
{
	return atomic_load_explicit(&forbidden, memory_order_relaxed);
}

enum rg_socket_kind rg_socket_peer(int fd, struct rg_peer_name *peer)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof name;

	memset(peer, 0, sizeof *peer);
	if (fd < 0)
		return RG_SOCKET_OTHER;
	if (getpeername(fd, (struct sockaddr *)&name, &bytes) == 0) {
		*peer = rg_socket_peer_name(&name, bytes);
		return peer->address.family != RG_UNKNOWN ? RG_SOCKET_CONNECTED : RG_SOCKET_OTHER;
	}
	if (errno != ENOTCONN) {
		if (errno == EPERM || errno == EACCES || errno == ENOSYS)
			atomic_store_explicit(&forbidden, true, memory_order_relaxed);
		return RG_SOCKET_OTHER;
	}
	if (reset_peer(fd, peer))
		return RG_SOCKET_CONNECTED;
	return is_internet(fd) ? RG_SOCKET_UNCONNECTED : RG_SOCKET_OTHER;
}

bool rg_socket_is_datagram(int fd)
{
	int type = 0;
	socklen_t bytes = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_DGRAM;
}

uint64_t rg_socket_number(int fd)
{
	uint64_t number = 0;
	socklen_t bytes = sizeof number;
	struct stat status;

	if (getsockopt(fd, SOL_SOCKET, SOCKET_COOKIE, &number, &bytes) == 0)
		return number;
	return fstat(fd, &status) == 0 ? (uint64_t)status.st_ino : 0;
}
