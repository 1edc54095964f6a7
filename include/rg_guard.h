/*
 * Watches every connection through libssl's message callback, enters what it sees in the ledger,
 * and carries out the verdict. One small state for each SSL, kept in its ex_data and freed with it.
 * A connection is driven by one thread at a time, as libssl itself demands; nothing here is locked.
 *
 * A connection that was refused is dead: rg_guard_enter and rg_guard_leave, which stand around
 * every call into libssl, fail it from then on. Where nothing was ever refused they cost one
 * comparison.
 */
#ifndef RG_GUARD_H
#define RG_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "rg_libssl.h"

/* Where the caller of a hook is: decides which libssl is meant. */
#define RG_CALLER __builtin_return_address(0)

/*
 * 0: exactly one libssl is in use, `rg_guard_library`, and no connection of this process is
 * refused. Read without ordering: a thread's own refusal is its own store, and another thread's is
 * none of its business.
 */
extern _Atomic unsigned rg_guard_slow;
extern struct rg_libssl *rg_guard_library;

struct rg_libssl *rg_guard_enter_slowly(struct ssl_st *ssl, const void *caller, bool may_accept);
bool rg_guard_leave_slowly(struct ssl_st *ssl, const void *caller);

/*
 * Before a call: the library it is meant for, or NULL where the call must fail (the error is on the
 * queue). MAY_ACCEPT: the call may begin a handshake as a server.
 */
static inline struct rg_libssl *rg_guard_enter(struct ssl_st *ssl, const void *caller,
					       bool may_accept)
{
	struct rg_libssl *lib = rg_guard_library;

	if (__builtin_expect(atomic_load_explicit(&rg_guard_slow, memory_order_relaxed) != 0, 0))
		return rg_guard_enter_slowly(ssl, caller, may_accept);
	if (lib == NULL)
		__builtin_unreachable();
	return lib;
}

/* After a call: did it stand? False where the connection was refused meanwhile (the error is on the
 * queue). */
static inline bool rg_guard_leave(struct ssl_st *ssl, const void *caller)
{
	return __builtin_expect(atomic_load_explicit(&rg_guard_slow, memory_order_relaxed) == 0,
				1) ||
	       rg_guard_leave_slowly(ssl, caller);
}

/* The library that CALLER is bound to, ready to be guarded; NULL where there is none. */
struct rg_libssl *rg_guard_library_of(const void *caller);

/* A context was made with METHOD (NULL: not known): the time to get ready. */
void rg_guard_context(struct rg_libssl *lib, const struct ssl_method_st *method);

/* SSL was just made: watch it. */
void rg_guard_connection(const struct rg_libssl *lib, struct ssl_st *ssl);

/* The program begins anew on SSL (SSL_clear, SSL_set_accept_state, SSL_set_connect_state). */
void rg_guard_restart(const struct rg_libssl *lib, struct ssl_st *ssl);

/*
 * The program sets its own message callback on SSL or CTX: true where we keep it, and call it from
 * ours; false where libssl is to get it.
 */
bool rg_guard_keeps_callback(const struct rg_libssl *lib, struct ssl_st *ssl,
			     rg_msg_callback *callback);
void rg_guard_note_callback(const struct rg_libssl *lib, struct ssl_ctx_st *ctx,
			    rg_msg_callback *callback);

#endif
