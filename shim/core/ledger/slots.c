#include "core/ledger/slots.h"

#include <string.h>

#include "core/ledger/claim.h"
#include "core/ledger/overflow.h"

/* How often one looks again whether a claim is through. */
#define CLAIM_TRIES 2000

/* Willingness of a place whose client is quiet, and of one that is not: the lower bits order each.
 */
#define IDLE   (UINT64_C(1) << 63)
#define ACTIVE (UINT64_C(1) << 62)

/* The places where this id may be. */
static struct rg_set *set_of(const struct rg_ledger *ledger, uint64_t id)
{
	return &ledger->sets[(id >> 8 & UINT32_MAX) * (ledger->slots / RG_WAYS) >> 32];
}

static bool holds(const struct rg_set *set, unsigned way, uint64_t id)
{
	return atomic_load_explicit(&set->ids[way], memory_order_acquire) == id;
}

struct rg_slot *rg_slot_find(struct rg_ledger *ledger, struct rg_key *key)
{
	struct rg_set *set = set_of(ledger, key->id);
	unsigned way = key->way_hint % RG_WAYS;

	if (holds(set, way, key->id))
		return &set->slots[way];
	for (way = 0; way < RG_WAYS; way++)
		if (holds(set, way, key->id)) {
			key->way_hint = way;
			return &set->slots[way];
		}
	return NULL;
}

/* What a client's limits hold, in ticks; 0 where all are quiet. */
static uint64_t held(const struct rg_slot *slot, uint64_t id, uint64_t now_ns)
{
	uint64_t sum = 0, state;

	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		if ((state = LOAD(slot->states[i])) != 0) /* few are not */
			sum += rg_limit_ahead(state, rg_tag(id), now_ns);
	return sum;
}

/* How willingly a place is given away: the higher the sooner. 0: not now. */
static uint64_t willingness(const struct rg_slot *slot, uint64_t id, uint64_t now_ns)
{
	uint64_t idle_ns = now_ns - LOAD(slot->last_ns), ticks;

	if (id == 0)
		return UINT64_MAX;
	if (rg_is_claim(id))
		return rg_claim_is_stale(id, now_ns) ? UINT64_MAX - 1 : 0;
	ticks = held(slot, id, now_ns);
	if (ticks != 0)
		return ACTIVE - ticks;
	if (idle_ns > INT64_MAX)
		idle_ns = 0; /* heard of after NOW_NS was read */
	return IDLE + (idle_ns >> 1);
}

/*
 * Two that claim a place for the same client at once: the one with the higher place gives his up;
 * the other waits for that. Where it does not happen the higher claim is made nobody's, so that its
 * owner, stopped between any two instructions, can not publish it; and nobody takes its place while
 * he may still be writing there. The IMPATIENT, who has given way often enough, does so to a lower
 * claim as well. True if MINE may be kept.
 */
static bool claim_stands(struct rg_set *set, unsigned mine, uint64_t id, bool impatient,
			 uint64_t now_ns)
{
	for (unsigned i = 0; i < RG_WAYS; i++) {
		for (unsigned tries = 0; i != mine; tries++) {
			uint64_t other = atomic_load(&set->ids[i]);

			if (other == id || (rg_claims_same(other, id) && i < mine && !impatient))
				return false;
			if (!rg_claims_same(other, id) ||
			    (tries >= CLAIM_TRIES &&
			     atomic_compare_exchange_strong(&set->ids[i], &other,
							    rg_claim_word(~id, now_ns))))
				break;
		}
	}
	return true;
}

/* A reader from outside need not touch memory that was never written to. */
static void mark_touched(struct rg_ledger *ledger, const struct rg_set *set)
{
	uint32_t part = (uint32_t)(set - ledger->sets) / ledger->part_sets;
	uint64_t bit = UINT64_C(1) << part % 64;

	if ((LOAD(ledger->head->touched[part / 64]) & bit) == 0)
		(void)atomic_fetch_or(&ledger->head->touched[part / 64], bit);
}

