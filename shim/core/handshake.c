#include "rg_handshake.h"

#include <string.h>

/* Handshake types (RFC 8446 B.3, RFC 5246 7.4, RFC 6347 4.3.2). */
enum {
	HELLO_REQUEST = 0,
	CLIENT_HELLO = RG_CLIENT_HELLO_TYPE,
	SERVER_HELLO = 2,
	HELLO_VERIFY_REQUEST = 3,
	CERTIFICATE = 11,
	SERVER_KEY_EXCHANGE = 12,
	SERVER_HELLO_DONE = 14,
	FINISHED = 20,
	KEY_UPDATE = 24
};

#define HEADER_BYTES	       4
#define DTLS_HEADER_BYTES      12
#define VERSION_TLS12	       0x0303
#define EXT_PRE_SHARED_KEY     41
#define EXT_SUPPORTED_VERSIONS 43
#define ALERT_WARNING	       1
#define UPDATE_NOT_REQUESTED   0 /* RFC 8446 4.6.3 */
#define UPDATE_REQUESTED       1

/*
 * Code that needs many registers stays out of line. The code that runs for every message then has
 * no registers to save.
 */
#define NOINLINE __attribute__((noinline))

/* This random marks a ServerHello as a HelloRetryRequest (RFC 8446 4.1.3). */
static const uint8_t retry_random[RG_RANDOM_BYTES] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

void rg_handshake_reset(struct rg_handshake *handshake)
{
	memset(handshake, 0, sizeof *handshake);
}

static unsigned number16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* Is there an extension of TYPE in the list at AT? If so, *BODY and *BODY_BYTES are its content. */
static bool find_extension(const uint8_t *at, size_t bytes, unsigned type, const uint8_t **body,
			   size_t *body_bytes)
{
	while (bytes >= 4) {
		size_t length = number16(at + 2);

		if (length > bytes - 4)
			return false;
		*body = at + 4;
		*body_bytes = length;
		if (number16(at) == type)
			return true;
		at += 4 + length;
		bytes -= 4 + length;
	}
	return false;
}

/* Read the extensions of a ServerHello; they follow its first FIXED bytes. Sets the version, and
 * returns whether a PSK was accepted in TLS 1.3. */
static bool read_server_extensions(struct rg_handshake *handshake, const uint8_t *body,
				   size_t bytes, size_t fixed)
{
	const uint8_t *extension;
	size_t extension_bytes;

	if (bytes < fixed + 2)
		return false;
	body += fixed + 2;
	bytes -= fixed + 2;
	if (find_extension(body, bytes, EXT_SUPPORTED_VERSIONS, &extension, &extension_bytes) &&
	    extension_bytes == 2)
		handshake->negotiated = (uint16_t)number16(extension);
	return handshake->negotiated == RG_TLS13 &&
	       find_extension(body, bytes, EXT_PRE_SHARED_KEY, &extension, &extension_bytes);
}

static enum rg_hs_event answered(struct rg_handshake *handshake, bool resumed)
{
	if (handshake->answered || handshake->established)
		return RG_HS_NONE;
	handshake->answered = true;
	handshake->resumed = resumed;
	return RG_HS_ANSWERED;
}

/*
 * A ServerHello (RFC 8446 4.1.3) of a first handshake. In TLS 1.3 it says whether a PSK is
 * accepted. In earlier versions the server resumes by echoing the session id (RFC 5246 7.4.1.3,
 * RFC 5077 3.4). Without an echo the messages that follow tell.
 */
