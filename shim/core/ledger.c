#include "ledger_layout.h"

#include <string.h>

#include "claim.h"
#include "seats.h"
#include "siphash.h"

#define NS_PER_S    UINT64_C(1000000000)
#define LOG_AGAIN_S 60

#define WAITING_MAX_NS (3600 * NS_PER_S)

/* How often one looks again whether a claim is through. */
#define CLAIM_TRIES 2000

/* Willingness of a place whose client is quiet, and of one that is not: the lower bits order each.
 */
#define QUIET	(UINT64_C(1) << 63)
#define UNQUIET (UINT64_C(1) << 62)

struct rg_key rg_ledger_key(const struct rg_ledger *ledger, const struct rg_client *client)
{
	uint8_t input[sizeof client->address + 1];
	struct rg_key key = {.client = *client};

	memcpy(input, client->address, sizeof client->address);
	input[sizeof client->address] = client->family;
	key.id = rg_siphash(ledger->seed, input, sizeof input) | 1;
	return key;
}

/* The first of the places where this id may be. */
static uint32_t first_place(const struct rg_ledger *ledger, uint64_t id)
{
	return (uint32_t)(((id >> 8 & UINT32_MAX) * (ledger->places / RG_WAYS)) >> 32) * RG_WAYS;
}

static struct rg_place *search(struct rg_ledger *ledger, struct rg_key *key)
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

static struct rg_place *find(struct rg_ledger *ledger, struct rg_key *key, bool force,
			     uint64_t now_ns)
{
	struct rg_place *place = search(ledger, key);
	bool full = false;

	for (unsigned tries = 0; place == NULL && !full && tries < CLAIM_TRIES; tries++) {
		place = settle(ledger, key, force, tries >= CLAIM_TRIES / 2, now_ns, &full);
		if (place == NULL)
			place = search(ledger, key);
	}
	return place;
}

/* Claim the line that is due at most once in LOG_AGAIN_S. */
static bool claim_line(struct rg_count *count, uint64_t now_ns)
{
	uint32_t now_s = (uint32_t)(now_ns / NS_PER_S) + 1;
	uint32_t logged_s = LOAD(count->logged_s);

	return (logged_s == 0 || (int32_t)(now_s - logged_s) > LOG_AGAIN_S) &&
	       atomic_compare_exchange_strong(&count->logged_s, &logged_s, now_s);
}

/*
 * The time of an event of PLACE: threads read the clock, then wait for each other, and an event is
 * never earlier than the one entered before it. A time so far ahead that nobody can have waited
 * that long is no time of this clock.
 */
static uint64_t advance(struct rg_place *place, uint64_t now_ns)
{
	uint64_t last_ns = LOAD(place->last_ns);

	while (last_ns < now_ns || last_ns - now_ns > WAITING_MAX_NS)
		if (atomic_compare_exchange_weak(&place->last_ns, &last_ns, now_ns))
			return now_ns;
	return last_ns;
}

/*
 * An event of a client that has no place. One that is over the limit gets a place, to be named and
 * to be told of at most once a minute.
 */
static __attribute__((noinline)) struct rg_tally
enter_without_place(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		    const struct rg_limit *limit, bool keep_over, uint64_t now_ns)
{
	struct rg_tally tally = {.over = limit != NULL && limit->period_s == 0, .count = 1};
	struct rg_limit_step step;
	struct rg_place *place;
	struct rg_count *count;

	if (limit != NULL && rg_seat_enter(ledger, key, event, limit, keep_over, now_ns, &step))
		tally.over = step.over;
	place = tally.over ? find(ledger, key, true, now_ns) : NULL;
	if (place == NULL) {
		ADD(ledger->head->unplaced, 1);
		ADD(ledger->head->gone_events[event], 1);
		return tally;
	}
	count = &place->counts[event];
	ADD(count->events, 1);
	/* So many there were at least. */
	tally.count = ADD(count->run, limit->count + 1) + limit->count + 1;
	tally.log_due = claim_line(count, now_ns);
	return tally;
}

