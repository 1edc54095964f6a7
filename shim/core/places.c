#include "places.h"

#include <string.h>

#include "claim.h"
#include "seats.h"

/* How often one looks again whether a claim is through. */
#define CLAIM_TRIES 2000

/* Willingness of a place whose client is quiet, and of one that is not: the lower bits order each.
 */
#define QUIET	(UINT64_C(1) << 63)
#define UNQUIET (UINT64_C(1) << 62)

/* The first of the places where this id may be. */
static uint32_t first_place(const struct rg_ledger *ledger, uint64_t id)
{
	return (uint32_t)(((id >> 8 & UINT32_MAX) * (ledger->places / RG_WAYS)) >> 32) * RG_WAYS;
}

struct rg_place *rg_place_search(struct rg_ledger *ledger, struct rg_key *key)
{
	uint32_t first = first_place(ledger, key->id);

	if (key->place_hint - first >= RG_WAYS)
		key->place_hint = first;
	if (atomic_load_explicit(&ledger->table[key->place_hint].id, memory_order_acquire) ==
	    key->id)
		return &ledger->table[key->place_hint];
	for (uint32_t i = first; i < first + RG_WAYS; i++)
		if (atomic_load_explicit(&ledger->table[i].id, memory_order_acquire) == key->id) {
			key->place_hint = i;
			return &ledger->table[i];
		}
	return NULL;
}

/* What a client's limits hold, in ticks; 0 where all are quiet. */
static uint64_t held(const struct rg_place *place, uint64_t id, uint64_t now_ns)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		sum += rg_limit_ahead(LOAD(place->counts[i].word), rg_tag(id), now_ns);
	return sum;
}

/* How willingly a place is given away: the higher the sooner. 0: not now. */
static uint64_t willingness(const struct rg_place *place, uint64_t id, uint64_t now_ns)
{
	uint64_t idle_ns = now_ns - LOAD(place->last_ns), ticks;

	if (id == 0)
		return UINT64_MAX;
	if (rg_is_claim(id))
		return rg_claim_is_stale(id, now_ns) ? UINT64_MAX - 1 : 0;
	ticks = held(place, id, now_ns);
	if (ticks != 0)
		return UNQUIET - ticks;
	if (idle_ns > INT64_MAX)
		idle_ns = 0; /* heard of after NOW_NS was read */
	return QUIET + (idle_ns >> 1);
}

/*
 * Two that claim a place for the same client at once: the one with the higher place gives his up;
 * the other waits for that. Where it does not happen the higher claim is made nobody's, so that its
 * owner, stopped between any two instructions, can not publish it; and nobody takes its place while
 * he may still be writing there. The IMPATIENT, who has given way often enough, does so to a lower
 * claim as well. True if MINE may be kept.
 */
static bool claim_stands(struct rg_ledger *ledger, uint32_t first, uint32_t mine, uint64_t id,
			 bool impatient, uint64_t now_ns)
{
	for (uint32_t i = first; i < first + RG_WAYS; i++) {
		for (unsigned tries = 0; i != mine; tries++) {
			uint64_t other = atomic_load(&ledger->table[i].id);

			if (other == id || (rg_claims_same(other, id) && i < mine && !impatient))
				return false;
			if (!rg_claims_same(other, id) ||
			    (tries >= CLAIM_TRIES &&
			     atomic_compare_exchange_strong(&ledger->table[i].id, &other,
							    rg_claim_word(~id, now_ns))))
				break;
		}
	}
	return true;
}

/* A reader from outside need not touch memory that was never written to. */
static void mark_touched(struct rg_ledger *ledger, uint32_t index)
{
	uint32_t part = index / ledger->part_places;
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
static void bury(struct rg_head *head, const struct rg_place *place)
{
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		add_some(&head->gone_events[i], LOAD(place->counts[i].events));
		add_some(&head->gone_acted[i], LOAD(place->counts[i].acted));
	}
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		add_some(&head->gone_outcomes[i], LOAD(place->outcomes[i]));
}

/* False where CLAIM was taken away meanwhile. */
static bool write_place(struct rg_ledger *ledger, uint32_t index, const struct rg_key *key,
			uint64_t claim, uint64_t now_ns)
{
	struct rg_place *place = &ledger->table[index];
	uint64_t address[2];

	memcpy(address, key->client.address, sizeof address);
	STORE(place->address[0], address[0]);
	STORE(place->address[1], address[1]);
	STORE(place->family, key->client.family);
	STORE(place->first_ns, now_ns);
	STORE(place->last_ns, now_ns);
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		STORE(place->outcomes[i], 0);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		STORE(place->counts[i].word, rg_seat_word(ledger, key, (enum rg_event)i, now_ns));
		STORE(place->counts[i].events, 0);
		STORE(place->counts[i].run, 0);
		STORE(place->counts[i].acted, 0);
		STORE(place->counts[i].logged_s, 0);
	}
	return atomic_compare_exchange_strong(&place->id, &claim, key->id);
}

/* The client in PLACE has to go although its limits are in use. */
static void move_to_seats(struct rg_ledger *ledger, const struct rg_place *place, uint64_t id,
			  uint64_t now_ns)
{
	ADD(ledger->head->evictions_unquiet, 1);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		rg_seat_keep(ledger, id, (enum rg_event)i, LOAD(place->counts[i].word), now_ns);
}

/*
 * One attempt to give the client a place: the place, or NULL where another was faster. *FULL: NULL
 * because there is none but those of clients whose limits are in use, which only FORCE takes.
 */
static struct rg_place *settle(struct rg_ledger *ledger, struct rg_key *key, bool force,
			       bool impatient, uint64_t now_ns, bool *full)
{
	uint32_t first = first_place(ledger, key->id), best = first;
	uint64_t best_id = 0, most_willing = 0, claim = rg_claim_word(key->id, now_ns);

	for (uint32_t i = first; i < first + RG_WAYS; i++) {
		uint64_t id = atomic_load(&ledger->table[i].id);
		uint64_t willing = willingness(&ledger->table[i], id, now_ns);

		if (willing > most_willing) {
			most_willing = willing;
			best = i;
			best_id = id;
		}
	}
	*full = most_willing <= UNQUIET && !force;
	if (*full || most_willing == 0 ||
	    !atomic_compare_exchange_strong(&ledger->table[best].id, &best_id, claim))
		return NULL;
	if (best_id & 1) {
		ADD(ledger->head->evictions, 1);
		bury(ledger->head, &ledger->table[best]);
		if (most_willing < QUIET)
			move_to_seats(ledger, &ledger->table[best], best_id, now_ns);
	}
	if (!claim_stands(ledger, first, best, key->id, impatient, now_ns)) {
		(void)atomic_compare_exchange_strong(&ledger->table[best].id, &claim, 0);
		return NULL;
	}
	mark_touched(ledger, best);
	if (!write_place(ledger, best, key, claim, now_ns))
		return NULL;
	key->place_hint = best;
	return &ledger->table[best];
}

struct rg_place *rg_place_find(struct rg_ledger *ledger, struct rg_key *key, bool force,
			       uint64_t now_ns)
{
	struct rg_place *place = rg_place_search(ledger, key);
	bool full = false;

	for (unsigned tries = 0; place == NULL && !full && tries < CLAIM_TRIES; tries++) {
		place = settle(ledger, key, force, tries >= CLAIM_TRIES / 2, now_ns, &full);
		if (place == NULL)
			place = rg_place_search(ledger, key);
	}
	return place;
}
