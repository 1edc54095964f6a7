/*
 * One guarded connection: what its messages mean is entered in the ledger, and the verdict carried
 * out. Driven by one thread at a time, as libssl demands of the SSL it belongs to.
 */
#ifndef RG_CONNECTION_H
#define RG_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libssl/functions.h"
#include "libssl/refuse.h"
#include "libssl/versions.h"
#include "rg_handshake.h"
#include "rg_ledger.h"

/* One connection: in the registry under its SSL, from SSL_new to SSL_free. */
struct rg_connection {
	const struct rg_libssl *lib;
	rg_msg_callback *program_callback; /* what the program set, on the SSL or on its context;
					      ours calls it */
	struct rg_handshake handshake;
	struct rg_key key; /* valid where `identified` */
	struct rg_address peer;
	uint16_t port;
	bool begun; /* what is below, and the handshake, may have changed since it was made or reset
		     */
	bool spoken; /* the peer has sent something, were it less than a ClientHello */
	struct rg_bytes_read before; /* what libssl had read before, for another handshake */
	bool identified;
	bool exempt;
	bool restarted;	    /* begun anew after a handshake: the next ClientHello is a first one */
	bool block_checked; /* the new handshake has been looked at, and is not blocked */
	bool handshake_recorded; /* as RG_HANDSHAKE */
	bool resumption_recorded;
	bool incomplete_recorded;
	bool refused;		   /* dead */
	struct rg_refusal refusal; /* what it did to the SSL */
	uint8_t refused_event;	   /* enum rg_event */
};

/* A message on SSL, as libssl's callback was given it, before libssl acts on it. The arguments are
 * the callback's, so that it can jump here; nothing happens where SSL is not in the registry. */
void rg_connection_message(bool written, int version, int content_type, const uint8_t *message,
			   size_t bytes, struct ssl_st *ssl);

/* The program is about to drive a new handshake: refuse it here and now if its client is blocked.
 */
void rg_connection_begin(struct rg_connection *connection, struct ssl_st *ssl);

/*
 * A call on it did not succeed, and no handshake has been finished yet. Whatever the peer has sent,
 * libssl tells nobody of less than a whole ClientHello: now it is known who he is, and if the call
 * failed for good his handshake is entered as not finished.
 */
void rg_connection_check(struct rg_connection *connection, struct ssl_st *ssl);

/* The object is used anew, or FREED: an unfinished handshake is entered, a refusal taken back. */
void rg_connection_end(struct rg_connection *connection, struct ssl_st *ssl, bool freed);

#endif
