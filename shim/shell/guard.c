#include "rg_guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rg_handshake.h"
#include "rg_ledger.h"
#include "rg_peer.h"
#include "rg_policy.h"
#include "rg_process.h"
#include "rg_report.h"
#include "rg_verdict.h"

#define SHUTDOWN_SENT	  1 /* SSL_SENT_SHUTDOWN */
#define SHUTDOWN_RECEIVED 2 /* SSL_RECEIVED_SHUTDOWN */
#define CLIENT_HELLO_TYPE 1

/* Added to rg_guard_slow for as long as rg_guard_library is not the one library in use. Leaves room
 * for the refused. */
#define SLOW_LIBRARY 0x80000000U
/* Added once where the policy can block: then every new handshake has to be looked at. */
#define SLOW_BLOCKING 0x40000000U

_Atomic unsigned rg_guard_slow = SLOW_LIBRARY;
struct rg_libssl *rg_guard_library;

/* One connection: in the ex_data of its SSL, from SSL_new to SSL_free. */
struct connection {
	const struct rg_libssl *lib;
	rg_msg_callback *program_callback; /* what the program set, on the SSL or on its context;
					      ours calls it */
	struct rg_handshake handshake;
	struct rg_key key; /* valid where `identified` */
	struct rg_client peer;
	uint16_t port;
	bool identified;
	bool exempt;
	bool admitted;		/* the new handshake has been looked at, and is not blocked */
	bool handshake_entered; /* as RG_HANDSHAKE */
	bool resumption_entered;
	bool refused;	       /* dead */
	bool options_changed;  /* by a refusal: to be taken back if the object is used again */
	bool unlimited;	       /* the refusal's rule has no limit: which code to raise */
	uint8_t refused_event; /* enum rg_event */
};

/* Is there any message callback of the program's, anywhere? While there is none, records are not
 * worth a look. */
static _Atomic bool program_has_callbacks;

static struct connection *connection_of(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	return lib->guardable ? lib->SSL_get_ex_data(ssl, lib->connection_index) : NULL;
}

/* --- what is done to a connection --- */

static int reason_of(const struct connection *connection)
{
	return connection->refused_event == RG_RENEGOTIATION ? RG_REASON_NO_RENEGOTIATION
							     : RG_REASON_SESSION_ATTACK;
}

/* See to it that there is an entry of ours on the error queue, among libssl's own about the same failure. */
static void raise_once(const struct connection *connection)
{
	const struct rg_rule *rule = &rg_process_policy()->rules[connection->refused_event];

	if (!rg_libssl_raised(connection->lib, reason_of(connection)))
		rg_libssl_raise(connection->lib, reason_of(connection),
				rg_verdict_code((enum rg_event)connection->refused_event, rule));
}

/*
 * From here on the object is dead. Inside libssl, received data is thrown away and every read fails
 * (so that a call ends that no hook stands around, BIO_f_ssl's, or that would wait on a blocking
 * socket); outside, the hooks fail every call. An alert may still be written: "sent" is set only
 * afterwards.
 */
static void kill_connection(struct connection *connection, struct ssl_st *ssl, enum rg_event event)
{
	const struct rg_libssl *lib = connection->lib;

	if (!connection->refused)
		atomic_fetch_add_explicit(&rg_guard_slow, 1, memory_order_relaxed);
	connection->refused = true;
	connection->refused_event = (uint8_t)event;
	lib->SSL_set_shutdown(ssl, SHUTDOWN_RECEIVED);
	rg_libssl_deafen(lib, ssl);
	raise_once(connection);
}

static void revive(struct connection *connection)
{
	if (connection->refused)
		atomic_fetch_sub_explicit(&rg_guard_slow, 1, memory_order_relaxed);
	connection->refused = false;
}

/* A fresh, unique session id context makes libssl treat the offer as a miss: a full handshake, and
 * the connection is fine. */
static void decline(const struct connection *connection, struct ssl_st *ssl)
{
	static _Atomic uint64_t serial;
	uint64_t context[2] = {connection->key.id ^ rg_process_now_ns(),
			       atomic_fetch_add(&serial, 1)};
	const struct rg_libssl *lib = connection->lib;

	lib->ERR_set_mark();
	(void)lib->SSL_set_session_id_context(ssl, (const unsigned char *)context, sizeof context);
	lib->ERR_pop_to_mark();
}

static void act(struct connection *connection, struct ssl_st *ssl, enum rg_event event,
		enum rg_action action)
{
	const struct rg_handshake *handshake = &connection->handshake;

	switch (action) {
	case RG_DECLINE:
		if (!handshake->answered)
			decline(connection, ssl);
		break;
	case RG_CLOSE:
	case RG_BLOCK:
		connection->options_changed = true;
		if (event == RG_RENEGOTIATION)
			rg_libssl_refuse_renegotiation(connection->lib, ssl);
		else if (handshake->running && !handshake->answered)
			rg_libssl_refuse_handshake(connection->lib, ssl);
		kill_connection(connection, ssl, event);
		break;
	default:
		break;
	}
}

