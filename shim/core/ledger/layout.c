/* Makes a ledger, and decides whether some memory is one. */
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

uint32_t rg_ledger_slots_for(uint32_t clients)
{
	return (clients + RG_WAYS - 1) / RG_WAYS * RG_WAYS;
}

size_t rg_ledger_bytes(uint32_t clients)
{
	return sizeof(struct rg_head) + (size_t)rg_ledger_slots_for(clients) * SLOT_BYTES;
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
		    const uint8_t seed[16], uint64_t clock)
{
	struct rg_fixed *fixed = memory;

	fixed->magic = RG_LAYOUT_MAGIC;
	fixed->version = RG_LAYOUT_VERSION;
	fixed->head_bytes = sizeof(struct rg_head);
	fixed->slot_bytes = SLOT_BYTES;
	fixed->slots = rg_ledger_slots_for(clients);
	memcpy(fixed->seed, seed, sizeof fixed->seed);
	fixed->clock = clock;
	fixed->check = check_of(fixed);
	point_at(ledger, memory, fixed);
}

uint64_t rg_ledger_clock(const struct rg_ledger *ledger)
{
	return ledger->head->fixed.clock;
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
