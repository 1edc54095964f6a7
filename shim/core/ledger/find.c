#include "core/ledger/find.h"

struct rg_slot *rg_slot_find(const struct rg_ledger *ledger, struct rg_key *key)
{
	struct rg_set *set = rg_set_of(ledger, key->id);
	unsigned way = key->way_hint % RG_WAYS;

	if (atomic_load(&set->ids[way]) == key->id)
		return &set->slots[way];
	for (way = 0; way < RG_WAYS; way++)
		if (atomic_load(&set->ids[way]) == key->id) {
			key->way_hint = way;
			return &set->slots[way];
		}
	return NULL;
}
