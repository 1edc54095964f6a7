/* How often the ledger lets something be logged: the lines about a client, the lines about all
 * clients, the announcement. */
#include "ledgers.h"

#define MINUTE_NS (60 * NS_PER_S)

static const struct rg_limit two = {2, 3600};

/* A client is over its limit at START_NS. Is a line due for its next event, at AGAIN_NS? */
static const struct {
	const char *what;
	uint64_t start_ns, again_ns;
	bool due;
} repetitions[] = {
    {"at once", 100 * NS_PER_S, 100 * NS_PER_S, false},
    {"half a minute later", 100 * NS_PER_S, 130 * NS_PER_S, false},
    {"just within the minute", 100 * NS_PER_S, 160 * NS_PER_S - 1, false},
    {"59 s later, in the 60th second after", 100 * NS_PER_S + NS_PER_S - 1, 160 * NS_PER_S, false},
    {"a thread that read the clock earlier", 100 * NS_PER_S, 100 * NS_PER_S - 1, false},
    {"a thread that read the clock a second earlier", 100 * NS_PER_S, 99 * NS_PER_S, false},
    {"when the clock has just begun", 0, 1, false},
    {"after the minute", 100 * NS_PER_S, 161 * NS_PER_S, true},
    {"a day later", 100 * NS_PER_S, 86400 * NS_PER_S, true},
};

static const struct rg_limit many = {1000000, 1}; /* a rate that holds nothing back */
static const struct rg_limit none = {0, 0};

/* One event of client NUMBER under a rule without a limit. Is there a line about it? */
static bool event_has_line(struct rg_ledger *ledger, uint32_t number, const struct rg_limit *rate,
			   uint64_t now_ns)
{
	struct rg_key key = key_number(ledger, number);
	uint32_t suppressed;

	(void)record(ledger, &key, &none, now_ns);
	return rg_ledger_line_allowed(ledger, &key, RG_RESUMPTION, rate, now_ns, &suppressed);
}

START_TEST(test_repeated_line)
{
	struct rg_ledger *ledger = ledger_for(64);

	ck_assert(event_has_line(ledger, 1, &many, repetitions[_i].start_ns));
	ck_assert_msg(event_has_line(ledger, 1, &many, repetitions[_i].again_ns) ==
			  repetitions[_i].due,
		      "%s", repetitions[_i].what);
}
END_TEST

/* With a limit and without. */
static const struct rg_limit *const limits[] = {&two, &none};

START_TEST(test_lines_of_a_storm)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);
	uint64_t last_ns = 0, now_ns = 100 * NS_PER_S;
	unsigned lines = 0;
	uint32_t suppressed = 77;

	for (unsigned i = 0; i < 20000; i++, now_ns += 57 * 1000000) {
		struct rg_result result = record(ledger, &key, limits[_i], now_ns);

		if (!result.over || !rg_ledger_line_allowed(ledger, &key, RG_RESUMPTION, &many,
							    now_ns, &suppressed))
			continue;
		UNIT_MUST(lines == 0 || now_ns - last_ns >= MINUTE_NS, "two lines in %llu ms",
			  (unsigned long long)((now_ns - last_ns) / 1000000));
		UNIT_MUST(result.count == i + 1, "event %u is counted as %u", i + 1, result.count);
		last_ns = now_ns;
		lines++;
	}
	ck_assert_uint_ge(lines, 18); /* nineteen minutes */
	ck_assert_uint_eq(suppressed, 0);
}
END_TEST

/* A line about one client and event does not hold back a line about another. */
START_TEST(test_lines_are_separate)
{
	struct rg_ledger *ledger = ledger_for(64);
	uint32_t suppressed;

	for (uint32_t client = 0; client < 5; client++)
		for (int event = 0; event < RG_EVENT_COUNT; event++) {
			struct rg_key key = key_number(ledger, client);

			(void)rg_ledger_record(ledger, &key, (enum rg_event)event, &none, false,
					       NS_PER_S);
			ck_assert(rg_ledger_line_allowed(ledger, &key, (enum rg_event)event, &many,
							 NS_PER_S, &suppressed));
		}
}
END_TEST

