#include "guard/enforce.h"

#include <string.h>

#include "guard/gate.h"
#include "libssl/deafen.h"
#include "libssl/errors.h"
#include "os/process.h"
#include "os/ssl_map.h"
#include "rg_policy.h"
#include "rg_verdict.h"

#define SHUTDOWN_SENT	  1 /* SSL_SENT_SHUTDOWN */
#define SHUTDOWN_RECEIVED 2 /* SSL_RECEIVED_SHUTDOWN */

static int reason_of(const struct rg_connection *connection)
{
	return connection->refused_event == RG_RENEGOTIATION ? RG_REASON_NO_RENEGOTIATION
							     : RG_REASON_ACCESS_DENIED;
}

/* Put our entry on the error queue, unless it is there already. libssl may have added its own about
 * the same failure. */
static void raise_once(const struct rg_connection *connection)
{
	const struct rg_rule *rule = &rg_process_policy()->rules[connection->refused_event];

	if (!rg_libssl_raised(connection->lib, reason_of(connection)))
		rg_libssl_raise(connection->lib, reason_of(connection),
				rg_verdict_code((enum rg_event)connection->refused_event, rule));
}

/*
 * From here on the hooks fail every call on SSL. Inside libssl, received data is thrown away and
 * every read fails. That ends calls that pass no hook (BIO_f_ssl) or that would wait on a blocking
 * socket. An alert may still be written: SSL_SENT_SHUTDOWN is set only afterwards, by
 * rg_enforce_mute.
 */
static void refuse_connection(struct rg_connection *connection, struct ssl_st *ssl,
			      enum rg_event event)
{
	const struct rg_libssl *lib = connection->lib;

	if (!connection->refused)
		rg_gate_count_refused(true);
	connection->refused = true;
	connection->refused_event = (uint8_t)event;
	lib->SSL_set_shutdown(ssl, SHUTDOWN_RECEIVED);
	rg_libssl_deafen(lib, ssl, &connection->deaf);
	raise_once(connection);
	connection->entry_is_marked = lib->ERR_set_mark() != 0;
}

void rg_enforce(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event,
		enum rg_action action)
{
	const struct rg_handshake *handshake = &connection->handshake;

	switch (action) {
	case RG_DECLINE:
		if (!handshake->answered)
			rg_enforce_decline(connection, ssl);
		break;
	case RG_CLOSE:
	case RG_BLOCK:
		if (event == RG_RENEGOTIATION && handshake->established)
			rg_libssl_refuse_renegotiation(connection->lib, ssl, &connection->refusal);
		else if (handshake->running && !handshake->answered && connection->provisional == 0)
			rg_libssl_refuse_handshake(connection->lib, ssl, connection->retried,
						   &connection->refusal);
		/* Before 1.1.1 a refusal declines, too. */
		connection->declined |= connection->refusal.session_context;
		refuse_connection(connection, ssl, event);
		break;
	default:
		break;
	}
}

/* --- declining --- */

static bool is_same(const struct rg_session_context *one, const struct rg_session_context *other)
{
	return one->length == other->length && memcmp(one->bytes, other->bytes, one->length) == 0;
}

/*
 * The program may have given the SSL another context meanwhile (SNI). Then SSL_set_SSL_CTX gives it
 * the session id context of that one too, if the SSL still had its old context's. While ours is on
 * the SSL, libssl cannot see that, so we do it.
 */
static void follow_context(struct rg_connection *connection, struct ssl_st *ssl)
{
	const struct ssl_ctx_st *now = connection->lib->SSL_get_SSL_CTX(ssl);
	const struct rg_connection *before = rg_ssl_map_get(connection->context);
	const struct rg_connection *after = rg_ssl_map_get(now);

	if (now != connection->context && before != NULL && after != NULL &&
	    is_same(&connection->session_context, &before->session_context))
		connection->session_context = after->session_context;
	connection->context = now;
}

void rg_enforce_decline(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (!connection->declined)
		follow_context(connection, ssl);
	connection->declined = true;
	rg_libssl_decline(connection->lib, ssl);
}

void rg_enforce_end_decline(struct rg_connection *connection, struct ssl_st *ssl)
{
	const struct rg_session_context *context = &connection->session_context;

	if (!connection->declined)
		return;
	connection->declined = false;
	follow_context(connection, ssl);
	(void)connection->lib->SSL_set_session_id_context(ssl, context->bytes, context->length);
}

/* --- undoing a refusal --- */

/* Undo what a refusal changed on SSL, which is NULL if it is being freed. */
static void undo_refusal(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (ssl != NULL)
		rg_libssl_restore(connection->lib, ssl, &connection->refusal);
	else
		rg_libssl_drop_refusal(connection->lib, &connection->refusal);
}

void rg_enforce_undo(struct rg_connection *connection, struct ssl_st *ssl, bool freed)
{
	if (!connection->refused)
		return;
	rg_gate_count_refused(false);
	connection->refused = false;
	rg_libssl_undeafen(connection->lib, ssl, &connection->deaf);
	undo_refusal(connection, freed ? NULL : ssl);
}

/* --- refusing before the address is proved --- */

void rg_enforce_provisionally(struct rg_connection *connection, struct ssl_st *ssl,
			      enum rg_event event)
{
	if (connection->provisional == 0)
		rg_gate_count_refused(true); /* so that the alert is seen */
	connection->provisional = (uint8_t)(event + 1);
	if (!connection->declined)
		follow_context(connection, ssl);
	rg_libssl_refuse_after_cookie(connection->lib, ssl, &connection->refusal);
	connection->declined = true;
}

void rg_enforce_end_provisional(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (connection->provisional == 0)
		return;
	connection->provisional = 0;
	rg_gate_count_refused(false);
	if (!connection->refused) /* else it is one for good now, and undone with that */
		undo_refusal(connection, ssl);
}

/* --- calls on a refused connection --- */

void rg_enforce_mute(const struct rg_connection *connection, struct ssl_st *ssl)
{
	connection->lib->SSL_set_shutdown(ssl, SHUTDOWN_SENT | SHUTDOWN_RECEIVED);
}

void rg_enforce_begin_call(struct rg_connection *connection)
{
	connection->entry_is_marked = false;
}

void rg_enforce_fail_call(struct rg_connection *connection, struct ssl_st *ssl)
{
	rg_enforce_mute(connection, ssl);
	/* What libssl has said of its failure is our doing, and a daemon logs each entry. */
	if (connection->entry_is_marked)
		connection->lib->ERR_pop_to_mark();
	connection->entry_is_marked = false;
	raise_once(connection);
}
