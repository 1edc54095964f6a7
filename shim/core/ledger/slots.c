#include "core/ledger/slots.h"

#include <string.h>

#include "core/ledger/claim.h"
#include "core/ledger/overflow.h"

/* How often a thread retries while another thread's claim is in its way. */
#define CLAIM_TRIES 2000

/* Eviction ranks start here for an idle client, and end here for one that is not. */
#define IDLE   (UINT64_C(1) << 63)
#define ACTIVE (UINT64_C(1) << 62)

/* The set whose slots the client ID may have. */
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

/* How far all of a client's limit states together are ahead of now, in ticks; 0 if it is idle. */
static uint64_t ticks_ahead(const struct rg_slot *slot, uint64_t id, uint64_t now_ns)
{
	uint64_t sum = 0, state;

	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		if ((state = LOAD(slot->states[i])) != 0) /* most are 0 */
			sum += rg_limit_ahead(state, rg_tag(id), now_ns);
	return sum;
}

/*
 * How soon a slot is given to a newcomer: the slot with the highest rank goes first. 0: not now.
 * The order is: free, stale claim, idle (longest first), in use (fewest ticks first).
 */
static uint64_t eviction_rank(const struct rg_slot *slot, uint64_t id, uint64_t now_ns)
{
	uint64_t idle_ns = now_ns - LOAD(slot->last_ns), ticks;

	if (id == 0)
		return UINT64_MAX;
	if (rg_is_claim(id))
		return rg_claim_is_stale(id, now_ns) ? UINT64_MAX - 1 : 0;
	ticks = ticks_ahead(slot, id, now_ns);
	if (ticks != 0)
		return ACTIVE - ticks;
	if (idle_ns > INT64_MAX)
		idle_ns = 0; /* its last event came after NOW_NS was read */
	return IDLE + (idle_ns >> 1);
}

/*
 * May the claim on slot MINE be published? Several threads may claim slots for the same client at
 * once, and only one may publish. The one with the higher slot gives its claim up, and the other
 * waits for that. If it waits in vain, it revokes the higher claim: it replaces it by a claim for
 * no client. The owner may be stopped between any two instructions; it then cannot publish any
 * more. And nobody else takes that slot, in which the owner may still write, until the new claim is
 * stale. A caller that has given way often enough sets REVOKE_LOWER and revokes lower claims too.
 */
static bool may_publish(struct rg_set *set, unsigned mine, uint64_t id, bool revoke_lower,
			uint64_t now_ns)
{
	for (unsigned i = 0; i < RG_WAYS; i++) {
		for (unsigned tries = 0; i != mine; tries++) {
			uint64_t other = atomic_load(&set->ids[i]);

			if (other == id || (rg_claims_same(other, id) && i < mine && !revoke_lower))
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

/* Note that SET was written to: a reader from outside skips memory that never was. */
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

/* The client in SLOT is evicted: the totals keep its counters. */
static void add_to_totals(struct rg_head *head, const struct rg_slot *slot)
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
	STORE(slot->family, key->client.base.family | (key->client.exempt ? RG_SLOT_EXEMPT : 0));
	STORE(slot->scope, key->client.base.scope);
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

/* Evict client ID from SLOT. Limit states that have not drained go to the overflow table. */
static void evict(struct rg_ledger *ledger, const struct rg_slot *slot, uint64_t id,
		  uint64_t now_ns)
{
	ADD(ledger->head->evictions, 1);
	add_to_totals(ledger->head, slot);
	if (ticks_ahead(slot, id, now_ns) == 0)
		return;
	ADD(ledger->head->evictions_active, 1);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		rg_overflow_keep(ledger, id, (enum rg_event)i, LOAD(slot->states[i]), now_ns);
}

/*
 * Try once to give the client a slot. Returns the slot, or NULL if another thread was faster. Also
 * returns NULL, and sets *FULL, if all its slots belong to clients that are not idle. Only FORCE
 * takes those.
 */
static struct rg_slot *try_to_take(struct rg_ledger *ledger, struct rg_key *key, bool force,
				   bool revoke_lower, uint64_t now_ns, bool *full)
{
	struct rg_set *set = set_of(ledger, key->id);
	uint64_t best_id = 0, best_rank = 0, claim = rg_claim_word(key->id, now_ns);
	unsigned best = 0;

	for (unsigned way = 0; way < RG_WAYS; way++) {
		uint64_t id = atomic_load(&set->ids[way]);
		uint64_t rank = eviction_rank(&set->slots[way], id, now_ns);

		if (rank > best_rank) {
			best_rank = rank;
			best = way;
			best_id = id;
		}
	}
	*full = best_rank <= ACTIVE && !force;
	if (*full || best_rank == 0 ||
	    !atomic_compare_exchange_strong(&set->ids[best], &best_id, claim))
		return NULL;
	if (best_id & 1)
		evict(ledger, &set->slots[best], best_id, now_ns);
	if (!may_publish(set, best, key->id, revoke_lower, now_ns)) {
		(void)atomic_compare_exchange_strong(&set->ids[best], &claim, 0);
		return NULL;
	}
	mark_touched(ledger, set);
	write_slot(ledger, &set->slots[best], key, now_ns);
	key->way_hint = best;
	/* This fails if another thread revoked the claim meanwhile. */
	return atomic_compare_exchange_strong(&set->ids[best], &claim, key->id) ? &set->slots[best]
										: NULL;
}

struct rg_slot *rg_slot_take(struct rg_ledger *ledger, struct rg_key *key, bool force,
			     uint64_t now_ns)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);
	bool full = false;

	for (unsigned tries = 0; slot == NULL && !full && tries < CLAIM_TRIES; tries++) {
		slot = try_to_take(ledger, key, force, tries >= CLAIM_TRIES / 2, now_ns, &full);
		if (slot == NULL)
			slot = rg_slot_find(ledger, key);
	}
	return slot;
}
