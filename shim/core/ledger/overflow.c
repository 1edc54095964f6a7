#include "core/ledger/overflow.h"

#include "core/ledger/find.h"
#include "core/ledger/state.h"

/* How long a thread may wait between reading the clock and recording its event: 10 ms. */
#define OVERTAKING_NS UINT64_C(10000000)

/* The table is searched only if a record was taken within this time, which is longer than any limit
 * state lasts. So its memory is never touched until a flood comes. */
#define SEARCHED_NS (3 * RG_LIMIT_PERIOD_MAX_S * RG_NS_PER_S)

/* overflow_taken_ns is written at most once in this time. */
#define TAKEN_AGAIN_NS RG_NS_PER_S

/* Whose record is wanted: client ID's for EVENT under RULE. If MOVING is not 0, it takes over the
 * state MOVING from the word AT. */
struct wanted {
	uint64_t id, record_id;
	enum rg_event event;
	unsigned rule;
	const _Atomic uint64_t *at;
	uint64_t moving;
};

/* A client has a record for each event and rule, with an id of its own, as random as the client's.
 */
static struct wanted want(uint64_t id, enum rg_event event, unsigned rule)
{
	uint64_t number = (uint64_t)event * (RG_RULES + 1) + rule + 1;

	return (struct wanted){.id = id,
			       .record_id = (id ^ number * UINT64_C(0x9e3779b97f4a7c15)) | 1,
			       .event = event,
			       .rule = rule};
}

static struct rg_overflow *set_of(const struct rg_ledger *ledger, uint64_t record_id)
{
	uint64_t sets = (uint64_t)ledger->slots * RG_OVERFLOW_PER_SLOT / RG_OVERFLOW_WAYS;

	return &ledger->overflow[(record_id >> 8 & UINT32_MAX) * sets >> 32];
}

/* Its way, with the live state in *STATE; RG_OVERFLOW_WAYS if there is none. */
static unsigned find_record(struct rg_overflow *set, uint64_t record_id, uint64_t *state)
{
	unsigned way = 0;

	for (; way < RG_OVERFLOW_WAYS; way++) {
		if (atomic_load(&set->ids[way]) != record_id)
			continue;
		*state = atomic_load(&set->states[way]);
		/* The id once more: the record may have changed hands before the state was read. */
		if (rg_state_kind(*state) == RG_STATE_LIVE &&
		    atomic_load(&set->ids[way]) == record_id)
			break;
	}
	return way;
}

/* Can any record still hold events? */
static bool is_in_use(const struct rg_ledger *ledger, uint64_t now_ns)
{
	uint64_t taken_ns = atomic_load(&ledger->head->overflow_taken_ns);

	return taken_ns != 0 && (taken_ns > now_ns || now_ns - taken_ns < SEARCHED_NS);
}

static void note_in_use(struct rg_ledger *ledger, uint64_t now_ns)
{
	uint64_t taken_ns = LOAD(ledger->head->overflow_taken_ns);

	if (taken_ns == 0 || now_ns - taken_ns > TAKEN_AGAIN_NS)
		atomic_store(&ledger->head->overflow_taken_ns, now_ns);
}

uint64_t rg_overflow_state(const struct rg_ledger *ledger, uint64_t id, enum rg_event event,
			   unsigned rule, uint64_t now_ns)
{
	struct wanted wanted = want(id, event, rule);
	uint64_t state;

	return is_in_use(ledger, now_ns) &&
		       find_record(set_of(ledger, wanted.record_id), wanted.record_id, &state) !=
			   RG_OVERFLOW_WAYS
		   ? state
		   : 0;
}

/* --- taking a record --- */

/* May the record be published, or is the state in the client's slot by now? Asked after the claim.
 */
static bool is_wanted(const struct rg_ledger *ledger, const struct wanted *wanted)
{
	struct rg_key key = {.id = wanted->id};
	const struct rg_slot *slot;
	uint64_t state;

	if (wanted->moving != 0)
		return atomic_load(wanted->at) == wanted->moving;
	slot = rg_slot_find(ledger, &key);
	if (slot == NULL)
		return true;
	state = atomic_load(&slot->states[wanted->event]);
	return rg_state_kind(state) == RG_STATE_GONE ||
	       (rg_state_kind(state) != RG_STATE_NONE && rg_state_rule(state) != wanted->rule);
}

