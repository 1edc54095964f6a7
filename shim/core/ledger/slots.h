/*
 * Which slot of the ledger belongs to which client: how a client finds its slot, gets one and is
 * evicted from it. Private to the ledger's own files. Any thread may call these functions.
 */
#ifndef RG_SLOTS_H
#define RG_SLOTS_H

#include "core/ledger/layout.h"

/* The client's slot, or NULL if it has none. */
struct rg_slot *rg_slot_find(struct rg_ledger *ledger, struct rg_key *key);

/*
 * The client's slot; a client without one gets a free slot or that of an idle client. With FORCE it
 * may also get the slot of a client that is not idle. Returns NULL if no slot can be taken.
 */
struct rg_slot *rg_slot_take(struct rg_ledger *ledger, struct rg_key *key, bool force,
			     uint64_t now_ns);

#endif
