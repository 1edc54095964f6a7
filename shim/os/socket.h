/*
 * What the kernel tells about a socket: who is at its other end. Nothing else in the library asks
 * for that. Any thread or signal handler may call anything here. May change errno.
 */
#ifndef RG_SOCKET_H
#define RG_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rg_client.h"

/* The other end of an Internet socket. All zero: unknown. */
struct rg_peer_name {
	struct rg_address address; /* the family RG_UNKNOWN: not an Internet address */
	uint16_t port;		   /* in host byte order; 0: unknown */
};

enum rg_socket_kind {
	RG_SOCKET_OTHER,       /* no Internet socket, or no socket at all */
	RG_SOCKET_UNCONNECTED, /* an Internet socket that serves many peers, or has lost its own */
	RG_SOCKET_CONNECTED
};

/* Who is connected to FD, into *PEER, even if the client has reset the connection. */
enum rg_socket_kind rg_socket_peer(int fd, struct rg_peer_name *peer);

/* Has this process been told that it may not ask (a seccomp filter, for example)? */
bool rg_socket_peers_are_hidden(void);

/* Is FD a datagram socket? */
bool rg_socket_is_datagram(int fd);

/* The socket's number, which no other socket of this boot has; 0 if there is none. It also tells
 * pipes apart. */
uint64_t rg_socket_number(int fd);

/* The peer in the BYTES of an address as the kernel gives it. Unknown if it is not complete. */
struct rg_peer_name rg_socket_peer_name(const void *address, size_t bytes);

#endif
