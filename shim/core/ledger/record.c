/* Records events, and takes them back, wherever the client's limit state is (state.h). */
#include "core/ledger/layout.h"

#include "core/ledger/overflow.h"
#include "core/ledger/rules.h"
#include "core/ledger/slots.h"
#include "core/ledger/state.h"

/* No thread waits longer than this between reading the clock and recording its event. */
#define WAITING_MAX_NS (3600 * RG_NS_PER_S)

/* How often a thread looks again for a limit state that others move meanwhile. */
#define RECORD_TRIES 1000

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

/* An event was recorded in the overflow table, whose record now holds RECORDED. Copy it to the
 * client's word AT, which was STATE. */
static void copy_to_slot(_Atomic uint64_t *at, uint64_t state, uint64_t recorded)
{
	(void)atomic_compare_exchange_strong(at, &state,
					     rg_state_as(recorded, rg_state_kind(state)));
}

/* The word AT is NONE. Record in the overflow table if it has a record in use, else here. */
static enum rg_outcome_of_try record_from_none(struct rg_ledger *ledger, const struct rg_key *key,
					       const struct rg_ruling *ruling, uint64_t now_ns,
					       _Atomic uint64_t *at, uint64_t state,
					       struct rg_limit_step *step)
{
	if (rg_overflow_vacate(ledger, key, ruling->event, ruling->rule, now_ns)) {
		*step = rg_limit_event(0, rg_live_tag(key->id, ruling->rule), now_ns, ruling->limit,
				       ruling->keep_over);
		return atomic_compare_exchange_strong(at, &state, step->state) ? RG_TRY_DONE
									       : RG_TRY_AGAIN;
	}
	if (rg_overflow_event(ledger, key, ruling, false, false, now_ns, step) != RG_TRY_DONE)
		return RG_TRY_AGAIN;
	copy_to_slot(at, state, step->state);
	return RG_TRY_DONE;
}

/* The client's word in SLOT, STATE, is not LIVE under this rule. */
static __attribute__((noinline)) enum rg_outcome_of_try
record_elsewhere(struct rg_ledger *ledger, struct rg_slot *slot, const struct rg_key *key,
		 const struct rg_ruling *ruling, uint64_t now_ns, uint64_t state,
		 struct rg_limit_step *step)
{
	_Atomic uint64_t *at = &slot->states[ruling->event];
	enum rg_outcome_of_try result;

	if (!rg_slot_is_held(slot, key))
		return RG_TRY_AGAIN;
	now_ns = advance(slot, now_ns);
	switch (rg_state_kind(state)) {
	case RG_STATE_NONE:
		return record_from_none(ledger, key, ruling, now_ns, at, state, step);
	case RG_STATE_MOVING:
		rg_slot_finish_move(ledger, key->id, ruling->event, at, state, now_ns);
		return RG_TRY_AGAIN;
	case RG_STATE_LIVE:
		/* Another rule's: once it has drained, the slot is anyone's. */
		if (rg_state_is_drained(state, now_ns) || rg_state_rule(state) == ruling->rule) {
			(void)atomic_compare_exchange_strong(
			    at, &state,
			    rg_state_drained(RG_STATE_NONE, ruling->rule, key->id,
					     ADD(slot->given, 1), now_ns));
			return RG_TRY_AGAIN;
		}
		return rg_overflow_event(ledger, key, ruling, true, false, now_ns, step);
	default:
		result = rg_overflow_event(ledger, key, ruling, true, false, now_ns, step);
		if (result == RG_TRY_DONE)
			copy_to_slot(at, state, step->state);
		return result;
	}
}

static enum rg_outcome_of_try record_in_slot(struct rg_ledger *ledger, struct rg_slot *slot,
					     const struct rg_key *key,
					     const struct rg_ruling *ruling, uint64_t now_ns,
					     struct rg_limit_step *step)
{
	_Atomic uint64_t *at = &slot->states[ruling->event];
	uint16_t tag = rg_live_tag(key->id, ruling->rule);
	uint64_t state = atomic_load(at);

	do {
		if (__builtin_expect(rg_state_tag(state) != tag, 0))
			return record_elsewhere(ledger, slot, key, ruling, now_ns, state, step);
		if (!rg_slot_is_held(slot, key))
			return RG_TRY_AGAIN;
		now_ns = advance(slot, now_ns);
		*step = rg_limit_event(state, tag, now_ns, ruling->limit, ruling->keep_over);
	} while (!atomic_compare_exchange_weak(at, &state, step->state));
	return RG_TRY_DONE;
}

/* Count one event of a client without a slot. */
static struct rg_result count_without_slot(struct rg_ledger *ledger, enum rg_event event, bool over)
{
	ADD(ledger->head->unplaced, 1);
	ADD(ledger->head->gone_events[event], 1);
	return (struct rg_result){.over = over, .count = 1};
}

/*
 * Record an event of a client without a slot, and set *RESULT. If it is over the limit, the client
 * gets a slot. It then has a name in the account and in the log.
 */
static __attribute__((noinline)) bool record_without_slot(struct rg_ledger *ledger,
							  struct rg_key *key,
							  const struct rg_ruling *ruling,
							  uint64_t now_ns, struct rg_result *result)
{
	struct rg_limit_step step = {.over = ruling->limit->period_s == 0};
	struct rg_slot *slot = NULL;
	uint64_t state;

	if (ruling->rule != 0 &&
	    rg_overflow_event(ledger, key, ruling, true, true, now_ns, &step) == RG_TRY_AGAIN)
		return false;
	if (step.over)
		slot = rg_slot_take(ledger, key, true, now_ns);
	if (slot == NULL) {
		*result = count_without_slot(ledger, ruling->event, step.over);
		return true;
	}
	state = atomic_load(&slot->states[ruling->event]);
	if (rg_slot_is_held(slot, key) && rg_state_kind(state) == RG_STATE_NONE)
		copy_to_slot(&slot->states[ruling->event], state, step.state);
	result->over = true;
	/* There were at least so many. */
	result->count = count_events(slot, ruling->event, ruling->limit->count + 1, false);
	return true;
}