struct rg_tally rg_ledger_enter(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
				const struct rg_limit *limit, bool keep_over, uint64_t now_ns)
{
	struct rg_place *place = find(ledger, key, false, now_ns);
	struct rg_tally tally = {.over = false};
	struct rg_limit_step step;
	struct rg_count *count;
	uint64_t word;

	if (place == NULL)
		return enter_without_place(ledger, key, event, limit, keep_over, now_ns);
	count = &place->counts[event];
	ADD(count->events, 1);
	if (limit == NULL) {
		(void)advance(place, now_ns);
		tally.count = ADD(count->run, 1) + 1;
		return tally;
	}
	word = LOAD(count->word);
	do {
		now_ns = advance(place, now_ns);
		step = rg_limit_event(word, rg_tag(key->id), now_ns, limit, keep_over);
	} while (!atomic_compare_exchange_weak(&count->word, &word, step.word));
	if (step.quiet && limit->period_s != 0)
		STORE(count->run, 0);
	tally.count = ADD(count->run, 1) + 1;
	tally.over = step.over;
	tally.log_due = step.over && claim_line(count, now_ns);
	return tally;
}

void rg_ledger_outcome(struct rg_ledger *ledger, struct rg_key *key, enum rg_outcome outcome)
{
	struct rg_place *place = search(ledger, key);

	if (place != NULL)
		ADD(place->outcomes[outcome], 1);
	else
		ADD(ledger->head->gone_outcomes[outcome], 1);
}

void rg_ledger_acted(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event)
{
	struct rg_place *place = search(ledger, key);

	if (place != NULL)
		ADD(place->counts[event].acted, 1);
	else
		ADD(ledger->head->gone_acted[event], 1);
}

/* What the client has on its account for EVENT, wherever that is. */
static uint64_t word_of(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
			uint64_t now_ns)
{
	const struct rg_place *place = search(ledger, key);

	return place != NULL ? LOAD(place->counts[event].word)
			     : rg_seat_word(ledger, key, event, now_ns);
}

bool rg_ledger_is_over(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns)
{
	return rg_limit_is_over(word_of(ledger, key, event, now_ns), rg_tag(key->id), now_ns,
				limit);
}

bool rg_ledger_is_full(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns)
{
	return limit->period_s == 0 || rg_limit_is_full(word_of(ledger, key, event, now_ns),
							rg_tag(key->id), now_ns, limit);
}

bool rg_ledger_log_allowed(struct rg_ledger *ledger, const struct rg_limit *rate, uint64_t now_ns,
			   uint32_t *suppressed)
{
	uint64_t word = LOAD(ledger->head->log_word);
	struct rg_limit_step step;

	do {
		step = rg_limit_event(word, 0, now_ns, rate, false);
		if (step.over) {
			ADD(ledger->head->log_suppressed, 1);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&ledger->head->log_word, &word, step.word));
	*suppressed = atomic_exchange(&ledger->head->log_suppressed, 0);
	return true;
}

void rg_ledger_log_lost(struct rg_ledger *ledger, uint32_t lines)
{
	ADD(ledger->head->log_suppressed, lines);
}

bool rg_ledger_announce(struct rg_ledger *ledger)
{
	return atomic_exchange(&ledger->head->announced, 1) == 0;
}

uint32_t rg_ledger_places(const struct rg_ledger *ledger)
{
	return ledger->places;
}

uint64_t rg_ledger_evictions(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->evictions);
}

uint64_t rg_ledger_evictions_unquiet(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->evictions_unquiet);
}

uint64_t rg_ledger_unplaced(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->unplaced);
}

uint64_t rg_ledger_lost(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->seats_lost);
}

bool rg_ledger_account(const struct rg_ledger *ledger, uint32_t index, struct rg_account *account)
{
	const struct rg_place *place = &ledger->table[index];
	uint64_t id = atomic_load_explicit(&place->id, memory_order_acquire);
	uint64_t address[2] = {LOAD(place->address[0]), LOAD(place->address[1])};

	if ((id & 1) == 0)
		return false;
	memcpy(account->client.address, address, sizeof address);
	account->client.family = (uint8_t)LOAD(place->family);
	account->tag = rg_tag(id);
	account->first_ns = LOAD(place->first_ns);
	account->last_ns = LOAD(place->last_ns);
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		account->outcomes[i] = LOAD(place->outcomes[i]);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		account->events[i] = LOAD(place->counts[i].events);
		account->acted[i] = LOAD(place->counts[i].acted);
		account->words[i] = LOAD(place->counts[i].word);
	}
	return atomic_load_explicit(&place->id, memory_order_acquire) == id;
}
