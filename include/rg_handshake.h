/*
 * Watches the messages of one connection and says what they mean: a first handshake, a
 * renegotiation, an accepted or declined resumption offer, a key update. The messages come from
 * libssl's message callback (SSL_set_msg_callback(3)); nothing else about libssl is known here.
 * Each connection has its own struct, used by whichever thread drives that connection. Pure: the
 * input may be hostile, nothing is allocated, nothing can fail.
 */
#ifndef RG_HANDSHAKE_H
#define RG_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_client_hello.h"

/*
 * The content types of the callback that matter here (RFC 8446 5.1). RG_CONTENT_SSLV2 is a first
 * ClientHello in the SSLv2 format (RFC 5246 E.2), which has no handshake header.
 */
#define RG_CONTENT_SSLV2     0
#define RG_CONTENT_ALERT     21
#define RG_CONTENT_HANDSHAKE 22

#define RG_ALERT_NO_RENEGOTIATION 100 /* RFC 5246 7.2.2 */

/* What a message means: one handshake event at most. */
enum rg_hs_event {
	RG_HS_NONE,
	/* Server: the first handshake begins; rg_handshake.hello says what the client offers. */
	RG_HS_CLIENT_HELLO,
	/*
	 * Server: the same handshake goes on with another ClientHello, after HelloRetryRequest (RFC
	 * 8446 4.1.4) or HelloVerifyRequest (RFC 6347 4.2.1). It replaces the one before: what the
	 * client offered there no longer counts.
	 */
	RG_HS_NEXT_CLIENT_HELLO,
	/* The peer began a new handshake that we did not ask for. */
	RG_HS_RENEGOTIATION,
	/* Server: libssl has decided how to go on with a first handshake; see .resumed. */
	RG_HS_ANSWERED,
	/* A first handshake is complete. */
	RG_HS_FINISHED,
	/* The peer sent a TLS 1.3 KeyUpdate, and not as the answer to one of ours. */
	RG_HS_KEY_UPDATE,
	/*
	 * libssl itself refused with the no_renegotiation alert (RFC 5246 7.2.2), and no
	 * RG_HS_RENEGOTIATION was given for that attempt.
	 */
	RG_HS_REFUSED
};

enum rg_side { RG_SIDE_UNKNOWN, RG_SIDE_SERVER, RG_SIDE_CLIENT };

struct rg_handshake {
	struct rg_client_hello hello; /* of the current handshake, or of the last one */
	uint16_t negotiated;	      /* the version chosen by the ServerHello; 0 before it */
	uint8_t side;		      /* enum rg_side */
	bool running;		      /* between ClientHello and the second Finished */
	bool established;	      /* a handshake was completed on this connection */
	bool hello_requested;	      /* we sent HelloRequest: the next ClientHello is the answer */
	/* We sent HelloRetryRequest or HelloVerifyRequest: the next ClientHello is a repeat. */
	bool hello_repeats;
	bool finished_read, finished_written;
	bool resumed;  /* server: the offered session or PSK was accepted */
	bool answered; /* server: RG_HS_ANSWERED was given for this handshake */
	/* We sent a KeyUpdate with update_requested (RFC 8446 4.6.3): one of the peer's is the
	 * answer.
	 */
	bool key_update_requested;
	/* RG_HS_RENEGOTIATION was given, and libssl has not answered the attempt yet. */
	bool renegotiation_pending;
};

/* Forget everything: the program uses this SSL for a new connection (SSL_clear,
 * SSL_set_accept_state, ...). */
void rg_handshake_reset(struct rg_handshake *handshake);

/*
 * Say what one message means. It was WRITTEN by us or read from the peer. VERSION and CONTENT_TYPE
 * are the callback's own (version 0xfexx: DTLS). MESSAGE is the callback's as well, BYTES long,
 * with the handshake header. PRISTINE matters only for a ClientHello that was read. It means that,
 * according to libssl, no handshake was completed on this SSL since it was made or cleared. libssl
 * is believed even if the messages seen so far say otherwise.
 */
enum rg_hs_event rg_handshake_message(struct rg_handshake *handshake, bool written, int version,
				      int content_type, const uint8_t *message, size_t bytes,
				      bool pristine);

/*
 * Can rg_handshake_message have any use for a message that begins with the two bytes at MESSAGE?
 * This test is cheap. The callback asks it for every message before it searches for the connection.
 */
static inline bool rg_handshake_cares(bool written, int content_type, const uint8_t *message)
{
	/* hello_request, client_hello, server_hello, hello_verify_request, certificate,
	 * server_key_exchange, server_hello_done, finished, key_update */
	const uint32_t types = 1U << 0 | 1U << 1 | 1U << 2 | 1U << 3 | 1U << 11 | 1U << 12 |
			       1U << 14 | 1U << 20 | 1U << 24;

	if (content_type == RG_CONTENT_HANDSHAKE)
		return message[0] < 32 && (types >> message[0] & 1) != 0;
	if (content_type == RG_CONTENT_ALERT)
		return written && message[1] == RG_ALERT_NO_RENEGOTIATION;
	return content_type == RG_CONTENT_SSLV2;
}

/* The name of a version number on the wire, such as "TLSv1.2"; "" if it is unknown. */
const char *rg_version_name(unsigned version);

#endif
