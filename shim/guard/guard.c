#include "guard/guard.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "guard/connection.h"
#include "guard/enforce.h"
#include "guard/libraries.h"
#include "guard/prepare.h"
#include "guard/report.h"
#include "guard/states.h"
#include "libssl/deafen.h"
#include "libssl/errors.h"
#include "libssl/versions.h"
#include "os/lock.h"
#include "os/process.h"

enum { UNDECIDED, GUARDED, LEFT_ALONE };

/* Has the program ever set a message callback? Until then, record headers need no look. */
static _Atomic bool program_has_callbacks;

/*
 * Can this message mean anything? Yes if rg_handshake_message knows it. While some connection is
 * refused, which is rare, every written alert counts too: it may be the refused connection's last.
 */
static inline bool is_relevant(bool written, int content_type, const uint8_t *message, size_t bytes)
{
	return content_type <= RG_CONTENT_HANDSHAKE && bytes > 1 &&
	       (rg_handshake_cares(written, content_type, message) ||
		(content_type == RG_CONTENT_ALERT && written && rg_gate_is_slow()));
}

/* The message callback that SSL got from its context. */
static rg_msg_callback *inherited_callback(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	rg_msg_callback *inherited;
	void *stored = lib->SSL_CTX_get_ex_data(lib->SSL_get_SSL_CTX(ssl), lib->callback_index);

	memcpy(&inherited, &stored, sizeof inherited);
	return inherited;
}

/*
 * SSL, of the shared library LIB, has our callback but no state: there was no memory for it. Give
 * it one now, and go on from what libssl knows. NULL if there is still none.
 */
static struct rg_connection *adopt(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct rg_connection *connection = lib != NULL ? rg_state_make(lib, ssl) : NULL;

	if (connection == NULL)
		return NULL;
	connection->program_callback = inherited_callback(lib, ssl);
	connection->needs_reset = true;
	connection->handshake.established = !rg_libssl_is_pristine(lib, ssl);
	connection->handshake.side =
	    lib->SSL_is_server == NULL || lib->SSL_is_server(ssl) ? RG_SIDE_SERVER : RG_SIDE_CLIENT;
	return connection;
}

/* Our callback hides the one that the program set itself: call it. */
static __attribute__((noinline)) void call_program_callback(int written, int version,
							    int content_type, const void *message,
							    size_t bytes, struct ssl_st *ssl,
							    void *arg)
{
	const struct rg_connection *connection = rg_state_of_watched(ssl);

	if (connection == NULL)
		connection = adopt(rg_states_shared(), ssl);
	if (connection != NULL && connection->program_callback != NULL)
		connection->program_callback(written, version, content_type, message, bytes, ssl,
					     arg);
	if (is_relevant(written != 0, content_type, message, bytes))
		rg_connection_message(written != 0, version, content_type, message, bytes, ssl);
}

/*
 * ARG is the program's own: we never set one. libssl calls this 13 to 30 times in a handshake. Four
 * or five calls matter, and leave by a jump; the others return after a dozen instructions.
 */
static void on_message(int written, int version, int content_type, const void *message,
		       size_t bytes, struct ssl_st *ssl, void *arg)
{
	if (atomic_load_explicit(&program_has_callbacks, memory_order_relaxed))
		call_program_callback(written, version, content_type, message, bytes, ssl, arg);
	else if (is_relevant(written != 0, content_type, message, bytes))
		rg_connection_message(written != 0, version, content_type, message, bytes, ssl);
}

/* --- the life of a connection --- */

