#include "rg_hello_random.h"

#include <string.h>

/* Content types (RFC 8446 5.1). */
enum { CHANGE_CIPHER_SPEC = 20, HANDSHAKE = 22 };

enum { CHANGE_CIPHER_SPEC_MESSAGE = 1 };

#define MAJOR_TLS	    3
#define RECORD_HEADER_BYTES 5

#define PROXY_V1_MAX_BYTES    107 /* of HAProxy's PROXY protocol, "\r\n" included */
#define PROXY_V2_HEADER_BYTES 16

static const uint8_t proxy_v1[] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const uint8_t proxy_v2[] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

const uint8_t rg_hello_may_begin[256] = {
    [CHANGE_CIPHER_SPEC] = 1, [HANDSHAKE] = 1, ['P'] = 1, ['\r'] = 1};

/* --- streams --- */

enum { BETWEEN_RECORDS, HEADER, CONTENT, PROXY_V1, PROXY_V2, PROXY_V2_BODY };

static enum rg_hello_found between_records(struct rg_hello_stream *stream, uint8_t byte)
{
	stream->at = 1;
	stream->type = byte;
	if (byte == HANDSHAKE || byte == CHANGE_CIPHER_SPEC)
		stream->state = HEADER;
	else if (byte == proxy_v1[0] && stream->filled == 0)
		stream->state = PROXY_V1;
	else if (byte == proxy_v2[0] && stream->filled == 0)
		stream->state = PROXY_V2;
	else
		return RG_HELLO_NONE;
	return RG_HELLO_PARTIAL;
}

static enum rg_hello_found header(struct rg_hello_stream *stream, uint8_t byte)
{
	switch (stream->at++) {
	case 1:
		return byte == MAJOR_TLS ? RG_HELLO_PARTIAL : RG_HELLO_NONE;
	case 2:
		return RG_HELLO_PARTIAL; /* minor version */
	case 3:
		stream->left = (uint16_t)(byte << 8);
		return RG_HELLO_PARTIAL;
	default:
		stream->left = (uint16_t)(stream->left | byte);
		stream->state = stream->left != 0 ? CONTENT : BETWEEN_RECORDS;
		return stream->type == HANDSHAKE || stream->left == 1 ? RG_HELLO_PARTIAL
								      : RG_HELLO_NONE;
	}
}

/* A ChangeCipherSpec is the number 1, too. */
static enum rg_hello_found content(struct rg_hello_stream *stream, uint8_t byte)
{
	bool first =
	    stream->at == RECORD_HEADER_BYTES && (stream->type != HANDSHAKE || stream->filled == 0);

	stream->at = RECORD_HEADER_BYTES + 1;
	if (first && byte != RG_CLIENT_HELLO_TYPE)
		return RG_HELLO_NONE;
	if (stream->type == HANDSHAKE)
		stream->prefix[stream->filled++] = byte;
	if (stream->filled == RG_HELLO_PREFIX_BYTES)
		return RG_HELLO_WHOLE;
	if (--stream->left == 0)
		stream->state = BETWEEN_RECORDS;
	return RG_HELLO_PARTIAL;
}
_Static_assert(RG_CLIENT_HELLO_TYPE == CHANGE_CIPHER_SPEC_MESSAGE, "content() tests both at once");

/* Text up to a line feed. */
static enum rg_hello_found proxy_v1_byte(struct rg_hello_stream *stream, uint8_t byte)
{
	unsigned at = stream->at++;

	if (at < sizeof proxy_v1)
		return byte == proxy_v1[at] ? RG_HELLO_PARTIAL : RG_HELLO_NONE;
	if (byte == '\n')
		stream->state = BETWEEN_RECORDS;
	return at < PROXY_V1_MAX_BYTES && (byte >= ' ' || byte == '\r' || byte == '\n')
		   ? RG_HELLO_PARTIAL
		   : RG_HELLO_NONE;
}

/* The signature, command and family, two bytes of length. */
static enum rg_hello_found proxy_v2_byte(struct rg_hello_stream *stream, uint8_t byte)
{
	unsigned at = stream->at++;

	if (at < sizeof proxy_v2)
		return byte == proxy_v2[at] ? RG_HELLO_PARTIAL : RG_HELLO_NONE;
	stream->left = (uint16_t)(stream->left << 8 | byte);
	if (at == PROXY_V2_HEADER_BYTES - 1)
		stream->state = stream->left != 0 ? PROXY_V2_BODY : BETWEEN_RECORDS;
	return RG_HELLO_PARTIAL;
}

static enum rg_hello_found feed_byte(struct rg_hello_stream *stream, uint8_t byte)
{
	switch (stream->state) {
	case BETWEEN_RECORDS:
		return between_records(stream, byte);
	case HEADER:
		return header(stream, byte);
	case CONTENT:
		return content(stream, byte);
	case PROXY_V1:
		return proxy_v1_byte(stream, byte);
	case PROXY_V2:
		return proxy_v2_byte(stream, byte);
	default:
		if (--stream->left == 0)
			stream->state = BETWEEN_RECORDS;
		return RG_HELLO_PARTIAL;
	}
}