static __attribute__((noinline)) struct rg_result
count_only(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event, uint64_t now_ns)
{
	struct rg_slot *slot = rg_slot_take(ledger, key, false, now_ns);

	if (slot == NULL)
		return count_without_slot(ledger, event, false);
	(void)advance(slot, now_ns);
	return (struct rg_result){.count = count_events(slot, event, 1, false)};
}

/* An event was recorded in the limit state: count it in SLOT. */
static inline struct rg_result count_recorded(struct rg_slot *slot, enum rg_event event,
					      const struct rg_limit *limit,
					      const struct rg_limit_step *step)
{
	bool new_run = step->was_idle && limit->period_s != 0;

	return (struct rg_result){.over = step->over,
				  .count = count_events(slot, event, 1, new_run)};
}

/* Record an event wherever the client's limit state is. */
static __attribute__((noinline)) struct rg_result record_slowly(struct rg_ledger *ledger,
								struct rg_key *key,
								const struct rg_ruling *ruling,
								uint64_t now_ns)
{
	enum rg_outcome_of_try tried = RG_TRY_AGAIN;
	bool unlimited = ruling->limit->period_s == 0;
	struct rg_slot *slot = NULL;
	struct rg_limit_step step;
	struct rg_result result;

	for (unsigned tries = 0; tried == RG_TRY_AGAIN && tries < RECORD_TRIES; tries++) {
		slot = rg_slot_take(ledger, key, false, now_ns);
		step = (struct rg_limit_step){.over = unlimited};
		if (slot == NULL && record_without_slot(ledger, key, ruling, now_ns, &result))
			return result;
		if (slot != NULL)
			tried = ruling->rule == 0
				    ? RG_TRY_FAILED
				    : record_in_slot(ledger, slot, key, ruling, now_ns, &step);
	}
	return slot != NULL ? count_recorded(slot, ruling->event, ruling->limit, &step)
			    : count_without_slot(ledger, ruling->event, unlimited);
}

struct rg_result rg_ledger_record(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
				  const struct rg_limit *limit, bool keep_over, uint64_t now_ns)
{
	struct rg_set *set = rg_set_of(ledger, key->id);
	unsigned way = key->way_hint % RG_WAYS, rule;
	struct rg_slot *slot = &set->slots[way];
	struct rg_limit_step step;
	uint64_t state;

	if (limit == NULL)
		return count_only(ledger, key, event, now_ns);
	rule = rg_rule_number(ledger, event, limit, keep_over);
	state = atomic_load(&slot->states[event]);
	if (rg_state_tag(state) == rg_live_tag(key->id, rule) &&
	    atomic_load(&set->ids[way]) == key->id) {
		step = rg_limit_event(state, rg_state_tag(state), advance(slot, now_ns), limit,
				      keep_over);
		if (atomic_compare_exchange_strong(&slot->states[event], &state, step.state))
			return count_recorded(slot, event, limit, &step);
	}
	return record_slowly(ledger, key, &(struct rg_ruling){limit, event, rule, keep_over},
			     now_ns);
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

/* Take one event back from the client's limit state. SLOT is NULL if it has none. */
static enum rg_outcome_of_try take_back_state(struct rg_ledger *ledger, struct rg_slot *slot,
					      const struct rg_key *key,
					      const struct rg_ruling *ruling, uint64_t now_ns)
{
	_Atomic uint64_t *at = slot != NULL ? &slot->states[ruling->event] : NULL;
	uint64_t state = slot != NULL ? atomic_load(at) : 0;

	if (slot != NULL && !rg_slot_is_held(slot, key))
		return RG_TRY_AGAIN;
	if (slot != NULL && rg_state_tag(state) == rg_live_tag(key->id, ruling->rule))
		return atomic_compare_exchange_strong(
			   at, &state,
			   rg_limit_take_back(state, rg_state_tag(state), now_ns, ruling->limit))
			   ? RG_TRY_DONE
			   : RG_TRY_AGAIN;
	if (slot != NULL && rg_state_kind(state) == RG_STATE_MOVING) {
		rg_slot_finish_move(ledger, key->id, ruling->event, at, state, now_ns);
		return RG_TRY_AGAIN;
	}
	return rg_overflow_take_back(ledger, key, ruling, now_ns);
}

void rg_ledger_take_back(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
			 const struct rg_limit *limit, uint64_t now_ns)
{
	struct rg_ruling ruling = {.limit = limit, .event = event};
	struct rg_slot *slot = rg_slot_find(ledger, key);

	if (slot != NULL) {
		uncount_event(&slot->counters[RG_COUNTER_OF(event)]);
	} else {
		take_from(&ledger->head->unplaced);
		take_from(&ledger->head->gone_events[event]);
	}
	if (limit == NULL)
		return;
	ruling.rule = rg_rule_find(ledger, event, limit);
	for (unsigned tries = 0; tries < RECORD_TRIES; tries++) {
		if (take_back_state(ledger, slot, key, &ruling, now_ns) != RG_TRY_AGAIN)
			return;
		slot = rg_slot_find(ledger, key);
	}
}
