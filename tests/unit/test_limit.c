/*
 * The limit, compared with a sliding window that remembers every event. A client that never exceeds
 * COUNT in a PERIOD is never over. One that exceeds twice COUNT always is.
 */
#include "rg_limit.h"

#include "unit.h"
#include "window.h"

#define TAG	 0x5a5
#define WRAP_NS	 ((UINT64_C(1) << 52) * RG_TICK_NS)
#define DAY_S	 86400
#define ARRIVALS WINDOW_EVENTS

static const struct rg_limit limits[] = {
    {1, 1},  {1, 60},  {2, 1},	  {3, 600}, {5, 60},	{7, 3},
    {20, 1}, {64, 60}, {120, 60}, {997, 1}, {1, DAY_S}, {1000, DAY_S},
};

static const uint64_t starts_ns[] = {
    0, 1, 15, NS_PER_S, UINT64_C(123456789012345678), WRAP_NS - 2 * NS_PER_S, WRAP_NS - 1, WRAP_NS};

/* --- arrivals --- */

enum pattern { STEADY, PERIODS, AT_EDGES, BURSTS, RANDOM, JUMPS, PATTERNS };

/* Nanoseconds from arrival NUMBER (from 1) to the next. */
static uint64_t gap_ns(enum pattern pattern, const struct rg_limit *limit, unsigned number,
		       uint64_t *random_state)
{
	uint64_t period = limit->period_s * NS_PER_S,
		 each = (period + limit->count - 1) / limit->count;
	uint64_t random = unit_random(random_state);

	switch (pattern) {
	case STEADY: /* exactly the rate, later slightly above it */
		return number < ARRIVALS / 2 ? each : each - each / 100 - 1;
	case PERIODS: /* COUNT at once, every whole period */
		return number % limit->count != 0 ? 0 : period;
	case AT_EDGES: /* COUNT at once, by turns at the end of a period and at its beginning */
		return number % limit->count != 0	? 0
		       : number / limit->count % 2 == 0 ? period - 1
							: 1;
	case BURSTS:
		return random % limit->count != 0 ? random >> 32 & 63
						  : period * (random >> 40 & 3) / 2;
	case RANDOM: /* 500 at four times the rate, 500 at the rate, and so on */
		return (random >> 8) % (number / 500 % 2 == 0 ? each / 2 + 1 : 2 * each + 1);
	default: /* JUMPS: random gaps, some of them up to 400 days */
		return random % 50 == 0 ? (random >> 8) % (400 * DAY_S * NS_PER_S)
					: (random >> 8) % (each + 1);
	}
}

/* Play ARRIVALS of PATTERN from NOW_NS on into the limit and into the window. */
static void compare(const struct rg_limit *limit, enum pattern pattern, uint64_t now_ns,
		    bool keep_over)
{
	static struct window window;
	uint64_t limit_state = 0, random_state = limit->count * 31 + pattern;

	memset(&window, 0, sizeof window);
	for (unsigned i = 0; i < ARRIVALS; i++) {
		struct rg_limit_step step =
		    rg_limit_event(limit_state, TAG, now_ns, limit, keep_over);
		unsigned now_in =
		    window_add(&window, now_ns, limit->period_s * NS_PER_S, step.over);

		limit_state = step.state;
		UNIT_MUST(!step.over || window.most > limit->count,
			  "%u/%us, pattern %d: over at arrival %u, %u in a period", limit->count,
			  limit->period_s, (int)pattern, i, window.most);
		UNIT_MUST(now_in <= 2 * limit->count || window_has_over(&window),
			  "%u/%us, pattern %d: %u in a period, and none of them is over",
			  limit->count, limit->period_s, (int)pattern, now_in);
		now_ns += gap_ns(pattern, limit, i + 1, &random_state);
	}
}

START_TEST(test_promises)
{
	for (int pattern = STEADY; pattern < PATTERNS; pattern++)
		for (int start = 0; start < ROWS(starts_ns); start++) {
			compare(&limits[_i], (enum pattern)pattern, starts_ns[start], false);
			compare(&limits[_i], (enum pattern)pattern, starts_ns[start], true);
		}
}
END_TEST

/* --- exact results --- */

static const struct rg_limit edges[] = {
    {1, 1},	 {1, DAY_S},   {2, 1},	      {3, 600},	       {7900, 1},
    {61000, 60}, {1000000, 1}, {1000000, 60}, {999999, DAY_S}, {1000000, DAY_S},
};

