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
static uint64_t seat_id(uint64_t id, enum rg_event event)
{
	return (id ^ ((uint64_t)event + 1) * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

static struct rg_seat *first_seat(const struct rg_ledger *ledger, uint64_t id)
{
	uint64_t sets = (uint64_t)ledger->places * RG_SEATS_PER_PLACE / RG_SEAT_WAYS;

	return &ledger->seats[((id >> 8 & UINT32_MAX) * sets >> 32) * RG_SEAT_WAYS];
}

static struct rg_seat *search(const struct rg_ledger *ledger, uint64_t id)
{
	struct rg_seat *first = first_seat(ledger, id);

	for (struct rg_seat *seat = first; seat < first + RG_SEAT_WAYS; seat++)
		if (atomic_load_explicit(&seat->id, memory_order_acquire) == id)
			return seat;
	return NULL;
}

static bool in_use(const struct rg_ledger *ledger, uint64_t now_ns)
{
	uint64_t taken_ns = LOAD(ledger->head->seat_taken_ns);

	return taken_ns != 0 && (taken_ns > now_ns || now_ns - taken_ns < MEMORY_NS);
}

uint64_t rg_seat_word(const struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
		      uint64_t now_ns)
{
	const struct rg_seat *seat =
	    in_use(ledger, now_ns) ? search(ledger, seat_id(key->id, event)) : NULL;

	return seat != NULL ? rg_limit_moved(LOAD(seat->word), rg_tag(seat_id(key->id, event)),
					     rg_tag(key->id), now_ns)
			    : 0;
}

/* How little is lost with a seat: the least is given up. 0: nothing. UINT64_MAX: not to be had. */
static uint64_t worth(const struct rg_seat *seat, uint64_t id, uint64_t now_ns)
{
	if (id == 0)
		return 0;
	if (rg_is_claim(id))
		return rg_claim_is_stale(id, now_ns) ? 0 : UINT64_MAX;
	return rg_limit_ahead(LOAD(seat->word), rg_tag(id), now_ns);
}

/* Take the seat of the set that is worth least. NULL where another was faster. */
static struct rg_seat *take(struct rg_ledger *ledger, uint64_t id, uint64_t now_ns)
{
	struct rg_seat *first = first_seat(ledger, id), *best = NULL;
	uint64_t best_id = 0, least = UINT64_MAX, claim = rg_claim_word(id, now_ns);
	uint64_t taken_ns = LOAD(ledger->head->seat_taken_ns);

	for (struct rg_seat *seat = first; seat < first + RG_SEAT_WAYS; seat++) {
		uint64_t holder = atomic_load(&seat->id), value = worth(seat, holder, now_ns);

		if (value < least) {
			least = value;
			best = seat;
			best_id = holder;
		}
	}
	if (best == NULL || !atomic_compare_exchange_strong(&best->id, &best_id, claim))
		return NULL;
	if (least != 0)
		ADD(ledger->head->seats_lost, 1);
	if (taken_ns == 0 || now_ns - taken_ns > NOTE_NS)
		STORE(ledger->head->seat_taken_ns, now_ns);
	STORE(best->word, 0);
	return atomic_compare_exchange_strong(&best->id, &claim, id) ? best : NULL;
}

static struct rg_seat *find(struct rg_ledger *ledger, uint64_t id, uint64_t now_ns)
{
	struct rg_seat *seat = search(ledger, id);

	for (unsigned tries = 0; seat == NULL && tries < TRIES; tries++) {
		seat = take(ledger, id, now_ns);
		if (seat == NULL)
			seat = search(ledger, id);
	}
	return seat;
}

/*
 * Threads read the clock, then wait for each other: an event that was overtaken is not over the
 * limit for it. A place knows its last event's time; here as much is let pass as such a wait may
 * last.
 */
static uint64_t not_overtaken(uint64_t word, uint16_t tag, uint64_t now_ns)
{
	uint64_t ahead_ns = rg_limit_ahead(word, tag, now_ns) * RG_TICK_NS;

	return now_ns + (ahead_ns < OVERTAKING_NS ? ahead_ns : OVERTAKING_NS);
}

bool rg_seat_enter(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
		   const struct rg_limit *limit, bool keep_over, uint64_t now_ns,
		   struct rg_limit_step *step)
{
	uint64_t id = seat_id(key->id, event), word;
	struct rg_seat *seat = find(ledger, id, now_ns);

	if (seat == NULL)
		return false;
	word = LOAD(seat->word);
	do
		*step = rg_limit_event(word, rg_tag(id), not_overtaken(word, rg_tag(id), now_ns),
				       limit, keep_over);
	while (!atomic_compare_exchange_weak(&seat->word, &word, step->word));
	return true;
}

void rg_seat_keep(struct rg_ledger *ledger, uint64_t id, enum rg_event event, uint64_t word,
		  uint64_t now_ns)
{
	struct rg_seat *seat;

	if (rg_limit_is_quiet(word, rg_tag(id), now_ns))
		return;
	seat = find(ledger, seat_id(id, event), now_ns);
	if (seat != NULL)
		STORE(seat->word,
		      rg_limit_moved(word, rg_tag(id), rg_tag(seat_id(id, event)), now_ns));
}
