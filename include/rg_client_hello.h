/*
 * Reads a ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2) to answer one question: does the client
 * offer to resume a session, and how? The input is hostile: every length is checked against the
 * bytes that are left. Pure: nothing is allocated, no state is kept; any thread may call it.
 */
#ifndef RG_CLIENT_HELLO_H
#define RG_CLIENT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* On the wire. */
#define RG_TLS13	     0x0304
#define RG_DTLS_MAJOR	     0xfe /* the first byte of a DTLS version (RFC 6347 4.1) */
#define RG_CLIENT_HELLO_TYPE 1	  /* RFC 8446 B.3 */

#define RG_SESSION_ID_MAX 32
#define RG_RANDOM_BYTES	  32

enum rg_offer {
	RG_OFFER_NONE,
	RG_OFFER_SESSION_ID, /* RFC 5246 7.4.1.2 */
	RG_OFFER_TICKET,     /* RFC 5077 3.2: a session_ticket extension that is not empty */
	RG_OFFER_PSK,	     /* RFC 8446 4.2.11: pre_shared_key */
	/*
	 * The hello offers TLS 1.3 and has a session id. The id is either 32 random bytes for
	 * middlebox compatibility (RFC 8446 D.4) or the id of a TLS 1.2 session (RFC 8446 4.1.2).
	 * Only the server's answer tells which.
	 */
	RG_OFFER_AMBIGUOUS_ID
};

struct rg_client_hello {
	uint16_t legacy_version;
	bool tls13;	 /* supported_versions lists 0x0304 */
	bool early_data; /* RFC 8446 4.2.10 */
	bool ech;	 /* an outer hello (RFC 9849), or GREASE that looks like one */
	bool has_cookie; /* DTLS: a cookie that is not empty (RFC 6347 4.2.1) */
	/*
	 * Every PSK identity has an obfuscated_ticket_age of 0. A client sends that for keys that
	 * it did not get with a ticket (RFC 8446 4.2.11), but nothing keeps it from lying.
	 */
	bool psk_is_external;
	enum rg_offer offer;
	uint8_t session_id_bytes;
	uint8_t session_id[RG_SESSION_ID_MAX];
	bool has_random; /* false in a hello in the SSLv2 format, or one cut before it */
	uint8_t random[RG_RANDOM_BYTES];
};

/*
 * Read the BYTES of a ClientHello at BODY, which is what follows the handshake header. DTLS: the
 * body has a cookie. Returns 0, or -1 if it is malformed; *HELLO then holds what was read before
 * the fault. An offer counts even if the list of extensions is malformed after it or has the wrong
 * length, because libssl 1.0.x resumes from it. A malformed supported_versions extension means that
 * the hello does not offer TLS 1.3.
 */
int rg_client_hello_read(struct rg_client_hello *hello, const uint8_t *body, size_t bytes,
			 bool dtls);

#endif
