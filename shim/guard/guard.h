/*
 * Stands around every call into libssl: watches each connection through libssl's message callback,
 * and fails the calls on a connection that was refused. A connection is driven by one thread at a
 * time, as libssl itself demands; nothing here is locked.
 */
#ifndef RG_GUARD_H
#define RG_GUARD_H

#include <stdbool.h>

#include "guard/gate.h"
#include "libssl/functions.h"

/*
 * Before a call that CALLER makes on SSL: the library it is meant for, or NULL if the call must
 * fail; the reason is on the error queue then. MAY_ACCEPT: the call may begin a handshake as a
 * server.
 */
struct rg_libssl *rg_guard_before_call_slowly(struct ssl_st *ssl, const void *caller,
					      bool may_accept);

static inline struct rg_libssl *rg_guard_before_call(struct ssl_st *ssl, const void *caller,
						     bool may_accept)
{
	return rg_gate_is_slow() ? rg_guard_before_call_slowly(ssl, caller, may_accept)
				 : rg_gate_library;
}

/* After a call that returned RESULT: does it stand? False if the connection was refused meanwhile;
 * the reason is on the error queue then. */
bool rg_guard_after_call_slowly(struct ssl_st *ssl, int result);

static inline bool rg_guard_after_call(struct ssl_st *ssl, int result)
{
	return !rg_gate_must_inspect(result) || rg_guard_after_call_slowly(ssl, result);
}

/* A context is about to be made with METHOD (NULL: not known): the time to get ready. */
void rg_guard_before_context(struct rg_libssl *lib, const struct ssl_method_st *method);

/* CTX was just made by LIB; NULL if it could not be. */
void rg_guard_note_context(struct rg_libssl *lib, const struct ssl_ctx_st *ctx);

/* SSL was just made: watch it. */
void rg_guard_connection(struct rg_libssl *lib, struct ssl_st *ssl);

/* COPY was made of ORIGINAL by SSL_dup, and has its callbacks. */
void rg_guard_copy(const struct rg_libssl *lib, struct ssl_st *copy, const struct ssl_st *original);

/* The program begins anew on SSL (SSL_clear, SSL_set_accept_state, SSL_set_connect_state). */
void rg_guard_restart(struct ssl_st *ssl);

/*
 * The program sets its own message callback on SSL or CTX: true if we keep it, and call it from
 * ours; false if libssl is to get it.
 */
bool rg_guard_keeps_callback(struct ssl_st *ssl, rg_msg_callback *callback);
void rg_guard_note_callback(struct rg_libssl *lib, struct ssl_ctx_st *ctx,
			    rg_msg_callback *callback);

#endif
