/*
 * Watches the messages of one connection, as libssl's message callback hands them out
 * (SSL_set_msg_callback(3)), and says what they mean: a first handshake, a renegotiation, how a
 * resumption offer ended, a key update. It needs to know nothing else about libssl. One struct for
 * each connection, used by whichever thread drives that connection. Pure: the input may be hostile,
 * nothing is allocated.
 */
#ifndef RG_HANDSHAKE_H
#define RG_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_client_hello.h"

/* Content types of the callback that matter here (RFC 8446 5.1). */
#define RG_CONTENT_SSLV2                                                                           \
	0 /* a first ClientHello in the SSLv2 format (RFC 5246 E.2), without handshake header */
#define RG_CONTENT_ALERT     21
#define RG_CONTENT_HANDSHAKE 22

#define RG_ALERT_NO_RENEGOTIATION 100 /* RFC 5246 7.2.2 */

/* What a message meant. At most one at a time. */
enum rg_hs_event {
	RG_HS_NONE,
	RG_HS_CLIENT_HELLO,  /* server: the first handshake begins; rg_handshake.hello says what is
				  offered */
	RG_HS_RENEGOTIATION, /* the peer began a new handshake, unasked */
	RG_HS_ANSWERED,	  /* server: libssl has decided about a first handshake; .resumed says how
			   */
	RG_HS_FINISHED,	  /* a first handshake is complete */
	RG_HS_KEY_UPDATE, /* the peer sent a TLS 1.3 KeyUpdate */
	RG_HS_REFUSED /* libssl itself answered the peer with no_renegotiation (RFC 5246 7.2.2) */
};

enum rg_side { RG_SIDE_UNKNOWN, RG_SIDE_SERVER, RG_SIDE_CLIENT };

struct rg_handshake {
	struct rg_client_hello hello; /* of the handshake that runs or ran last */
	uint16_t negotiated;	      /* version, as in the ServerHello; 0 before it */
	uint8_t side;		      /* enum rg_side */
	bool running;		      /* between ClientHello and the second Finished */
	bool established;	      /* a handshake has been completed on this connection */
	bool solicited;		      /* we asked for the next ClientHello: HelloRequest */
	bool again; /* HelloRetryRequest or HelloVerifyRequest sent: the next ClientHello is no new
		       one */
	bool finished_read, finished_written;
	bool resumed;	 /* server: the session or PSK offered was accepted */
	bool answered;	 /* server: RG_HS_ANSWERED was given for this handshake */
	bool unanswered; /* a renegotiation was signed and libssl has not answered it yet */
};

/* Forget everything: the program begins anew on this object (SSL_clear, SSL_set_accept_state, …).
 */
void rg_handshake_reset(struct rg_handshake *handshake);

/*
 * One message: WRITTEN by us or read from the peer, of CONTENT_TYPE, BYTES of MESSAGE with its
 * handshake header; VERSION as the callback was given it (0xfexx: DTLS). PRISTINE matters for a
 * ClientHello that was read: libssl says that no handshake has been finished on this object since
 * it was made or cleared; it is believed over what was seen before.
 */
enum rg_hs_event rg_handshake_message(struct rg_handshake *handshake, bool written, int version,
				      int content_type, const uint8_t *message, size_t bytes,
				      bool pristine);

/*
 * Can a message that begins with the two bytes at MESSAGE mean anything to rg_handshake_message? A
 * cheap question, asked of every message before anything is looked up.
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

/* "TLSv1.2" for a version number on the wire, or "" for one that has no name. */
const char *rg_version_name(unsigned version);

#endif