/*
 * An SSL is being freed. libssl calls the free function of every ex_data index, even if nothing was
 * ever stored under it. We store nothing there: the map of SSLs is cheaper.
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

/* The same for the shared library, of which DATA is the state (guard/states.h). */
static void on_shared_free(void *parent, void *data, struct crypto_ex_data_st *ad, int index,
			   long argl, void *argp)
{
	struct rg_connection *connection = data;
	int saved = errno;

	(void)ad, (void)index, (void)argl, (void)argp;
	if (connection == NULL || parent == NULL)
		return;
	rg_connection_end(connection, parent, true);
	rg_state_free_shared(connection);
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

/* --- which libraries are guarded --- */

static bool guard_library(struct rg_libssl *lib)
{
	bool shared = rg_states_shared() == NULL && rg_libssl_has_foreign_allocator(lib);

	if (rg_libssl_take_indices(lib, shared ? on_shared_free : on_free, on_context_free) != 0)
		return false;
	if (shared) {
		rg_states_share(lib);
		/* Any process may set a callback, or may have to adopt a connection. */
		atomic_store(&program_has_callbacks, true);
	}
	return true;
}

/* Decide whether LIB is guarded: once, before its first context or connection is made. False also
 * if the lock was not taken; then *DECISION stays open. */
static bool decide(struct rg_libssl *lib, _Atomic int *decision)
{
	static struct rg_lock lock;

	if (!rg_lock(&lock))
		return false;
	if (atomic_load(decision) == UNDECIDED)
		atomic_store(decision,
			     rg_process_policy()->on && lib->guardable && guard_library(lib)
				 ? GUARDED
				 : LEFT_ALONE);
	rg_unlock(&lock);
	return atomic_load(decision) == GUARDED;
}

static bool is_guarded(struct rg_libssl *lib)
{
	static _Atomic int decisions[RG_LIBSSL_MAX + 1];
	int decision = atomic_load_explicit(&decisions[lib->slot], memory_order_acquire);

	return decision != UNDECIDED ? decision == GUARDED : decide(lib, &decisions[lib->slot]);
}

/* --- contexts and connections --- */

static void watch(const struct rg_libssl *lib, struct ssl_st *ssl, const struct ssl_ctx_st *ctx,
		  rg_msg_callback *program_callback)
{
	const struct rg_connection *context = rg_ssl_map_get(ctx);
	struct rg_connection *connection = rg_state_of(lib, ssl);

	if (connection == NULL)
		connection = rg_state_make(lib, ssl);
	if (connection != NULL) {
		connection->program_callback = program_callback;
		connection->context = ctx;
		if (context != NULL)
			connection->session_context = context->session_context;
	} else if (!rg_states_are_shared(lib)) {
		rg_report_no_memory(lib);
		return; /* else see adopt */
	}
	/* What SSL_set_msg_callback does. In some builds that function calls our own hook. */
	(void)lib->SSL_callback_ctrl(ssl, RG_CTRL_SET_MSG_CALLBACK, (void (*)(void))on_message);
}

void rg_guard_connection(struct rg_libssl *lib, struct ssl_st *ssl)
{
	rg_msg_callback *inherited = NULL;

	if (!is_guarded(lib) || (lib->SSL_is_quic != NULL && lib->SSL_is_quic(ssl)))
		return;
	/* No ledger yet: the program found SSL_CTX_new by dlvsym(3), past our hook. */
	if (__builtin_expect(rg_process_ledger() == NULL, 0)) {
		rg_prepare();
		if (rg_process_ledger() == NULL)
			return;
	}
	if (atomic_load_explicit(&program_has_callbacks, memory_order_relaxed))
		inherited = inherited_callback(lib, ssl);
	watch(lib, ssl, lib->SSL_get_SSL_CTX(ssl), inherited);
}

void rg_guard_copy(const struct rg_libssl *lib, struct ssl_st *copy, const struct ssl_st *original)
{
	const struct rg_connection *connection = rg_state_of(lib, original);

	/* SSL_dup does not copy a connection in use: it returns ORIGINAL itself. */
	if (copy != original && connection != NULL)
		watch(lib, copy, connection->context, connection->program_callback);
}

void rg_guard_before_bio(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_state_of(lib, ssl);

	if (connection != NULL && connection->deaf != NULL)
		rg_libssl_undeafen(lib, ssl, &connection->deaf);
}

void rg_guard_note_bio(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_state_of(lib, ssl);

	if (connection != NULL)
		rg_libssl_note_bytes_read(lib, ssl, &connection->bytes_before);
}

void rg_guard_note_first_call(struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_state_of_watched(ssl);

	if (connection == NULL || connection->called)
		return;
	connection->called = true;
	if (!connection->needs_reset)
		rg_libssl_note_bytes_read(connection->lib, ssl, &connection->bytes_before);
}

void rg_guard_restart(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_state_of(lib, ssl);

	/* A new SSL has nothing to reset, but libssl clears it and most programs set its side. */
	if (connection == NULL || !connection->needs_reset)
		return;
	rg_connection_end(connection, ssl, false);
	connection->restarted |= connection->handshake.established;
	rg_handshake_reset(&connection->handshake);
	connection->identified = connection->block_checked = false;
	connection->peer_has_sent = connection->incomplete_recorded = false;
	connection->called = false;
	connection->unproven = connection->inside == RG_INSIDE_STATELESS;
	connection->needs_reset = false;
}

void rg_guard_before_context(struct rg_libssl *lib, const struct ssl_method_st *method)
{
	const struct rg_policy *policy = rg_process_policy();

	if (!policy->on)
		return;
	rg_prepare();
	if (is_guarded(lib) && !rg_libssl_is_quic_method(lib, method) &&
	    (!rg_libssl_is_client_method(lib, method) || (policy->role & RG_ROLE_CLIENT)))
		rg_report_active(lib);
}

/*
 * Contexts are in the map only to name their library. If there are several libraries, the caller
 * does not always tell which is meant: a tail call in a plug-in leaves its host's return address.
 * Not those of the shared library: another process may free them.
 */
void rg_guard_note_context(struct rg_libssl *lib, const struct ssl_ctx_st *ctx)
{
	struct rg_connection *entry = NULL;

	if (ctx != NULL && is_guarded(lib) && !rg_states_are_shared(lib) &&
	    rg_ssl_map_get(ctx) == NULL)
		entry = rg_ssl_map_take(ctx, sizeof *entry);
	if (entry != NULL)
		entry->lib = lib;
}

/* --- the program's own message callback --- */

bool rg_guard_keeps_callback(const struct rg_libssl *lib, struct ssl_st *ssl,
			     rg_msg_callback *callback)
{
	struct rg_connection *connection = rg_state_of(lib, ssl);

	if (connection == NULL)
		return false;
	if (callback != NULL)
		atomic_store(&program_has_callbacks, true);
	connection->program_callback = callback;
	return true;
}

void rg_guard_note_callback(struct rg_libssl *lib, struct ssl_ctx_st *ctx,
			    rg_msg_callback *callback)
{
	void *stored;

	if (!is_guarded(lib))
		return;
	if (callback != NULL)
		atomic_store(&program_has_callbacks, true);
	memcpy(&stored, &callback, sizeof stored);
	(void)lib->SSL_CTX_set_ex_data(ctx, lib->callback_index, stored);
}

/* --- the program's own session id context --- */

static bool read_context(struct rg_session_context *to, const unsigned char *bytes, unsigned count)
{
	if (count > sizeof to->bytes || (bytes == NULL && count != 0))
		return false; /* libssl refuses it, too */
	to->length = (uint8_t)count;
	if (count != 0)
		memcpy(to->bytes, bytes, count);
	return true;
}

bool rg_guard_keeps_session_context(struct ssl_st *ssl, const unsigned char *context,
				    unsigned bytes)
{
	struct rg_connection *connection = rg_state_of_watched(ssl);

	return connection != NULL && read_context(&connection->session_context, context, bytes) &&
	       connection->declined;
}

void rg_guard_note_session_context(struct ssl_ctx_st *ctx, const unsigned char *context,
				   unsigned bytes)
{
	struct rg_connection *entry = rg_ssl_map_get(ctx);

	if (entry != NULL)
		(void)read_context(&entry->session_context, context, bytes);
}

/* --- around every call --- */

void rg_guard_inside(struct ssl_st *ssl, enum rg_inside inside)
{
	struct rg_connection *connection = rg_state_of_watched(ssl);

	if (connection == NULL)
		return;
	connection->inside = (uint8_t)inside;
	connection->unproven |= inside == RG_INSIDE_STATELESS;
}

struct rg_libssl *rg_guard_before_call_slowly(struct ssl_st *ssl, const void *caller,
					      bool may_accept)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, caller);
	struct rg_connection *connection = rg_state_of(lib, ssl);

	if (connection == NULL)
		return lib;
	rg_enforce_begin_call(connection);
	if (may_accept)
		rg_connection_begin(connection, ssl);
	if (connection->refused) {
		rg_enforce_fail_call(connection, ssl);
		return NULL;
	}
	/* The error queue is in shared memory as well: kamailio's processes have one for all, and
	 * do not empty it. A refused connection's entry would be taken for an error on this one. */
	if (rg_states_are_shared(lib))
		rg_libssl_clear_raised(lib);
	return lib;
}

/* SSL has no state. Is it a server's, of a libssl that cannot be guarded? BoringSSL does not tell
 * earlier: its TLS_client_method is its TLS_method. */
static void report_unguarded(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	static _Atomic bool reported[RG_LIBSSL_MAX + 1];

	if (lib == NULL || rg_process_ledger() == NULL || is_guarded((struct rg_libssl *)lib) ||
	    (lib->SSL_is_server != NULL && !lib->SSL_is_server(ssl)))
		return;
	if (!atomic_exchange(&reported[lib->slot], true))
		rg_report_unguarded(lib);
}

bool rg_guard_after_call_slowly(const struct rg_libssl *lib, struct ssl_st *ssl, int result)
{
	struct rg_connection *connection = rg_state_of(lib, ssl);

	if (connection == NULL) {
		report_unguarded(lib, ssl);
		return true;
	}
	if (result <= 0 && !connection->handshake.established)
		rg_connection_check(connection, ssl);
	if (!connection->refused)
		return true;
	rg_enforce_fail_call(connection, ssl);
	return false;
}
