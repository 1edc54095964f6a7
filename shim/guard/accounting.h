/*
 * Records the events of a connection in the ledger, under its client, and enforces the verdict.
 * Called by the thread that drives the connection, once the ledger exists (guard/prepare.h).
 * Nothing here fails.
 */
#ifndef RG_ACCOUNTING_H
#define RG_ACCOUNTING_H

#include "guard/connection.h"

/*
 * Find out who the client is, and keep the answer in CONNECTION. Do it while the client's bytes are
 * being read: prosody takes the descriptor away before it frees the SSL.
 */
void rg_identify_client(struct rg_connection *connection, struct ssl_st *ssl);

/* The same, unless the client is known already. An answer "unknown" is not kept: it may have been
 * given before the first byte, or datagram, was read. */
static inline void rg_identify(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (!connection->identified || connection->peer.family == RG_UNKNOWN)
		rg_identify_client(connection, ssl);
}

/*
 * Record EVENT, enforce the verdict and log it. SSL is NULL if the handshake is over and nothing
 * can be enforced any more; the event is still recorded and logged.
 */
void rg_record(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event);

/* Record EVENT as the one event of this first handshake: only once, and in place of another one
 * that was recorded for it, which is taken back. */
void rg_record_once(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event);

/* Is EVENT what is recorded for this first handshake? */
bool rg_is_recorded(const struct rg_connection *connection, enum rg_event event);

/* Would the client's next EVENT be over the limit? Records nothing. False for exempt and unknown
 * clients. */
bool rg_is_full(struct rg_connection *connection, enum rg_event event);

/* The event by whose rule this client is blocked; RG_EVENT_COUNT if it is not. */
enum rg_event rg_blocked_by(struct rg_connection *connection);

/* Refuse the new handshake if its client is blocked; returns whether it was refused. Sets
 * CONNECTION->block_checked. */
bool rg_refuse_blocked(struct rg_connection *connection, struct ssl_st *ssl);

#endif
