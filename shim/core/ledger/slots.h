/*
 * How a client gets a slot of the ledger, and how it is evicted. Before a slot is claimed, each of
 * its words is made GONE, and states that have not drained move to the overflow table (state.h).
 * So a client's limit states can be found at every instant. Private to the ledger's own files. Any
 * thread may call these functions.
 */
#ifndef RG_SLOTS_H
#define RG_SLOTS_H

#include "core/ledger/find.h"

/*
 * The client's slot; a client without one gets a free slot or that of an idle client. With FORCE it
 * may also get the slot of a client that is not idle. Returns NULL if no slot can be taken.
 */
struct rg_slot *rg_slot_take(struct rg_ledger *ledger, struct rg_key *key, bool force,
			     uint64_t now_ns);

/*
 * Client ID's word AT, for EVENT, is MOVING: see that the overflow table has the state, then make
 * the word GONE.
 */
void rg_slot_finish_move(struct rg_ledger *ledger, uint64_t id, enum rg_event event,
			 _Atomic uint64_t *at, uint64_t moving, uint64_t now_ns);

#endif