/* --- the account --- */

static void identify(struct connection *connection, struct ssl_st *ssl)
{
	const struct rg_policy *policy = rg_process_policy();
	struct rg_client client;

	if (connection->identified)
		return;
	connection->peer = rg_peer(connection->lib, ssl, &connection->port);
	client = rg_policy_client(policy, &connection->peer);
	connection->key = rg_ledger_key(rg_process_ledger(), &client);
	connection->exempt = rg_policy_exempts(policy, &connection->peer);
	connection->identified = true;
}

/* The version's name for the log: what was agreed upon, or what kind of session is offered. */
static const char *tls_name(const struct connection *connection, struct ssl_st *ssl)
{
	const struct rg_handshake *handshake = &connection->handshake;

	if (ssl != NULL && handshake->established)
		return connection->lib->SSL_get_version(ssl);
	if (handshake->negotiated != 0)
		return rg_version_name(handshake->negotiated);
	if (handshake->hello.offer == RG_OFFER_PSK)
		return rg_version_name(0x0304);
	return handshake->hello.offer == RG_OFFER_TICKET ||
		       handshake->hello.offer == RG_OFFER_SESSION_ID
		   ? rg_version_name(handshake->hello.legacy_version)
		   : "";
}

/* Enter EVENT, and do what the verdict says. SSL is NULL where the object is being freed: then
 * nothing can be done to it. */
static void enter(struct connection *connection, struct ssl_st *ssl, enum rg_event event)
{
	const struct rg_rule *rule = &rg_process_policy()->rules[event];
	struct rg_ledger *ledger = rg_process_ledger();
	bool known = connection->peer.family != RG_UNKNOWN;
	bool unlimited = rule->limit.period_s == 0;
	struct rg_tally tally;
	struct rg_verdict verdict;

	if (rule->action == RG_OFF)
		return;
	tally =
	    rg_ledger_enter(ledger, &connection->key, event,
			    rule->action > RG_COUNT && (known || unlimited) ? &rule->limit : NULL,
			    rule->action == RG_BLOCK, rg_process_now_ns());
	verdict = rg_verdict(rule, &tally, known, connection->exempt);
	if (verdict.action == RG_COUNT)
		return;
	rg_ledger_acted(ledger, &connection->key, event);
	if (ssl != NULL)
		act(connection, ssl, event, verdict.action);
	if (verdict.log)
		rg_report_event(connection->lib, event, verdict.action, &connection->peer,
				connection->port, &tally, tls_name(connection, ssl));
}

/* A handshake that did not get to its end. SSL may be gone already. */
static void enter_incomplete(struct connection *connection)
{
	if (connection->identified && connection->handshake.running &&
	    !connection->handshake.established)
		enter(connection, NULL, RG_INCOMPLETE);
	connection->handshake.running = false;
}

static void enter_handshake(struct connection *connection, struct ssl_st *ssl)
{
	if (!connection->handshake_entered)
		enter(connection, ssl, RG_HANDSHAKE);
	connection->handshake_entered = true;
}

static void enter_resumption(struct connection *connection, struct ssl_st *ssl)
{
	if (!connection->resumption_entered)
		enter(connection, ssl, RG_RESUMPTION);
	connection->resumption_entered = true;
}

/*
 * An offer that only the answer will tell apart from 32 random bytes. It is not entered yet; but
 * where one more would be over the limit it must not be accepted either, and declining what was no
 * offer changes nothing.
 */
static void consider_perhaps(struct connection *connection, struct ssl_st *ssl)
{
	const struct rg_rule *rule = &rg_process_policy()->rules[RG_RESUMPTION];

	if (rg_libssl_speaks_tls13(connection->lib, ssl))
		enter_handshake(connection, ssl); /* TLS 1.3 it will be: the id means nothing */
	else if (rule->action == RG_DECLINE && connection->peer.family != RG_UNKNOWN &&
		 !connection->exempt &&
		 rg_ledger_is_full(rg_process_ledger(), &connection->key, RG_RESUMPTION,
				   &rule->limit, rg_process_now_ns()))
		decline(connection, ssl);
}

static void on_client_hello(struct connection *connection, struct ssl_st *ssl)
{
	connection->handshake_entered = connection->resumption_entered = false;
	switch (connection->handshake.hello.offer) {
	case RG_OFFER_NONE:
		enter_handshake(connection, ssl);
		break;
	case RG_OFFER_PERHAPS:
		consider_perhaps(connection, ssl);
		break;
	default:
		enter_resumption(connection, ssl);
		break;
	}
}

static void on_answered(struct connection *connection, struct ssl_st *ssl)
{
	if (connection->refused)
		return;
	if (connection->handshake.resumed)
		enter_resumption(connection, ssl);
	else
		enter_handshake(connection, ssl);
	if (connection->resumption_entered &&
	    rg_process_policy()->rules[RG_RESUMPTION].action != RG_OFF)
		rg_ledger_outcome(rg_process_ledger(), &connection->key,
				  connection->handshake.resumed ? RG_OUTCOME_ACCEPTED
								: RG_OUTCOME_NOT_ACCEPTED);
}

