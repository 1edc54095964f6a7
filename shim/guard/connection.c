#include "guard/connection.h"

#include <errno.h>

#include "guard/accounting.h"
#include "guard/enforce.h"
#include "guard/judge.h"
#include "guard/states.h"
#include "os/process.h"
#include "rg_ledger.h"
#include "rg_policy.h"

/* --- the message callback --- */

static bool is_guarded_side(const struct rg_connection *connection)
{
	unsigned role = rg_process_policy()->role;

	return (role & (connection->handshake.side == RG_SIDE_CLIENT ? RG_ROLE_CLIENT
								     : RG_ROLE_SERVER)) != 0;
}

static void handle_event(struct rg_connection *connection, struct ssl_st *ssl,
			 enum rg_hs_event hs_event, bool is_dtls)
{
	switch (hs_event) {
	case RG_HS_CLIENT_HELLO:
	case RG_HS_NEXT_CLIENT_HELLO:
		rg_judge_hello(connection, ssl, hs_event == RG_HS_NEXT_CLIENT_HELLO, is_dtls);
		break;
	case RG_HS_ANSWERED:
		rg_judge_answer(connection, ssl);
		break;
	case RG_HS_RENEGOTIATION:
	case RG_HS_REFUSED:
		if (!connection->refused)
			rg_record(connection, ssl, RG_RENEGOTIATION);
		break;
	case RG_HS_KEY_UPDATE:
		if (!connection->refused)
			rg_record(connection, ssl, RG_KEYUPDATE);
		break;
	default:
		break;
	}
}

static bool is_client_hello(bool written, int content_type, const uint8_t *message, size_t bytes)
{
	return !written && bytes != 0 && message[0] == RG_CLIENT_HELLO_TYPE &&
	       (content_type == RG_CONTENT_HANDSHAKE || content_type == RG_CONTENT_SSLV2);
}

/* Runs two or three times in a handshake, so it is kept out of the caller's code. */
static __attribute__((noinline)) void on_handshake_event(struct rg_connection *connection,
							 struct ssl_st *ssl,
							 enum rg_hs_event hs_event, bool is_dtls)
{
	int saved = errno;

	/* Each hello has come in a datagram of its own, perhaps of another sender. */
	if (is_dtls && (hs_event == RG_HS_CLIENT_HELLO || hs_event == RG_HS_NEXT_CLIENT_HELLO))
		connection->identified = false;
	if (is_guarded_side(connection)) {
		rg_identify(connection, ssl);
		handle_event(connection, ssl, hs_event, is_dtls);
	}
	errno = saved;
}

/* Ask libssl whether a handshake is the first only when the peer sends a ClientHello. */
static __attribute__((noinline)) enum rg_hs_event read_hello(struct rg_connection *connection,
							     struct ssl_st *ssl, int version,
							     int content_type,
							     const uint8_t *message, size_t bytes)
{
	/* SSL_set_accept_state begins anew, but leaves libssl's record of the last handshake. */
	bool pristine = connection->restarted || rg_libssl_is_pristine(connection->lib, ssl);

	return rg_handshake_message(&connection->handshake, false, version, content_type, message,
				    bytes, pristine);
}

void rg_connection_message(bool written, int version, int content_type, const uint8_t *message,
			   size_t bytes, struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_state_of_watched(ssl);
	enum rg_hs_event hs_event;

	if (connection == NULL || connection->inside == RG_INSIDE_LISTEN)
		return;
	connection->needs_reset = true;
	if (is_client_hello(written, content_type, message, bytes))
		hs_event = read_hello(connection, ssl, version, content_type, message, bytes);
	else
		hs_event = rg_handshake_message(&connection->handshake, written, version,
						content_type, message, bytes, false);
	if (hs_event == RG_HS_FINISHED)
		connection->restarted = false;
	if (hs_event != RG_HS_NONE)
		on_handshake_event(connection, ssl, hs_event, version >> 8 == RG_DTLS_MAJOR);
	if (connection->provisional != 0 && written && content_type == RG_CONTENT_ALERT)
		rg_judge_alert(connection, ssl);
	/* Once its alert is out, a refused connection writes nothing more. */
	if (connection->refused && written && content_type == RG_CONTENT_ALERT)
		rg_enforce_mute(connection, ssl);
}

/* --- what the hooks ask for --- */

/* Is SSL the server's end of a connection on which no handshake has been seen to begin? */
static bool awaits_client(const struct rg_connection *connection, struct ssl_st *ssl)
{
	const struct rg_libssl *lib = connection->lib;

	return !connection->handshake.running && !connection->handshake.established &&
	       (rg_process_policy()->role & RG_ROLE_SERVER) != 0 &&
	       (lib->SSL_is_server == NULL || lib->SSL_is_server(ssl));
}

void rg_connection_begin(struct rg_connection *connection, struct ssl_st *ssl)
{
	int saved = errno;

	/*
	 * Without a descriptor on the SSL the client is unknown until its bytes have been read, and
	 * so is the sender of a datagram. Then it is refused at its ClientHello.
	 */
	if (rg_process_policy()->blocks && !connection->block_checked && !connection->refused &&
	    awaits_client(connection, ssl) && !rg_libssl_is_dtls(connection->lib, ssl) &&
	    rg_libssl_rfd(connection->lib, ssl) >= 0) {
		connection->needs_reset = true;
		rg_identify(connection, ssl);
		(void)rg_refuse_blocked(connection, ssl);
	}
	errno = saved;
}

/* Identify a peer that has sent something, but no whole ClientHello yet. */
static void note_bytes_read(struct rg_connection *connection, struct ssl_st *ssl)
{
	if (connection->peer_has_sent || !awaits_client(connection, ssl) ||
	    !rg_libssl_has_read(connection->lib, ssl, &connection->bytes_before))
		return;
	connection->needs_reset = connection->peer_has_sent = true;
	rg_identify(connection, ssl);
}

/* Record a handshake that began but will not be finished. Nothing is done to the SSL. */
static void record_incomplete(struct rg_connection *connection)
{
	if (!connection->identified || connection->handshake.established || connection->refused ||
	    connection->incomplete_recorded || connection->unproven ||
	    (!connection->handshake.running && !connection->peer_has_sent))
		return;
	connection->incomplete_recorded = true;
	rg_record(connection, NULL, RG_INCOMPLETE);
}

void rg_connection_check(struct rg_connection *connection, struct ssl_st *ssl)
{
	int saved = errno;

	note_bytes_read(connection, ssl);
	if (rg_libssl_has_failed(connection->lib, ssl))
		record_incomplete(connection);
	errno = saved;
}

void rg_connection_end(struct rg_connection *connection, struct ssl_st *ssl, bool freed)
{
	const struct rg_libssl *lib = connection->lib;

	/*
	 * A program whose calls all come from inside libssl (BIO_f_ssl) passes no hook, so look for
	 * bytes read here. By now the thread's fd history may show another client: ask only if the
	 * client is identified or the SSL has a descriptor.
	 */
	if (freed && !connection->handshake.running && !connection->handshake.established &&
	    rg_libssl_is_whole_when_freed(lib) && rg_libssl_has_begun(lib, ssl) &&
	    (connection->identified || rg_libssl_rfd(lib, ssl) >= 0))
		note_bytes_read(connection, ssl);
	record_incomplete(connection);
	rg_judge_end(connection, freed ? NULL : ssl);
	rg_enforce_undo(connection, ssl, freed);
	if (!freed)
		rg_libssl_note_bytes_read(lib, ssl, &connection->bytes_before);
}
