/*
 * Finds the random of a ClientHello (RFC 8446 4.1.2) in bytes as they come from a socket: in a
 * stream that is cut anywhere, or in datagrams. The random tells one client's hello from all
 * others. Pure: nothing is allocated; the input is hostile.
 */
#ifndef RG_HELLO_RANDOM_H
#define RG_HELLO_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_client_hello.h"

/* Handshake header, version, random: the beginning of a ClientHello. */
#define RG_HELLO_PREFIX_BYTES (4 + 2 + RG_RANDOM_BYTES)

/* --- streams --- */

/*
 * How far a stream has come. All zero: at its beginning. A stream may begin with a PROXY header
 * (version 1 or 2), and with records that libssl skips: empty ones, and the ChangeCipherSpec before
 * the second hello of a TLS 1.3 client (SSL_stateless). The hello may be spread over any number of
 * records.
 */
struct rg_hello_stream {
	uint16_t left;	/* bytes to come in this record, or in the PROXY header */
	uint8_t state;	/* private to hello_random.c, like the next two */
	uint8_t at;	/* bytes of this header so far */
	uint8_t type;	/* of this record */
	uint8_t filled; /* bytes of `prefix` so far */
	uint8_t prefix[RG_HELLO_PREFIX_BYTES];
};

enum rg_hello_found {
	RG_HELLO_NONE,	  /* the stream does not begin with a ClientHello */
	RG_HELLO_PARTIAL, /* it may; feed it what is read next */
	RG_HELLO_WHOLE	  /* rg_hello_stream_random(STREAM) is the random */
};

/* Feed STREAM the next BYTES at DATA. After NONE or WHOLE it must be zeroed before it is fed again.
 */
enum rg_hello_found rg_hello_stream_feed(struct rg_hello_stream *stream, const uint8_t *data,
					 size_t bytes);

static inline const uint8_t *rg_hello_stream_random(const struct rg_hello_stream *stream)
{
	return stream->prefix + RG_HELLO_PREFIX_BYTES - RG_RANDOM_BYTES;
}

/* Has STREAM seen the header of its first record, and nothing else? Then whatever else may begin a
 * stream cannot be taken for what comes next. */
bool rg_hello_stream_is_header(const struct rg_hello_stream *stream);

/* May a stream or a datagram of interest begin with byte? Indexed by that byte. */
#pragma GCC visibility push(hidden)
extern const uint8_t rg_hello_may_begin[256];
#pragma GCC visibility pop

/* --- datagrams --- */

#define RG_RANDOM_KNOWN UINT32_MAX

/* What one fragment (RFC 6347 4.2.3) tells of a random: bit I of `known` stands for byte I. */
struct rg_hello_piece {
	uint32_t known; /* RG_RANDOM_KNOWN: all of it */
	uint8_t random[RG_RANDOM_BYTES];
};

/* A datagram, from its first record on. */
struct rg_hello_datagram {
	const uint8_t *data;
	size_t bytes;
	size_t record_left; /* bytes of handshake fragments to come in this record */
};

static inline bool rg_hello_is_dtls(const uint8_t *data, size_t bytes)
{
	return bytes >= 2 && data[1] == RG_DTLS_MAJOR;
}

/* The next fragment in DATAGRAM that has a part of a ClientHello's random. False if there is no
 * more. */
bool rg_hello_datagram_next(struct rg_hello_datagram *datagram, struct rg_hello_piece *piece);

#endif
