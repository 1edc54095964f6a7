/*
 * Which place of the ledger is whose: how a client finds its place, gets one, and has to make room.
 * Private to the ledger's own files.
 */
#ifndef RG_SLOTS_H
#define RG_SLOTS_H

#include "core/ledger/layout.h"

/* The client's place, or NULL. */
struct rg_slot *rg_slot_find(struct rg_ledger *ledger, struct rg_key *key);

/* The same; one that has none is given one, if need be with FORCE: that of a client whose limits
 * are in use. NULL where there is none to be had. */
struct rg_slot *rg_slot_take(struct rg_ledger *ledger, struct rg_key *key, bool force,
			     uint64_t now_ns);

#endif
