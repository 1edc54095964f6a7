#include "rg_guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "rg_policy.h"
#include "rg_process.h"
#include "rg_report.h"

/* Added to rg_guard_slow for as long as rg_guard_library is not the one library in use. Leaves room
 * for the refused. */
#define SLOW_LIBRARY 0x80000000U
/* Added once where the policy can block: then every new handshake has to be looked at. */
#define SLOW_BLOCKING 0x40000000U

_Atomic unsigned rg_guard_slow = SLOW_LIBRARY;
struct rg_libssl *rg_guard_library;

/* Is there any message callback of the program's, anywhere? While there is none, records are not
 * worth a look. */
static _Atomic bool program_has_callbacks;

static struct rg_connection *connection_of(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	return lib->guardable ? lib->SSL_get_ex_data(ssl, lib->connection_index) : NULL;
}

/* ARG is the program's own: we never set one. */
static void on_message(const struct rg_libssl *lib, int written, int version, int content_type,
		       const void *message, size_t bytes, struct ssl_st *ssl, void *arg)
{
	bool relevant = content_type == RG_CONTENT_HANDSHAKE || content_type == RG_CONTENT_ALERT ||
			content_type == RG_CONTENT_SSLV2;
	struct rg_connection *connection;

	if (!relevant && !atomic_load_explicit(&program_has_callbacks, memory_order_relaxed))
		return;
	connection = connection_of(lib, ssl);
	if (connection == NULL)
		return;
	if (connection->program_callback != NULL)
		connection->program_callback(written, version, content_type, message, bytes, ssl,
					     arg);
	if (relevant)
		rg_connection_message(connection, ssl, written != 0, version, content_type, message,
				      bytes);
}

/* libssl does not tell a callback which libssl it is: there is one callback for each. */
static struct rg_libssl *libraries[RG_LIBSSL_MAX];

#define CALLBACK(slot)                                                                             \
	static void callback_##slot(int written, int version, int content_type,                    \
				    const void *message, size_t bytes, struct ssl_st *ssl,         \
				    void *arg)                                                     \
	{                                                                                          \
		on_message(libraries[slot], written, version, content_type, message, bytes, ssl,   \
			   arg);                                                                   \
	}
CALLBACK(0)
CALLBACK(1)
CALLBACK(2)
CALLBACK(3)

static rg_msg_callback *const callbacks[RG_LIBSSL_MAX] = {callback_0, callback_1, callback_2,
							  callback_3};

/* --- the life of a connection --- */

/* May run when the SSL is half gone (3.2 and later): its own functions are not to be called. */
static void release(void *parent, void *data, struct crypto_ex_data_st *ad, int index, long argl,
		    void *argp)
{
	struct rg_connection *connection = data;
	int saved = errno;

	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	if (connection == NULL)
		return;
	rg_connection_end(connection);
	free(connection);
	errno = saved;
}

/* SSL_dup: the copy gets a state of its own, with the callback that the program had set. */
static int duplicate(struct crypto_ex_data_st *to, const struct crypto_ex_data_st *from,
		     void **data, int index, long argl, void *argp)
{
	const struct rg_connection *original = *data;
	struct rg_connection *copy = original != NULL ? calloc(1, sizeof *copy) : NULL;

	(void)to, (void)from, (void)index, (void)argl, (void)argp;
	if (copy != NULL) {
		copy->lib = original->lib;
		copy->program_callback = original->program_callback;
	}
	*data = copy;
	return 1;
}

struct rg_libssl *rg_guard_library_of(const void *caller)
{
	static atomic_flag preparing = ATOMIC_FLAG_INIT;
	struct rg_libssl *lib = rg_libssl_of(caller);

	if (lib == NULL || libraries[lib->slot] != NULL)
		return lib;
	while (atomic_flag_test_and_set(&preparing))
		;
	if (libraries[lib->slot] == NULL) {
		bool on = rg_process_policy()->on;

		if (lib->guardable && on && rg_libssl_take_indices(lib, duplicate, release) != 0)
			lib->guardable = false;
		else if (!on)
			lib->guardable = false;
		for (size_t event = 0; event < RG_EVENT_COUNT; event++)
			if (on && rg_process_policy()->rules[event].action == RG_BLOCK)
				atomic_fetch_or(&rg_guard_slow, SLOW_BLOCKING);
		libraries[lib->slot] = lib;
		if (rg_guard_library == NULL) {
			rg_guard_library = lib;
			atomic_fetch_sub(&rg_guard_slow, SLOW_LIBRARY);
		} else {
			atomic_fetch_or(&rg_guard_slow, SLOW_LIBRARY);
		}
	}
	atomic_flag_clear(&preparing);
	return lib;
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

void rg_guard_connection(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct rg_connection *connection;
	rg_msg_callback *inherited = NULL;
	void *stored;

	if (!lib->guardable || rg_process_ledger() == NULL ||
	    (lib->SSL_is_quic != NULL && lib->SSL_is_quic(ssl)))
		return;
	connection = connection_of(lib, ssl);
	if (connection == NULL) {
		connection = calloc(1, sizeof *connection);
		if (connection == NULL)
			return;
		if (lib->SSL_set_ex_data(ssl, lib->connection_index, connection) != 1) {
			free(connection);
			return;
		}
	}
	if (atomic_load_explicit(&program_has_callbacks, memory_order_relaxed)) {
		stored = lib->SSL_CTX_get_ex_data(lib->SSL_get_SSL_CTX(ssl), lib->callback_index);
		memcpy(&inherited, &stored, sizeof inherited);
	}
	connection->lib = lib;
	connection->program_callback = inherited;
	lib->SSL_set_msg_callback(ssl, callbacks[lib->slot]);
	/* cppcheck-suppress memleak ; it is in the ex_data */
}

void rg_guard_restart(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct rg_connection *connection = connection_of(lib, ssl);

	if (connection == NULL)
		return;
	rg_connection_end(connection);
	if (connection->options_changed)
		rg_libssl_unrefuse(lib, ssl);
	connection->restarted |= connection->handshake.established;
	rg_handshake_reset(&connection->handshake);
	connection->options_changed = connection->identified = connection->admitted = false;
}

/* --- the program's own message callback --- */

static bool is_ours(rg_msg_callback *callback)
{
	for (size_t i = 0; i < RG_LIBSSL_MAX; i++)
		if (callback == callbacks[i])
			return true;
	return false;
}

bool rg_guard_keeps_callback(const struct rg_libssl *lib, struct ssl_st *ssl,
			     rg_msg_callback *callback)
{
	/* Inside libssl SSL_set_msg_callback may call SSL_callback_ctrl through the PLT: ours on
	 * its way down. */
	struct rg_connection *connection = is_ours(callback) ? NULL : connection_of(lib, ssl);

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

struct rg_libssl *rg_guard_enter_slowly(struct ssl_st *ssl, const void *caller, bool may_accept)
{
	struct rg_libssl *lib = rg_guard_library_of(caller);
	struct rg_connection *connection = lib != NULL ? connection_of(lib, ssl) : NULL;

	if (connection == NULL)
		return lib;
	if (may_accept)
		rg_connection_begin(connection, ssl);
	if (!connection->refused)
		return lib;
	rg_connection_fail(connection, ssl);
	return NULL;
}

bool rg_guard_leave_slowly(struct ssl_st *ssl, const void *caller)
{
	struct rg_libssl *lib = rg_guard_library_of(caller);
	struct rg_connection *connection = lib != NULL ? connection_of(lib, ssl) : NULL;

	if (connection == NULL || !connection->refused)
		return true;
	rg_connection_fail(connection, ssl);
	return false;
}