/* The limit state after COUNT events at once, all of them allowed. */
static uint64_t fill(const struct rg_limit *limit, uint64_t now_ns)
{
	uint64_t limit_state = 0;

	for (uint32_t i = 0; i < limit->count; i++) {
		struct rg_limit_step step = rg_limit_event(limit_state, TAG, now_ns, limit, false);

		UNIT_MUST(!step.over, "%u/%us: over at event %u", limit->count, limit->period_s,
			  i + 1);
		UNIT_MUST(step.was_idle == (i == 0), "%u/%us: was_idle is wrong at event %u",
			  limit->count, limit->period_s, i + 1);
		limit_state = step.state;
	}
	return limit_state;
}

START_TEST(test_count_at_once)
{
	const struct rg_limit *limit = &edges[_i];

	for (int i = 0; i < ROWS(starts_ns); i++) {
		uint64_t now = starts_ns[i];
		uint64_t limit_state = fill(limit, now);
		struct rg_limit_step step = rg_limit_event(limit_state, TAG, now, limit, false);
		uint64_t each_ns = limit->period_s * NS_PER_S / limit->count;

		ck_assert(step.over);
		ck_assert_uint_eq(step.state, limit_state);
		ck_assert(rg_limit_is_full(limit_state, TAG, now, limit));
		ck_assert(!rg_limit_is_over(limit_state, TAG, now, limit));
		/* Each PERIOD / COUNT that passes allows one more event, and only one. */
		now += each_ns + RG_TICK_NS;
		step = rg_limit_event(limit_state, TAG, now, limit, false);
		ck_assert(!step.over);
		ck_assert(rg_limit_event(step.state, TAG, now, limit, false).over);
		/* After a whole period without events the limit has drained. */
		ck_assert(rg_limit_is_drained(limit_state, TAG,
					      starts_ns[i] + limit->period_s * NS_PER_S));
	}
}
END_TEST

/* Rounding to ticks may make a limit with a large COUNT laxer, but never stricter. */
START_TEST(test_large_count_steady)
{
	static const struct rg_limit limit = {1000000, 1};
	uint64_t limit_state = 0;

	for (uint64_t i = 0; i < 3000000; i++) {
		struct rg_limit_step step =
		    rg_limit_event(limit_state, TAG, 77 + 1000 * i, &limit, false);

		UNIT_MUST(!step.over, "over at event %llu", (unsigned long long)i);
		limit_state = step.state;
	}
}
END_TEST

START_TEST(test_no_limit)
{
	static const struct rg_limit none = {0, 0};
	struct rg_limit_step step = {.state = 0};

	for (unsigned i = 0; i < 3; i++) {
		step = rg_limit_event(step.state, TAG, NS_PER_S + i, &none, false);
		ck_assert(step.over);
		ck_assert(!rg_limit_is_over(step.state, TAG, NS_PER_S + i, &none));
	}
	ck_assert(rg_limit_is_full(0, TAG, NS_PER_S, &none));
	step = rg_limit_event(0, TAG, NS_PER_S, &none, true);
	ck_assert(step.over);
	ck_assert(rg_limit_is_over(step.state, TAG, NS_PER_S, &none));
	ck_assert(!rg_limit_is_over(step.state, TAG, (DAY_S + 1) * NS_PER_S, &none));
}
END_TEST

/* A kept event puts the client over its limit until it has drained. A thousand kept events take no
 * longer than one. */
START_TEST(test_keep_over)
{
	const struct rg_limit *limit = &limits[_i];
	uint64_t now = 5 * NS_PER_S, each_ns = limit->period_s * NS_PER_S / limit->count;
	uint64_t limit_state = fill(limit, now);

	for (unsigned i = 0; i < 1000; i++) {
		struct rg_limit_step step = rg_limit_event(limit_state, TAG, now, limit, true);

		ck_assert(step.over);
		limit_state = step.state;
	}
	ck_assert(rg_limit_is_over(limit_state, TAG, now, limit));
	ck_assert(rg_limit_is_over(limit_state, TAG, now + each_ns - 2 * RG_TICK_NS, limit));
	ck_assert(!rg_limit_is_over(limit_state, TAG, now + each_ns, limit));
	ck_assert(rg_limit_is_full(limit_state, TAG, now + each_ns, limit));
	ck_assert(!rg_limit_is_full(limit_state, TAG, now + 2 * each_ns, limit));
}
END_TEST

/* The next event finds what rg_limit_is_full, rg_limit_is_over and rg_limit_is_drained said before,
 * even with limit states that nothing ever wrote. */
