/*
 * Who is at the other end of a connection. Called by the thread that drives the connection. Leaves
 * errno and the sockets as they were.
 */
#ifndef RG_PEER_H
#define RG_PEER_H

#include <stdint.h>

#include "libssl/functions.h"
#include "rg_client.h"

/*
 * The address of SSL's peer, or the family RG_UNKNOWN. RANDOM is the one of the ClientHello that
 * the peer has sent; NULL if none was seen. Sets *PORT, in host byte order; 0 if it is unknown.
 */
struct rg_address rg_peer(const struct rg_libssl *lib, struct ssl_st *ssl, const uint8_t *random,
			  uint16_t *port);

#endif
