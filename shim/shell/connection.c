#include "connection.h"

#include <errno.h>
#include <string.h>

#include "registry.h"
#include "rg_guard.h"
#include "rg_ledger.h"
#include "rg_peer.h"
#include "rg_policy.h"
#include "rg_process.h"
#include "rg_report.h"
#include "rg_verdict.h"

#define SHUTDOWN_SENT	  1 /* SSL_SENT_SHUTDOWN */
#define SHUTDOWN_RECEIVED 2 /* SSL_RECEIVED_SHUTDOWN */
#define CLIENT_HELLO_TYPE 1

/* --- what is done to a connection --- */

static int reason_of(const struct rg_connection *connection)
{
	return connection->refused_event == RG_RENEGOTIATION ? RG_REASON_NO_RENEGOTIATION
							     : RG_REASON_SESSION_ATTACK;
}

/* See to it that there is an entry of ours on the error queue, among libssl's own about the same
 * failure. */
static void raise_once(const struct rg_connection *connection)
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
static void kill_connection(struct rg_connection *connection, struct ssl_st *ssl,
			    enum rg_event event)
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

/* A fresh, unique session id context makes libssl treat the offer as a miss: a full handshake, and
 * the connection is fine. */
static void decline(const struct rg_connection *connection, struct ssl_st *ssl)
{
	static _Atomic uint64_t serial;
	uint64_t context[2] = {connection->key.id ^ rg_process_now_ns(),
			       atomic_fetch_add(&serial, 1)};
	const struct rg_libssl *lib = connection->lib;

	lib->ERR_set_mark();
	(void)lib->SSL_set_session_id_context(ssl, (const unsigned char *)context, sizeof context);
	lib->ERR_pop_to_mark();
}

static void act(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event,
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
		if (event == RG_RENEGOTIATION && handshake->established)
			rg_libssl_refuse_renegotiation(connection->lib, ssl, &connection->refusal);
		else if (handshake->running && !handshake->answered)
			rg_libssl_refuse_handshake(connection->lib, ssl, &connection->refusal);
		kill_connection(connection, ssl, event);
		break;
	default:
		break;
	}
}

/* --- the account --- */

static __attribute__((noinline)) void find_out_client(struct rg_connection *connection,
						      struct ssl_st *ssl)
{
	const struct rg_policy *policy = rg_process_policy();
	struct rg_client client;

	connection->peer = rg_peer(connection->lib, ssl, &connection->port);
	client = rg_policy_client(policy, &connection->peer);
	connection->key = rg_ledger_key(rg_process_ledger(), &client);
	connection->exempt = rg_policy_exempts(policy, &connection->peer);
	connection->identified = true;
}

static inline void identify(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (!connection->identified)
		find_out_client(connection, ssl);
}

/* The version's name for the log: what was agreed upon, or what kind of session is offered. */
static const char *tls_name(const struct rg_connection *connection, struct ssl_st *ssl)
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
static void enter(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event)
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

static void enter_handshake(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (!connection->handshake_entered)
		enter(connection, ssl, RG_HANDSHAKE);
	connection->handshake_entered = true;
}

static void enter_resumption(struct rg_connection *connection, struct ssl_st *ssl)
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
static void consider_perhaps(struct rg_connection *connection, struct ssl_st *ssl)
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

/* The rule under which this client is blocked, as an event; RG_EVENT_COUNT where it is not. */
static enum rg_event blocked_by(struct rg_connection *connection)
{
	const struct rg_policy *policy = rg_process_policy();
	uint64_t now_ns = rg_process_now_ns();
	int event = 0;

	if (connection->exempt || connection->peer.family == RG_UNKNOWN)
		return RG_EVENT_COUNT;
	while (event < RG_EVENT_COUNT &&
	       (policy->rules[event].action != RG_BLOCK ||
		!rg_ledger_is_over(rg_process_ledger(), &connection->key, (enum rg_event)event,
				   &policy->rules[event].limit, now_ns)))
		event++;
	return (enum rg_event)event;
}

static bool refuse_blocked(struct rg_connection *connection, struct ssl_st *ssl)
{
	enum rg_event event = blocked_by(connection);

	connection->admitted = true;
	if (event == RG_EVENT_COUNT)
		return false;
	rg_ledger_acted(rg_process_ledger(), &connection->key, event);
	act(connection, ssl, event, RG_CLOSE);
	return true;
}

/* Without a rule that blocks nobody has to be looked for: the usual case. */
static bool policy_blocks(void)
{
	return (atomic_load_explicit(&rg_guard_slow, memory_order_relaxed) &
		RG_GUARD_SLOW_BLOCKING) != 0;
}

