/*
 * The handshake events that rg_handshake_message tells from messages. They are recordings of
 * libssl's message callback in real handshakes (tests/fuzz/corpus/handshake, both sides), hand-made
 * sequences that this libssl cannot be brought to send, and noise.
 */
#include "rg_handshake.h"

#include "../fuzz/tape.h"
#include "unit.h"

#define EVENTS_BYTES 256

/* Append the name of HS_EVENT to EVENTS; of a hello also the offer, of an answer the result. */
static void append_event(char *events, const struct rg_handshake *handshake,
			 enum rg_hs_event hs_event)
{
	static const char *const names[] = {"",		"hello",    "again",	 "renegotiation",
					    "answered", "finished", "keyupdate", "refused"};
	static const char *const offers[] = {":none", ":id", ":ticket", ":psk", ":ambiguous"};
	const char *detail = hs_event == RG_HS_CLIENT_HELLO || hs_event == RG_HS_NEXT_CLIENT_HELLO
				 ? offers[handshake->hello.offer]
			     : hs_event == RG_HS_ANSWERED
				 ? (handshake->resumed ? ":resumed" : ":full")
				 : "";
	size_t used = strlen(events);

	ck_assert_int_ge((int)hs_event, RG_HS_NONE);
	ck_assert_int_le((int)hs_event, RG_HS_REFUSED);
	if (hs_event != RG_HS_NONE)
		snprintf(events + used, EVENTS_BYTES - used, "%s%s%s", used == 0 ? "" : " ",
			 names[hs_event], detail);
}

/* Feed the tape at AT, LEFT bytes long, to HANDSHAKE, and append the events to EVENTS. */
static void play(struct rg_handshake *handshake, char *events, const uint8_t *at, size_t left)
{
	struct tape_message message;

	while (tape_next(&at, &left, &message)) {
		uint8_t *exact = unit_copy(message.at, message.bytes);

		append_event(events, handshake,
			     rg_handshake_message(handshake, message.written, message.version,
						  message.type, exact, message.bytes,
						  message.pristine));
		free(exact);
	}
}

#define FULL(offer)    "hello:" offer " answered:full finished"
#define RESUMED(offer) "hello:" offer " answered:resumed finished"

static const struct {
	const char *file, *events;
	uint16_t negotiated; /* 0: the client's side, where it is not checked */
} recordings[] = {
    {"tls12-renegotiation-refused-server", FULL("none") " renegotiation", 0x0303},
    {"tls12-renegotiation-refused-client", "finished", 0},
    {"tls12-renegotiation-honoured-server", FULL("none") " renegotiation renegotiation", 0x0303},
    {"tls12-renegotiation-honoured-client", "finished", 0},
    {"tls12-hello-request-server", FULL("none") " renegotiation", 0x0303},
    {"tls12-hello-request-client", "finished renegotiation", 0},
    {"tls12-cleared-server", FULL("none") " " FULL("none"), 0x0303},
    /* In the shim SSL_clear calls rg_handshake_reset. Nothing calls it here: one event, not two. */
    {"tls12-cleared-client", "finished", 0},
    {"tls12-full-server", FULL("none"), 0x0303},
    {"tls12-full-client", "finished", 0},
    {"tls12-id-server", RESUMED("id"), 0x0303},
    {"tls12-id-client", "finished", 0},
    {"tls12-ticket-server", RESUMED("ticket"), 0x0303},
    {"tls12-ticket-client", "finished", 0},
    {"tls12-ticket-declined-server", FULL("ticket"), 0x0303},
    {"tls13-full-server", FULL("ambiguous"), 0x0304},
    {"tls13-full-client", "finished", 0},
    {"tls13-no-compat-server", FULL("none"), 0x0304},
    {"tls13-psk-server", RESUMED("psk"), 0x0304},
    {"tls13-psk-client", "finished", 0},
    {"tls13-psk-declined-server", FULL("psk"), 0x0304},
    {"tls13-early-server", RESUMED("psk"), 0x0304},
    {"tls13-early-client", "finished", 0},
    {"tls13-retry-server", "hello:ambiguous again:ambiguous answered:full finished", 0x0304},
    {"tls13-retry-client", "finished", 0},
    {"tls13-psk-retry-server", "hello:psk again:psk answered:resumed finished", 0x0304},
    {"tls13-key-update-server", FULL("ambiguous") " keyupdate", 0x0304},
    {"tls13-key-update-client", "finished", 0},
    {"tls13-post-handshake-auth-server", FULL("ambiguous"), 0x0304},
    {"tls13-post-handshake-auth-client", "finished", 0},
    {"mixed-full-server", FULL("ambiguous"), 0x0303},
    {"mixed-id-server", RESUMED("ambiguous"), 0x0303},
    {"mixed-ticket-server", RESUMED("ticket"), 0x0303},
    {"dtls12-cookie-server", "hello:none again:none answered:full finished", 0xfefd},
    {"dtls12-ticket-server", RESUMED("ticket"), 0xfefd},
};

