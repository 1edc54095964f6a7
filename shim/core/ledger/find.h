/* Finds the slot of a client. Private to the ledger's own files. Any thread may call these
 * functions. */
#ifndef RG_FIND_H
#define RG_FIND_H

#include "core/ledger/layout.h"

/* The set whose slots the client ID may have. */
static inline struct rg_set *rg_set_of(const struct rg_ledger *ledger, uint64_t id)
{
	return &ledger->sets[(id >> 8 & UINT32_MAX) * (ledger->slots / RG_WAYS) >> 32];
}

/* The client's slot, or NULL if it has none. */
struct rg_slot *rg_slot_find(const struct rg_ledger *ledger, struct rg_key *key);

/*
 * Does SLOT, which was found for KEY and is at its way hint, still belong to it? Ask after reading
 * a word and before swapping it: see state.h.
 */
static inline bool rg_slot_is_held(const struct rg_slot *slot, const struct rg_key *key)
{
	unsigned way = key->way_hint % RG_WAYS;
	const struct rg_set *set =
	    (const struct rg_set *)((const char *)(slot - way) - offsetof(struct rg_set, slots));

	return atomic_load(&set->ids[way]) == key->id;
}

#endif
