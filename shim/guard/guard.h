/*
 * Stands around every call into libssl: finds the library that is meant, watches each connection
 * through libssl's message callback, and fails the calls on a connection that was refused. A
 * connection is driven by one thread at a time, as libssl itself demands; nothing here is locked.
 *
 * While exactly one libssl is in use and nothing is refused, a call costs two comparisons.
 */
#ifndef RG_GUARD_H
#define RG_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "libssl/libssl.h"

/* Where the caller of a hook is: decides which libssl is meant where more than one is in use. */
#define RG_CALLER __builtin_return_address(0)

#pragma GCC visibility push(hidden) /* so that the two below are reached without a detour */

/*
 * 0: rg_guard_library is the one libssl in use, no connection of this process is refused, and the
 * policy never blocks. Read without ordering: a thread's own refusal is its own store, and another
 * thread's is none of its business.
 */
extern _Atomic int rg_guard_slow;
extern struct rg_libssl *rg_guard_library;

/*
 * Parts of rg_guard_slow. LIBRARY: rg_guard_library is not, or not yet, the one libssl in use.
 * BLOCKING, for good: the policy can block, so every new handshake has to be looked at. REFUSED:
 * there are connections that are refused; how many stands below. Each is more than a call returns
 * in bytes (see rg_guard_must_look).
 */
#define RG_GUARD_SLOW_LIBRARY  0x40000000
#define RG_GUARD_SLOW_BLOCKING 0x20000000
#define RG_GUARD_SLOW_REFUSED  0x10000000

#pragma GCC visibility pop

static inline bool rg_guard_is_slow(void)
{
	return __builtin_expect(atomic_load_explicit(&rg_guard_slow, memory_order_relaxed) != 0, 0);
}

/* The library that CALLER is bound to, ready to be guarded; NULL where there is none. */
struct rg_libssl *rg_guard_library_of(const void *caller);

/* A hook that means LIB is handed out: LIB may be used beside the one in use. */
void rg_guard_looked_up(const struct rg_libssl *lib);

/* The library that OBJECT, an SSL or an SSL_CTX, belongs to: the one in use; where there are
 * several, the one it was made by; else the caller's. */
struct rg_libssl *rg_guard_library_for(const void *object, const void *caller);

static inline struct rg_libssl *rg_guard_library_quickly(const void *object, const void *caller)
{
	int slow = atomic_load_explicit(&rg_guard_slow, memory_order_relaxed);

	return (slow & RG_GUARD_SLOW_LIBRARY) == 0 ? rg_guard_library
						   : rg_guard_library_for(object, caller);
}

/*
 * Before a call: the library it is meant for, or NULL where the call must fail (the error is on the
 * queue). MAY_ACCEPT: the call may begin a handshake as a server.
 */
struct rg_libssl *rg_guard_before_call_slowly(struct ssl_st *ssl, const void *caller,
					      bool may_accept);

static inline struct rg_libssl *rg_guard_before_call(struct ssl_st *ssl, const void *caller,
						     bool may_accept)
{
	return rg_guard_is_slow() ? rg_guard_before_call_slowly(ssl, caller, may_accept)
				  : rg_guard_library;
}

/*
 * Is a call to be looked at that returned RESULT? Where something is slow, and where it did not
 * succeed, which may have been the end of a handshake. Both are one comparison: a word that is not
 * 0 is more than any result.
 */
static inline bool rg_guard_must_look(int result)
{
	return __builtin_expect(
	    atomic_load_explicit(&rg_guard_slow, memory_order_relaxed) >= result, 0);
}

/* After a call that returned RESULT: does it stand? False where the connection was refused
 * meanwhile (the error is on the queue). */
bool rg_guard_after_call_slowly(struct ssl_st *ssl, int result);

static inline bool rg_guard_after_call(struct ssl_st *ssl, int result)
{
	return !rg_guard_must_look(result) || rg_guard_after_call_slowly(ssl, result);
}

/* One connection more is refused, or one less. */
void rg_guard_note_refused(bool more);

/* A context was made with METHOD (NULL: not known): the time to get ready. */
void rg_guard_context(struct rg_libssl *lib, const struct ssl_method_st *method);

/* CTX was just made by LIB, or could not be made: NULL. */
void rg_guard_note_context(const struct rg_libssl *lib, const struct ssl_ctx_st *ctx);

/* SSL was just made: watch it. */
void rg_guard_connection(const struct rg_libssl *lib, struct ssl_st *ssl);

/* COPY was made of ORIGINAL by SSL_dup, and has its callbacks. */
void rg_guard_copy(const struct rg_libssl *lib, struct ssl_st *copy, const struct ssl_st *original);

/* The program begins anew on SSL (SSL_clear, SSL_set_accept_state, SSL_set_connect_state). */
void rg_guard_restart(struct ssl_st *ssl);

/*
 * The program sets its own message callback on SSL or CTX: true where we keep it, and call it from
 * ours; false where libssl is to get it.
 */
bool rg_guard_keeps_callback(struct ssl_st *ssl, rg_msg_callback *callback);
void rg_guard_note_callback(const struct rg_libssl *lib, struct ssl_ctx_st *ctx,
			    rg_msg_callback *callback);

#endif