/* --- who gets a line if there are too many --- */

START_TEST(test_held_back_line_stays_due)
{
	static const struct rg_limit one = {1, 1};
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key second = key_number(ledger, 2);
	uint32_t suppressed = 77;

	ck_assert(event_has_line(ledger, 1, &one, 10 * NS_PER_S));
	ck_assert(!event_has_line(ledger, 2, &one, 10 * NS_PER_S));
	ck_assert(!event_has_line(ledger, 2, &one, 10 * NS_PER_S));
	(void)record(ledger, &second, &none, 11 * NS_PER_S);
	ck_assert(rg_ledger_line_allowed(ledger, &second, RG_RESUMPTION, &one, 11 * NS_PER_S,
					 &suppressed));
	ck_assert_uint_eq(suppressed, 2);
	ck_assert(!event_has_line(ledger, 2, &one, 13 * NS_PER_S));
}
END_TEST

/* A minute later ten clients have a line due again. Half of the rate is kept for those of which
 * there was none yet. */
START_TEST(test_newcomers_come_first)
{
	static const struct rg_limit ten = {10, 10};
	struct rg_ledger *ledger = ledger_for(64);
	unsigned again = 0, first = 0;

	for (uint32_t i = 0; i < 10; i++)
		ck_assert(event_has_line(ledger, i, &ten, NS_PER_S));
	for (uint32_t i = 0; i < 10; i++)
		again += event_has_line(ledger, i, &ten, NS_PER_S + 2 * MINUTE_NS);
	for (uint32_t i = 10; i < 20; i++)
		first += event_has_line(ledger, i, &ten, NS_PER_S + 2 * MINUTE_NS);
	ck_assert_uint_eq(again, 5);
	ck_assert_uint_eq(first, 5);
	/* The others' lines are still due, and the newcomers' come first again. */
	for (uint32_t i = 0; i < 10; i++)
		UNIT_MUST(!event_has_line(ledger, i, &ten, 4 * NS_PER_S + 2 * MINUTE_NS),
			  "client %u has the line of a newcomer", i);
	for (uint32_t i = 15; i < 18; i++)
		ck_assert(event_has_line(ledger, i, &ten, 4 * NS_PER_S + 2 * MINUTE_NS));
}
END_TEST

/* Under each rate: one client floods, and a hundred others have an event every second. */
static const struct rg_limit flooded[] = {{20, 1}, {2, 1}, {1, 1}};

START_TEST(test_nobody_is_silenced)
{
	const struct rg_limit *rate = &flooded[_i];
	struct rg_ledger *ledger = ledger_for(1024);
	unsigned flooder = 0, named = 0, minutes = 100 / rate->count / 60 + 1;
	uint64_t now_ns = 100 * NS_PER_S;

	for (unsigned ms = 0; ms < minutes * 60000; ms++, now_ns += NS_PER_S / 1000) {
		flooder += event_has_line(ledger, 999, rate, now_ns);
		if (ms % 10 == 0)
			named += event_has_line(ledger, ms / 10 % 100, rate, now_ns);
	}
	ck_assert_uint_ge(named, 100);
	ck_assert_uint_ge(flooder, 1);
	ck_assert_uint_le(flooder, minutes);
}
END_TEST

/* In a full ledger a client without a slot cannot be held to one line a minute, so it gets none. */
START_TEST(test_no_slot_no_line)
{
	struct rg_ledger *ledger = ledger_for(8);
	struct rg_key key = key_number(ledger, 1);
	uint32_t suppressed = 0;

	ck_assert(
	    !rg_ledger_line_allowed(ledger, &key, RG_RESUMPTION, &many, NS_PER_S, &suppressed));
	ck_assert(event_has_line(ledger, 1, &many, NS_PER_S));
	ck_assert(rg_ledger_log_allowed(ledger, &many, NS_PER_S, &suppressed));
	ck_assert_uint_eq(suppressed, 0); /* the line before has told */
}
END_TEST

/* --- the log's rate --- */

