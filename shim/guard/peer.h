/*
 * Who is at the other end of a connection. The one place that asks sockets. Changes nothing, errno
 * neither.
 */
#ifndef RG_PEER_H
#define RG_PEER_H

#include <stdint.h>

#include "libssl/functions.h"
#include "rg_client.h"

/* The peer's address and *PORT (0 where unknown). Family RG_UNKNOWN where it can not be told. */
struct rg_address rg_peer(const struct rg_libssl *lib, struct ssl_st *ssl, uint16_t *port);

#endif
