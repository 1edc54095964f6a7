/*
 * What the hooks ask before and after every call into libssl. Watches each connection through
 * libssl's message callback, and fails the calls on a refused connection. Any thread may call
 * anything here. One thread at a time drives a connection, as libssl itself demands, so connections
 * need no lock. Without memory, or without a ledger, a connection stays unwatched.
 */
#ifndef RG_GUARD_H
#define RG_GUARD_H

#include <stdbool.h>

#include "guard/connection.h"
#include "guard/gate.h"
#include "libssl/functions.h"

/*
 * Call before a call on SSL; CALLER is an address in the calling code. Returns the library to call.
 * NULL if the call must fail: SSL is refused, and the reason is on the error queue, or CALLER is
 * bound to no libssl. MAY_ACCEPT: the call may begin a handshake as a server.
 */
struct rg_libssl *rg_guard_before_call_slowly(struct ssl_st *ssl, const void *caller,
					      bool may_accept);

static inline struct rg_libssl *rg_guard_before_call(struct ssl_st *ssl, const void *caller,
						     bool may_accept)
{
	return rg_gate_is_slow() ? rg_guard_before_call_slowly(ssl, caller, may_accept)
				 : rg_gate_library;
}

/* Call after a call of LIB on SSL that returned RESULT. False if SSL is refused by now: the call
 * must fail, and the reason is on the error queue. */
bool rg_guard_after_call_slowly(const struct rg_libssl *lib, struct ssl_st *ssl, int result);

static inline bool rg_guard_after_call(const struct rg_libssl *lib, struct ssl_st *ssl, int result)
{
	return !rg_gate_must_inspect(result) || rg_guard_after_call_slowly(lib, ssl, result);
}

/* LIB is about to make a context with METHOD (NULL: unknown). Get ready, and report once what is
 * guarded. */
void rg_guard_before_context(struct rg_libssl *lib, const struct ssl_method_st *method);

/* LIB has just made CTX; NULL if it failed to. */
void rg_guard_note_context(struct rg_libssl *lib, const struct ssl_ctx_st *ctx);

/* LIB has just made SSL: watch it, unless LIB is not guarded or SSL is a QUIC object. */
void rg_guard_connection(struct rg_libssl *lib, struct ssl_st *ssl);

/* SSL_dup has just made COPY from ORIGINAL, with its callbacks: watch it as well. */
void rg_guard_copy(const struct rg_libssl *lib, struct ssl_st *copy, const struct ssl_st *original);

/*
 * SSL has just got a BIO for reading, or is about to be asked for a handshake for the first time:
 * what was read from its BIO before is none of the handshake's. Programs read a PROXY header that
 * way (hitch), or hand a BIO on from another SSL.
 */
void rg_guard_note_bio(const struct rg_libssl *lib, struct ssl_st *ssl);

/* SSL is about to get another BIO for reading. If it was refused, the old one is given back. */
void rg_guard_before_bio(const struct rg_libssl *lib, struct ssl_st *ssl);
void rg_guard_note_first_call(struct ssl_st *ssl);

/* The program begins anew on SSL, which LIB made: SSL_clear, SSL_set_accept_state or
 * SSL_set_connect_state. */
void rg_guard_restart(const struct rg_libssl *lib, struct ssl_st *ssl);

/*
 * The program sets its own message CALLBACK on SSL, which LIB made (NULL: none). True if we keep it
 * and call it from ours. False if SSL is not watched: pass CALLBACK on to libssl.
 */
bool rg_guard_keeps_callback(const struct rg_libssl *lib, struct ssl_st *ssl,
			     rg_msg_callback *callback);

/* The same for CTX, from which later SSLs inherit. libssl gets CALLBACK as well. */
void rg_guard_note_callback(struct rg_libssl *lib, struct ssl_ctx_st *ctx,
			    rg_msg_callback *callback);

/*
 * The program sets its own session id context, BYTES at CONTEXT, on SSL or CTX: true if we keep it
 * for later; false if libssl is to get it now.
 */
bool rg_guard_keeps_session_context(struct ssl_st *ssl, const unsigned char *context,
				    unsigned bytes);
void rg_guard_note_session_context(struct ssl_ctx_st *ctx, const unsigned char *context,
				   unsigned bytes);

/* SSL is about to be INSIDE a call that handles hellos whose senders have not proved their address;
 * or no longer. */
void rg_guard_inside(struct ssl_st *ssl, enum rg_inside inside);

#endif