static NOINLINE enum rg_hs_event server_hello(struct rg_handshake *handshake, const uint8_t *body,
					      size_t bytes)
{
	const struct rg_client_hello *hello = &handshake->hello;
	const uint8_t *id = body + 2 + RG_RANDOM_BYTES + 1;
	size_t id_bytes, fixed;
	bool psk;

	handshake->renegotiation_pending = false;
	if (handshake->established || bytes < 2 + RG_RANDOM_BYTES + 1)
		return RG_HS_NONE; /* in a renegotiation: its ClientHello was not kept */
	handshake->hello_repeats = memcmp(body + 2, retry_random, RG_RANDOM_BYTES) == 0;
	id_bytes = body[2 + RG_RANDOM_BYTES];
	fixed = 2 + RG_RANDOM_BYTES + 1 + id_bytes + 2 + 1;
	if (handshake->hello_repeats || bytes < fixed)
		return RG_HS_NONE;
	handshake->negotiated = (uint16_t)number16(body);
	psk = read_server_extensions(handshake, body, bytes, fixed);
	if (handshake->negotiated == RG_TLS13)
		return answered(handshake, psk);
	if (id_bytes != 0 && id_bytes == hello->session_id_bytes &&
	    memcmp(id, hello->session_id, id_bytes) == 0)
		return answered(handshake, true);
	return RG_HS_NONE;
}

static NOINLINE enum rg_hs_event client_hello(struct rg_handshake *handshake, const uint8_t *body,
					      size_t bytes, bool dtls)
{
	enum rg_hs_event hs_event = handshake->running && handshake->hello_repeats
					? RG_HS_NEXT_CLIENT_HELLO
					: RG_HS_CLIENT_HELLO;

	handshake->hello_repeats = false;
	if (handshake->established)
		hs_event = handshake->hello_requested ? RG_HS_NONE : RG_HS_RENEGOTIATION;
	if (hs_event == RG_HS_RENEGOTIATION) {
		/* libssl may refuse. If it does not, a ServerHello follows. */
		handshake->renegotiation_pending = true;
		return hs_event;
	}
	handshake->hello_requested = false;
	handshake->running = true;
	handshake->side = RG_SIDE_SERVER;
	handshake->finished_read = handshake->finished_written = false;
	handshake->resumed = handshake->answered = false;
	if (!handshake->established)
		handshake->negotiated = 0;
	(void)rg_client_hello_read(&handshake->hello, body, bytes, dtls);
	return hs_event;
}

static enum rg_hs_event finished(struct rg_handshake *handshake, bool written)
{
	if (!handshake->running)
		/* post-handshake authentication (RFC 8446 4.6.2), or a retransmission */
		return RG_HS_NONE;
	if (written)
		handshake->finished_written = true;
	else
		handshake->finished_read = true;
	if (!handshake->finished_read || !handshake->finished_written)
		return RG_HS_NONE;
	handshake->running = false;
	if (handshake->established)
		return RG_HS_NONE;
	handshake->established = true;
	return RG_HS_FINISHED;
}

/* The answer to our update_requested is a KeyUpdate that requests none itself. A peer that updates
 * its keys of its own accord at that moment may pass for the answer, once. */
static enum rg_hs_event key_update(struct rg_handshake *handshake, const uint8_t *body,
				   size_t bytes)
{
	bool is_answer =
	    handshake->key_update_requested && bytes != 0 && body[0] == UPDATE_NOT_REQUESTED;

	if (is_answer)
		handshake->key_update_requested = false;
	return handshake->established && !is_answer ? RG_HS_KEY_UPDATE : RG_HS_NONE;
}

static enum rg_hs_event read_message(struct rg_handshake *handshake, uint8_t type,
				     const uint8_t *body, size_t bytes, bool dtls)
{
	switch (type) {
	case CLIENT_HELLO:
		return client_hello(handshake, body, bytes, dtls);
	case HELLO_REQUEST:
		/* A client ignores it while a handshake runs (RFC 5246 7.4.1.1). */
		if (!handshake->established || handshake->running)
			return RG_HS_NONE;
		handshake->renegotiation_pending = true;
		return RG_HS_RENEGOTIATION;
	case FINISHED:
		return finished(handshake, false);
	case KEY_UPDATE:
		return key_update(handshake, body, bytes);
	default:
		return RG_HS_NONE;
	}
}

