/*
 * A sequence of messages as bytes. Recordings of libssl, the fuzzer's seeds and what the fuzzer
 * makes of them all have this format. A message is one byte of flags, two of length (most
 * significant first), and that many bytes, or as many as are left.
 */
#ifndef TAPE_H
#define TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TAPE_WRITTEN	  0x01 /* by our side */
#define TAPE_PRISTINE	  0x02 /* see rg_handshake_message */
#define TAPE_DTLS	  0x04
#define TAPE_ALERT	  0x08 /* otherwise a handshake message */
#define TAPE_SSL2	  0x10 /* content type 0: an SSLv2 hello, without a handshake header */
#define TAPE_BYTES	  16384
#define TAPE_HEADER_BYTES 3

enum { TAPE_TYPE_SSL2 = 0, TAPE_TYPE_ALERT = 21, TAPE_TYPE_HANDSHAKE = 22 };

struct tape {
	uint8_t bytes[TAPE_BYTES];
	size_t used;
	unsigned hellos;  /* saved so far, by the recorder */
	bool keep_hellos; /* save them as files, too */
};

struct tape_message {
	bool written, pristine;
	int version, type;
	const uint8_t *at;
	size_t bytes;
};

/* Does a tape hold messages of this content TYPE? */
static inline bool tape_takes(int type)
{
	return type == TAPE_TYPE_SSL2 || type == TAPE_TYPE_ALERT || type == TAPE_TYPE_HANDSHAKE;
}

/* Append a message. False if there is no room for it. */
static inline bool tape_put(struct tape *tape, bool written, int version, int type, bool pristine,
			    const void *message, size_t bytes)
{
	uint8_t *at = tape->bytes + tape->used;

	if (bytes > UINT16_MAX || tape->used + TAPE_HEADER_BYTES + bytes > sizeof tape->bytes)
		return false;
	at[0] = (uint8_t)((written ? TAPE_WRITTEN : 0) | (pristine ? TAPE_PRISTINE : 0) |
			  (version >> 8 == 0xfe ? TAPE_DTLS : 0) |
			  (type == TAPE_TYPE_ALERT ? TAPE_ALERT : 0) |
			  (type == TAPE_TYPE_SSL2 ? TAPE_SSL2 : 0));
	at[1] = (uint8_t)(bytes >> 8);
	at[2] = (uint8_t)bytes;
	memcpy(at + TAPE_HEADER_BYTES, message, bytes);
	tape->used += TAPE_HEADER_BYTES + bytes;
	return true;
}

/* Read the message at *AT and move *AT past it; *LEFT is how many bytes are left. False at the end
 * of the tape. */
static inline bool tape_next(const uint8_t **at, size_t *left, struct tape_message *message)
{
	uint8_t flags;

	if (*left < TAPE_HEADER_BYTES)
		return false;
	flags = (*at)[0];
	message->bytes = (size_t)(*at)[1] << 8 | (*at)[2];
	*at += TAPE_HEADER_BYTES;
	*left -= TAPE_HEADER_BYTES;
	if (message->bytes > *left)
		message->bytes = *left;
	message->at = *at;
	*at += message->bytes;
	*left -= message->bytes;
	message->written = (flags & TAPE_WRITTEN) != 0;
	message->pristine = (flags & TAPE_PRISTINE) != 0;
	message->version = flags & TAPE_SSL2 ? 0x0002 : flags & TAPE_DTLS ? 0xfefd : 0x0303;
	message->type = flags & TAPE_SSL2    ? TAPE_TYPE_SSL2
			: flags & TAPE_ALERT ? TAPE_TYPE_ALERT
					     : TAPE_TYPE_HANDSHAKE;
	return true;
}

#endif
