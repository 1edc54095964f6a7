/*
 * COUNT events in PERIOD, per client: the generic cell rate algorithm (ITU-T I.371, annex A;
 * "virtual scheduling"). The whole state is one 64-bit word that the ledger keeps and swaps
 * atomically.
 *
 * The promise: a client that never sends more than COUNT events in any PERIOD is never over; one
 * that sends more than twice COUNT in a PERIOD always is. COUNT events at once are allowed, and one
 * more for every PERIOD / COUNT that passes. (Each event adds PERIOD/COUNT of "theoretical arrival
 * time", rounded down to a tick, so rounding can only make the limit laxer: the upper promise is
 * exact for COUNT below the square root of PERIOD in ticks, 7,900 for one second, 61,000 for
 * sixty.)
 *
 * The word: the upper 12 bits are a tag of the client it belongs to, so that a word that outlives
 * its client's place in the ledger is never taken for another's; the lower 52 bits count ticks of
 * 16 ns and wrap after 2.2 years. A time further ahead than an event could have set it is stale,
 * and read as empty. Pure: the time is passed in.
 */
#ifndef RG_LIMIT_H
#define RG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RG_NS_PER_S	      UINT64_C(1000000000)
#define RG_TICK_NS	      16
#define RG_LIMIT_COUNT_MAX    1000000
#define RG_LIMIT_PERIOD_MAX_S 86400

/* period_s == 0: no limit, every event is over it. */
struct rg_limit {
	uint32_t count;
	uint32_t period_s;
};

struct rg_limit_step {
	uint64_t state; /* to be stored in place of the one given */
	bool over;	/* this event is over the limit */
	bool was_idle;	/* the client had been quiet: a new run of events begins */
};

/*
 * One event at NOW_NS (monotonic). KEEP_OVER: an event over the limit stays on the account (the
 * word is one event over, which rg_limit_is_over reports until it has drained); otherwise it leaves
 * no trace.
 */
struct rg_limit_step rg_limit_event(uint64_t state, uint16_t tag, uint64_t now_ns,
				    const struct rg_limit *limit, bool keep_over);

/* Has a kept event taken this client over the limit, and has it not drained yet? */
bool rg_limit_is_over(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit);

/* Would the next event be over the limit? */
bool rg_limit_is_full(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit);

/* How many events at once would not be over the limit (which has a period)? */
uint32_t rg_limit_left(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit);

/* How far the account is ahead of now, in ticks; 0 where nothing is left on it. */
uint64_t rg_limit_ahead(uint64_t state, uint16_t tag, uint64_t now_ns);

/* The same account under another TAG; 0 where nothing is left on it. */
uint64_t rg_limit_moved(uint64_t state, uint16_t tag, uint16_t new_tag, uint64_t now_ns);

/* Is nothing left on the account? */
bool rg_limit_is_drained(uint64_t state, uint16_t tag, uint64_t now_ns);

#endif
