#include "guard/judge.h"

#include <stdatomic.h>

#include "guard/accounting.h"
#include "guard/enforce.h"
#include "libssl/errors.h"
#include "os/process.h"
#include "rg_ledger.h"
#include "rg_policy.h"

static _Atomic bool program_has_external_psks;

void rg_judge_external_psks(void)
{
	atomic_store_explicit(&program_has_external_psks, true, memory_order_relaxed);
}

/* --- which event it is --- */

/* A key that was not issued with a ticket. Its handshake is a full one (RFC 8446 2.2 calls only the
 * other kind a resumption). */
static bool is_external_psk(const struct rg_client_hello *hello)
{
	return hello->offer == RG_OFFER_PSK && hello->psk_is_external &&
	       atomic_load_explicit(&program_has_external_psks, memory_order_relaxed);
}

/* Does the hello certainly offer to resume a session? */
static bool offers(const struct rg_client_hello *hello)
{
	return hello->offer != RG_OFFER_NONE && hello->offer != RG_OFFER_AMBIGUOUS_ID &&
	       !is_external_psk(hello);
}

/*
 * Might it offer one? A session id in a hello that offers TLS 1.3 is an offer only if TLS 1.2 is
 * agreed on. A program can still switch TLS 1.3 off after our callback, in its client_hello
 * callback. And of an encrypted ClientHello (RFC 9849) we see the outer one alone.
 */
static bool may_offer(const struct rg_connection *connection, struct ssl_st *ssl)
{
	const struct rg_client_hello *hello = &connection->handshake.hello;

	return hello->offer == RG_OFFER_AMBIGUOUS_ID ||
	       (hello->ech && rg_libssl_decrypts_hellos(connection->lib, ssl));
}

/*
 * The event by the hello alone: RG_EVENT_COUNT if only the answer tells. If both sides can have TLS
 * 1.3, an ambiguous id is taken for middlebox compatibility. Should the program switch TLS 1.3 off
 * after this, the answer corrects it.
 */
static enum rg_event event_of_hello(const struct rg_connection *connection, struct ssl_st *ssl)
{
	const struct rg_client_hello *hello = &connection->handshake.hello;

	if (offers(hello))
		return RG_RESUMPTION;
	if (hello->ech && rg_libssl_decrypts_hellos(connection->lib, ssl))
		return RG_EVENT_COUNT;
	if (hello->offer == RG_OFFER_AMBIGUOUS_ID && !rg_libssl_speaks_tls13(connection->lib, ssl))
		return RG_EVENT_COUNT;
	return RG_HANDSHAKE;
}

static enum rg_event event_of_answer(const struct rg_connection *connection)
{
	const struct rg_client_hello *hello = &connection->handshake.hello;

	return offers(hello) || (connection->handshake.resumed && !is_external_psk(hello))
		   ? RG_RESUMPTION
		   : RG_HANDSHAKE;
}

/* --- before the address is proved --- */

/*
 * The client's address may be forged: the server asks for a cookie and has not checked it yet. Act
 * if the next event would be over the limit, but record nothing. In DTLS libssl checks the cookie
 * before it chooses a cipher, in every version. So if it fails for want of a cipher, the cookie was
 * right. SSL_stateless chooses the cipher first, so there the answer is waited for.
 */
static void judge_unproven(struct rg_connection *connection, struct ssl_st *ssl,
			   enum rg_event event)
{
	enum rg_action action = rg_process_policy()->rules[event].action;
	enum rg_event blocking = rg_blocked_by(connection);

	connection->is_blocked = blocking != RG_EVENT_COUNT;
	if (connection->is_blocked)
		event = blocking;
	else if (action <= RG_WARN || !rg_is_full(connection, event))
		return;
	if (action == RG_DECLINE && !connection->is_blocked)
		rg_enforce_decline(connection, ssl);
	else if (connection->inside != RG_INSIDE_STATELESS)
		rg_enforce_provisionally(connection, ssl, event);
}

/* --- what the messages say --- */

static bool is_blocked(struct rg_connection *connection, struct ssl_st *ssl)
{
	return !connection->unproven && !connection->block_checked && rg_process_policy()->blocks &&
	       rg_refuse_blocked(connection, ssl);
}

void rg_judge_hello(struct rg_connection *connection, struct ssl_st *ssl, bool next, bool is_dtls)
{
	bool by_cookie = is_dtls && rg_libssl_wants_cookies(connection->lib, ssl);
	enum rg_event event;

	connection->retried = next;
	if (!next)
		connection->recorded = 0;
	connection->unproven = by_cookie || connection->inside == RG_INSIDE_STATELESS;
	if (by_cookie && !connection->handshake.hello.has_cookie)
		return; /* HelloVerifyRequest is the answer */
	if (is_blocked(connection, ssl))
		return;
	if (may_offer(connection, ssl) &&
	    rg_process_policy()->rules[RG_RESUMPTION].action == RG_DECLINE &&
	    !rg_is_recorded(connection, RG_RESUMPTION) && rg_is_full(connection, RG_RESUMPTION))
		rg_enforce_decline(connection, ssl); /* harmless if it was no offer */
	event = event_of_hello(connection, ssl);
	if (event == RG_EVENT_COUNT)
		return;
	if (connection->unproven)
		judge_unproven(connection, ssl, event);
	else
		rg_record_once(connection, ssl, event);
}

void rg_judge_answer(struct rg_connection *connection, struct ssl_st *ssl)
{
	bool was_unproven = connection->unproven;

	connection->unproven = false;
	if (connection->refused || (was_unproven && is_blocked(connection, ssl)))
		return;
	rg_record_once(connection, ssl, event_of_answer(connection));
	if (!connection->refused && rg_is_recorded(connection, RG_RESUMPTION) &&
	    rg_process_policy()->rules[RG_RESUMPTION].action != RG_OFF)
		rg_ledger_outcome(rg_process_ledger(), &connection->key,
				  connection->handshake.resumed ? RG_OUTCOME_ACCEPTED
								: RG_OUTCOME_NOT_ACCEPTED);
	/* The session was looked for, and the one of this handshake is made. */
	rg_enforce_end_decline(connection, ssl);
}

void rg_judge_alert(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (connection->provisional == 0 || !rg_libssl_lacks_cipher(connection->lib))
		return;
	connection->unproven = false;
	if (connection->is_blocked)
		(void)rg_refuse_blocked(connection, ssl);
	else
		rg_record_once(connection, ssl, (enum rg_event)(connection->provisional - 1));
}

void rg_judge_end(struct rg_connection *connection, struct ssl_st *ssl)
{
	rg_enforce_end_provisional(connection, ssl);
	if (ssl != NULL)
		rg_enforce_end_decline(connection, ssl);
}
