/*
 * Carries out a verdict on a connection: declines an offer, refuses a handshake, ends what was
 * refused. Called by the thread that drives the connection.
 */
#ifndef RG_ENFORCE_H
#define RG_ENFORCE_H

#include "guard/connection.h"

/* ACTION is to be taken about EVENT on SSL, from the message callback or before a call. */
void rg_enforce(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event,
		enum rg_action action);

/* Nothing more is to be written on a refused connection. */
void rg_enforce_mute(const struct rg_connection *connection, struct ssl_st *ssl);

/* A call on a refused connection fails: the same, and the error queue says why. */
void rg_enforce_fail_call(const struct rg_connection *connection, struct ssl_st *ssl);

/* The connection is over: take back what a refusal did to SSL; NULL where it is being freed. */
void rg_enforce_undo(struct rg_connection *connection, struct ssl_st *ssl);

#endif
