/*
 * The overflow table of the ledger. It counts newcomers while every slot they may have belongs to a
 * client with a limit in use. Each client and event has one small, exact overflow record. The
 * newcomer moves to a slot at its next event, once a slot is free or its client idle. If it goes
 * over its limit, it gets a slot at once.
 *
 * The table is the "doorkeeper" of TinyLFU (Einziger, Friedman, Manes: TinyLFU, ACM ToS 13(4),
 * 2017). The record to give up is chosen as in Space-Saving (Metwally, Agrawal, El Abbadi, ICDT
 * 2005): the one that holds the least. Unlike a count-min sketch, the table never counts more than
 * there was. So an action is always taken on events that happened.
 *
 * It may count less: if all RG_OVERFLOW_WAYS records of a set are in use, the one that is nearest
 * to drained is given up. Take a flood of L new clients a second with one event each, a limit of
 * COUNT/PERIOD and S sets. A set then has Poisson(L/S * PERIOD/COUNT) records in use. What is given
 * up is a record of one event at most; a record that holds more is kept.
 *
 * Private to the ledger's own files. Any thread may call these functions.
 */
#ifndef RG_OVERFLOW_H
#define RG_OVERFLOW_H

#include "core/ledger/layout.h"

/* The client's limit state for EVENT, under the client's own tag; 0 if it has no record. */
uint64_t rg_overflow_state(const struct rg_ledger *ledger, const struct rg_key *key,
			   enum rg_event event, uint64_t now_ns);

/* Record one EVENT and set *STEP: see rg_limit_event. Returns false if no record could be taken;
 * nothing is recorded then. */
bool rg_overflow_event(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, bool keep_over, uint64_t now_ns,
		       struct rg_limit_step *step);

/* Take one EVENT back from the client's record, if it has one: see rg_limit_take_back. */
void rg_overflow_take_back(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
			   const struct rg_limit *limit, uint64_t now_ns);

/* Client ID was evicted from its slot: keep its limit STATE for EVENT in the table, if a record can
 * be taken. */
void rg_overflow_keep(struct rg_ledger *ledger, uint64_t id, enum rg_event event, uint64_t state,
		      uint64_t now_ns);

#endif