START_TEST(test_recording)
{
	struct rg_handshake handshake = {.running = false};
	char events[EVENTS_BYTES] = "";
	size_t bytes;
	uint8_t *tape = unit_corpus_file("handshake", recordings[_i].file, &bytes);

	play(&handshake, events, tape, bytes);
	ck_assert_str_eq(events, recordings[_i].events);
	ck_assert(handshake.established);
	if (recordings[_i].negotiated != 0) {
		ck_assert_uint_eq(handshake.negotiated, recordings[_i].negotiated);
		ck_assert_int_eq(handshake.side, RG_SIDE_SERVER);
	} else {
		ck_assert_int_eq(handshake.side, RG_SIDE_CLIENT);
	}
	free(tape);
}
END_TEST

static unsigned count_events(const char *events)
{
	unsigned count = events[0] != '\0';

	while ((events = strchr(events, ' ')) != NULL) {
		events++;
		count++;
	}
	return count;
}

/* A recording that is cut anywhere gives no more events than the whole, and no read goes past the
 * cut. */
static void cut_recording(const char *name, const uint8_t *tape, size_t bytes)
{
	struct rg_handshake handshake = {.running = false};
	char whole[EVENTS_BYTES] = "";

	play(&handshake, whole, tape, bytes);
	for (size_t cut = 0; cut < bytes; cut += 1 + cut / 64) {
		char events[EVENTS_BYTES] = "";

		rg_handshake_reset(&handshake);
		play(&handshake, events, tape, cut);
		ck_assert_msg(count_events(events) <= count_events(whole),
			      "%s cut to %zu bytes gives more: %s", name, cut, events);
	}
}

START_TEST(test_recording_cut)
{
	ck_assert_uint_gt(unit_corpus("handshake", cut_recording), 40);
}
END_TEST

/* --- hand-made sequences --- */

/*
 * A message is two letters. The first is its direction: < read, > written. The second is its kind:
 *
 *     C ClientHello           T Certificate           U KeyUpdate
 *     S ServerHello           K ServerKeyExchange     N the alert no_renegotiation
 *     R HelloRetryRequest     D ServerHelloDone       A another alert
 *     V HelloVerifyRequest    F Finished              2 a ClientHello in the SSLv2 format
 *     H HelloRequest          Q KeyUpdate, update_requested
 *     I ClientHello with a session id
 *
 * A P before them says that the object is pristine (rg_handshake_message). Other hellos have
 * neither extensions nor a session id.
 */
