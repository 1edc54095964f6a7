/*
 * The account of clients: a fixed table in memory that all processes of a tree share, or all that
 * map the same file. It owns the layout of that memory and nothing else: who maps it, and where, is
 * the caller's business. No locks, no pointers in it, only integers of fixed size, so that threads,
 * forked workers and processes of another word size agree, and a process that is killed at any
 * instruction leaves it usable. Whatever stands in the memory, no index, length or pointer is taken
 * from it: how many places there are is known from the handle alone.
 *
 * A client has a place in one of the RG_WAYS places that its keyed hash names (SipHash-2-4, key
 * drawn at random when the ledger was made, so nobody can aim at a place). Where all are taken, a
 * client whose limits are all quiet makes room, the one heard of longest ago first. Where none is
 * quiet, newcomers are counted by a doorkeeper until there is a place (seats.h), and whoever is
 * over a limit gets the place of the client that is nearest to being quiet, whose account goes to
 * the doorkeeper. So a flood of addresses makes nobody forgotten who has a limit in use.
 */
#ifndef RG_LEDGER_H
#define RG_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_client.h"
#include "rg_event.h"
#include "rg_limit.h"
#include "rg_policy.h"

#define RG_LEDGER_HEAD_BYTES 576
#define RG_ABOUT_BYTES	     64

/* Enough for 64 clients: for a process that can not get memory. */
#define RG_LEDGER_SMALL_BYTES (RG_LEDGER_HEAD_BYTES + 64 * (200 + 256))

/* A process's own handle: immutable once made, so that threads share it. */
struct rg_ledger {
	struct rg_head *head; /* the memory */
	struct rg_set *sets;  /* in it */
	struct rg_overflow *overflow;
	uint32_t slots;
	uint32_t part_sets; /* how many are one part: see rg_ledger_part */
	uint8_t seed[16];
};

/* How a first handshake ended. Columns of the account beside the events. X(id, name, what it is) */
#define RG_OUTCOMES(X)                                                                             \
	X(ACCEPTED, "accepted", "resumptions offered and accepted")                                \
	X(NOT_ACCEPTED, "not_accepted", "resumptions offered and not accepted")

enum rg_outcome {
#define X(id, name, what) RG_OUTCOME_##id,
	RG_OUTCOMES(X)
#undef X
	    RG_OUTCOME_COUNT
};

/* A client as the ledger knows it; made once for a connection. The hint saves searching and may be
 * wrong. */
struct rg_key {
	struct rg_client client;
	uint32_t way_hint;
	uint64_t id;
};

/* What entering one event found. */
struct rg_result {
	bool over;	/* this event is over the limit */
	bool log_due;	/* over, and no line was due for this client and event in the last minute */
	uint32_t count; /* events since the client was last quiet, this one included */
};

/* One client's account, copied out. */
struct rg_account {
	struct rg_client client;
	uint64_t first_ns, last_ns;
	uint32_t events[RG_EVENT_COUNT];
	uint32_t acted[RG_EVENT_COUNT];
	uint32_t outcomes[RG_OUTCOME_COUNT];
	uint64_t states[RG_EVENT_COUNT]; /* rg_limit */
	uint16_t tag;			 /* theirs */
};

/* All clients together, those that had to make room included. */
struct rg_totals {
	uint64_t events[RG_EVENT_COUNT];
	uint64_t acted[RG_EVENT_COUNT];
	uint64_t outcomes[RG_OUTCOME_COUNT];
};

/* Who uses a ledger. Text of a program: to be escaped where it is shown. */
struct rg_about {
	struct rg_rule rules[RG_EVENT_COUNT];
	char service[RG_ABOUT_BYTES];
	char libssl[RG_ABOUT_BYTES];
};

/* Bytes that a ledger for at least CLIENTS clients takes. */
size_t rg_ledger_bytes(uint32_t clients);

/* Make MEMORY (zeroed, 64-byte aligned, rg_ledger_bytes(clients) long) a ledger. SEED: 16 random
 * bytes. */
