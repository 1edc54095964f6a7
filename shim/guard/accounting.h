/*
 * Enters what happened on a connection in the ledger, under its client, and has the verdict carried
 * out. Called by the thread that drives the connection.
 */
#ifndef RG_ACCOUNTING_H
#define RG_ACCOUNTING_H

#include "guard/connection.h"

/* Who the client is: asked while its bytes are being read, and kept (prosody takes the descriptor
 * away before it frees the SSL). */
void rg_identify_client(struct rg_connection *connection, struct ssl_st *ssl);

static inline void rg_identify(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (!connection->identified)
		rg_identify_client(connection, ssl);
}

/* Enter EVENT, and do what the verdict says. SSL is NULL where nothing can be done to it any more.
 */
void rg_record(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event);

/* The same, once in a handshake. */
void rg_record_handshake(struct rg_connection *connection, struct ssl_st *ssl);
void rg_record_resumption(struct rg_connection *connection, struct ssl_st *ssl);

/* Would the client's next offer to resume be over the limit? */
bool rg_resumption_is_full(struct rg_connection *connection);

/* Refuse the handshake that begins if its client is blocked. Looked at once in a handshake. */
bool rg_refuse_blocked(struct rg_connection *connection, struct ssl_st *ssl);

#endif
