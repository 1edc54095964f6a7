#include "core/ledger/slots.h"

#include <string.h>

#include "core/ledger/overflow.h"
#include "core/ledger/state.h"

/* Eviction ranks start here for an idle client, and end here for one that is not. */
#define IDLE   (UINT64_C(1) << 63)
#define ACTIVE (UINT64_C(1) << 62)

/* How far all of a client's limit states together are ahead of now, in ticks; 0 if it is idle. */
static uint64_t ticks_ahead(const struct rg_slot *slot, uint64_t now_ns)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		sum += rg_state_ahead(LOAD(slot->states[i]), now_ns);
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
	ticks = ticks_ahead(slot, now_ns);
	if (ticks != 0)
		return ACTIVE - ticks;
	if (idle_ns > INT64_MAX)
		idle_ns = 0; /* its last event came after NOW_NS was read */
	return IDLE + (idle_ns >> 1);
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

/*
 * The first word for EVENT in a slot that was just claimed: NONE, with a copy of what the overflow
 * table has. The rule is not known, so that of any process is looked for. Each time a slot is given
 * away its words differ from all it had before.
 */
static uint64_t first_state(const struct rg_ledger *ledger, const struct rg_slot *slot,
			    const struct rg_key *key, size_t event, uint64_t now_ns)
{
	unsigned rule = ledger->rules[event].number;
	uint64_t state = rg_overflow_state(ledger, key->id, (enum rg_event)event, rule, now_ns);

	return state != 0 && !rg_state_is_drained(state, now_ns)
		   ? rg_state_as(state, RG_STATE_NONE)
		   : rg_state_drained(RG_STATE_NONE, rule, key->id, LOAD(slot->given), now_ns);
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
	ADD(slot->given, 1);
	STORE(slot->first_ns, now_ns);
	STORE(slot->last_ns, now_ns);
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		STORE(slot->outcomes[i], 0);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		atomic_store(&slot->states[i], first_state(ledger, slot, key, i, now_ns));
		STORE(slot->counters[i], 0);
		STORE(slot->acted[i], 0);
		STORE(slot->logged_s[i], 0);
	}
}

void rg_slot_finish_move(struct rg_ledger *ledger, uint64_t id, enum rg_event event,
			 _Atomic uint64_t *at, uint64_t moving, uint64_t now_ns)
{
	rg_overflow_keep(ledger, id, event, at, moving, now_ns);
	(void)atomic_compare_exchange_strong(at, &moving, rg_state_as(moving, RG_STATE_GONE));
}

/* Make each word of SLOT GONE. Returns false if it is the slot of the client of KEY no more. */
static bool move_out(struct rg_ledger *ledger, struct rg_slot *slot, const struct rg_key *key,
		     uint64_t now_ns)
{
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		uint64_t state;

		while (rg_state_kind(state = atomic_load(&slot->states[i])) != RG_STATE_GONE) {
			enum rg_state_kind next =
			    rg_state_kind(state) == RG_STATE_LIVE ? RG_STATE_MOVING : RG_STATE_GONE;

			if (!rg_slot_is_held(slot, key))
				return false;
			if (rg_state_kind(state) == RG_STATE_MOVING)
				rg_slot_finish_move(ledger, key->id, (enum rg_event)i,
						    &slot->states[i], state, now_ns);
			else
				(void)atomic_compare_exchange_strong(&slot->states[i], &state,
								     rg_state_as(state, next));
		}
	}
	return true;
}

/* Take slot WAY of SET from the client ID, and put CLAIM on it. */
static bool evict(struct rg_ledger *ledger, struct rg_set *set, unsigned way, uint64_t id,
		  uint64_t claim, uint64_t now_ns)
{
	struct rg_slot *slot = &set->slots[way];
	struct rg_key holder = {.id = id, .way_hint = way};
	bool active = ticks_ahead(slot, now_ns) != 0;

	if (!move_out(ledger, slot, &holder, now_ns) ||
	    !atomic_compare_exchange_strong(&set->ids[way], &id, claim))
		return false;
	ADD(ledger->head->evictions, 1);
	if (active)
		ADD(ledger->head->evictions_active, 1);
	add_to_totals(ledger->head, slot);
	return true;
}

/*
 * Try once to give the client a slot. Returns the slot, or NULL if another thread was faster. Also
 * returns NULL, and sets *FULL, if all its slots belong to clients that are not idle. Only FORCE
 * takes those.
 */
static struct rg_slot *try_to_take(struct rg_ledger *ledger, struct rg_key *key, bool force,
				   bool revoke_lower, uint64_t now_ns, bool *full)
{
	struct rg_set *set = rg_set_of(ledger, key->id);
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
	if (*full || best_rank == 0)
		return NULL;
	if ((best_id & 1) != 0 ? !evict(ledger, set, best, best_id, claim, now_ns)
			       : !atomic_compare_exchange_strong(&set->ids[best], &best_id, claim))
		return NULL;
	if (!rg_claim_may_publish(set->ids, best, key->id, revoke_lower, now_ns)) {
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

	for (unsigned tries = 0; slot == NULL && !full && tries < RG_CLAIM_TRIES; tries++) {
		slot = try_to_take(ledger, key, force, tries >= RG_CLAIM_TRIES / 2, now_ns, &full);
		if (slot == NULL)
			slot = rg_slot_find(ledger, key);
	}
	return slot;
}