/* --- the message callback --- */

/* Has no handshake been finished on this object since it was made or cleared? What
 * SSL_IS_FIRST_HANDSHAKE looks at. */
static bool is_pristine(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	unsigned char nothing;

	return lib->SSL_get_finished(ssl, &nothing, 0) == 0 ||
	       lib->SSL_get_peer_finished(ssl, &nothing, 0) == 0;
}

static bool is_guarded_side(const struct connection *connection)
{
	unsigned role = rg_process_policy()->role;

	return (role & (connection->handshake.side == RG_SIDE_CLIENT ? RG_ROLE_CLIENT
								     : RG_ROLE_SERVER)) != 0;
}

static void on_sign(struct connection *connection, struct ssl_st *ssl, enum rg_sign sign)
{
	if (sign == RG_SIGN_NONE || !is_guarded_side(connection))
		return;
	identify(connection, ssl);
	switch (sign) {
	case RG_SIGN_CLIENT_HELLO:
		on_client_hello(connection, ssl);
		break;
	case RG_SIGN_ANSWERED:
		on_answered(connection, ssl);
		break;
	case RG_SIGN_RENEGOTIATION:
	case RG_SIGN_REFUSED:
		if (!connection->refused)
			enter(connection, ssl, RG_RENEGOTIATION);
		break;
	case RG_SIGN_KEY_UPDATE:
		if (!connection->refused)
			enter(connection, ssl, RG_KEYUPDATE);
		break;
	default:
		break;
	}
}

static void watch(struct connection *connection, int written, int version, int content_type,
		  const uint8_t *message, size_t bytes, struct ssl_st *ssl)
{
	const struct rg_libssl *lib = connection->lib;
	int saved = errno;
	bool hello = content_type == RG_CONTENT_HANDSHAKE && !written && bytes != 0 &&
		     message[0] == CLIENT_HELLO_TYPE;
	bool pristine = hello && connection->handshake.established && is_pristine(lib, ssl);

	on_sign(connection, ssl,
		rg_handshake_message(&connection->handshake, written != 0, version, content_type,
				     message, bytes, pristine));
	/* The alert is out: nothing more is to be written. */
	if (connection->refused && written && content_type == RG_CONTENT_ALERT)
		lib->SSL_set_shutdown(ssl, SHUTDOWN_SENT | SHUTDOWN_RECEIVED);
	errno = saved;
}

/* ARG is the program's own: we never set one. */
static void on_message(const struct rg_libssl *lib, int written, int version, int content_type,
		       const void *message, size_t bytes, struct ssl_st *ssl, void *arg)
{
	bool relevant = content_type == RG_CONTENT_HANDSHAKE || content_type == RG_CONTENT_ALERT;
	struct connection *connection;

	if (!relevant && !atomic_load_explicit(&program_has_callbacks, memory_order_relaxed))
		return;
	connection = connection_of(lib, ssl);
	if (connection == NULL)
		return;
	if (connection->program_callback != NULL)
		connection->program_callback(written, version, content_type, message, bytes, ssl,
					     arg);
	if (relevant)
		watch(connection, written, version, content_type, message, bytes, ssl);
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
	struct connection *connection = data;
	int saved = errno;

	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	if (connection == NULL)
		return;
	enter_incomplete(connection);
	revive(connection);
	free(connection);
	errno = saved;
}

/* SSL_dup: the copy gets a state of its own, with the callback that the program had set. */
static int duplicate(struct crypto_ex_data_st *to, const struct crypto_ex_data_st *from,
		     void **data, int index, long argl, void *argp)
{
	const struct connection *original = *data;
	struct connection *copy = original != NULL ? calloc(1, sizeof *copy) : NULL;

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
	struct connection *connection;
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
}

void rg_guard_restart(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct connection *connection = connection_of(lib, ssl);

	if (connection == NULL)
		return;
	enter_incomplete(connection);
	revive(connection);
	if (connection->options_changed)
		rg_libssl_unrefuse(lib, ssl);
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
	struct connection *connection = is_ours(callback) ? NULL : connection_of(lib, ssl);

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

struct rg_libssl *rg_guard_enter_slowly(struct ssl_st *ssl, const void *caller)
{
	struct rg_libssl *lib = rg_guard_library_of(caller);
	struct connection *connection = lib != NULL ? connection_of(lib, ssl) : NULL;

	if (connection == NULL || !connection->refused)
		return lib;
	raise_once(connection);
	return NULL;
}

bool rg_guard_leave_slowly(struct ssl_st *ssl, const void *caller)
{
	struct rg_libssl *lib = rg_guard_library_of(caller);
	struct connection *connection = lib != NULL ? connection_of(lib, ssl) : NULL;

	if (connection == NULL || !connection->refused)
		return true;
	lib->SSL_set_shutdown(ssl, SHUTDOWN_SENT | SHUTDOWN_RECEIVED);
	raise_once(connection);
	return false;
}
