/*
 * Limits of COUNT events in PERIOD for each client. This is the generic cell rate algorithm (ITU-T
 * I.371, annex A, "virtual scheduling"). Its whole limit state is one 64-bit integer, which the
 * ledger keeps and swaps atomically. 0 is the empty state.
 *
 * The promise: a client that never sends more than COUNT events in any PERIOD is never over the
 * limit. One that sends more than twice COUNT in a PERIOD always is. COUNT events at once are
 * allowed, and one more for every PERIOD / COUNT that passes.
 *
 * Each event moves the "theoretical arrival time" ahead by PERIOD / COUNT, rounded down to a tick.
 * So rounding can only make the limit laxer. The second half of the promise is exact while COUNT is
 * below the square root of PERIOD in ticks: 7,900 for one second, 61,000 for sixty.
 *
 * The upper 12 bits of a limit state are a tag of its client. A state that outlives its client's
 * slot in the ledger is therefore never taken for another client's. The lower 52 bits are the
 * arrival time in ticks of 16 ns; they wrap after 2.2 years. A time further ahead than any event
 * could have set it is stale and counts as drained.
 *
 * Pure: the time is passed in, nothing can fail; any thread may call these functions. TAG is the
 * client's tag, of which the lower 12 bits count. NOW_NS is monotonic time.
 */
#ifndef RG_LIMIT_H
#define RG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RG_NS_PER_S	      UINT64_C(1000000000)
#define RG_TICK_NS	      16
#define RG_LIMIT_COUNT_MAX    1000000
#define RG_LIMIT_PERIOD_MAX_S 86400

/* If period_s is 0 there is no limit, and every event counts as over it. */
struct rg_limit {
	uint32_t count;
	uint32_t period_s;
};

struct rg_limit_step {
	uint64_t state; /* the new limit state, which replaces the one given */
	bool over;	/* this event is over the limit */
	bool was_idle;	/* the state had drained: a new run of events begins */
};

/*
 * Add one event at NOW_NS to STATE. With KEEP_OVER, an event over the limit changes the state: it
 * is then over by one event, and rg_limit_is_over says so until that has drained. Without KEEP_OVER
 * an event over the limit leaves no trace.
 */
struct rg_limit_step rg_limit_event(uint64_t state, uint16_t tag, uint64_t now_ns,
				    const struct rg_limit *limit, bool keep_over);

/* Take one event back from STATE: what one event adds, or less if less is left. */
uint64_t rg_limit_take_back(uint64_t state, uint16_t tag, uint64_t now_ns,
			    const struct rg_limit *limit);

/* Did a kept event take the client over the limit, and has that not drained yet? */
bool rg_limit_is_over(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit);

/* Would the next event be over the limit? */
bool rg_limit_is_full(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit);

/* How many events at once would still be within LIMIT? 0 if it has no period. */
uint32_t rg_limit_left(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit);

/* How far the state's time is ahead of now, in ticks; 0 if the state has drained. */
uint64_t rg_limit_ahead(uint64_t state, uint16_t tag, uint64_t now_ns);

/* The same limit state under NEW_TAG; 0 if it has drained. */
uint64_t rg_limit_moved(uint64_t state, uint16_t tag, uint16_t new_tag, uint64_t now_ns);

/* Has the state drained, so that no earlier event counts any more? */
bool rg_limit_is_drained(uint64_t state, uint16_t tag, uint64_t now_ns);

#endif
