#include "rg_limit.h"

#define TIME_BITS 52
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

/* Without a limit there is no rate at which an event could drain. A kept event then keeps its
 * client over for this long. */
#define UNLIMITED_OVER_S 60

static uint64_t ticks(uint64_t ns)
{
	return (ns / RG_TICK_NS) & TIME_MASK;
}

static uint64_t event_ticks(const struct rg_limit *limit)
{
	return limit->period_s == 0 ? UNLIMITED_OVER_S * RG_NS_PER_S / RG_TICK_NS
				    : limit->period_s * RG_NS_PER_S / RG_TICK_NS / limit->count;
}

/* How far COUNT events at once move a limit state ahead. */
static uint64_t full_ticks(const struct rg_limit *limit)
{
	return limit->period_s == 0 ? 0 : limit->count * event_ticks(limit);
}

/* How far STATE is ahead of NOW, in ticks. 0 if it has drained, has another client's TAG, or is
 * stale. */
static uint64_t ahead(uint64_t state, uint16_t tag, uint64_t now)
{
	uint64_t distance = ((state & TIME_MASK) - now) & TIME_MASK;
	uint64_t farthest = 2 * RG_LIMIT_PERIOD_MAX_S * RG_NS_PER_S / RG_TICK_NS;

	return state >> TIME_BITS == (tag & 0xfff) && distance <= farthest ? distance : 0;
}

struct rg_limit_step rg_limit_event(uint64_t state, uint16_t tag, uint64_t now_ns,
				    const struct rg_limit *limit, bool keep_over)
{
	uint64_t now = ticks(now_ns);
	uint64_t before = ahead(state, tag, now);
	uint64_t after = before + event_ticks(limit);
	struct rg_limit_step step = {.over = after > full_ticks(limit), .was_idle = before == 0};

	if (step.over && !keep_over)
		after = before;
	else if (after > full_ticks(limit) + event_ticks(limit))
		after = full_ticks(limit) + event_ticks(limit);
	step.state = (uint64_t)(tag & 0xfff) << TIME_BITS | ((now + after) & TIME_MASK);
	return step;
}

uint64_t rg_limit_take_back(uint64_t state, uint16_t tag, uint64_t now_ns,
			    const struct rg_limit *limit)
{
	uint64_t now = ticks(now_ns), before = ahead(state, tag, now);

	if (before == 0)
		return state;
	before = before > event_ticks(limit) ? before - event_ticks(limit) : 0;
	return (uint64_t)(tag & 0xfff) << TIME_BITS | ((now + before) & TIME_MASK);
}

bool rg_limit_is_over(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit)
{
	return ahead(state, tag, ticks(now_ns)) > full_ticks(limit);
}

bool rg_limit_is_full(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit)
{
	return ahead(state, tag, ticks(now_ns)) + event_ticks(limit) > full_ticks(limit);
}

uint32_t rg_limit_left(uint64_t state, uint16_t tag, uint64_t now_ns, const struct rg_limit *limit)
{
	uint64_t before = ahead(state, tag, ticks(now_ns)), full = full_ticks(limit);

	return before < full ? (uint32_t)((full - before) / event_ticks(limit)) : 0;
}

uint64_t rg_limit_ahead(uint64_t state, uint16_t tag, uint64_t now_ns)
{
	return ahead(state, tag, ticks(now_ns));
}

uint64_t rg_limit_moved(uint64_t state, uint16_t tag, uint16_t new_tag, uint64_t now_ns)
{
	return ahead(state, tag, ticks(now_ns)) == 0
		   ? 0
		   : (uint64_t)(new_tag & 0xfff) << TIME_BITS | (state & TIME_MASK);
}

bool rg_limit_is_drained(uint64_t state, uint16_t tag, uint64_t now_ns)
{
	return ahead(state, tag, ticks(now_ns)) == 0;
}
