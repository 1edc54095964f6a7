/*
 * Enforces a verdict on a connection: declines an offer to resume, refuses a handshake, fails the
 * calls on a refused connection. Called by the thread that drives the connection. Nothing here
 * reports failure: a refused connection fails all its calls even if libssl ignores the refusal.
 */
#ifndef RG_ENFORCE_H
#define RG_ENFORCE_H

#include "guard/connection.h"

/*
 * Take ACTION on SSL because of EVENT. DECLINE: make libssl do a full handshake, if it has not
 * answered the client yet. CLOSE and BLOCK: refuse the connection. Other actions do nothing here.
 * Called from the message callback, or before a call.
 */
void rg_enforce(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event,
		enum rg_action action);

/* Make libssl treat whatever the client offers to resume as unknown, until rg_enforce_end_decline
 * gives the program's session id context back. */
void rg_enforce_decline(struct rg_connection *connection, struct ssl_st *ssl);
void rg_enforce_end_decline(struct rg_connection *connection, struct ssl_st *ssl);

/* Refuse the handshake of DTLS because of EVENT, but only if the client proves its address. Nothing
 * is recorded. The SSL is NULL below if it is being freed. */
void rg_enforce_provisionally(struct rg_connection *connection, struct ssl_st *ssl,
			      enum rg_event event);
void rg_enforce_end_provisional(struct rg_connection *connection, struct ssl_st *ssl);

/* Make libssl write nothing more on a refused connection, not even an alert. */
void rg_enforce_mute(const struct rg_connection *connection, struct ssl_st *ssl);

/* A call on SSL begins. */
void rg_enforce_begin_call(struct rg_connection *connection);

/* The call fails: mute the connection, and see that the error queue holds the reason, and nothing
 * that libssl has added since the connection was refused in this call. */
void rg_enforce_fail_call(struct rg_connection *connection, struct ssl_st *ssl);

/* The refused connection is over: undo what its refusal changed on SSL, or if SSL is being FREED,
 * on its BIO alone. */
void rg_enforce_undo(struct rg_connection *connection, struct ssl_st *ssl, bool freed);

#endif