/* What would be lost with a record, in ticks of its limit STATE. 0: nothing; UINT64_MAX: it cannot
 * be taken now. */
static uint64_t loss(uint64_t id, uint64_t state, uint64_t now_ns)
{
	if (rg_is_claim(id))
		return rg_claim_is_stale(id, now_ns) ? 0 : UINT64_MAX;
	return id == 0 || rg_state_kind(state) != RG_STATE_LIVE ? 0 : rg_state_ahead(state, now_ns);
}

/* Which record of SET to give up for RECORD_ID, with its id and state: the one that is the least
 * loss, but a dead one with the same id first. RG_OVERFLOW_WAYS if none can be taken now. */
static unsigned choose(struct rg_overflow *set, uint64_t record_id, uint64_t now_ns, uint64_t *id,
		       uint64_t *state)
{
	uint64_t least = UINT64_MAX;
	unsigned best = RG_OVERFLOW_WAYS;

	for (unsigned way = 0; way < RG_OVERFLOW_WAYS; way++) {
		uint64_t holder = atomic_load(&set->ids[way]);
		uint64_t held = atomic_load(&set->states[way]);
		uint64_t value = loss(holder, held, now_ns);

		if (value >= least && holder != record_id)
			continue;
		least = value;
		best = way;
		*id = holder;
		*state = held;
		if (holder == record_id) /* live: another thread has published it meanwhile */
			return rg_state_kind(held) == RG_STATE_LIVE ? RG_OVERFLOW_WAYS : way;
	}
	return best;
}

/* Make the record in WAY, which has ID and STATE, free for a claim: kill it if it is live. Returns
 * false if it has changed. */
static bool kill_record(struct rg_ledger *ledger, struct rg_overflow *set, unsigned way,
			uint64_t id, uint64_t state, uint64_t now_ns)
{
	if ((id & 1) == 0 || rg_state_kind(state) != RG_STATE_LIVE)
		return true;
	if (!atomic_compare_exchange_strong(&set->states[way], &state, 0))
		return false;
	if (!rg_state_is_drained(state, now_ns))
		ADD(ledger->head->overflow_lost, 1);
	return true;
}

/* Find or take the record that is WANTED. *TAKEN is its way. */
static enum rg_outcome_of_try take(struct rg_ledger *ledger, struct rg_overflow *set,
				   const struct wanted *wanted, uint64_t now_ns, unsigned *taken)
{
	uint64_t init = wanted->moving != 0
			    ? rg_state_as(wanted->moving, RG_STATE_LIVE)
			    : rg_state_drained(RG_STATE_LIVE, wanted->rule, wanted->id,
					       wanted->record_id >> 20, now_ns);
	uint64_t claim = rg_claim_word(wanted->record_id, now_ns), id, state;

	note_in_use(ledger, now_ns);
	for (unsigned tries = 0; tries < RG_CLAIM_TRIES; tries++) {
		unsigned way = find_record(set, wanted->record_id, &state);
		bool wins;

		*taken = way;
		if (way != RG_OVERFLOW_WAYS)
			return RG_TRY_DONE;
		*taken = way = choose(set, wanted->record_id, now_ns, &id, &state);
		if (way == RG_OVERFLOW_WAYS || !kill_record(ledger, set, way, id, state, now_ns) ||
		    !atomic_compare_exchange_strong(&set->ids[way], &id, claim))
			continue;
		wins = rg_claim_may_publish(set->ids, way, wanted->record_id,
					    tries >= RG_CLAIM_TRIES / 2, now_ns);
		if (!wins || !is_wanted(ledger, wanted)) {
			id = claim;
			(void)atomic_compare_exchange_strong(&set->ids[way], &id, 0);
			if (wins)
				return RG_TRY_AGAIN;
			continue;
		}
		atomic_store(&set->states[way], init);
		id = claim;
		if (atomic_compare_exchange_strong(&set->ids[way], &id, wanted->record_id))
			return RG_TRY_DONE;
	}
	return RG_TRY_FAILED;
}

/* --- using a record --- */

