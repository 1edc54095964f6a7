#include "guard/guard.h"

#include <errno.h>
#include <string.h>

#include "guard/connection.h"
#include "guard/enforce.h"
#include "guard/report.h"
#include "os/lock.h"
#include "os/process.h"
#include "os/ssl_map.h"
#include "rg_policy.h"

#define CTRL_SET_MSG_CALLBACK 15 /* SSL_CTRL_SET_MSG_CALLBACK */

_Atomic int rg_guard_slow = RG_GUARD_SLOW_LIBRARY;
struct rg_libssl *rg_guard_library;

/* Is there any message callback of the program's, anywhere? While there is none, records are not
 * worth a look. */
static _Atomic bool program_has_callbacks;

/*
 * Can this message mean anything? The alerts of a connection that was refused count as well; where
 * nothing is refused (most often: `slow` is 0), only those that rg_handshake_message knows.
 */
static inline bool is_relevant(bool written, int content_type, const uint8_t *message, size_t bytes)
{
	return content_type <= RG_CONTENT_HANDSHAKE && bytes > 1 &&
	       (rg_handshake_cares(written, content_type, message) ||
		(content_type == RG_CONTENT_ALERT && written && rg_guard_is_slow()));
}

/* What the program set itself is called by ours. */
static __attribute__((noinline)) void call_program(int written, int version, int content_type,
						   const void *message, size_t bytes,
						   struct ssl_st *ssl, void *arg)
{
	const struct rg_connection *connection = rg_ssl_map_get(ssl);

	if (connection != NULL && connection->program_callback != NULL)
		connection->program_callback(written, version, content_type, message, bytes, ssl,
					     arg);
	if (is_relevant(written != 0, content_type, message, bytes))
		rg_connection_message(written != 0, version, content_type, message, bytes, ssl);
}

/*
 * ARG is the program's own: we never set one. Of the 13 to 30 calls in a handshake four or five are
 * of interest, and leave by a jump; the others return after a dozen instructions.
 */
static void on_message(int written, int version, int content_type, const void *message,
		       size_t bytes, struct ssl_st *ssl, void *arg)
{
	if (atomic_load_explicit(&program_has_callbacks, memory_order_relaxed))
		call_program(written, version, content_type, message, bytes, ssl, arg);
	else if (is_relevant(written != 0, content_type, message, bytes))
		rg_connection_message(written != 0, version, content_type, message, bytes, ssl);
}

/* --- the life of a connection --- */

/*
 * An SSL is being freed: libssl tells every registered index, whether or not anything was ever
 * stored under it (nothing is: the registry is cheaper).
 */
static void on_free(void *parent, void *data, struct crypto_ex_data_st *ad, int index, long argl,
		    void *argp)
{
	struct rg_ssl_entry *entry = rg_ssl_map_find(parent);
	int saved = errno;

	(void)data, (void)ad, (void)index, (void)argl, (void)argp;
	if (entry == NULL)
		return;
	rg_connection_end(entry->state, parent, true);
	rg_ssl_map_release(entry);
	errno = saved;
}

static void on_context_free(void *parent, void *data, struct crypto_ex_data_st *ad, int index,
			    long argl, void *argp)
{
	struct rg_ssl_entry *entry = rg_ssl_map_find(parent);

	(void)data, (void)ad, (void)index, (void)argl, (void)argp;
	if (entry != NULL)
		rg_ssl_map_release(entry);
}

static void watch(const struct rg_libssl *lib, struct ssl_st *ssl,
		  rg_msg_callback *program_callback)
{
	struct rg_connection *connection = rg_ssl_map_get(ssl);

	if (connection == NULL)
		connection = rg_ssl_map_take(ssl, sizeof *connection);
	if (connection == NULL)
		return;
	connection->lib = lib;
	connection->program_callback = program_callback;
	/* What SSL_set_msg_callback does, without the way through our own hook that some builds
	 * take. */
	(void)lib->SSL_callback_ctrl(ssl, CTRL_SET_MSG_CALLBACK, (void (*)(void))on_message);
}

void rg_guard_connection(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	rg_msg_callback *inherited = NULL;

	if (!lib->guardable || (lib->SSL_is_quic != NULL && lib->SSL_is_quic(ssl)))
		return;
	/* A program that found SSL_CTX_new by dlvsym(3) got past that hook. */
	if (__builtin_expect(rg_process_ledger() == NULL, 0))
		rg_process_prepare();
	if (atomic_load_explicit(&program_has_callbacks, memory_order_relaxed)) {
		void *stored =
		    lib->SSL_CTX_get_ex_data(lib->SSL_get_SSL_CTX(ssl), lib->callback_index);

		memcpy(&inherited, &stored, sizeof inherited);
	}
	watch(lib, ssl, inherited);
}

void rg_guard_copy(const struct rg_libssl *lib, struct ssl_st *copy, const struct ssl_st *original)
{
	const struct rg_connection *connection = rg_ssl_map_get(original);

	/* A connection that is in use is not copied but shared. */
	if (copy != original && connection != NULL)
		watch(lib, copy, connection->program_callback);
}

void rg_guard_restart(struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_ssl_map_get(ssl);

	/* libssl itself clears what it makes, and most programs then name the side. */
	if (connection == NULL || !connection->begun)
		return;
	rg_connection_end(connection, ssl, false);
	connection->restarted |= connection->handshake.established;
	rg_handshake_reset(&connection->handshake);
	connection->identified = connection->block_checked = false;
	connection->spoken = connection->incomplete_recorded = false;
	connection->begun = false;
}

/* --- the libraries --- */