static void add_some(_Atomic uint64_t *total, uint32_t some)
{
	if (some != 0)
		ADD(*total, some);
}

/* The client in PLACE has to go: what it had counted stays in the totals. */
static void bury(struct rg_head *head, const struct rg_slot *slot)
{
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		add_some(&head->gone_events[i],
			 RG_COUNTER_EVENTS(LOAD(slot->counters[RG_COUNTER_OF(i)])));
		add_some(&head->gone_acted[i], LOAD(slot->acted[i]));
	}
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		add_some(&head->gone_outcomes[i], LOAD(slot->outcomes[i]));
}

static void write_slot(struct rg_ledger *ledger, struct rg_slot *slot, const struct rg_key *key,
		       uint64_t now_ns)
{
	uint64_t address[2];

	memcpy(address, key->client.base.bytes, sizeof address);
	STORE(slot->address[0], address[0]);
	STORE(slot->address[1], address[1]);
	STORE(slot->family, key->client.base.family);
	STORE(slot->first_ns, now_ns);
	STORE(slot->last_ns, now_ns);
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		STORE(slot->outcomes[i], 0);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		STORE(slot->states[i], rg_overflow_state(ledger, key, (enum rg_event)i, now_ns));
		STORE(slot->counters[i], 0);
		STORE(slot->acted[i], 0);
		STORE(slot->logged_s[i], 0);
	}
}

/* The client ID in PLACE has to go; where its limits are in use they are kept at the door. */
static void make_leave(struct rg_ledger *ledger, const struct rg_slot *slot, uint64_t id,
		       uint64_t now_ns)
{
	ADD(ledger->head->evictions, 1);
	bury(ledger->head, slot);
	if (held(slot, id, now_ns) == 0)
		return;
	ADD(ledger->head->evictions_active, 1);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		rg_overflow_keep(ledger, id, (enum rg_event)i, LOAD(slot->states[i]), now_ns);
}

/*
 * One attempt to give the client a place: the place, or NULL where another was faster. *FULL: NULL
 * because there is none but those of clients whose limits are in use, which only FORCE takes.
 */
static struct rg_slot *settle(struct rg_ledger *ledger, struct rg_key *key, bool force,
			      bool impatient, uint64_t now_ns, bool *full)
{
	struct rg_set *set = set_of(ledger, key->id);
	uint64_t best_id = 0, most_willing = 0, claim = rg_claim_word(key->id, now_ns);
	unsigned best = 0;

	for (unsigned way = 0; way < RG_WAYS; way++) {
		uint64_t id = atomic_load(&set->ids[way]);
		uint64_t willing = willingness(&set->slots[way], id, now_ns);

		if (willing > most_willing) {
			most_willing = willing;
			best = way;
			best_id = id;
		}
	}
	*full = most_willing <= ACTIVE && !force;
	if (*full || most_willing == 0 ||
	    !atomic_compare_exchange_strong(&set->ids[best], &best_id, claim))
		return NULL;
	if (best_id & 1)
		make_leave(ledger, &set->slots[best], best_id, now_ns);
	if (!claim_stands(set, best, key->id, impatient, now_ns)) {
		(void)atomic_compare_exchange_strong(&set->ids[best], &claim, 0);
		return NULL;
	}
	mark_touched(ledger, set);
	write_slot(ledger, &set->slots[best], key, now_ns);
	key->way_hint = best;
	/* Unless the claim was taken away meanwhile. */
	return atomic_compare_exchange_strong(&set->ids[best], &claim, key->id) ? &set->slots[best]
										: NULL;
}

struct rg_slot *rg_slot_take(struct rg_ledger *ledger, struct rg_key *key, bool force,
			     uint64_t now_ns)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);
	bool full = false;

	for (unsigned tries = 0; slot == NULL && !full && tries < CLAIM_TRIES; tries++) {
		slot = settle(ledger, key, force, tries >= CLAIM_TRIES / 2, now_ns, &full);
		if (slot == NULL)
			slot = rg_slot_find(ledger, key);
	}
	return slot;
}
