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

START_TEST(test_repeated_line)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);
	static const struct rg_limit none = {0, 0};
	struct rg_result result =
	    rg_ledger_record(ledger, &key, RG_KEYUPDATE, &none, false, repetitions[_i].start_ns);

	ck_assert(result.log_due);
	result =
	    rg_ledger_record(ledger, &key, RG_KEYUPDATE, &none, false, repetitions[_i].again_ns);
	ck_assert_msg(result.log_due == repetitions[_i].due, "%s", repetitions[_i].what);
}
END_TEST

START_TEST(test_lines_of_a_storm)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);
	uint64_t last_ns = 0, now_ns = 100 * NS_PER_S;
	unsigned lines = 0;

	for (unsigned i = 0; i < 20000; i++, now_ns += 57 * 1000000) {
		struct rg_result result =
		    rg_ledger_record(ledger, &key, RG_RESUMPTION, &two, false, now_ns);

		UNIT_MUST(!result.log_due || result.over,
			  "a line is due at event %u, which is not over", i);
		if (!result.log_due)
			continue;
		UNIT_MUST(lines == 0 || now_ns - last_ns >= MINUTE_NS, "two lines in %llu ms",
			  (unsigned long long)((now_ns - last_ns) / 1000000));
		UNIT_MUST(result.count == i + 1, "event %u is counted as %u", i + 1, result.count);
		last_ns = now_ns;
		lines++;
	}
	ck_assert_uint_ge(lines, 18); /* nineteen minutes */
}
END_TEST

/* A line about one client and event does not hold back a line about another. */
START_TEST(test_lines_are_separate)
{
	struct rg_ledger *ledger = ledger_for(64);
	static const struct rg_limit none = {0, 0};

	for (uint32_t client = 0; client < 5; client++)
		for (int event = 0; event < RG_EVENT_COUNT; event++) {
			struct rg_key key = key_number(ledger, client);

			ck_assert(rg_ledger_record(ledger, &key, (enum rg_event)event, &none, false,
						   NS_PER_S)
				      .log_due);
		}
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
	UNIT_ADD(suite, test_lines_of_a_storm);
	UNIT_ADD(suite, test_lines_are_separate);
	UNIT_ADD_ROWS(suite, test_log_rate, rates);
	UNIT_ADD(suite, test_every_line_is_accounted_for);
	UNIT_ADD(suite, test_announced_once);
	return unit_run(suite);
}