static atomic_flag preparing = ATOMIC_FLAG_INIT;
static unsigned
    looked_up; /* libraries of which a hook was handed out, by slot; under `preparing` */

/* Once for each library, at its first context or connection. */
static void prepare(struct rg_libssl *lib)
{
	const struct rg_policy *policy = rg_process_policy();

	if (!policy->on ||
	    (lib->guardable && rg_libssl_take_indices(lib, on_free, on_context_free) != 0))
		lib->guardable = false;
	for (size_t event = 0; policy->on && event < RG_EVENT_COUNT; event++)
		if (policy->rules[event].action == RG_BLOCK)
			atomic_fetch_or(&rg_guard_slow, RG_GUARD_SLOW_BLOCKING);
	if (rg_guard_library == NULL) {
		rg_guard_library = lib;
		if ((looked_up & ~(1U << lib->slot)) == 0)
			atomic_fetch_and(&rg_guard_slow, ~RG_GUARD_SLOW_LIBRARY);
	} else {
		atomic_fetch_or(&rg_guard_slow, RG_GUARD_SLOW_LIBRARY);
	}
}

struct rg_libssl *rg_guard_library_of(const void *caller)
{
	static _Atomic bool prepared[RG_LIBSSL_MAX];
	struct rg_libssl *lib = rg_libssl_of(caller);

	if (lib == NULL || atomic_load_explicit(&prepared[lib->slot], memory_order_acquire))
		return lib;
	rg_lock(&preparing);
	if (!atomic_load(&prepared[lib->slot])) {
		prepare(lib);
		atomic_store_explicit(&prepared[lib->slot], true, memory_order_release);
	}
	rg_unlock(&preparing);
	return lib;
}

/* Nothing is asked of LIB yet: the program may be about to say how it is to be initialised. */
void rg_guard_looked_up(const struct rg_libssl *lib)
{
	rg_lock(&preparing);
	looked_up |= 1U << lib->slot;
	if (rg_guard_library != NULL && rg_guard_library != lib)
		atomic_fetch_or(&rg_guard_slow, RG_GUARD_SLOW_LIBRARY);
	rg_unlock(&preparing);
}

struct rg_libssl *rg_guard_library_for(const void *object, const void *caller)
{
	const struct rg_connection *connection = rg_ssl_map_get(object);

	return connection != NULL ? (struct rg_libssl *)connection->lib
				  : rg_guard_library_of(caller);
}

void rg_guard_context(struct rg_libssl *lib, const struct ssl_method_st *method)
{
	const struct rg_policy *policy = rg_process_policy();
	bool client_only =
	    method != NULL && lib->TLS_client_method != NULL && method == lib->TLS_client_method();

	if (!policy->on)
		return;
	rg_process_prepare();
	if (!lib->guardable)
		rg_report_unguarded(lib);
	else if (!client_only || (policy->role & RG_ROLE_CLIENT))
		rg_report_active(lib);
}

/*
 * Contexts are in the registry for their library alone: where there are several, a caller does not
 * always tell (a tail call in a plug-in leaves its host's address).
 */
void rg_guard_note_context(const struct rg_libssl *lib, const struct ssl_ctx_st *ctx)
{
	struct rg_connection *entry = NULL;

	if (ctx != NULL && lib->guardable && rg_ssl_map_get(ctx) == NULL)
		entry = rg_ssl_map_take(ctx, sizeof *entry);
	if (entry != NULL)
		entry->lib = lib;
}

/* --- the program's own message callback --- */

bool rg_guard_keeps_callback(struct ssl_st *ssl, rg_msg_callback *callback)
{
	struct rg_connection *connection = rg_ssl_map_get(ssl);

	if (connection == NULL)
		return false;
	if (callback != NULL)
		atomic_store(&program_has_callbacks, true);
	connection->program_callback = callback;
	return true;
}

void rg_guard_note_callback(const struct rg_libssl *lib, struct ssl_ctx_st *ctx,
			    rg_msg_callback *callback)
{
	void *stored;

	if (!lib->guardable)
		return;
	if (callback != NULL)
		atomic_store(&program_has_callbacks, true);
	memcpy(&stored, &callback, sizeof stored);
	(void)lib->SSL_CTX_set_ex_data(ctx, lib->callback_index, stored);
}

/* --- around every call --- */

struct rg_libssl *rg_guard_before_call_slowly(struct ssl_st *ssl, const void *caller,
					      bool may_accept)
{
	struct rg_connection *connection = rg_ssl_map_get(ssl);

	if (connection == NULL)
		return rg_guard_library_of(caller);
	if (may_accept)
		rg_connection_begin(connection, ssl);
	if (!connection->refused)
		return (struct rg_libssl *)connection->lib;
	rg_enforce_fail_call(connection, ssl);
	return NULL;
}

bool rg_guard_after_call_slowly(struct ssl_st *ssl, int result)
{
	struct rg_connection *connection = rg_ssl_map_get(ssl);

	if (connection == NULL)
		return true;
	if (result <= 0 && !connection->handshake.established)
		rg_connection_check(connection, ssl);
	if (!connection->refused)
		return true;
	rg_enforce_fail_call(connection, ssl);
	return false;
}

void rg_guard_note_refused(bool more)
{
	int now = atomic_load_explicit(&rg_guard_slow, memory_order_relaxed), next;

	do {
		next = (now & ~RG_GUARD_SLOW_REFUSED) + (more ? 1 : -1);
		if ((next & (RG_GUARD_SLOW_REFUSED - 1)) != 0)
			next |= RG_GUARD_SLOW_REFUSED;
	} while (!atomic_compare_exchange_weak(&rg_guard_slow, &now, next));
}
