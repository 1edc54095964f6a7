/*
 * The ledger: an account for each client, in a table of fixed size. All processes of a tree share
 * its memory, or all processes that map the same file. This module owns the layout of that memory;
 * the caller maps it. The memory holds only integers of fixed size: no locks and no pointers. So
 * threads, forked workers and processes of another word size can use it at the same time. A process
 * that is killed at any instruction leaves it usable. No index, length or pointer is taken from the
 * memory, whatever is in it; the number of slots comes from the handle alone.
 *
 * A keyed hash of the client names RG_WAYS slots, and the client may have any one of them. The hash
 * is SipHash-2-4; its key was drawn at random when the ledger was made, so nobody can aim at a
 * slot. If all those slots are taken, the idle client that was seen longest ago is evicted. A
 * client is idle when all its limit states have drained. If none is idle, the events of newcomers
 * go to the overflow table until there is a slot (overflow.h). A newcomer that goes over a limit
 * gets the slot of the client that is nearest to idle, whose limit states move to the overflow
 * table. So a flood of addresses does not make the ledger forget a client with a limit in use.
 *
 * Any thread of any of these processes may call the functions at any time, except rg_ledger_make
 * and rg_ledger_use: see there. Of the functions that write, none can fail.
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

#define RG_LEDGER_HEAD_BYTES 2048
#define RG_ABOUT_BYTES	     64

/* The size of a ledger for 64 clients, enough for a process that cannot get memory. */
#define RG_LEDGER_SMALL_BYTES (RG_LEDGER_HEAD_BYTES + 64 * (200 + 256))

/* A process's own handle. It never changes once made, so threads share it without a lock. */
struct rg_ledger {
	struct rg_head *head; /* the memory begins here */
	struct rg_set *sets;
	struct rg_overflow *overflow; /* the overflow table */
	uint32_t slots;
	uint32_t part_sets; /* how many sets are one part: see rg_ledger_part */
	uint8_t seed[16];
	/* The rules of this process, and their numbers in the ledger: see rg_ledger_use. */
	struct rg_numbered_rule {
		uint64_t word;
		uint32_t number;
	} rules[RG_EVENT_COUNT];
};

/* How libssl answered a resumption offer; counted beside the events. X(id, name, description) */
#define RG_OUTCOMES(X)                                                                             \
	X(ACCEPTED, "accepted", "resumptions that were offered and accepted")                      \
	X(NOT_ACCEPTED, "not_accepted", "resumptions that were offered but not accepted")

enum rg_outcome {
#define X(id, name, what) RG_OUTCOME_##id,
	RG_OUTCOMES(X)
#undef X
	    RG_OUTCOME_COUNT
};

/* How the ledger finds a client; made once for each connection. */
struct rg_key {
	struct rg_client client;
	uint32_t way_hint; /* where its slot was last; saves a search and may be wrong */
	uint64_t id;	   /* the keyed hash of the client, made odd */
};

/* What recording one event found. */
struct rg_result {
	bool over;	/* this event is over the limit */
	uint32_t count; /* events since the limit state last drained, this one included */
};

/* A copy of one client's account. */
struct rg_account {
	struct rg_client client;
	uint64_t first_ns, last_ns;
	uint32_t events[RG_EVENT_COUNT];
	uint32_t acted[RG_EVENT_COUNT];
	uint32_t outcomes[RG_OUTCOME_COUNT];
	/* Limit states under the rules that were announced last, and their tags: rg_limit.h. */
	uint64_t states[RG_EVENT_COUNT];
	uint16_t tags[RG_EVENT_COUNT];
};

/* The counters of all clients together, including clients without a slot. */
struct rg_totals {
	uint64_t events[RG_EVENT_COUNT];
	uint64_t acted[RG_EVENT_COUNT];
	uint64_t outcomes[RG_OUTCOME_COUNT];
};

/* Who uses a ledger. The text comes from a program, so it must be escaped when it is shown. */
struct rg_about {
	struct rg_rule rules[RG_EVENT_COUNT];
	char service[RG_ABOUT_BYTES];
	char libssl[RG_ABOUT_BYTES];
};

/* The slots, and the size in bytes, of a ledger for at least CLIENTS clients. */
uint32_t rg_ledger_slots_for(uint32_t clients);
size_t rg_ledger_bytes(uint32_t clients);

/*
 * Make a ledger in MEMORY, which must be zeroed, 64-byte aligned and rg_ledger_bytes(clients) long.
 * Only the first RG_LEDGER_HEAD_BYTES of it are touched. SEED is 16 random bytes. CLOCK is a number
 * for the clock from which all its times come. No other process may use the memory meanwhile.
 */
void rg_ledger_make(struct rg_ledger *ledger, void *memory, uint32_t clients,
		    const uint8_t seed[16], uint64_t clock);

/* The CLOCK for which the ledger was made. */
uint64_t rg_ledger_clock(const struct rg_ledger *ledger);

/*
 * Use the ledger that is already in MEMORY, which is 64-byte aligned and BYTES long. Returns false
 * if there is no usable ledger in it; *WHY, a static string, then says what is wrong, such as "it
 * is damaged". Nothing is written to MEMORY.
 */
bool rg_ledger_attach(struct rg_ledger *ledger, void *memory, size_t bytes, const char **why);