static size_t message_of(char letter, uint8_t message[80], int *type)
{
	static const char letters[] = "CISRVHTKDFUQ";
	static const uint8_t types[] = {['C'] = 1,  ['S'] = 2,	['R'] = 2,  ['V'] = 3,	['H'] = 0,
					['T'] = 11, ['K'] = 12, ['D'] = 14, ['F'] = 20, ['U'] = 24,
					['I'] = 1,  ['Q'] = 24};
	static const uint8_t retry[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
					0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
					0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
					0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
	static const uint8_t sslv2[] = {1, 3, 3, 0, 3, 0, 0, 0, 16, 0, 0, 0xff, 1, 2,
					3, 4, 5, 6, 7, 8, 9, 1, 2,  3, 4, 5,	6, 7};

	memset(message, 0, 80);
	*type = letter == '2'			 ? 0
		: letter == 'N' || letter == 'A' ? RG_CONTENT_ALERT
						 : RG_CONTENT_HANDSHAKE;
	if (letter == '2') {
		memcpy(message, sslv2, sizeof sslv2);
		return sizeof sslv2;
	}
	if (*type == RG_CONTENT_ALERT) {
		message[0] = 1;
		message[1] = letter == 'N' ? 100 : 90;
		return 2;
	}
	ck_assert_ptr_nonnull(strchr(letters, letter));
	message[0] = types[(unsigned char)letter];
	message[4] = message[5] = 3;
	if (letter == 'U' || letter == 'Q')
		message[4] = letter == 'Q';
	if (letter == 'R')
		memcpy(message + 6, retry, sizeof retry);
	if (letter == 'I') {
		message[38] = 1;
		message[41] = 2;
		return 4 + 42;
	}
	message[40] = 2; /* ClientHello: two bytes of cipher suites; ServerHello: the suite */
	return letter == 'S' || letter == 'R' ? 4 + 38 : 4 + 41;
}

static const struct {
	const char *name, *messages, *events;
} handmade[] = {
    {"other messages before any hello", "<F>F<U<H<N>A<A<T", ""},
    {"Finished read twice", "P<C>S>T>D<F<F", "hello:none answered:full"},
    {"HelloRequest read while a handshake runs", ">C<H<S<F>F", "finished"},
    {"KeyUpdate during the handshake", "P<C>S<U", "hello:none"},
    {"KeyUpdate, whether it requests one or not", "P<C>S>T>D<F>F<U<Q<U",
     FULL("none") " keyupdate keyupdate keyupdate"},
    {"the answer to our KeyUpdate is none of the peer's", "P<C>S>T>D<F>F>Q<U<U",
     FULL("none") " keyupdate"},
    {"two requests of ours, one answer (RFC 8446 4.6.3)", "P<C>S>T>D<F>F>Q>Q<U<U",
     FULL("none") " keyupdate"},
    {"a KeyUpdate that requests one is not the answer to ours", "P<C>S>T>D<F>F>Q<Q<U",
     FULL("none") " keyupdate"},
    {"our KeyUpdate requests none, so that no answer comes", "P<C>S>T>D<F>F>U<U",
     FULL("none") " keyupdate"},
    {"KeyUpdate written", "P<C>S>T>D<F>F>U", FULL("none")},
    {"a hello that the callback did not see is refused", "P<C>S>T>D<F>F>N",
     FULL("none") " refused"},
    {"two such hellos are refused", "P<C>S>T>D<F>F>N>N", FULL("none") " refused refused"},
    {"a hello and its refusal are one event", "P<C>S>T>D<F>F<C>N", FULL("none") " renegotiation"},
    {"three refused hellos are three events", "P<C>S>T>D<F>F<C>N<C>N<C>N",
     FULL("none") " renegotiation renegotiation renegotiation"},
    {"a hello refused, then one that was not seen", "P<C>S>T>D<F>F<C>N>N",
     FULL("none") " renegotiation refused"},
    {"a hello honoured, then one refused that was not seen", "P<C>S>T>D<F>F<C>S>T>D<F>F>N",
     FULL("none") " renegotiation refused"},
    {"alerts without a meaning here", "P<C>S>T>D<F>F>A<N<A", FULL("none")},
    {"we asked for a renegotiation", "P<C>S>T>D<F>F>H<C>S>T>D<F>F", FULL("none")},
    {"we asked for one, two came", "P<C>S>T>D<F>F>H<C>S>T>D<F>F<C", FULL("none") " renegotiation"},
    {"we asked for one, it stopped halfway, another came", "P<C>S>T>D<F>F>H<C>S<C",
     FULL("none") " renegotiation"},
    {"we asked for two, one after the other", "P<C>S>T>D<F>F>H<C>S>T>D<F>F>H<C>S>F<F",
     FULL("none")},
    {"resumed by a ticket, no session id echoed", "P<C>S>F<F", RESUMED("none")},
    {"full, no Certificate: anonymous", "P<C>S>K>D<F>F", FULL("none")},
    {"full, no Certificate and no ServerKeyExchange: PSK", "P<C>S>D<F>F", FULL("none")},
    {"HelloRetryRequest", "P<C>RP<C>S>T>D<F>F", "hello:none again:none answered:full finished"},
    {"a third hello after HelloRetryRequest", "P<C>RP<CP<C", "hello:none again:none hello:none"},
    {"HelloVerifyRequest", "P<C>VP<C>S>T>D<F>F", "hello:none again:none answered:full finished"},
    {"HelloVerifyRequest twice", "P<C>VP<C>VP<C>S>T>D<F>F",
     "hello:none again:none again:none answered:full finished"},
    {"hellos after HelloRetryRequest: the last one counts", "P<C>RP<I>S>F<F",
     "hello:none again:id answered:resumed finished"},
    {"SSL_clear and another handshake", "P<C>S>T>D<F>FP<C>S>F<F", FULL("none") " " RESUMED("none")},
    {"SSL_clear during a renegotiation", "P<C>S>T>D<F>F<C>SP<C>S>T>D<F>F",
     FULL("none") " renegotiation " FULL("none")},
    {"SSL_clear, another handshake, a renegotiation", "P<C>S>T>D<F>FP<C>S>T>D<F>F<C",
     FULL("none") " " FULL("none") " renegotiation"},
    {"client: one HelloRequest honoured, one refused", ">C<S<F>F<H>C<S<F>F<H>N",
     "finished renegotiation renegotiation"},
    {"client: refuses a HelloRequest that was not seen", ">C<S<F>F>N", "finished refused"},
    {"an SSLv2 hello; the next one is a renegotiation", "P<2>S>T>D<F>F<C",
     FULL("none") " renegotiation"},
};

START_TEST(test_handmade)
{
	struct rg_handshake handshake = {.running = false};
	char events[EVENTS_BYTES] = "";
	const char *at = handmade[_i].messages;

	while (*at != '\0') {
		bool pristine = *at == 'P', written;
		uint8_t message[80], *exact;
		size_t bytes;
		int type;

		at += pristine;
		written = at[0] == '>';
		bytes = message_of(at[1], message, &type);
		exact = unit_copy(message, bytes);
		append_event(events, &handshake,
			     rg_handshake_message(&handshake, written, type == 0 ? 2 : 0x0303, type,
						  exact, bytes, pristine));
		free(exact);
		at += 2;
	}
	ck_assert_msg(strcmp(events, handmade[_i].events) == 0, "%s gives \"%s\"",
		      handmade[_i].name, events);
}
END_TEST

/* Random messages, each with a type that matters. */
START_TEST(test_noise)
{
	static const uint8_t types[] = {0, 1, 2, 3, 11, 12, 14, 20, 24};
	uint64_t state = (uint64_t)_i;
	struct rg_handshake handshake = {.running = false};

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t random = unit_random(&state);
		size_t bytes = (size_t)(random % 97);
		uint8_t *message = malloc(bytes);
		enum rg_hs_event hs_event;

		for (size_t at = 0; at < bytes; at++)
			message[at] = (uint8_t)unit_random(&state);
		if (bytes != 0)
			message[0] = types[random >> 8 & 7];
		hs_event = rg_handshake_message(
		    &handshake, random >> 16 & 1, random >> 17 & 1 ? 0xfefd : 0x0303,
		    20 + (int)(random >> 18 & 3), message, bytes, (random >> 20 & 7) == 0);
		ck_assert(hs_event >= RG_HS_NONE && hs_event <= RG_HS_REFUSED);
		free(message);
	}
}
END_TEST

START_TEST(test_version_names)
{
	ck_assert_str_eq(rg_version_name(0x0303), "TLSv1.2");
	ck_assert_str_eq(rg_version_name(0x0304), "TLSv1.3");
	ck_assert_str_eq(rg_version_name(0xfefd), "DTLSv1.2");
	ck_assert_str_eq(rg_version_name(0), "");
	ck_assert_str_eq(rg_version_name(0x10303), "");
	ck_assert_str_eq(rg_version_name(0x7f1c), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake");

	UNIT_ADD_ROWS(suite, test_handmade, handmade);
	UNIT_ADD_ROWS(suite, test_recording, recordings);
	UNIT_ADD(suite, test_recording_cut);
	unit_add(suite, "test_noise", test_noise, 0, 8);
	UNIT_ADD(suite, test_version_names);
	return unit_run(suite);
}
