/* Making a ledger, believing that some memory is one, and going on with it. */
#include "core/ledger/layout.h"

#include <string.h>

#include "core/siphash.h"
#include "rg_policy.h"

/* Not a secret: it tells damage, not forgery. Nothing that passes is trusted any further. */
static const uint8_t check_key[16] = "reneguard ledger";

/* A place with the seats that go with it. */
#define PLACE_BYTES (sizeof(struct rg_set) / RG_WAYS + RG_SEATS_PER_PLACE * sizeof(struct rg_seat))

_Static_assert(RG_LEDGER_SMALL_BYTES == sizeof(struct rg_head) + RG_CLIENTS_MIN * PLACE_BYTES,
	       "what the smallest ledger takes");

static uint32_t places_for(uint32_t clients)
{
	return (clients + RG_WAYS - 1) / RG_WAYS * RG_WAYS;
}

size_t rg_ledger_bytes(uint32_t clients)
{
	return sizeof(struct rg_head) + (size_t)places_for(clients) * PLACE_BYTES;
}

static uint64_t check_of(const struct rg_fixed *fixed)
{
	return rg_siphash(check_key, (const uint8_t *)fixed, offsetof(struct rg_fixed, check));
}

static void point_at(struct rg_ledger *ledger, void *memory, const struct rg_fixed *fixed)
{
	ledger->head = memory;
	ledger->sets = (struct rg_set *)((unsigned char *)memory + sizeof(struct rg_head));
	ledger->places = fixed->places;
	ledger->seats = (struct rg_seat *)(ledger->sets + fixed->places / RG_WAYS);
	ledger->part_sets = (fixed->places / RG_WAYS + RG_PARTS - 1) / RG_PARTS;
	memcpy(ledger->seed, fixed->seed, sizeof ledger->seed);
}

void rg_ledger_make(struct rg_ledger *ledger, void *memory, uint32_t clients,
		    const uint8_t seed[16])
{
	struct rg_fixed *fixed = memory;

	fixed->magic = RG_LAYOUT_MAGIC;
	fixed->version = RG_LAYOUT_VERSION;
	fixed->head_bytes = sizeof(struct rg_head);
	fixed->place_bytes = PLACE_BYTES;
	fixed->places = places_for(clients);
	memcpy(fixed->seed, seed, sizeof fixed->seed);
	fixed->check = check_of(fixed);
	point_at(ledger, memory, fixed);
}

bool rg_ledger_attach(struct rg_ledger *ledger, void *memory, size_t bytes, const char **why)
{
	struct rg_fixed fixed; /* a copy: what is mapped may change while it is looked at */

	*why = "it is too short for a ledger";
	if (bytes < sizeof(struct rg_head))
		return false;
	memcpy(&fixed, memory, sizeof fixed);
	*why = "it is no ledger";
	if (fixed.magic != RG_LAYOUT_MAGIC)
		return false;
	*why = "it is a ledger of another version";
	if (fixed.version != RG_LAYOUT_VERSION || fixed.head_bytes != sizeof(struct rg_head) ||
	    fixed.place_bytes != PLACE_BYTES)
		return false;
	*why = "it is damaged";
	if (fixed.check != check_of(&fixed) || fixed.places == 0 || fixed.places % RG_WAYS != 0)
		return false;
	*why = "it is not as long as it says";
	if (fixed.places > RG_CLIENTS_MAX || bytes != rg_ledger_bytes(fixed.places))
		return false;
	point_at(ledger, memory, &fixed);
	*why = NULL;
	return true;
}

size_t rg_ledger_length(const void *head)
{
	struct rg_fixed fixed;

	memcpy(&fixed, head, sizeof fixed);
	return fixed.magic == RG_LAYOUT_MAGIC && fixed.places <= RG_CLIENTS_MAX
		   ? rg_ledger_bytes(fixed.places)
		   : 0;
}

/* Limits, claims and times of another boot: what is left of them means nothing under this clock. */
static void forget_clock(struct rg_ledger *ledger, uint32_t index, uint64_t shift_ns)
{
	struct rg_place *place = rg_place_at(ledger, index);
	uint64_t id = LOAD(*rg_id_at(ledger, index));

	if (id != 0 && (id & 1) == 0)
		STORE(*rg_id_at(ledger, index), 0);
	if ((id & 1) == 0)
		return;
	ADD(place->first_ns, shift_ns);
	ADD(place->last_ns, shift_ns);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		STORE(place->words[i], 0);
		STORE(place->tallies[i], LOAD(place->tallies[i]) & ~(RG_TALLY_EVENT - 1));
		STORE(place->logged_s[i], 0);
	}
}

static void forget_seats(struct rg_ledger *ledger)
{
	size_t seats = (size_t)ledger->places * RG_SEATS_PER_PLACE;

	for (size_t i = 0; LOAD(ledger->head->seat_taken_ns) != 0 && i < seats; i++)
		STORE(ledger->seats[i].id, 0);
	STORE(ledger->head->seat_taken_ns, 0);
}

void rg_ledger_resume(struct rg_ledger *ledger, uint64_t boot, uint64_t epoch_ns)
{
	struct rg_head *head = ledger->head;
	/* What was at this wall-clock time is so far from the zero of our clock; often before it.
	 */
	uint64_t shift_ns = LOAD(head->epoch_ns) - epoch_ns;

	if (LOAD(head->boot) != boot) {
		for (uint32_t i = 0; LOAD(head->boot) != 0 && i < ledger->places; i++)
			forget_clock(ledger, i, shift_ns);
		forget_seats(ledger);
		for (size_t i = 0; i < RG_ANNOUNCERS; i++)
			STORE(head->announced[i], 0);
		STORE(head->log_word, 0);
		STORE(head->boot, boot);
	}
	STORE(head->epoch_ns, epoch_ns);
}