static enum rg_hs_event written_message(struct rg_handshake *handshake, uint8_t type,
					const uint8_t *body, size_t bytes)
{
	enum rg_hs_event hs_event = RG_HS_NONE, last;

	switch (type) {
	case HELLO_REQUEST:
		handshake->hello_requested = true;
		return RG_HS_NONE;
	case CLIENT_HELLO:
		handshake->side = RG_SIDE_CLIENT;
		handshake->running = true;
		handshake->renegotiation_pending = false;
		handshake->finished_read = handshake->finished_written = false;
		return RG_HS_NONE;
	case HELLO_VERIFY_REQUEST:
		handshake->hello_repeats = true;
		return RG_HS_NONE;
	case KEY_UPDATE:
		handshake->key_update_requested |= bytes != 0 && body[0] == UPDATE_REQUESTED;
		return RG_HS_NONE;
	case SERVER_HELLO:
		return server_hello(handshake, body, bytes);
	case CERTIFICATE:
	case SERVER_KEY_EXCHANGE:
	case SERVER_HELLO_DONE:
		/* Up to TLS 1.2 only a full handshake has these messages (RFC 5246 7.3). */
		return answered(handshake, false);
	case FINISHED:
		/* Up to TLS 1.2 the server sends Finished first only if it resumes. */
		if (handshake->side == RG_SIDE_SERVER && handshake->running &&
		    !handshake->finished_read)
			hs_event = answered(handshake, true);
		last = finished(handshake, true);
		return last == RG_HS_NONE ? hs_event : last;
	default:
		return RG_HS_NONE;
	}
}

/* A ClientHello was read: what libssl says about an earlier handshake overrides what we saw. */
static void correct_established(struct rg_handshake *handshake, bool pristine)
{
	if (pristine && handshake->established)
		rg_handshake_reset(handshake);
	else if (!pristine)
		handshake->established = true;
}

/* A ClientHello in the SSLv2 format offers nothing: no libssl has ever resumed from one. */
static NOINLINE enum rg_hs_event sslv2_message(struct rg_handshake *handshake, bool written,
					       const uint8_t *message, size_t bytes, bool pristine)
{
	enum rg_hs_event hs_event;

	if (written || bytes == 0 || message[0] != CLIENT_HELLO)
		return RG_HS_NONE;
	correct_established(handshake, pristine);
	hs_event = client_hello(handshake, NULL, 0, false);
	if (bytes >= 3)
		handshake->hello.legacy_version = (uint16_t)number16(message + 1);
	return hs_event;
}

static NOINLINE enum rg_hs_event alert(struct rg_handshake *handshake, bool written,
				       const uint8_t *message, size_t bytes)
{
	/* Did we see the attempt that is refused here? libssl 1.0.x and 1.1.0 hide some. */
	bool seen = handshake->renegotiation_pending;

	if (!written || bytes < 2 || message[0] != ALERT_WARNING ||
	    message[1] != RG_ALERT_NO_RENEGOTIATION)
		return RG_HS_NONE;
	handshake->renegotiation_pending = false;
	return seen ? RG_HS_NONE : RG_HS_REFUSED;
}

enum rg_hs_event rg_handshake_message(struct rg_handshake *handshake, bool written, int version,
				      int content_type, const uint8_t *message, size_t bytes,
				      bool pristine)
{
	bool dtls = version >> 8 == RG_DTLS_MAJOR;
	size_t header = dtls ? DTLS_HEADER_BYTES : HEADER_BYTES;

	if (content_type == RG_CONTENT_ALERT)
		return alert(handshake, written, message, bytes);
	if (content_type == RG_CONTENT_SSLV2)
		return sslv2_message(handshake, written, message, bytes, pristine);
	if (content_type != RG_CONTENT_HANDSHAKE || bytes < header)
		return RG_HS_NONE;
	if (written)
		return written_message(handshake, message[0], message + header, bytes - header);
	if (message[0] == CLIENT_HELLO)
		correct_established(handshake, pristine);
	return read_message(handshake, message[0], message + header, bytes - header, dtls);
}

const char *rg_version_name(unsigned version)
{
	static const struct {
		unsigned version;
		const char *name;
	} names[] = {{0x0300, "SSLv3"},		 {0x0301, "TLSv1"},	{0x0302, "TLSv1.1"},
		     {VERSION_TLS12, "TLSv1.2"}, {RG_TLS13, "TLSv1.3"}, {0xfeff, "DTLSv1"},
		     {0xfefd, "DTLSv1.2"}};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].version == version)
			return names[i].name;
	return "";
}