/*
 * The time at which to record an event. Threads read the clock first and then wait for each other,
 * so another thread's later event may be recorded first. That alone must not put an event over the
 * limit. A slot knows the time of its last event; a record does not. So the time is moved forward
 * instead, up to the limit state's own but by OVERTAKING_NS at most.
 */
static uint64_t recording_time(uint64_t state, uint64_t now_ns)
{
	uint64_t ahead_ns = rg_state_ahead(state, now_ns) * RG_TICK_NS;

	return now_ns + (ahead_ns < OVERTAKING_NS ? ahead_ns : OVERTAKING_NS);
}

enum rg_outcome_of_try rg_overflow_event(struct rg_ledger *ledger, const struct rg_key *key,
					 const struct rg_ruling *ruling, bool make, bool overtaking,
					 uint64_t now_ns, struct rg_limit_step *step)
{
	struct wanted wanted = want(key->id, ruling->event, ruling->rule);
	struct rg_overflow *set = set_of(ledger, wanted.record_id);
	enum rg_outcome_of_try result = RG_TRY_DONE;
	unsigned way = RG_OVERFLOW_WAYS;
	uint64_t state;

	if (make)
		result = take(ledger, set, &wanted, now_ns, &way);
	else if (is_in_use(ledger, now_ns))
		way = find_record(set, wanted.record_id, &state);
	if (result != RG_TRY_DONE || way == RG_OVERFLOW_WAYS)
		return result != RG_TRY_DONE ? result : RG_TRY_FAILED;
	state = atomic_load(&set->states[way]);
	do {
		uint64_t when_ns = overtaking ? recording_time(state, now_ns) : now_ns;

		if (rg_state_kind(state) != RG_STATE_LIVE ||
		    atomic_load(&set->ids[way]) != wanted.record_id)
			return RG_TRY_AGAIN;
		*step = rg_limit_event(state, rg_live_tag(key->id, ruling->rule), when_ns,
				       ruling->limit, ruling->keep_over);
	} while (!atomic_compare_exchange_weak(&set->states[way], &state, step->state));
	return RG_TRY_DONE;
}

bool rg_overflow_vacate(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
			unsigned rule, uint64_t now_ns)
{
	struct wanted wanted = want(key->id, event, rule);
	struct rg_overflow *set = set_of(ledger, wanted.record_id);
	uint64_t state;
	unsigned way;

	if (!is_in_use(ledger, now_ns))
		return true;
	rg_claim_settle(set->ids, wanted.record_id, now_ns);
	way = find_record(set, wanted.record_id, &state);
	return way == RG_OVERFLOW_WAYS ||
	       (rg_state_is_drained(state, now_ns) &&
		atomic_compare_exchange_strong(&set->states[way], &state, 0));
}

enum rg_outcome_of_try rg_overflow_take_back(struct rg_ledger *ledger, const struct rg_key *key,
					     const struct rg_ruling *ruling, uint64_t now_ns)
{
	struct wanted wanted = want(key->id, ruling->event, ruling->rule);
	struct rg_overflow *set = set_of(ledger, wanted.record_id);
	uint64_t state, after;
	unsigned way;

	if (!is_in_use(ledger, now_ns))
		return RG_TRY_FAILED;
	way = find_record(set, wanted.record_id, &state);
	if (way == RG_OVERFLOW_WAYS)
		return RG_TRY_FAILED;
	after = rg_limit_take_back(state, rg_state_tag(state), now_ns, ruling->limit);
	return atomic_compare_exchange_strong(&set->states[way], &state, after) ? RG_TRY_DONE
										: RG_TRY_AGAIN;
}

void rg_overflow_keep(struct rg_ledger *ledger, uint64_t id, enum rg_event event,
		      const _Atomic uint64_t *at, uint64_t moving, uint64_t now_ns)
{
	struct wanted wanted = want(id, event, rg_state_rule(moving));
	unsigned way;

	wanted.at = at;
	wanted.moving = moving;
	if (!rg_state_is_drained(moving, now_ns) &&
	    take(ledger, set_of(ledger, wanted.record_id), &wanted, now_ns, &way) == RG_TRY_FAILED)
		ADD(ledger->head->overflow_lost, 1);
}