static void on_client_hello(struct rg_connection *connection, struct ssl_st *ssl)
{
	connection->handshake_entered = connection->resumption_entered = false;
	if (!connection->admitted && policy_blocks() && refuse_blocked(connection, ssl))
		return;
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

static void on_answered(struct rg_connection *connection, struct ssl_st *ssl)
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

static bool is_guarded_side(const struct rg_connection *connection)
{
	unsigned role = rg_process_policy()->role;

	return (role & (connection->handshake.side == RG_SIDE_CLIENT ? RG_ROLE_CLIENT
								     : RG_ROLE_SERVER)) != 0;
}

static void carry_out(struct rg_connection *connection, struct ssl_st *ssl, enum rg_sign sign)
{
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

static bool is_client_hello(bool written, int content_type, const uint8_t *message, size_t bytes)
{
	return !written && bytes != 0 && message[0] == CLIENT_HELLO_TYPE &&
	       (content_type == RG_CONTENT_HANDSHAKE || content_type == RG_CONTENT_SSLV2);
}

/* Two or three times in a handshake. */
static __attribute__((noinline)) void on_sign(struct rg_connection *connection, struct ssl_st *ssl,
					      enum rg_sign sign)
{
	int saved = errno;

	if (is_guarded_side(connection)) {
		identify(connection, ssl);
		carry_out(connection, ssl, sign);
	}
	errno = saved;
}

/* A ClientHello that was read: only then is it worth asking libssl whether it is the first. */
static __attribute__((noinline)) enum rg_sign client_hello(struct rg_connection *connection,
							   struct ssl_st *ssl, int version,
							   int content_type, const uint8_t *message,
							   size_t bytes)
{
	/* A program that began anew with SSL_set_accept_state left libssl's own memory of the last
	 * handshake in place. */
	bool pristine = connection->restarted || is_pristine(connection->lib, ssl);

	return rg_handshake_message(&connection->handshake, false, version, content_type, message,
				    bytes, pristine);
}

void rg_connection_message(bool written, int version, int content_type, const uint8_t *message,
			   size_t bytes, struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_registry_get(ssl);
	enum rg_sign sign;

	if (connection == NULL)
		return;
	connection->begun = true;
	if (is_client_hello(written, content_type, message, bytes))
		sign = client_hello(connection, ssl, version, content_type, message, bytes);
	else
		sign = rg_handshake_message(&connection->handshake, written, version, content_type,
					    message, bytes, false);
	if (sign == RG_SIGN_FINISHED)
		connection->restarted = false;
	if (sign != RG_SIGN_NONE)
		on_sign(connection, ssl, sign);
	/* The alert is out: nothing more is to be written. */
	if (connection->refused && written && content_type == RG_CONTENT_ALERT)
		connection->lib->SSL_set_shutdown(ssl, SHUTDOWN_SENT | SHUTDOWN_RECEIVED);
}

/* --- what the hooks ask for --- */

void rg_connection_begin(struct rg_connection *connection, struct ssl_st *ssl)
{
	const struct rg_handshake *handshake = &connection->handshake;
	const struct rg_libssl *lib = connection->lib;
	int saved = errno;

	/*
	 * Without a descriptor on the SSL the client is not known before its bytes are: then it is
	 * refused at its ClientHello.
	 */
	if (policy_blocks() && !connection->admitted && !connection->refused &&
	    !handshake->running && !handshake->established &&
	    (rg_process_policy()->role & RG_ROLE_SERVER) != 0 &&
	    (lib->SSL_is_server == NULL || lib->SSL_is_server(ssl)) && lib->SSL_get_rfd(ssl) >= 0) {
		connection->begun = true;
		identify(connection, ssl);
		(void)refuse_blocked(connection, ssl);
	}
	errno = saved;
}

void rg_connection_fail(struct rg_connection *connection, struct ssl_st *ssl)
{
	connection->lib->SSL_set_shutdown(ssl, SHUTDOWN_SENT | SHUTDOWN_RECEIVED);
	raise_once(connection);
}

void rg_connection_end(struct rg_connection *connection)
{
	if (connection->identified && connection->handshake.running &&
	    !connection->handshake.established && !connection->refused)
		enter(connection, NULL, RG_INCOMPLETE);
	connection->handshake.running = false;
	if (connection->refused)
		atomic_fetch_sub_explicit(&rg_guard_slow, 1, memory_order_relaxed);
	connection->refused = false;
}
