#include "guard/peer.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "libssl/versions.h"
#include "os/fd_history.h"
#include "os/hellos.h"
#include "os/socket.h"

#define CTRL_DGRAM_GET_PEER 46 /* BIO_CTRL_DGRAM_GET_PEER */

static const struct rg_peer_name unknown;

static bool is_known(const struct rg_peer_name *peer)
{
	return peer->address.family != RG_UNKNOWN;
}

/* For DTLS on an unconnected socket: the sender of the last datagram. */
static struct rg_peer_name datagram_peer(const struct rg_libssl *lib, struct ssl_st *ssl, int fd)
{
	struct sockaddr_storage name = {.ss_family = AF_UNSPEC};

	if (lib->BIO_ctrl == NULL || !rg_socket_is_datagram(fd) ||
	    lib->BIO_ctrl(lib->SSL_get_rbio(ssl), CTRL_DGRAM_GET_PEER, 0, &name) <= 0)
		return unknown;
	return rg_socket_peer_name(&name, sizeof name);
}

/* SSL reads from FD. What came from a pipe may be answered on the client's socket. */
static struct rg_peer_name peer_on(const struct rg_libssl *lib, struct ssl_st *ssl, int fd,
				   const uint8_t *random)
{
	struct rg_peer_name peer;
	enum rg_socket_kind kind;

	if (random != NULL && rg_hellos_find_on(fd, random, &peer) && is_known(&peer))
		return peer;
	kind = rg_socket_peer(fd, &peer);
	if (kind == RG_SOCKET_UNCONNECTED)
		return datagram_peer(lib, ssl, fd);
	if (kind == RG_SOCKET_OTHER)
		(void)rg_socket_peer(rg_libssl_wfd(lib, ssl), &peer);
	return peer;
}

/*
 * The one Internet socket in SET. False if there is none, or more than one: then anybody may be
 * meant. The socket's *PEER is unknown if it serves many peers (nginx 1.26 feeds QUIC handshakes to
 * libssl from one datagram socket).
 */
static bool find_only_socket(const struct rg_fd_set *set, struct rg_peer_name *peer)
{
	bool found = false;

	for (int i = 0; i < set->count; i++) {
		struct rg_peer_name one;

		if (rg_socket_peer(set->fds[i], &one) == RG_SOCKET_OTHER)
			continue;
		if (found)
			return false;
		found = true;
		*peer = one;
	}
	return found && !set->more;
}

/*
 * Without a hello: the peer of the only socket that was read in the running call, or in the process
 * at all. If other threads read, too, one of them may have read the bytes.
 */
static struct rg_peer_name only_peer(void)
{
	const struct rg_fd_set *call = rg_fd_history_of_call();
	struct rg_peer_name peer;

	if (call != NULL && find_only_socket(call, &peer))
		return peer;
	if (!rg_fd_history_has_others() && find_only_socket(rg_fd_history_of_thread(), &peer))
		return peer;
	return unknown;
}

/* SSL has no descriptor. What this thread has read last is the most likely. */
static struct rg_peer_name peer_of_bytes(const uint8_t *random)
{
	struct rg_peer_name peer;

	if (random == NULL)
		return only_peer();
	for (unsigned back = 0; back < RG_FD_HISTORY_KEPT; back++)
		if (rg_hellos_find_on(rg_fd_history_recent(back), random, &peer))
			return peer;
	return rg_hellos_find(random, &peer) ? peer : only_peer();
}

struct rg_address rg_peer(const struct rg_libssl *lib, struct ssl_st *ssl, const uint8_t *random,
			  uint16_t *port)
{
	int saved = errno;
	int fd = rg_libssl_rfd(lib, ssl);
	struct rg_peer_name peer = fd >= 0 ? peer_on(lib, ssl, fd, random) : peer_of_bytes(random);

	*port = peer.port;
	errno = saved;
	return peer.address;
}
