/* Makes a ledger, decides whether some memory is one, and continues it after another process. */
#include "core/ledger/layout.h"

#include <string.h>

#include "core/siphash.h"
#include "rg_policy.h"

/* Not a secret. The check detects damage, not forgery, so what passes it is trusted no further. */
static const uint8_t check_key[16] = "reneguard ledger";

/* One slot and its share of the overflow table. */
#define SLOT_BYTES                                                                                 \
	(sizeof(struct rg_set) / RG_WAYS +                                                         \
	 RG_OVERFLOW_PER_SLOT * sizeof(struct rg_overflow) / RG_OVERFLOW_WAYS)

_Static_assert(RG_LEDGER_SMALL_BYTES == sizeof(struct rg_head) + RG_CLIENTS_MIN * SLOT_BYTES,
	       "RG_LEDGER_SMALL_BYTES is the size of the smallest ledger");

static uint32_t slots_for(uint32_t clients)
{
	return (clients + RG_WAYS - 1) / RG_WAYS * RG_WAYS;
}

size_t rg_ledger_bytes(uint32_t clients)
{
	return sizeof(struct rg_head) + (size_t)slots_for(clients) * SLOT_BYTES;
}

static uint64_t check_of(const struct rg_fixed *fixed)
{
	return rg_siphash(check_key, (const uint8_t *)fixed, offsetof(struct rg_fixed, check));
}

static void point_at(struct rg_ledger *ledger, void *memory, const struct rg_fixed *fixed)
{
	ledger->head = memory;
	ledger->sets = (struct rg_set *)((unsigned char *)memory + sizeof(struct rg_head));
	ledger->slots = fixed->slots;
	ledger->overflow = (struct rg_overflow *)(ledger->sets + fixed->slots / RG_WAYS);
	ledger->part_sets = (fixed->slots / RG_WAYS + RG_PARTS - 1) / RG_PARTS;
	memcpy(ledger->seed, fixed->seed, sizeof ledger->seed);
	memset(ledger->rules, 0, sizeof ledger->rules);
}

void rg_ledger_make(struct rg_ledger *ledger, void *memory, uint32_t clients,
		    const uint8_t seed[16])
{
	struct rg_fixed *fixed = memory;

	fixed->magic = RG_LAYOUT_MAGIC;
	fixed->version = RG_LAYOUT_VERSION;
	fixed->head_bytes = sizeof(struct rg_head);
	fixed->slot_bytes = SLOT_BYTES;
	fixed->slots = slots_for(clients);
	memcpy(fixed->seed, seed, sizeof fixed->seed);
	fixed->check = check_of(fixed);
	point_at(ledger, memory, fixed);
}

bool rg_ledger_attach(struct rg_ledger *ledger, void *memory, size_t bytes, const char **why)
{
	struct rg_fixed fixed; /* a copy: others may change the mapped memory */

	*why = "it is too short for a ledger";
	if (bytes < sizeof(struct rg_head))
		return false;
	memcpy(&fixed, memory, sizeof fixed);
	*why = "it is not a ledger";
	if (fixed.magic != RG_LAYOUT_MAGIC)
		return false;
	*why = "it is a ledger of another version";
	if (fixed.version != RG_LAYOUT_VERSION || fixed.head_bytes != sizeof(struct rg_head) ||
	    fixed.slot_bytes != SLOT_BYTES)
		return false;
	*why = "it is damaged";
	if (fixed.check != check_of(&fixed) || fixed.slots == 0 || fixed.slots % RG_WAYS != 0)
		return false;
	*why = "its length is not what its header says";
	if (fixed.slots > RG_CLIENTS_MAX || bytes != rg_ledger_bytes(fixed.slots))
		return false;
	point_at(ledger, memory, &fixed);
	*why = NULL;
	return true;
}

size_t rg_ledger_length(const void *head)
{
	struct rg_fixed fixed;

	memcpy(&fixed, head, sizeof fixed);
	return fixed.magic == RG_LAYOUT_MAGIC && fixed.slots <= RG_CLIENTS_MAX
		   ? rg_ledger_bytes(fixed.slots)
		   : 0;
}

/*
 * Limit states and claims of another boot mean nothing under this boot's clock: empty them. Times
 * for people to read are moved by SHIFT_NS to this boot's clock.
 */
static void forget_other_boot(struct rg_ledger *ledger, uint32_t index, uint64_t shift_ns)
{
	struct rg_slot *slot = rg_slot_at(ledger, index);
	uint64_t id = LOAD(*rg_id_at(ledger, index));

	if (id != 0 && (id & 1) == 0)
		STORE(*rg_id_at(ledger, index), 0);
	if ((id & 1) == 0)
		return;
	ADD(slot->first_ns, shift_ns);
	ADD(slot->last_ns, shift_ns);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		STORE(slot->states[i], 0);
		STORE(slot->counters[i], LOAD(slot->counters[i]) & ~(RG_COUNTER_EVENT - 1));
		STORE(slot->logged_s[i], 0);
	}
}

static void empty_overflow(struct rg_ledger *ledger)
{
	size_t sets = (size_t)ledger->slots * RG_OVERFLOW_PER_SLOT / RG_OVERFLOW_WAYS;

	for (size_t i = 0; LOAD(ledger->head->overflow_taken_ns) != 0 && i < sets; i++)
		for (size_t way = 0; way < RG_OVERFLOW_WAYS; way++) {
			STORE(ledger->overflow[i].ids[way], 0);
			STORE(ledger->overflow[i].states[way], 0);
		}
	STORE(ledger->head->overflow_taken_ns, 0);
}

void rg_ledger_resume(struct rg_ledger *ledger, uint64_t boot, uint64_t epoch_ns)
{
	struct rg_head *head = ledger->head;
	/* Turns times of the other boot into times of ours. Often negative, that is, it wraps. */
	uint64_t shift_ns = LOAD(head->epoch_ns) - epoch_ns;

	if (LOAD(head->boot) != boot) {
		for (uint32_t i = 0; LOAD(head->boot) != 0 && i < ledger->slots; i++)
			forget_other_boot(ledger, i, shift_ns);
		empty_overflow(ledger);
		for (size_t i = 0; i < RG_ANNOUNCERS; i++)
			STORE(head->announced[i], 0);
		for (size_t i = 0; i < RG_LOG_RATES; i++)
			STORE(head->logs[i].state, 0);
		STORE(head->boot, boot);
	}
	STORE(head->epoch_ns, epoch_ns);
}