void rg_ledger_make(struct rg_ledger *ledger, void *memory, uint32_t clients,
		    const uint8_t seed[16]);

/*
 * Take MEMORY (64-byte aligned, BYTES long) for the ledger that it says it is. False where it can
 * not be one, and *WHY says what is wrong with it ("it is damaged"). Nothing is written.
 */
bool rg_ledger_attach(struct rg_ledger *ledger, void *memory, size_t bytes, const char **why);

/*
 * Go on with a ledger that was made elsewhere. BOOT names the boot of the machine (never the same
 * twice), EPOCH_NS is the wall-clock time at which its monotonic clock was zero. What another boot
 * left of limits is emptied, totals stay. One process at a time, under the caller's lock.
 */
void rg_ledger_resume(struct rg_ledger *ledger, uint64_t boot, uint64_t epoch_ns);

/* The key of CLIENT, which is already cut to its prefix. */
struct rg_key rg_ledger_key(const struct rg_ledger *ledger, const struct rg_client *client);

/*
 * Enter one EVENT at NOW_NS (monotonic) under LIMIT; NULL: count only, never over. KEEP_OVER: see
 * rg_limit_event.
 */
struct rg_result rg_ledger_record(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
				  const struct rg_limit *limit, bool keep_over, uint64_t now_ns);

/* Enter how a handshake ended; note that an action was taken on an EVENT. Where
 * the client has no place only the totals know. */
void rg_ledger_outcome(struct rg_ledger *ledger, struct rg_key *key, enum rg_outcome outcome);
void rg_ledger_acted(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event);

/* Is the client over LIMIT by a kept EVENT (rg_limit_is_over)? Would its next one be over
 * (rg_limit_is_full)? Enter nothing. */
bool rg_ledger_is_over(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns);
bool rg_ledger_is_full(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns);

/*
 * May a log line be written under RATE? If so true, and *SUPPRESSED is how many were held back
 * since the last; else it is counted as held back.
 */
bool rg_ledger_log_allowed(struct rg_ledger *ledger, const struct rg_limit *rate, uint64_t now_ns,
			   uint32_t *suppressed);

/* LINES that were due could not be delivered: they count as held back. */
void rg_ledger_log_lost(struct rg_ledger *ledger, uint32_t lines);

/*
 * Post who uses the ledger, for those that look at it. True if that is news: nothing of the like
 * was said yet by this process TREE (a number that its processes have in common, those it executes
 * included) in this boot. Of several trees that share a ledger the last three are remembered.
 */
bool rg_ledger_announce(struct rg_ledger *ledger, const struct rg_about *about, uint64_t tree);

/*
 * Places; clients that had to make room; among these the ones whose limits were not quiet. Events
 * of clients that had no place (they are in no account, but counted under their limit); accounts
 * that were given up while a limit was in use.
 */
uint32_t rg_ledger_slots(const struct rg_ledger *ledger);
uint64_t rg_ledger_evictions(const struct rg_ledger *ledger);
uint64_t rg_ledger_evictions_active(const struct rg_ledger *ledger);
uint64_t rg_ledger_unplaced(const struct rg_ledger *ledger);
uint64_t rg_ledger_lost(const struct rg_ledger *ledger);

/* Copy the account in PLACE (0 to rg_ledger_slots - 1); false where there is none. */
bool rg_ledger_account(const struct rg_ledger *ledger, uint32_t slot, struct rg_account *account);

/* What was posted last, with nothing in it that a policy could not be. */
void rg_ledger_about(const struct rg_ledger *ledger, struct rg_about *about);

void rg_ledger_totals(const struct rg_ledger *ledger, struct rg_totals *totals);

/*
 * For a reader from outside. How long a ledger with this HEAD (RG_LEDGER_HEAD_BYTES long) says it
 * is; 0 where it can not be. And its PARTs, from 0 until false: *BYTES at *FIRST of the memory, 0
 * where nothing was ever written.
 */
size_t rg_ledger_length(const void *head);
bool rg_ledger_part(const struct rg_ledger *ledger, unsigned part, size_t *first, size_t *bytes);

#endif
