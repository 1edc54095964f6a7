#include "core/ledger/overflow.h"

#include "core/ledger/claim.h"

#define TRIES	      4
#define OVERTAKING_NS UINT64_C(10000000)

/* Seats are looked at only if one was taken in this time: longer than any limit lasts. Until a
 * flood comes, their memory is never touched. */
#define MEMORY_NS (3 * RG_LIMIT_PERIOD_MAX_S * UINT64_C(1000000000))
#define NOTE_NS	  UINT64_C(1000000000) /* how exactly it is known when one was taken last */

/* A client has a seat for each event; the upper bits, of which the tag is made, are as random as
 * before. */
static uint64_t overflow_id(uint64_t id, enum rg_event event)
{
	return (id ^ ((uint64_t)event + 1) * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

static struct rg_overflow *first_record(const struct rg_ledger *ledger, uint64_t id)
{
	uint64_t sets = (uint64_t)ledger->slots * RG_OVERFLOW_PER_SLOT / RG_OVERFLOW_WAYS;

	return &ledger->overflow[((id >> 8 & UINT32_MAX) * sets >> 32) * RG_OVERFLOW_WAYS];
}

static struct rg_overflow *search(const struct rg_ledger *ledger, uint64_t id)
{
	struct rg_overflow *first = first_record(ledger, id);

	for (struct rg_overflow *record = first; record < first + RG_OVERFLOW_WAYS; record++)
		if (atomic_load_explicit(&record->id, memory_order_acquire) == id)
			return record;
	return NULL;
}

static bool in_use(const struct rg_ledger *ledger, uint64_t now_ns)
{
	uint64_t taken_ns = LOAD(ledger->head->overflow_taken_ns);

	return taken_ns != 0 && (taken_ns > now_ns || now_ns - taken_ns < MEMORY_NS);
}

uint64_t rg_overflow_state(const struct rg_ledger *ledger, const struct rg_key *key,
			   enum rg_event event, uint64_t now_ns)
{
	const struct rg_overflow *record =
	    in_use(ledger, now_ns) ? search(ledger, overflow_id(key->id, event)) : NULL;

	return record != NULL
		   ? rg_limit_moved(LOAD(record->state), rg_tag(overflow_id(key->id, event)),
				    rg_tag(key->id), now_ns)
		   : 0;
}

/* How little is lost with a seat: the least is given up. 0: nothing. UINT64_MAX: not to be had. */
static uint64_t worth(const struct rg_overflow *record, uint64_t id, uint64_t now_ns)
{
	if (id == 0)
		return 0;
	if (rg_is_claim(id))
		return rg_claim_is_stale(id, now_ns) ? 0 : UINT64_MAX;
	return rg_limit_ahead(LOAD(record->state), rg_tag(id), now_ns);
}

/* Take the seat of the set that is worth least. NULL where another was faster. */
static struct rg_overflow *take(struct rg_ledger *ledger, uint64_t id, uint64_t now_ns)
{
	struct rg_overflow *first = first_record(ledger, id), *best = NULL;
	uint64_t best_id = 0, least = UINT64_MAX, claim = rg_claim_word(id, now_ns);
	uint64_t taken_ns = LOAD(ledger->head->overflow_taken_ns);

	for (struct rg_overflow *record = first; record < first + RG_OVERFLOW_WAYS; record++) {
		uint64_t holder = atomic_load(&record->id), value = worth(record, holder, now_ns);

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
	if (taken_ns == 0 || now_ns - taken_ns > NOTE_NS)
		STORE(ledger->head->overflow_taken_ns, now_ns);
	STORE(best->state, 0);
	return atomic_compare_exchange_strong(&best->id, &claim, id) ? best : NULL;
}

static struct rg_overflow *find(struct rg_ledger *ledger, uint64_t id, uint64_t now_ns)
{
	struct rg_overflow *record = search(ledger, id);

	for (unsigned tries = 0; record == NULL && tries < TRIES; tries++) {
		record = take(ledger, id, now_ns);
		if (record == NULL)
			record = search(ledger, id);
	}
	return record;
}

/*
 * Threads read the clock, then wait for each other: an event that was overtaken is not over the
 * limit for it. A place knows its last event's time; here as much is let pass as such a wait may
 * last.
 */
static uint64_t not_overtaken(uint64_t state, uint16_t tag, uint64_t now_ns)
{
	uint64_t ahead_ns = rg_limit_ahead(state, tag, now_ns) * RG_TICK_NS;

	return now_ns + (ahead_ns < OVERTAKING_NS ? ahead_ns : OVERTAKING_NS);
}

bool rg_overflow_event(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, bool keep_over, uint64_t now_ns,
		       struct rg_limit_step *step)
{
	uint64_t id = overflow_id(key->id, event), state;
	struct rg_overflow *record = find(ledger, id, now_ns);

	if (record == NULL)
		return false;
	state = LOAD(record->state);
	do
		*step = rg_limit_event(state, rg_tag(id), not_overtaken(state, rg_tag(id), now_ns),
				       limit, keep_over);
	while (!atomic_compare_exchange_weak(&record->state, &state, step->state));
	return true;
}

void rg_overflow_keep(struct rg_ledger *ledger, uint64_t id, enum rg_event event, uint64_t state,
		      uint64_t now_ns)
{
	struct rg_overflow *record;

	if (rg_limit_is_drained(state, rg_tag(id), now_ns))
		return;
	record = find(ledger, overflow_id(id, event), now_ns);
	if (record != NULL)
		STORE(record->state,
		      rg_limit_moved(state, rg_tag(id), rg_tag(overflow_id(id, event)), now_ns));
}
