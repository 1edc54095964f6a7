#include "core/ledger/layout.h"

#include <string.h>

#include "core/ledger/claim.h"
#include "core/ledger/overflow.h"
#include "core/ledger/slots.h"
#include "core/siphash.h"

/* At most one line for a client and event in this time. */
#define LOG_AGAIN_S 60

/* No thread waits longer than this between reading the clock and recording its event. */
#define WAITING_MAX_NS (3600 * RG_NS_PER_S)

struct rg_key rg_ledger_key(const struct rg_ledger *ledger, const struct rg_client *client)
{
	uint8_t input[sizeof client->base.bytes + 2 + sizeof client->base.scope];
	uint8_t *next = input + sizeof client->base.bytes;
	struct rg_key key = {.client = *client};

	memcpy(input, client->base.bytes, sizeof client->base.bytes);
	*next++ = client->base.family;
	*next++ = client->exempt;
	memcpy(next, &client->base.scope, sizeof client->base.scope);
	key.id = rg_siphash(ledger->seed, input, sizeof input) | 1;
	return key;
}

/* Is a line due for this client and EVENT? If so, no other thread gets it. */
static bool claim_line(struct rg_slot *slot, enum rg_event event, uint64_t now_ns)
{
	uint32_t now_s = (uint32_t)(now_ns / RG_NS_PER_S) + 1;
	uint32_t logged_s = LOAD(slot->logged_s[event]);

	return (logged_s == 0 || (int32_t)(now_s - logged_s) > LOG_AGAIN_S) &&
	       atomic_compare_exchange_strong(&slot->logged_s[event], &logged_s, now_s);
}

/* Add EVENTS to the counter of EVENT. NEW_RUN: they are the first since the limit state drained.
 * Returns the number of events in the run. */
static uint32_t count_events(struct rg_slot *slot, enum rg_event event, uint32_t events,
			     bool new_run)
{
	_Atomic uint64_t *counter = &slot->counters[RG_COUNTER_OF(event)];
	uint64_t before, after;

	if (!new_run)
		return RG_COUNTER_RUN(ADD(*counter, RG_COUNTER_EVENT + events)) + events;
	before = LOAD(*counter);
	do
		after = (before & ~(RG_COUNTER_EVENT - 1)) + RG_COUNTER_EVENT + events;
	while (!atomic_compare_exchange_weak(counter, &before, after));
	return events;
}

/*
 * The time at which to record an event in SLOT. Threads read the clock first and then wait for each
 * other, so NOW_NS may be earlier than the last event. The last event's time is used then. But a
 * last time that is ahead by more than WAITING_MAX_NS is not from this clock and is ignored.
 */
static uint64_t advance(struct rg_slot *slot, uint64_t now_ns)
{
	uint64_t last_ns = LOAD(slot->last_ns);

	while (last_ns < now_ns || last_ns - now_ns > WAITING_MAX_NS)
		if (atomic_compare_exchange_weak(&slot->last_ns, &last_ns, now_ns))
			return now_ns;
	return last_ns;
}

/*
 * Record an event of a client without a slot. If it is over the limit, the client gets a slot. It
 * then has a name in the account, and a line at most once a minute.
 */
static __attribute__((noinline)) struct rg_result
record_without_slot(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		    const struct rg_limit *limit, bool keep_over, uint64_t now_ns)
{
	struct rg_result result = {.over = limit != NULL && limit->period_s == 0, .count = 1};
	struct rg_limit_step step;
	struct rg_slot *slot;

	if (limit != NULL && rg_overflow_event(ledger, key, event, limit, keep_over, now_ns, &step))
		result.over = step.over;
	slot = result.over ? rg_slot_take(ledger, key, true, now_ns) : NULL;
	if (slot == NULL) {
		ADD(ledger->head->unplaced, 1);
		ADD(ledger->head->gone_events[event], 1);
		return result;
	}
	/* There were at least so many. */
	result.count = count_events(slot, event, limit->count + 1, false);
	result.log_due = claim_line(slot, event, now_ns);
	return result;
}