static const struct rg_limit rates[] = {{1, 1}, {20, 1}, {20, 60}, {1, 86400}, {1000000, 1}};

START_TEST(test_log_rate)
{
	const struct rg_limit *rate = &rates[_i];
	struct rg_ledger *ledger = ledger_for(64);
	uint32_t suppressed = 77;

	for (uint32_t i = 0; i < rate->count; i++)
		UNIT_MUST(rg_ledger_log_allowed(ledger, rate, NS_PER_S, &suppressed) &&
			      suppressed == 0,
			  "line %u is not allowed", i);
	suppressed = 77;
	for (uint32_t i = 0; i < 1234; i++)
		UNIT_MUST(!rg_ledger_log_allowed(ledger, rate, NS_PER_S, &suppressed),
			  "line %u after the rate is used up is allowed", i);
	ck_assert_uint_eq(suppressed, 77);
	rg_ledger_log_lost(ledger, rate, 6);
	ck_assert(
	    rg_ledger_log_allowed(ledger, rate, (1 + rate->period_s) * NS_PER_S, &suppressed));
	ck_assert_uint_eq(suppressed, 1240);
	ck_assert(
	    rg_ledger_log_allowed(ledger, rate, (2 + 3 * rate->period_s) * NS_PER_S, &suppressed));
	ck_assert_uint_eq(suppressed, 0);
}
END_TEST

/* Every line is written, or reported as held back, exactly once. */
START_TEST(test_every_line_is_accounted_for)
{
	static const struct rg_limit rate = {20, 1};
	struct rg_ledger *ledger = ledger_for(64);
	uint64_t now_ns = 0, state = 1;
	uint32_t written = 0, held_back = 0, suppressed;

	for (unsigned i = 0; i < 100000; i++, now_ns += unit_random(&state) % 20000000)
		if (rg_ledger_log_allowed(ledger, &rate, now_ns, &suppressed)) {
			written++;
			held_back += suppressed;
		}
	ck_assert(rg_ledger_log_allowed(ledger, &rate, now_ns + MINUTE_NS, &suppressed));
	ck_assert_uint_eq(written + held_back + suppressed, 100000);
	ck_assert_uint_le(written, 20 + (uint32_t)(now_ns / NS_PER_S * 20) + 20);
	ck_assert_uint_ge(written, (uint32_t)(now_ns / NS_PER_S * 19));
}
END_TEST

START_TEST(test_announced_once)
{
	static const struct rg_about shop = {.service = "shop"}, mail = {.service = "mail"};
	struct rg_ledger *ledger = ledger_for(64);

	ck_assert(rg_ledger_announce(ledger, &shop, 7));
	ck_assert(!rg_ledger_announce(ledger, &shop, 7));
	ck_assert(rg_ledger_announce(ledger, &mail, 7));
	ck_assert(rg_ledger_announce(ledger, &mail, 8));
	for (unsigned round = 0; round < 3; round++) {
		ck_assert(!rg_ledger_announce(ledger, &mail, 8));
		ck_assert(!rg_ledger_announce(ledger, &shop, 7));
		ck_assert(!rg_ledger_announce(ledger, &mail, 7));
	}
	ck_assert(rg_ledger_announce(ledger, &shop, 9)); /* only the last three are remembered */
	ck_assert(rg_ledger_announce(ledger, &shop, 7));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger_log");

	UNIT_ADD_ROWS(suite, test_repeated_line, repetitions);
	UNIT_ADD_ROWS(suite, test_lines_of_a_storm, limits);
	UNIT_ADD(suite, test_lines_are_separate);
	UNIT_ADD(suite, test_held_back_line_stays_due);
	UNIT_ADD(suite, test_newcomers_come_first);
	UNIT_ADD_ROWS(suite, test_nobody_is_silenced, flooded);
	UNIT_ADD(suite, test_no_slot_no_line);
	UNIT_ADD_ROWS(suite, test_log_rate, rates);
	UNIT_ADD(suite, test_every_line_is_accounted_for);
	UNIT_ADD(suite, test_announced_once);
	return unit_run(suite);
}
