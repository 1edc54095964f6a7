/*
 * The doorkeeper of the ledger. While every place a client may have is held by a client with a
 * limit in use, newcomers are counted here: one small exact record (a "seat") for a client and
 * event, until a place is to be had, or until the client is over its limit, when it gets one in any
 * case.
 *
 * The idea is that of the doorkeeper in TinyLFU (Einziger, Friedman, Manes: TinyLFU, ACM ToS 13(4),
 * 2017) with what is given up chosen as in Space-Saving (Metwally, Agrawal, El Abbadi, ICDT 2005):
 * the record that holds the least. Unlike a count-min sketch it never says more than there was, so
 * that an action is always taken on events that happened. What it may lose: a record is given up
 * only if all RG_OVERFLOW_WAYS of its set are in use, and then the one that is nearest to being
 * empty. With a flood of L clients a second that are new here, of one event each, under
 * COUNT/PERIOD, and S sets, a set has Poisson(L/S * PERIOD/COUNT) records in use, and a client
 * loses a record of no more than one event, and none that holds more.
 */
#ifndef RG_OVERFLOW_H
#define RG_OVERFLOW_H

#include "core/ledger/layout.h"

/* What the client has on its account for EVENT, as a word of rg_limit; 0 where it has no seat. */
uint64_t rg_overflow_state(const struct rg_ledger *ledger, const struct rg_key *key,
			   enum rg_event event, uint64_t now_ns);

/* Enter one EVENT (see rg_limit_event). False where there was no seat to be had: nothing is
 * entered. */
bool rg_overflow_event(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, bool keep_over, uint64_t now_ns,
		       struct rg_limit_step *step);

/* The client ID has lost its place: keep what it had on its account for EVENT. */
void rg_overflow_keep(struct rg_ledger *ledger, uint64_t id, enum rg_event event, uint64_t state,
		      uint64_t now_ns);

#endif