struct rg_result rg_ledger_record(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
				  const struct rg_limit *limit, bool keep_over, uint64_t now_ns)
{
	struct rg_slot *slot = rg_slot_take(ledger, key, false, now_ns);
	struct rg_result result = {.over = false};
	struct rg_limit_step step;
	uint64_t state;

	if (slot == NULL)
		return record_without_slot(ledger, key, event, limit, keep_over, now_ns);
	if (limit == NULL) {
		(void)advance(slot, now_ns);
		result.count = count_events(slot, event, 1, false);
		return result;
	}
	state = LOAD(slot->states[event]);
	do {
		now_ns = advance(slot, now_ns);
		step = rg_limit_event(state, rg_tag(key->id), now_ns, limit, keep_over);
	} while (!atomic_compare_exchange_weak(&slot->states[event], &state, step.state));
	result.count = count_events(slot, event, 1, step.was_idle && limit->period_s != 0);
	result.over = step.over;
	result.log_due = step.over && claim_line(slot, event, now_ns);
	return result;
}

/* Take one event back from COUNTER: one of all events, and one of the run. */
static void uncount_event(_Atomic uint64_t *counter)
{
	uint64_t before = LOAD(*counter), after;

	do {
		after = before;
		if (RG_COUNTER_EVENTS(after) != 0)
			after -= RG_COUNTER_EVENT;
		if (RG_COUNTER_RUN(after) != 0)
			after--;
	} while (!atomic_compare_exchange_weak(counter, &before, after));
}

static void take_from(_Atomic uint64_t *total)
{
	uint64_t before = LOAD(*total);

	while (before != 0 && !atomic_compare_exchange_weak(total, &before, before - 1))
		;
}

void rg_ledger_take_back(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
			 const struct rg_limit *limit, uint64_t now_ns)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);
	uint64_t state;

	if (slot == NULL) {
		take_from(&ledger->head->unplaced);
		take_from(&ledger->head->gone_events[event]);
		if (limit != NULL)
			rg_overflow_take_back(ledger, key, event, limit, now_ns);
		return;
	}
	uncount_event(&slot->counters[RG_COUNTER_OF(event)]);
	state = LOAD(slot->states[event]);
	while (limit != NULL && !atomic_compare_exchange_weak(
				    &slot->states[event], &state,
				    rg_limit_take_back(state, rg_tag(key->id), now_ns, limit)))
		;
}

void rg_ledger_outcome(struct rg_ledger *ledger, struct rg_key *key, enum rg_outcome outcome)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);

	if (slot != NULL)
		ADD(slot->outcomes[outcome], 1);
	else
		ADD(ledger->head->gone_outcomes[outcome], 1);
}

void rg_ledger_acted(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);

	if (slot != NULL)
		ADD(slot->acted[event], 1);
	else
		ADD(ledger->head->gone_acted[event], 1);
}

/* The client's limit state for EVENT, whether in a slot or in the overflow table. */
static uint64_t state_of(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
			 uint64_t now_ns)
{
	const struct rg_slot *slot = rg_slot_find(ledger, key);

	return slot != NULL ? LOAD(slot->states[event])
			    : rg_overflow_state(ledger, key, event, now_ns);
}

bool rg_ledger_is_over(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns)
{
	return rg_limit_is_over(state_of(ledger, key, event, now_ns), rg_tag(key->id), now_ns,
				limit);
}

bool rg_ledger_is_full(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns)
{
	return limit->period_s == 0 || rg_limit_is_full(state_of(ledger, key, event, now_ns),
							rg_tag(key->id), now_ns, limit);
}

bool rg_ledger_log_allowed(struct rg_ledger *ledger, const struct rg_limit *rate, uint64_t now_ns,
			   uint32_t *suppressed)
{
	uint64_t state = LOAD(ledger->head->log_state);
	struct rg_limit_step step;

	do {
		step = rg_limit_event(state, 0, now_ns, rate, false);
		if (step.over) {
			ADD(ledger->head->log_suppressed, 1);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&ledger->head->log_state, &state, step.state));
	*suppressed = atomic_exchange(&ledger->head->log_suppressed, 0);
	return true;
}

void rg_ledger_log_lost(struct rg_ledger *ledger, uint32_t lines)
{
	ADD(ledger->head->log_suppressed, lines);
}
