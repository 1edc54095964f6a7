/*
 * The ClientHello reader. Hellos of real clients (tests/fuzz/corpus/client_hello) are read whole,
 * cut at every byte, and with every length falsified. Hand-made hellos cover what no client
 * sends.
 */
#include "rg_client_hello.h"

#include "unit.h"

#define RANDOM_END 34 /* legacy_version, random */
#define HELLO_MAX  2048
#define TLS12	   0x0303

static bool is_dtls(const char *name)
{
	return strncmp(name, "dtls", 4) == 0;
}

/* Read a copy of exactly BYTES bytes into HELLO, which holds garbage before. */
static int read_exactly(struct rg_client_hello *hello, const uint8_t *body, size_t bytes, bool dtls)
{
	uint8_t *exact = unit_copy(body, bytes);
	int result;

	memset(hello, 0x5a, sizeof *hello);
	result = rg_client_hello_read(hello, exact, bytes, dtls);
	free(exact);
	return result;
}

/* --- where the lengths of a good hello are; nothing is checked here --- */

/* A length field. */
struct field {
	size_t at, width;
	bool in_extensions;
};

static size_t number_at(const uint8_t *at, size_t width)
{
	return width == 1 ? at[0] : (size_t)at[0] << 8 | at[1];
}

/* Find the length fields of BODY; returns how many there are. *PLAIN_END is where the hello would
 * end if it had no extensions. */
static size_t length_fields(const uint8_t *body, size_t bytes, bool dtls, struct field fields[],
			    size_t *plain_end)
{
	/* session id, cookie, cipher suites, compression methods */
	static const size_t widths[] = {1, 1, 2, 1};
	size_t count = 0, at = RANDOM_END;

	for (size_t i = 0; i < 4; i++) {
		if (i == 1 && !dtls)
			continue;
		fields[count++] = (struct field){at, widths[i], false};
		at += widths[i] + number_at(body + at, widths[i]);
	}
	*plain_end = at;
	if (at == bytes)
		return count;
	fields[count++] = (struct field){at, 2, true};
	for (at += 2; at < bytes; at += 4 + number_at(body + at + 2, 2)) {
		fields[count++] = (struct field){at + 2, 2, true};
		if (number_at(body + at, 2) == 43) /* supported_versions: a list */
			fields[count++] = (struct field){at + 4, 1, true};
	}
	return count;
}

/* --- the corpus --- */

static const struct {
	const char *name;
	enum rg_offer offer;
	bool tls13, early_data;
	uint8_t session_id_bytes;
	uint16_t version;
} corpus[] = {
    {"tls12-full", RG_OFFER_NONE, false, false, 0, TLS12},
    {"tls12-id", RG_OFFER_SESSION_ID, false, false, 32, TLS12},
    {"tls12-ticket", RG_OFFER_TICKET, false, false, 32, TLS12},
    {"no-extensions-id", RG_OFFER_SESSION_ID, false, false, 32, TLS12},
    {"tls13-full", RG_OFFER_AMBIGUOUS_ID, true, false, 32, TLS12},
    {"tls13-no-compat", RG_OFFER_NONE, true, false, 0, TLS12},
    {"tls13-psk", RG_OFFER_PSK, true, false, 32, TLS12},
    {"tls13-early", RG_OFFER_PSK, true, true, 32, TLS12},
    {"tls13-retry-2", RG_OFFER_AMBIGUOUS_ID, true, false, 32, TLS12},
    {"tls13-psk-retry-2", RG_OFFER_PSK, true, false, 32, TLS12},
    {"mixed-id", RG_OFFER_AMBIGUOUS_ID, true, false, 32, TLS12},
    {"mixed-ticket", RG_OFFER_TICKET, true, false, 32, TLS12},
    {"dtls12-cookie-2", RG_OFFER_NONE, false, false, 0, 0xfefd},
    {"dtls12-ticket", RG_OFFER_TICKET, false, false, 32, 0xfefd},
    {"curl", RG_OFFER_AMBIGUOUS_ID, true, false, 32, TLS12},
    {"python", RG_OFFER_AMBIGUOUS_ID, true, false, 32, TLS12},
    {"nodejs", RG_OFFER_AMBIGUOUS_ID, true, false, 32, TLS12},
    {"git-gnutls", RG_OFFER_AMBIGUOUS_ID, true, false, 32, TLS12},
    {"s_client-tls1", RG_OFFER_NONE, false, false, 0, 0x0301},
};

