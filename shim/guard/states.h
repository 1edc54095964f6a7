/*
 * Where the state of a connection is kept: in the map of SSLs (os/ssl_map.h), in ordinary programs.
 *
 * A program may replace libcrypto's allocator, as kamailio does, so that its SSLs lie in shared
 * memory and any of its processes goes on with them. A map of one process would miss what the
 * others do. It would also go stale when another process frees an SSL and the address is used
 * again. So for such a library the state is allocated by the program's allocator and hung on the
 * SSL as ex_data: every process finds it there.
 *
 * Called by the thread that drives the SSL, or makes or frees it. What a state points to is good in
 * every process that was forked after the library was first used.
 */
#ifndef RG_STATES_H
#define RG_STATES_H

#include <stdatomic.h>
#include <stddef.h>

#include "guard/connection.h"
#include "os/ssl_map.h"

#pragma GCC visibility push(hidden) /* so that it is reached without the GOT */

/* The library whose SSLs the program may share between processes; NULL in ordinary programs.
 * Written once. A second such library is treated as an ordinary one. */
extern struct rg_libssl *_Atomic rg_states_shared_library;

#pragma GCC visibility pop

static inline struct rg_libssl *rg_states_shared(void)
{
	return atomic_load_explicit(&rg_states_shared_library, memory_order_relaxed);
}

static inline bool rg_states_are_shared(const struct rg_libssl *lib)
{
	struct rg_libssl *shared = rg_states_shared();

	return __builtin_expect(shared != NULL, 0) && shared == lib;
}

/* The program shares the SSLs of LIB, which has its ex_data indices. From here on no call takes the
 * fast path: another process may have refused the connection. */
void rg_states_share(struct rg_libssl *lib);

/* The state of SSL, which LIB made; NULL if it has none. LIB is the shared library. */
struct rg_connection *rg_state_of_shared(const struct rg_libssl *lib, const struct ssl_st *ssl);

/* The same for any LIB, or NULL. */
static inline struct rg_connection *rg_state_of(const struct rg_libssl *lib,
						const struct ssl_st *ssl)
{
	return rg_states_are_shared(lib) ? rg_state_of_shared(lib, ssl) : rg_ssl_map_get(ssl);
}

/* The state of SSL, which has our message callback. If it is not in the map, the shared library
 * made it. NULL if it has none. */
static inline struct rg_connection *rg_state_of_watched(const struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_ssl_map_get(ssl);
	const struct rg_libssl *shared;

	if (__builtin_expect(connection != NULL, 1))
		return connection;
	shared = rg_states_shared();
	return shared != NULL ? rg_state_of_shared(shared, ssl) : NULL;
}

/* Give SSL, which LIB made and which has no state, a new one: all zero but for `lib`. NULL if there
 * is no memory. */
struct rg_connection *rg_state_make(const struct rg_libssl *lib, struct ssl_st *ssl);

/* Free a state that rg_state_make made for the shared library. The SSL is being freed. */
void rg_state_free_shared(struct rg_connection *connection);

#endif
