/*
 * The random of a ClientHello in what was read: streams cut at every byte, spread over records of
 * every size, behind everything that may stand in front of a hello; datagrams with fragments.
 */
#include "rg_hello_random.h"

#include "unit.h"

#define STREAM_MAX 8192
#define BODY_BYTES 60

static const uint8_t random_bytes[] = "\x16\x03\x01 a random that looks a record";

struct bytes {
	uint8_t at[STREAM_MAX];
	size_t count;
};

static void add(struct bytes *bytes, const void *more, size_t count)
{
	ck_assert_uint_le(bytes->count + count, sizeof bytes->at);
	memcpy(bytes->at + bytes->count, more, count);
	bytes->count += count;
}

static void add_byte(struct bytes *bytes, unsigned byte)
{
	add(bytes, &(uint8_t){(uint8_t)byte}, 1);
}

static void add_number(struct bytes *bytes, size_t number, int width)
{
	while (width-- != 0)
		add_byte(bytes, (unsigned)(number >> 8 * width));
}

/* --- streams --- */

/* A ClientHello with its handshake header; nothing of it but the random matters. */
static struct bytes message_of(const uint8_t random[RG_RANDOM_BYTES], uint16_t version)
{
	struct bytes message = {.count = 0};

	add_byte(&message, 1);
	add_number(&message, BODY_BYTES, 3);
	add_number(&message, version, 2);
	add(&message, random, RG_RANDOM_BYTES);
	while (message.count < 4 + BODY_BYTES)
		add_byte(&message, 0xaa);
	return message;
}

static void add_records(struct bytes *stream, const struct bytes *message, size_t record_bytes)
{
	for (size_t at = 0; at < message->count; at += record_bytes) {
		size_t bytes =
		    message->count - at < record_bytes ? message->count - at : record_bytes;

		add(stream, "\x16\x03\x01", 3);
		add_number(stream, bytes, 2);
		add(stream, message->at + at, bytes);
	}
}

/* Like a program that reads into memory of exactly that size. */
static enum rg_hello_found feed(struct rg_hello_stream *stream, const uint8_t *data, size_t bytes)
{
	uint8_t *exact = unit_copy(data, bytes);
	enum rg_hello_found found = rg_hello_stream_feed(stream, exact, bytes);

	free(exact);
	return found;
}

/* Feeds the stream in reads that end at the CUTS, which ascend. A read after NONE begins anew. */
static bool finds(const struct bytes *stream, const size_t cuts[], size_t count)
{
	struct rg_hello_stream state = {0};
	size_t from = 0;

	for (size_t i = 0; i <= count; i++) {
		size_t to = i < count ? cuts[i] : stream->count;
		enum rg_hello_found found;

		if (to == from)
			continue;
		found = feed(&state, stream->at + from, to - from);
		if (found == RG_HELLO_WHOLE)
			return memcmp(rg_hello_stream_random(&state), random_bytes,
				      RG_RANDOM_BYTES) == 0;
		if (found == RG_HELLO_NONE)
			memset(&state, 0, sizeof state);
		from = to;
	}
	return false;
}

static bool finds_byte_by_byte(const struct bytes *stream)
{
	size_t cuts[STREAM_MAX];

	for (size_t i = 0; i < stream->count; i++)
		cuts[i] = i + 1;
	return finds(stream, cuts, stream->count);
}