START_TEST(test_corpus)
{
	struct rg_client_hello hello;
	size_t bytes;
	uint8_t *body = unit_corpus_file("client_hello", corpus[_i].name, &bytes);

	ck_assert_int_eq(read_exactly(&hello, body, bytes, is_dtls(corpus[_i].name)), 0);
	ck_assert_int_eq(hello.offer, corpus[_i].offer);
	ck_assert_int_eq(hello.tls13, corpus[_i].tls13);
	ck_assert_int_eq(hello.early_data, corpus[_i].early_data);
	ck_assert_uint_eq(hello.session_id_bytes, corpus[_i].session_id_bytes);
	ck_assert_uint_eq(hello.legacy_version, corpus[_i].version);
	ck_assert_mem_eq(hello.session_id, body + RANDOM_END + 1, hello.session_id_bytes);
	ck_assert(hello.has_random);
	ck_assert_mem_eq(hello.random, body + RANDOM_END - RG_RANDOM_BYTES, RG_RANDOM_BYTES);
	ck_assert_int_eq(read_exactly(&hello, body, RANDOM_END - 1, false), -1);
	ck_assert(!hello.has_random);
	free(body);
}
END_TEST

/* The offer in the first CUT bytes of BODY: that of a good hello with those of its extensions that
 * end before the cut. */
static enum rg_offer offer_of_whole(const uint8_t *body, size_t plain_end, size_t cut, bool dtls)
{
	struct rg_client_hello hello;
	uint8_t good[HELLO_MAX];
	size_t end = plain_end + 2;

	if (cut < plain_end)
		return RG_OFFER_NONE;
	while (end + 4 <= cut && end + 4 + number_at(body + end + 2, 2) <= cut)
		end += 4 + number_at(body + end + 2, 2);
	memcpy(good, body, end);
	good[plain_end] = (uint8_t)((end - plain_end - 2) >> 8);
	good[plain_end + 1] = (uint8_t)(end - plain_end - 2);
	ck_assert_int_eq(read_exactly(&hello, good, end, dtls), 0);
	return hello.offer;
}

/* A hello that is cut short is malformed, unless it ends exactly where one without extensions
 * would. It offers what came before the cut. */
static void cut_everywhere(const char *name, const uint8_t *body, size_t bytes)
{
	struct field fields[HELLO_MAX];
	struct rg_client_hello hello;
	size_t plain_end;

	ck_assert_uint_le(bytes, HELLO_MAX);
	(void)length_fields(body, bytes, is_dtls(name), fields, &plain_end);
	for (size_t cut = 0; cut < bytes; cut++) {
		int result = read_exactly(&hello, body, cut, is_dtls(name));

		if (cut == plain_end) {
			ck_assert_int_eq(result, 0);
			ck_assert(hello.offer == (hello.session_id_bytes != 0 ? RG_OFFER_SESSION_ID
									      : RG_OFFER_NONE));
			continue;
		}
		ck_assert_msg(result == -1, "%s cut to %zu bytes is accepted", name, cut);
		ck_assert_int_eq(hello.offer, offer_of_whole(body, plain_end, cut, is_dtls(name)));
		ck_assert_uint_le(hello.session_id_bytes, RG_SESSION_ID_MAX);
	}
}

static void append_byte(const char *name, const uint8_t *body, size_t bytes)
{
	struct rg_client_hello hello, good;
	uint8_t longer[HELLO_MAX + 1];

	memcpy(longer, body, bytes);
	longer[bytes] = 0;
	ck_assert_msg(read_exactly(&hello, longer, bytes + 1, is_dtls(name)) == -1,
		      "%s with one byte more is accepted", name);
	(void)read_exactly(&good, body, bytes, is_dtls(name));
	ck_assert_int_eq(hello.offer, good.offer);
}

static void add_to_field(uint8_t *body, const struct field *field, int change)
{
	size_t value = number_at(body + field->at, field->width) + (size_t)change;

	body[field->at + field->width - 1] = (uint8_t)value;
	if (field->width == 2)
		body[field->at] = (uint8_t)(value >> 8);
}

/* A wrong length inside the extensions is always noticed. Before them it may happen to make another
 * good hello. */
static void change_lengths(const char *name, const uint8_t *body, size_t bytes)
{
	struct field fields[HELLO_MAX];
	size_t plain_end;
	size_t count = length_fields(body, bytes, is_dtls(name), fields, &plain_end);

	for (size_t i = 0; i < 2 * count; i++) {
		struct rg_client_hello hello;
		uint8_t *changed = unit_copy(body, bytes);
		int result;

		add_to_field(changed, &fields[i / 2], i % 2 == 0 ? 1 : -1);
		result = read_exactly(&hello, changed, bytes, is_dtls(name));
		ck_assert_msg(result == -1 || !fields[i / 2].in_extensions,
			      "%s: the length at byte %zu is wrong but accepted", name,
			      fields[i / 2].at);
		free(changed);
	}
}

/* Any result is right for a hello with random changes. What fails here is AddressSanitizer or the
 * assertion. */
