/*
 * The overflow table of the ledger. It holds the limit states of clients without a slot: of
 * newcomers while every slot they may have belongs to a client with a limit in use, and of clients
 * that were evicted. It also holds the states of clients whose slot has a state of another rule
 * (state.h). Each client, event and rule has one small, exact overflow record. A newcomer gets a
 * slot at its next event, once a slot is free or its client idle; its state stays in the table
 * until it has drained. If it goes over its limit, it gets a slot at once.
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
 * A record that is drained or given up is killed first: its state becomes 0. Only then does its id
 * change hands. A record is published only if, after the claim, the client's slot does not say that
 * the state is or will be in the slot. Who sets a state in a slot waits for such claims first. So a
 * state is never in both places.
 *
 * Private to the ledger's own files. Any thread may call these functions.
 */
#ifndef RG_OVERFLOW_H
#define RG_OVERFLOW_H

#include "core/ledger/layout.h"

/* What a caller records: the rule's number and limit, and whether events over it are kept. */
struct rg_ruling {
	const struct rg_limit *limit;
	enum rg_event event;
	unsigned rule;
	bool keep_over;
};

enum rg_outcome_of_try {
	RG_TRY_DONE,
	RG_TRY_AGAIN, /* the state is elsewhere by now: look again */
	RG_TRY_FAILED /* no record could be taken */
};

/* The limit state of client ID, or 0 if it has no record. */
uint64_t rg_overflow_state(const struct rg_ledger *ledger, uint64_t id, enum rg_event event,
			   unsigned rule, uint64_t now_ns);

/*
 * Record one event in the client's record and set *STEP: see rg_limit_event. If it has none, MAKE
 * says whether one is made; without one and without MAKE, the result is RG_TRY_FAILED. OVERTAKING:
 * NOW_NS was not compared with the time of the last event.
 */
enum rg_outcome_of_try rg_overflow_event(struct rg_ledger *ledger, const struct rg_key *key,
					 const struct rg_ruling *ruling, bool make, bool overtaking,
					 uint64_t now_ns, struct rg_limit_step *step);

/*
 * The client's slot may take the state over, because it says NONE. Wait for those who are about to
 * make a record, and kill the client's record if it has drained. Returns false if a record is in
 * use.
 */
bool rg_overflow_vacate(struct rg_ledger *ledger, const struct rg_key *key, enum rg_event event,
			unsigned rule, uint64_t now_ns);

/* Take one event back from the client's record: see rg_limit_take_back. RG_TRY_FAILED if it has
 * none. */
enum rg_outcome_of_try rg_overflow_take_back(struct rg_ledger *ledger, const struct rg_key *key,
					     const struct rg_ruling *ruling, uint64_t now_ns);

/* The word AT of client ID's slot is MOVING: keep it in the table, unless another thread has seen
 * to that. */
void rg_overflow_keep(struct rg_ledger *ledger, uint64_t id, enum rg_event event,
		      const _Atomic uint64_t *at, uint64_t moving, uint64_t now_ns);

#endif