START_TEST(test_predictions)
{
	uint64_t random_state = (uint64_t)_i;

	for (unsigned i = 0; i < 20000; i++) {
		const struct rg_limit *limit = &limits[_i];
		uint64_t now = unit_random(&random_state) >> (unit_random(&random_state) & 31);
		uint64_t near = now / RG_TICK_NS +
				unit_random(&random_state) % (limit->period_s * 62500000 + 1);
		uint64_t limit_state =
		    i % 4 == 0 ? unit_random(&random_state)
			       : (near & (WRAP_NS / RG_TICK_NS - 1)) | (uint64_t)TAG << 52;
		struct rg_limit_step step =
		    rg_limit_event(limit_state, TAG, now, limit, i % 2 == 0);
		bool over = rg_limit_is_over(limit_state, TAG, now, limit);

		UNIT_MUST(step.over == rg_limit_is_full(limit_state, TAG, now, limit),
			  "is_full is wrong with state %#llx", (unsigned long long)limit_state);
		UNIT_MUST(step.was_idle == rg_limit_is_drained(limit_state, TAG, now),
			  "is_drained is wrong with state %#llx", (unsigned long long)limit_state);
		UNIT_MUST(!over || step.over, "is_over is wrong with state %#llx",
			  (unsigned long long)limit_state);
		UNIT_MUST(step.state >> 52 == TAG, "the tag is lost with state %#llx",
			  (unsigned long long)limit_state);
	}
}
END_TEST

/* One event taken back leaves what there was before it; from a drained state nothing is taken. */
START_TEST(test_take_back)
{
	const struct rg_limit *limit = &limits[_i];
	uint64_t now = 5 * NS_PER_S, state = fill(limit, now), before;

	ck_assert_uint_eq(rg_limit_left(state, TAG, now, limit), 0);
	for (uint32_t i = 1; i <= limit->count; i++) {
		state = rg_limit_take_back(state, TAG, now, limit);
		UNIT_MUST(rg_limit_left(state, TAG, now, limit) == i, "%u/%us: event %u",
			  limit->count, limit->period_s, i);
	}
	ck_assert(rg_limit_is_drained(state, TAG, now));
	before = state;
	ck_assert_uint_eq(rg_limit_take_back(state, TAG, now, limit), before);
	ck_assert_uint_eq(rg_limit_take_back(0, TAG, now, limit), 0);
}
END_TEST

/* --- limit states that do not count --- */

START_TEST(test_other_tag)
{
	static const struct rg_limit limit = {3, 60};
	uint64_t limit_state = fill(&limit, NS_PER_S);

	for (unsigned tag = 0; tag < 0x1000; tag++) {
		bool own = tag == TAG;

		ck_assert_int_eq(rg_limit_is_drained(limit_state, (uint16_t)tag, NS_PER_S), !own);
		ck_assert_int_eq(rg_limit_is_full(limit_state, (uint16_t)tag, NS_PER_S, &limit),
				 own);
		ck_assert_int_eq(
		    rg_limit_event(limit_state, (uint16_t)tag, NS_PER_S, &limit, true).over, own);
		/* Only the lower twelve bits of a tag matter. */
		ck_assert_int_eq(
		    rg_limit_is_full(limit_state, (uint16_t)(tag | 0xf000), NS_PER_S, &limit), own);
	}
}
END_TEST

/* Threads read the clock before they record an event, so time may go back a little. The limit state
 * must not be taken for a stale one then. */
START_TEST(test_back_in_time)
{
	static const struct rg_limit limit = {3, 60};
	struct rg_limit_step step = rg_limit_event(0, TAG, 100 * NS_PER_S, &limit, false);

	step = rg_limit_event(step.state, TAG, 100 * NS_PER_S - 1000000, &limit, false);
	ck_assert(!step.over && !step.was_idle);
}
END_TEST

START_TEST(test_stale)
{
	static const struct rg_limit limit = {1000000, DAY_S};
	uint64_t then = WRAP_NS / 2;
	uint64_t limit_state = fill(&limit, then);

	/* A state is empty when its time has passed, however long ago, up to the wrap. So it is
	 * when it lies further ahead than any event could have set it. */
	for (uint64_t days = 1; days < 830; days++)
		ck_assert_msg(rg_limit_is_drained(limit_state, TAG, then + days * DAY_S * NS_PER_S),
			      "not drained %d days later", (int)days);
	for (uint64_t days = 2; days < 410; days++)
		ck_assert_msg(rg_limit_is_drained(limit_state, TAG, then - days * DAY_S * NS_PER_S),
			      "not drained %d days before", (int)days);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limit");

	UNIT_ADD_ROWS(suite, test_promises, limits);
	UNIT_ADD_ROWS(suite, test_count_at_once, edges);
	UNIT_ADD(suite, test_large_count_steady);
	UNIT_ADD(suite, test_no_limit);
	UNIT_ADD_ROWS(suite, test_keep_over, limits);
	UNIT_ADD_ROWS(suite, test_take_back, limits);
	UNIT_ADD_ROWS(suite, test_predictions, limits);
	UNIT_ADD(suite, test_other_tag);
	UNIT_ADD(suite, test_stale);
	UNIT_ADD(suite, test_back_in_time);
	return unit_run(suite);
}