static void change_bytes(const char *name, const uint8_t *body, size_t bytes)
{
	uint64_t state = bytes;

	for (unsigned round = 0; round < 200; round++) {
		uint8_t *changed = unit_copy(body, bytes);
		struct rg_client_hello hello;

		for (unsigned i = 0; i < 4; i++)
			changed[unit_random(&state) % bytes] = (uint8_t)unit_random(&state);
		(void)read_exactly(&hello, changed, bytes,
				   round % 2 == 0 ? is_dtls(name) : !is_dtls(name));
		ck_assert_uint_le(hello.session_id_bytes, RG_SESSION_ID_MAX);
		free(changed);
	}
}

static unit_on_file *const changes[] = {cut_everywhere, append_byte, change_lengths, change_bytes};

START_TEST(test_changed_corpus)
{
	ck_assert_uint_gt(unit_corpus("client_hello", changes[_i]), 30);
}
END_TEST

/* --- hand-made hellos: what comes after the random, in hex --- */

#define CIPHERS	  "0002c02b0100"
#define ID32	  "20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ID33	  "21000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define SPEAKS13  "002b0003020304"
#define SPEAKS12  "002b0003020303"
#define ODD13	  "002b000403030403"
#define TICKET	  "0023000101"
#define NO_TICKET "00230000"
#define PSK	  "0029000100"

static const struct {
	const char *name, *hex;
	int result;
	enum rg_offer offer;
} handmade[] = {
    {"nothing after the random", "", -1, RG_OFFER_NONE},
    {"session id of 33 bytes", ID33 CIPHERS, -1, RG_OFFER_NONE},
    {"one byte for the length of the extensions", "00" CIPHERS "00", -1, RG_OFFER_NONE},
    {"an extension's type and nothing after it", "00" CIPHERS "00020023", -1, RG_OFFER_NONE},
    {"one byte for the length of an extension", "00" CIPHERS "0003002300", -1, RG_OFFER_NONE},
    {"an extension longer than the rest", "00" CIPHERS "00040023ffff", -1, RG_OFFER_NONE},
    {"extensions longer than the hello", "00" CIPHERS "ffff" NO_TICKET, -1, RG_OFFER_NONE},
    {"cipher suites longer than the hello", "00ffff00", -1, RG_OFFER_NONE},
    {"a list of versions with an odd length", "00" CIPHERS "0008002b000403030403", -1,
     RG_OFFER_NONE},
    {"versions longer than their extension", "00" CIPHERS "0007002b0003040304", -1, RG_OFFER_NONE},
    {"supported_versions without a list", "00" CIPHERS "0004002b0000", -1, RG_OFFER_NONE},
    {"one byte for the length of the extensions, id", ID32 CIPHERS "00", -1, RG_OFFER_SESSION_ID},
    {"ticket, then a broken extension", "00" CIPHERS "0009" TICKET "0023ffff", -1, RG_OFFER_TICKET},
    {"a broken extension, then a ticket", "00" CIPHERS "00090023ffff" TICKET, -1, RG_OFFER_NONE},
    {"ticket, the length of the extensions too large", "00" CIPHERS "0006" TICKET, -1,
     RG_OFFER_TICKET},
    {"ticket, the length of the extensions too small", "00" CIPHERS "0000" TICKET, -1,
     RG_OFFER_TICKET},
    {"ticket, then an empty one", "00" CIPHERS "0009" TICKET NO_TICKET, 0, RG_OFFER_TICKET},
    {"TLS 1.3 in a list of odd length, id", ID32 CIPHERS "0008" ODD13, -1, RG_OFFER_SESSION_ID},
    {"TLS 1.3 in a list of odd length, then a good list, id", ID32 CIPHERS "000f" ODD13 SPEAKS13,
     -1, RG_OFFER_SESSION_ID},
    {"TLS 1.3 in a list of odd length, ticket", "00" CIPHERS "000d" ODD13 TICKET, -1,
     RG_OFFER_TICKET},
    {"TLS 1.3 in a list of odd length, PSK", "00" CIPHERS "000d" ODD13 PSK, -1, RG_OFFER_NONE},
    {"no extensions, no id", "00" CIPHERS, 0, RG_OFFER_NONE},
    {"no extensions, id", ID32 CIPHERS, 0, RG_OFFER_SESSION_ID},
    {"an empty list of extensions", "00" CIPHERS "0000", 0, RG_OFFER_NONE},
    {"empty ticket", "00" CIPHERS "0004" NO_TICKET, 0, RG_OFFER_NONE},
    {"empty ticket, id", ID32 CIPHERS "0004" NO_TICKET, 0, RG_OFFER_SESSION_ID},
    {"ticket", "00" CIPHERS "0005" TICKET, 0, RG_OFFER_TICKET},
    {"ticket, TLS 1.3", "00" CIPHERS "000c" TICKET SPEAKS13, 0, RG_OFFER_TICKET},
    {"PSK without TLS 1.3", "00" CIPHERS "0005" PSK, 0, RG_OFFER_NONE},
    {"PSK, only TLS 1.2", "00" CIPHERS "000c" SPEAKS12 PSK, 0, RG_OFFER_NONE},
    {"PSK, TLS 1.3", "00" CIPHERS "000c" SPEAKS13 PSK, 0, RG_OFFER_PSK},
    {"PSK before the versions", "00" CIPHERS "000c" PSK SPEAKS13, 0, RG_OFFER_PSK},
    {"PSK, ticket, id", ID32 CIPHERS "0011" SPEAKS13 TICKET PSK, 0, RG_OFFER_PSK},
    {"TLS 1.3, id", ID32 CIPHERS "0007" SPEAKS13, 0, RG_OFFER_AMBIGUOUS_ID},
    {"TLS 1.3, no id", "00" CIPHERS "0007" SPEAKS13, 0, RG_OFFER_NONE},
    {"TLS 1.3 as the last of three versions", ID32 CIPHERS "000b002b000706030203030304", 0,
     RG_OFFER_AMBIGUOUS_ID},
    {"the bytes of TLS 1.3 across two versions", ID32 CIPHERS "0009002b0005040003047f", 0,
     RG_OFFER_SESSION_ID},
    {"an unknown extension", ID32 CIPHERS "00055a5a000100", 0, RG_OFFER_SESSION_ID},
};