/*
 * Enter the RULES and the LOG_RATE of this process in the ledger. Each limit state belongs to the
 * rule under which it was written, and is read under no other. So services with different rules
 * share a ledger without acting on each other's limits, and a changed rule begins anew. Returns
 * false if the ledger has no room for another rule: it remembers 31 for each event and 8 rates of
 * the log. No other thread may use LEDGER meanwhile.
 */
bool rg_ledger_use(struct rg_ledger *ledger, const struct rg_rule rules[RG_EVENT_COUNT],
		   const struct rg_limit *log_rate);

/* Make the key of CLIENT for this ledger. */
struct rg_key rg_ledger_key(const struct rg_ledger *ledger, const struct rg_client *client);

/*
 * Record one EVENT at NOW_NS (monotonic) under LIMIT. If LIMIT is NULL the event is only counted
 * and never over. KEEP_OVER: see rg_limit_event.
 */
struct rg_result rg_ledger_record(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
				  const struct rg_limit *limit, bool keep_over, uint64_t now_ns);

/*
 * The event recorded last for this client was none, or one of another kind. Take one EVENT back:
 * from the counters and totals, and from the limit state under LIMIT. LIMIT is NULL if the event
 * was only counted, or if it was over the limit and left no trace in the limit state (see
 * rg_limit_event). Nothing falls below zero.
 */
void rg_ledger_take_back(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
			 const struct rg_limit *limit, uint64_t now_ns);

/* Count the OUTCOME of a resumption offer, or an action taken on an EVENT. If the client has no
 * slot, only the totals count it. */
void rg_ledger_outcome(struct rg_ledger *ledger, struct rg_key *key, enum rg_outcome outcome);
void rg_ledger_acted(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event);

/* The action that was counted last for EVENT turned out to be none, like the event. */
void rg_ledger_not_acted(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event);

/* Is the client over LIMIT by a kept EVENT (rg_limit_is_over)? Would its next EVENT be over LIMIT
 * (rg_limit_is_full)? Neither records anything. */
bool rg_ledger_is_over(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns);
bool rg_ledger_is_full(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns);

/*
 * May a log line be written under RATE? If so, returns true and sets *SUPPRESSED to the number of
 * lines held back since the last. If not, returns false and counts the line as held back.
 */
bool rg_ledger_log_allowed(struct rg_ledger *ledger, const struct rg_limit *rate, uint64_t now_ns,
			   uint32_t *suppressed);

/*
 * The same for a line about the client and EVENT. One is due if none was written in the last
 * minute. One that the rate holds back stays due, so the client's next event may bring it. Half of
 * the lines that RATE allows at once are kept for clients of which no line has been written. False
 * without counting if no line is due. A client without a slot gets none.
 */
bool rg_ledger_line_allowed(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
			    const struct rg_limit *rate, uint64_t now_ns, uint32_t *suppressed);

/* Count LINES that were allowed under RATE but could not be delivered as held back. */
void rg_ledger_log_lost(struct rg_ledger *ledger, const struct rg_limit *rate, uint32_t lines);

/*
 * Post who uses the ledger, for its readers. Returns true if this is news: process tree TREE has
 * not yet announced the same. TREE is a number that all processes of a tree share,
 * including the programs they execute. The last three announcements are remembered.
 */
bool rg_ledger_announce(struct rg_ledger *ledger, const struct rg_about *about, uint64_t tree);

/* The same for something of which the readers are not told: is it news? */
bool rg_ledger_is_news(struct rg_ledger *ledger, const struct rg_about *about, uint64_t tree);

/* Count a connection that is not guarded, because there was no memory for its state. */
void rg_ledger_count_unguarded(struct rg_ledger *ledger);
uint32_t rg_ledger_unguarded(const struct rg_ledger *ledger);

/* The number of slots. */
uint32_t rg_ledger_slots(const struct rg_ledger *ledger);

/* How many clients were evicted; how many of them were not idle. */
uint64_t rg_ledger_evictions(const struct rg_ledger *ledger);
uint64_t rg_ledger_evictions_active(const struct rg_ledger *ledger);

/* How many events came from clients without a slot. They are in no account, but the overflow table
 * counts them under their limit. */
uint64_t rg_ledger_unplaced(const struct rg_ledger *ledger);

/* How many overflow records were given up before they had drained. */
uint64_t rg_ledger_lost(const struct rg_ledger *ledger);

/* Copy the account in SLOT (0 to rg_ledger_slots - 1). Returns false if the slot is free, or if it
 * changed hands during the copy. */
bool rg_ledger_account(const struct rg_ledger *ledger, uint32_t slot, struct rg_account *account);

/* Copy what was announced last. Values that no policy can have are replaced. */
void rg_ledger_about(const struct rg_ledger *ledger, struct rg_about *about);

void rg_ledger_totals(const struct rg_ledger *ledger, struct rg_totals *totals);

/*
 * For a reader outside the processes that use the ledger. Returns the size in bytes of a ledger
 * according to its HEAD, which is RG_LEDGER_HEAD_BYTES long; 0 if HEAD is not that of a ledger.
 */
size_t rg_ledger_length(const void *head);

/*
 * For the same reader: which bytes of the memory hold slots that were ever used. PART counts from 0
 * until the function returns false. *FIRST is the part's offset in the memory. *BYTES is its
 * length, or 0 if nothing was ever written there.
 */
bool rg_ledger_part(const struct rg_ledger *ledger, unsigned part, size_t *first, size_t *bytes);

#endif