static const struct {
	const char *name, *bytes;
	size_t count;
} fronts[] = {
#define FRONT(name, text)                                                                          \
	{                                                                                          \
		name, text, sizeof(text) - 1                                                       \
	}
    FRONT("nothing", ""),
    FRONT("PROXY 1", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"),
    FRONT("PROXY 1, unknown", "PROXY UNKNOWN\r\n"),
    FRONT("PROXY 1, the longest", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
				  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
    FRONT("PROXY 2", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\2\xdd\x01\x01\xbb"),
    FRONT("PROXY 2, local", "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
    FRONT("ChangeCipherSpec", "\x14\x03\x03\0\1\1"),
    FRONT("empty records", "\x16\x03\x01\0\0\x16\x03\x03\0\0"),
    FRONT("PROXY 1 and an empty record", "PROXY UNKNOWN\r\n\x16\x03\x01\0\0"),
};

/* Every size of record, every two cuts; each byte on its own. */
START_TEST(test_streams)
{
	static const uint16_t versions[] = {0x0300, 0x0303, 0x0400, 0xffff};

	for (size_t v = 0; v < sizeof versions / sizeof versions[0]; v++) {
		struct bytes message = message_of(random_bytes, versions[v]);

		for (size_t record = 1; record <= message.count; record += record < 50 ? 1 : 20) {
			struct bytes stream = {.count = 0};

			add(&stream, fronts[_i].bytes, fronts[_i].count);
			add_records(&stream, &message, record);
			UNIT_MUST(finds_byte_by_byte(&stream), "%s, records of %zu, by bytes",
				  fronts[_i].name, record);
			for (size_t cut = 0; cut <= stream.count; cut++) {
				size_t cuts[] = {cut, cut + 7 < stream.count ? cut + 7 : cut};

				UNIT_MUST(finds(&stream, cuts, 1) && finds(&stream, cuts, 2),
					  "%s, records of %zu, cut at %zu", fronts[_i].name, record,
					  cut);
			}
		}
	}
}
END_TEST

START_TEST(test_two_cuts)
{
	struct bytes message = message_of(random_bytes, 0x0303), stream = {.count = 0};

	add(&stream, fronts[_i].bytes, fronts[_i].count);
	add_records(&stream, &message, 13);
	for (size_t first = 0; first <= stream.count; first++)
		for (size_t second = first; second <= stream.count; second++)
			UNIT_MUST(finds(&stream, (size_t[]){first, second}, 2),
				  "%s, cut at %zu and %zu", fronts[_i].name, first, second);
}
END_TEST

/* What is no hello is seen early: nothing of it is kept. */
START_TEST(test_no_hello)
{
	static const struct {
		const char *bytes;
		size_t count;
	} rows[] = {
#define ROW(text) {text, sizeof(text) - 1}
	    ROW("GET / HTTP/1.1\r\n\r\n"),
	    ROW("POST / HTTP/1.1\r\n\r\n"),
	    ROW("PR"
		"I * HTTP/2.0\r\n\r\n"),
	    ROW("\r\n"
		"\n"),
	    ROW("\x16\x03\x03\0\x46\x10"),		 /* ClientKeyExchange */
	    ROW("\x16\x03\x03\0\x28\0\0\0\0\0\0\0\0"),	 /* Finished, encrypted */
	    ROW("\x14\x03\x03\0\1\1"),			 /* whole, and nothing behind it */
	    ROW("\x14\x03\x03\0\1\1\x17\x03\x03\0\x35"), /* and data */
	    ROW("\x15\x03\x03\0\x1a"),			 /* an alert, encrypted */
	    ROW("\x15\x03\x03\0\2\2\x28"),		 /* and in clear text */
	    ROW("\x16\xfe\xfd\0\0\0\0"),		 /* DTLS */
	    ROW("\x16\x02"),
	    ROW("PROXY TCP4 \x16"),
	};
	struct rg_hello_stream state;

	for (int i = 0; i < ROWS(rows); i++) {
		memset(&state, 0, sizeof state);
		UNIT_MUST(feed(&state, (const uint8_t *)rows[i].bytes, rows[i].count) ==
			      RG_HELLO_NONE,
			  "row %d", i);
	}
}
END_TEST

/* A PROXY header of text has an end. */
START_TEST(test_endless_proxy_header)
{
	struct rg_hello_stream state = {0};
	struct bytes stream = {.count = 0};

	add(&stream, "PROXY ", 6);
	while (stream.count < 200)
		add_byte(&stream, 'A');
	ck_assert_int_eq(feed(&state, stream.at, 107), RG_HELLO_PARTIAL);
	ck_assert_int_eq(feed(&state, stream.at, 1), RG_HELLO_NONE);
}
END_TEST

START_TEST(test_first_bytes)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		struct rg_hello_stream state = {0};
		bool begins = feed(&state, &(uint8_t){(uint8_t)byte}, 1) == RG_HELLO_PARTIAL;

		ck_assert_int_eq(begins, rg_hello_may_begin[byte]);
	}
}
END_TEST

/* Behind the header of the first record nothing continues that could begin a stream; behind
 * anything else it may. */
START_TEST(test_is_header)
{
	struct bytes message = message_of(random_bytes, 0x0303), stream = {.count = 0};

	add_records(&stream, &message, 20);
	for (size_t cut = 1; cut < 30; cut++) {
		struct rg_hello_stream state = {0};

		ck_assert_int_eq(feed(&state, stream.at, cut), RG_HELLO_PARTIAL);
		ck_assert_int_eq(rg_hello_stream_is_header(&state), cut == 5);
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		struct rg_hello_stream state = {0};

		ck_assert_int_eq(feed(&state, stream.at, 5), RG_HELLO_PARTIAL);
		if (rg_hello_may_begin[byte])
			ck_assert_int_eq(feed(&state, &(uint8_t){(uint8_t)byte}, 1), RG_HELLO_NONE);
	}
}
END_TEST

/* --- datagrams --- */

static void add_dtls_record(struct bytes *datagram, unsigned type, unsigned epoch, size_t bytes)
{
	add_byte(datagram, type);
	add_number(datagram, 0xfefd, 2);
	add_number(datagram, epoch, 2);
	add_number(datagram, 7, 6);
	add_number(datagram, bytes, 2);
}

static void add_fragment(struct bytes *datagram, unsigned type, const uint8_t *body, size_t offset,
			 size_t bytes)
{
	add_byte(datagram, type);
	add_number(datagram, BODY_BYTES, 3);
	add_number(datagram, 0, 2);
	add_number(datagram, offset, 3);
	add_number(datagram, bytes, 3);
	add(datagram, body + offset, bytes);
}

/* All pieces of a datagram put together; how many there were. */
static int pieces_of(const struct bytes *datagram, struct rg_hello_piece *whole)
{
	uint8_t *exact = unit_copy(datagram->at, datagram->count);
	struct rg_hello_datagram walk = {.data = exact, .bytes = datagram->count};
	struct rg_hello_piece piece;
	int count = 0;

	memset(whole, 0, sizeof *whole);
	for (; rg_hello_datagram_next(&walk, &piece); count++) {
		whole->known |= piece.known;
		for (int i = 0; i < RG_RANDOM_BYTES; i++)
			if (piece.known >> i & 1)
				whole->random[i] = piece.random[i];
	}
	free(exact);
	return count;
}

static void must_be_whole(const struct bytes *datagram, int wanted_pieces, const char *what)
{
	struct rg_hello_piece whole;
	int pieces = pieces_of(datagram, &whole);

	UNIT_MUST(whole.known == RG_RANDOM_KNOWN &&
		      memcmp(whole.random, random_bytes, RG_RANDOM_BYTES) == 0,
		  "%s: known %08x", what, whole.known);
	UNIT_MUST(pieces == wanted_pieces, "%s: %d pieces", what, pieces);
}

START_TEST(test_datagrams)
{
	struct bytes message = message_of(random_bytes, 0xfefd), datagram;
	const uint8_t *body = message.at + 4;

	datagram.count = 0;
	add_dtls_record(&datagram, 22, 0, 12 + BODY_BYTES);
	add_fragment(&datagram, 1, body, 0, BODY_BYTES);
	must_be_whole(&datagram, 1, "one record");

	datagram.count = 0;
	add_dtls_record(&datagram, 21, 0, 2);
	add_number(&datagram, 0x015a, 2);
	add_dtls_record(&datagram, 22, 0, 12 + BODY_BYTES);
	add_fragment(&datagram, 1, body, 0, BODY_BYTES);
	must_be_whole(&datagram, 1, "behind an alert");

	for (size_t cut = 3; cut < 34; cut++) {
		datagram.count = 0;
		add_dtls_record(&datagram, 22, 0, 24 + BODY_BYTES);
		add_fragment(&datagram, 1, body, cut, BODY_BYTES - cut);
		add_fragment(&datagram, 1, body, 0, cut);
		must_be_whole(&datagram, 2, "two fragments in a record, the second first");
		datagram.count = 0;
		add_dtls_record(&datagram, 22, 0, 12 + cut);
		add_fragment(&datagram, 1, body, 0, cut);
		add_dtls_record(&datagram, 22, 0, 12 + BODY_BYTES - cut);
		add_fragment(&datagram, 1, body, cut, BODY_BYTES - cut);
		must_be_whole(&datagram, 2, "two records");
	}
}
END_TEST

START_TEST(test_no_datagrams)
{
	struct bytes message = message_of(random_bytes, 0xfefd), datagram = {.count = 0};
	struct rg_hello_piece whole;

	add_dtls_record(&datagram, 22, 1, 12 + BODY_BYTES);
	add_fragment(&datagram, 1, message.at + 4, 0, BODY_BYTES);
	ck_assert_int_eq(pieces_of(&datagram, &whole), 0); /* encrypted: another epoch */
	datagram.count = 0;
	add_dtls_record(&datagram, 22, 0, 12 + BODY_BYTES);
	add_fragment(&datagram, 16, message.at + 4, 0, BODY_BYTES);
	ck_assert_int_eq(pieces_of(&datagram, &whole), 0); /* ClientKeyExchange */
	datagram.count = 0;
	add_dtls_record(&datagram, 22, 0, 12 + 20);
	add_fragment(&datagram, 1, message.at + 4, 34, 20);
	ck_assert_int_eq(pieces_of(&datagram, &whole), 0); /* nothing of the random */
	datagram.count = 0;
	add_dtls_record(&datagram, 22, 0, 12 + BODY_BYTES);
	add_fragment(&datagram, 1, message.at + 4, 0, BODY_BYTES);
	while (datagram.count-- != 1)
		ck_assert_int_eq(pieces_of(&datagram, &whole), 0); /* cut off */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hello_random");

	UNIT_ADD_ROWS(suite, test_streams, fronts);
	UNIT_ADD_ROWS(suite, test_two_cuts, fronts);
	UNIT_ADD(suite, test_no_hello);
	UNIT_ADD(suite, test_endless_proxy_header);
	UNIT_ADD(suite, test_first_bytes);
	UNIT_ADD(suite, test_is_header);
	UNIT_ADD(suite, test_datagrams);
	UNIT_ADD(suite, test_no_datagrams);
	return unit_run(suite);
}