static size_t from_hex(uint8_t *bytes, const char *hex)
{
	size_t count = strlen(hex) / 2;

	for (size_t i = 0; i < count; i++) {
		unsigned value;

		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &value), 1);
		bytes[i] = (uint8_t)value;
	}
	return count;
}

/* --- what else a hello says --- */

#define EXTERNAL_PSK "0029000d000a00046b657931" "00000000" "0000"
#define TICKET_PSK   "0029000d000a00046b657931" "00000001" "0000"
#define BOTH_PSKS    "00290017001400046b657931" "00000000" "00046b657932" "0000ff00" "0000"
#define ECH	     "fe0d000100"
#define COOKIE	     "03010203"

static const struct {
	const char *name, *hex;
	bool dtls, psk_is_external, ech, has_cookie;
} traits[] = {
    {"a PSK of age 0", "00" CIPHERS "0018" SPEAKS13 EXTERNAL_PSK, .psk_is_external = true},
    {"a PSK with an age", "00" CIPHERS "0018" SPEAKS13 TICKET_PSK, .dtls = false},
    {"two PSKs, one of age 0", "00" CIPHERS "0022" SPEAKS13 BOTH_PSKS, .dtls = false},
    {"a PSK that is cut off before its age", "00" CIPHERS "0011" SPEAKS13 "00290006000400016b00",
     .dtls = false},
    {"an outer hello", "00" CIPHERS "000c" SPEAKS13 ECH, .ech = true},
    {"DTLS without a cookie", "0000" CIPHERS, .dtls = true},
    {"DTLS with a cookie", "00" COOKIE CIPHERS, .dtls = true, .has_cookie = true},
    {"TLS has no cookie", "00" CIPHERS, .dtls = false},
};

START_TEST(test_traits)
{
	uint8_t body[HELLO_MAX] = {0x03, 0x03};
	size_t bytes = RANDOM_END + from_hex(body + RANDOM_END, traits[_i].hex);
	struct rg_client_hello hello;

	(void)read_exactly(&hello, body, bytes, traits[_i].dtls);
	ck_assert_msg(hello.psk_is_external == traits[_i].psk_is_external &&
			  hello.ech == traits[_i].ech && hello.has_cookie == traits[_i].has_cookie,
		      "%s: external %d, ech %d, cookie %d", traits[_i].name, hello.psk_is_external,
		      hello.ech, hello.has_cookie);
}
END_TEST

START_TEST(test_handmade)
{
	uint8_t body[HELLO_MAX] = {0x03, 0x03};
	size_t bytes = RANDOM_END + from_hex(body + RANDOM_END, handmade[_i].hex);
	struct rg_client_hello hello;

	ck_assert_msg(read_exactly(&hello, body, bytes, false) == handmade[_i].result, "%s: not %d",
		      handmade[_i].name, handmade[_i].result);
	ck_assert_msg(hello.offer == handmade[_i].offer, "%s: offer %d", handmade[_i].name,
		      (int)hello.offer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client_hello");

	UNIT_ADD_ROWS(suite, test_changed_corpus, changes);
	UNIT_ADD_ROWS(suite, test_handmade, handmade);
	UNIT_ADD_ROWS(suite, test_traits, traits);
	UNIT_ADD_ROWS(suite, test_corpus, corpus);
	return unit_run(suite);
}