/* What follows the first byte of a hello is taken as it is: all at once, but for the last byte of a
 * record or of the prefix. How many bytes of DATA that was. */
static size_t take_content(struct rg_hello_stream *stream, const uint8_t *data, size_t bytes)
{
	size_t room = (size_t)RG_HELLO_PREFIX_BYTES - 1 - stream->filled;

	if (stream->state != CONTENT || stream->type != HANDSHAKE || stream->filled == 0)
		return 0;
	bytes = bytes < room ? bytes : room;
	bytes = bytes < stream->left ? bytes : (size_t)stream->left - 1;
	memcpy(stream->prefix + stream->filled, data, bytes);
	stream->filled = (uint8_t)(stream->filled + bytes);
	stream->left = (uint16_t)(stream->left - bytes);
	return bytes;
}

enum rg_hello_found rg_hello_stream_feed(struct rg_hello_stream *stream, const uint8_t *data,
					 size_t bytes)
{
	enum rg_hello_found found = RG_HELLO_PARTIAL;

	for (size_t i = 0; i < bytes && found == RG_HELLO_PARTIAL; i++) {
		i += take_content(stream, data + i, bytes - i);
		if (i < bytes)
			found = feed_byte(stream, data[i]);
	}
	/* Nothing of a hello, and the next record may as well be the first. */
	if (found == RG_HELLO_PARTIAL && stream->state == BETWEEN_RECORDS && stream->filled == 0)
		return RG_HELLO_NONE;
	return found;
}

bool rg_hello_stream_is_header(const struct rg_hello_stream *stream)
{
	return stream->state == CONTENT && stream->at == RECORD_HEADER_BYTES && stream->filled == 0;
}

/* --- datagrams (RFC 6347 4.1, 4.2.2) --- */

#define DTLS_RECORD_HEADER_BYTES 13
#define FRAGMENT_HEADER_BYTES	 12
#define RANDOM_AT		 2 /* in the body of a ClientHello */

static size_t number_at(const uint8_t *at, size_t width)
{
	size_t number = 0;

	for (size_t i = 0; i < width; i++)
		number = number << 8 | at[i];
	return number;
}

static void skip(struct rg_hello_datagram *datagram, size_t bytes)
{
	datagram->data += bytes;
	datagram->bytes -= bytes;
}

/* Go to the fragments of the next record that may hold a hello: a handshake in epoch 0. */
static bool next_record(struct rg_hello_datagram *datagram)
{
	while (datagram->bytes > DTLS_RECORD_HEADER_BYTES) {
		const uint8_t *record = datagram->data;
		size_t bytes = number_at(record + 11, 2);

		skip(datagram, DTLS_RECORD_HEADER_BYTES);
		if (bytes > datagram->bytes)
			return false;
		if (record[0] == HANDSHAKE && record[1] == RG_DTLS_MAJOR &&
		    number_at(record + 3, 2) == 0) {
			datagram->record_left = bytes;
			return true;
		}
		skip(datagram, bytes);
	}
	return false;
}

/* The part of the random that is in BYTES of a hello's body at DATA, which begin at OFFSET of it.
 */
static void take_piece(struct rg_hello_piece *piece, const uint8_t *data, size_t offset,
		       size_t bytes)
{
	memset(piece, 0, sizeof *piece);
	for (size_t i = 0; i < RG_RANDOM_BYTES; i++) {
		size_t at = RANDOM_AT + i;

		if (at < offset || at - offset >= bytes)
			continue;
		piece->random[i] = data[at - offset];
		piece->known |= (uint32_t)1 << i;
	}
}

bool rg_hello_datagram_next(struct rg_hello_datagram *datagram, struct rg_hello_piece *piece)
{
	while (datagram->record_left != 0 || next_record(datagram)) {
		const uint8_t *fragment = datagram->data;
		size_t left = datagram->record_left, bytes;

		if (left < FRAGMENT_HEADER_BYTES ||
		    (bytes = number_at(fragment + 9, 3)) > left - FRAGMENT_HEADER_BYTES) {
			skip(datagram, left);
			datagram->record_left = 0;
			continue;
		}
		skip(datagram, FRAGMENT_HEADER_BYTES + bytes);
		datagram->record_left -= FRAGMENT_HEADER_BYTES + bytes;
		if (fragment[0] != RG_CLIENT_HELLO_TYPE)
			continue;
		take_piece(piece, fragment + FRAGMENT_HEADER_BYTES, number_at(fragment + 6, 3),
			   bytes);
		if (piece->known != 0)
			return true;
	}
	return false;
}
