#include "core/ledger/overflow.h"

#include "core/ledger/claim.h"

#define TAKE_TRIES 4

/* How long a thread may wait between reading the clock and recording its event: 10 ms. */
#define OVERTAKING_NS UINT64_C(10000000)

/* The table is searched only if a record was taken within this time, which is longer than any limit
 * state lasts. So its memory is never touched until a flood comes. */
#define SEARCHED_NS (3 * RG_LIMIT_PERIOD_MAX_S * RG_NS_PER_S)

/* overflow_taken_ns is written at most once in this time. */
#define TAKEN_AGAIN_NS RG_NS_PER_S

/* A client has a record for each event, with an id of its own. The upper bits, which make the tag,
 * are as random as those of the client's id. */
static uint64_t overflow_id(uint64_t id, enum rg_event event)
{
	return (id ^ ((uint64_t)event + 1) * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

/* The first of the RG_OVERFLOW_WAYS records that may be the one of ID. */
static struct rg_overflow *first_record(const struct rg_ledger *ledger, uint64_t id)
{
	uint64_t sets = (uint64_t)ledger->slots * RG_OVERFLOW_PER_SLOT / RG_OVERFLOW_WAYS;

	return &ledger->overflow[((id >> 8 & UINT32_MAX) * sets >> 32) * RG_OVERFLOW_WAYS];
}

/* The record of ID, or NULL. */
static struct rg_overflow *find_record(const struct rg_ledger *ledger, uint64_t id)
{
	struct rg_overflow *first = first_record(ledger, id);

	for (struct rg_overflow *record = first; record < first + RG_OVERFLOW_WAYS; record++)
		if (atomic_load_explicit(&record->id, memory_order_acquire) == id)
			return record;
	return NULL;
}

/* Can any record still hold events? */
static bool is_in_use(const struct rg_ledger *ledger, uint64_t now_ns)
{
	uint64_t taken_ns = LOAD(ledger->head->overflow_taken_ns);

	return taken_ns != 0 && (taken_ns > now_ns || now_ns - taken_ns < SEARCHED_NS);
}

uint64_t rg_overflow_state(const struct rg_ledger *ledger, const struct rg_key *key,
			   enum rg_event event, uint64_t now_ns)
{
	const struct rg_overflow *record =
	    is_in_use(ledger, now_ns) ? find_record(ledger, overflow_id(key->id, event)) : NULL;

	return record != NULL
		   ? rg_limit_moved(LOAD(record->state), rg_tag(overflow_id(key->id, event)),
				    rg_tag(key->id), now_ns)
		   : 0;
}

/*
 * What would be lost with a record, in ticks of its limit state. The record with the least is given
 * up. 0: nothing; UINT64_MAX: it cannot be taken now.
 */
static uint64_t loss(const struct rg_overflow *record, uint64_t id, uint64_t now_ns)
{
	if (id == 0)
		return 0;
	if (rg_is_claim(id))
		return rg_claim_is_stale(id, now_ns) ? 0 : UINT64_MAX;
	return rg_limit_ahead(LOAD(record->state), rg_tag(id), now_ns);
}

/* Take the record of ID's set that is the least loss. NULL if another thread was faster, or if none
 * can be taken now. */
static struct rg_overflow *take(struct rg_ledger *ledger, uint64_t id, uint64_t now_ns)
{
	struct rg_overflow *first = first_record(ledger, id), *best = NULL;
	uint64_t best_id = 0, least = UINT64_MAX, claim = rg_claim_word(id, now_ns);
	uint64_t taken_ns = LOAD(ledger->head->overflow_taken_ns);

	for (struct rg_overflow *record = first; record < first + RG_OVERFLOW_WAYS; record++) {
		uint64_t holder = atomic_load(&record->id), value = loss(record, holder, now_ns);

		if (value < least) {
			least = value;
			best = record;
			best_id = holder;
		}
	}
	if (best == NULL || !atomic_compare_exchange_strong(&best->id, &best_id, claim))
		return NULL;
	if (least != 0)
		ADD(ledger->head->overflow_lost, 1);
	if (taken_ns == 0 || now_ns - taken_ns > TAKEN_AGAIN_NS)
		STORE(ledger->head->overflow_taken_ns, now_ns);
	STORE(best->state, 0);
	return atomic_compare_exchange_strong(&best->id, &claim, id) ? best : NULL;
}

/* The record of ID, or a new one. NULL if none can be taken. */
static struct rg_overflow *find_or_take(struct rg_ledger *ledger, uint64_t id, uint64_t now_ns)
{
	struct rg_overflow *record = find_record(ledger, id);

	for (unsigned tries = 0; record == NULL && tries < TAKE_TRIES; tries++) {
		record = take(ledger, id, now_ns);
		if (record == NULL)
			record = find_record(ledger, id);
	}
	return record;
}

/*
 * The time at which to record an event. Threads read the clock first and then wait for each other,
 * so another thread's later event may be recorded first. That alone must not put an event over the
 * limit. A slot knows the time of its last event; a record does not. So the time is moved forward
 * instead, up to the limit state's own but by OVERTAKING_NS at most.
 */
static uint64_t recording_time(uint64_t state, uint16_t tag, uint64_t now_ns)
{
	uint64_t ahead_ns = rg_limit_ahead(state, tag, now_ns) * RG_TICK_NS;

	return now_ns + (ahead_ns < OVERTAKING_NS ? ahead_ns : OVERTAKING_NS);
}

bool rg_overflow_event(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, bool keep_over, uint64_t now_ns,
		       struct rg_limit_step *step)
{
	uint64_t id = overflow_id(key->id, event), state;
	struct rg_overflow *record = find_or_take(ledger, id, now_ns);

	if (record == NULL)
		return false;
	state = LOAD(record->state);
	do
		*step = rg_limit_event(state, rg_tag(id), recording_time(state, rg_tag(id), now_ns),
				       limit, keep_over);
	while (!atomic_compare_exchange_weak(&record->state, &state, step->state));
	return true;
}

void rg_overflow_take_back(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
			   const struct rg_limit *limit, uint64_t now_ns)
{
	uint64_t id = overflow_id(key->id, event), state;
	struct rg_overflow *record = is_in_use(ledger, now_ns) ? find_record(ledger, id) : NULL;

	if (record == NULL)
		return;
	state = LOAD(record->state);
	while (!atomic_compare_exchange_weak(&record->state, &state,
					     rg_limit_take_back(state, rg_tag(id), now_ns, limit)))
		;
}

void rg_overflow_keep(struct rg_ledger *ledger, uint64_t id, enum rg_event event, uint64_t state,
		      uint64_t now_ns)
{
	struct rg_overflow *record;

	if (rg_limit_is_drained(state, rg_tag(id), now_ns))
		return;
	record = find_or_take(ledger, overflow_id(id, event), now_ns);
	if (record != NULL)
		STORE(record->state,
		      rg_limit_moved(state, rg_tag(id), rg_tag(overflow_id(id, event)), now_ns));
}
