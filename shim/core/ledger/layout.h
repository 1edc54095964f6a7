/*
 * The layout of a ledger's memory: a head, then the slots in sets, then the overflow table. It has
 * only integers of fixed size at fixed offsets, the same for every word size. Any change to it
 * needs another RG_LAYOUT_VERSION. Private to the ledger's own files.
 */
#ifndef RG_LEDGER_LAYOUT_H
#define RG_LEDGER_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/ledger/claim.h"
#include "rg_ledger.h"

#define RG_LAYOUT_MAGIC	     UINT64_C(0x7265476e65723031) /* "10renGer" in memory */
#define RG_LAYOUT_VERSION    5
#define RG_CACHE_LINE	     64
#define RG_WAYS		     8
#define RG_OVERFLOW_WAYS     8
#define RG_OVERFLOW_PER_SLOT 16
#define RG_PARTS	     1024 /* of the slots: see rg_ledger_part */
#define RG_ANNOUNCERS	     3
#define RG_RULES	     31 /* for each event: see rules.h */
#define RG_LOG_RATES	     8

/* Written once, when the ledger is made. It is checked before the rest is used as a ledger. */
struct rg_fixed {
	uint64_t magic;
	uint32_t version;
	uint32_t head_bytes;
	uint32_t slot_bytes;
	uint32_t slots;
	uint8_t seed[16];
	uint64_t clock; /* for the caller that maps the memory: see rg_ledger_make */
	uint64_t check; /* a hash of all fields above */
};

/* What was logged under one rate, by all processes that use it. */
struct rg_log_account {
	_Atomic uint64_t rate;	/* as in the lists of rules; 0: free */
	_Atomic uint64_t state; /* a limit state of the log itself */
	_Atomic uint32_t suppressed;
	uint32_t reserved;
};

struct rg_head {
	struct rg_fixed fixed;
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t evictions;
	_Atomic uint64_t evictions_active;
	_Atomic uint64_t overflow_taken_ns; /* about when a record was last taken; 0: never */
	_Atomic uint64_t overflow_lost;	    /* records given up before they had drained */
	_Atomic uint64_t unplaced;	    /* events of clients without a slot */
	_Atomic uint32_t announced[RG_ANNOUNCERS]; /* hashes of announcements, the newest first */
	_Atomic uint32_t unguarded; /* connections for whose state there was no memory */
	/* A bit for each part of the slots that was ever written to; a reader skips the rest. */
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t touched[RG_PARTS / 64];
	/* The counters of evicted clients, and what was counted for clients without a slot. */
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t gone_events[RG_EVENT_COUNT];
	_Atomic uint64_t gone_acted[RG_EVENT_COUNT];
	_Atomic uint64_t gone_outcomes[RG_OUTCOME_COUNT];
	/* For display: written by the last announcement, checked by the reader. */
	struct rg_posted_rule {
		_Atomic uint32_t action, count, period_s;
	} rules[RG_EVENT_COUNT];
	_Atomic char service[RG_ABOUT_BYTES];
	_Atomic char libssl[RG_ABOUT_BYTES];
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t listed[RG_EVENT_COUNT][RG_RULES]; /* rules.h */
	struct rg_log_account logs[RG_LOG_RATES];
};

/*
 * The account of one client. To record the event of a new connection, only the first cache line is
 * read and written. So if two processors record events of one client, one line travels between
 * them, not two. To choose a slot for a newcomer, only the first line is read as well.
 */
struct rg_slot {
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t last_ns;
	_Atomic uint64_t states[RG_EVENT_COUNT];   /* limit states: state.h */
	_Atomic uint64_t counters[RG_EVENT_COUNT]; /* at RG_COUNTER_OF; no decision uses them */
	_Atomic uint64_t first_ns;
	_Atomic uint64_t address[2];
	_Atomic uint32_t outcomes[RG_OUTCOME_COUNT];
	_Atomic uint32_t family; /* and RG_SLOT_EXEMPT */
	_Atomic uint32_t acted[RG_EVENT_COUNT];
	/* The monotonic second in which a line was last due, plus one; 0: never. */
	_Atomic uint32_t logged_s[RG_EVENT_COUNT];
	_Atomic uint32_t scope; /* of the address */
	_Atomic uint32_t given; /* how often the slot was given to a client */
	uint32_t reserved[5];
};

/* A bit beside the family: the client is exempt. */
#define RG_SLOT_EXEMPT 0x100U

/* The index of EVENT's counter. Every connection is a resumption or a full handshake, so these two
 * come first: their counters are in the first cache line. */
#define RG_COUNTER_OF(event) (((unsigned)(event) + RG_EVENT_COUNT - RG_RESUMPTION) % RG_EVENT_COUNT)

/* A counter has two halves, so one addition changes both. The upper half counts all events, the
 * lower half those since the limit state last drained. */
#define RG_COUNTER_EVENT       (UINT64_C(1) << 32)
#define RG_COUNTER_EVENTS(all) ((uint32_t)((all) >> 32))
#define RG_COUNTER_RUN(all)    ((uint32_t)(all))

/* The slots that one client may have, after a cache line that says whose they are (claim.h). */
struct rg_set {
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t ids[RG_WAYS];
	struct rg_slot slots[RG_WAYS];
};

/* The records of the overflow table that one limit state may have: see overflow.h. */
struct rg_overflow {
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t ids[RG_OVERFLOW_WAYS];
	_Atomic uint64_t states[RG_OVERFLOW_WAYS]; /* limit states: state.h */
};

_Static_assert(sizeof(struct rg_overflow) == 128 && sizeof(struct rg_log_account) == 24 &&
		   RG_WAYS == RG_CLAIM_IDS && RG_OVERFLOW_WAYS == RG_CLAIM_IDS,
	       "the same for every word size; a claim is compared with all others of its set");
_Static_assert(sizeof(struct rg_fixed) == 56 && offsetof(struct rg_fixed, check) == 48 &&
		   offsetof(struct rg_head, evictions) == 64 &&
		   sizeof(struct rg_head) == RG_LEDGER_HEAD_BYTES &&
		   offsetof(struct rg_head, touched) == 128 &&
		   offsetof(struct rg_head, gone_events) == 256 &&
		   offsetof(struct rg_head, rules) == 352 &&
		   offsetof(struct rg_head, listed) == 576 &&
		   offsetof(struct rg_head, logs) == 1816,
	       "the same for every word size");
_Static_assert(sizeof(struct rg_slot) == 192 && offsetof(struct rg_slot, counters) == 48 &&
		   RG_COUNTER_OF(RG_RESUMPTION) == 0 && RG_COUNTER_OF(RG_HANDSHAKE) == 1 &&
		   offsetof(struct rg_slot, first_ns) == 88 &&
		   offsetof(struct rg_slot, family) == 120 &&
		   offsetof(struct rg_slot, scope) == 164 && sizeof(struct rg_set) == 1600,
	       "fits the cache lines, the same for every word size");

static inline struct rg_slot *rg_slot_at(const struct rg_ledger *ledger, uint32_t index)
{
	return &ledger->sets[index / RG_WAYS].slots[index % RG_WAYS];
}

static inline _Atomic uint64_t *rg_id_at(const struct rg_ledger *ledger, uint32_t index)
{
	return &ledger->sets[index / RG_WAYS].ids[index % RG_WAYS];
}

#define LOAD(object)	     atomic_load_explicit(&(object), memory_order_relaxed)
#define STORE(object, value) atomic_store_explicit(&(object), value, memory_order_relaxed)
#define ADD(object, value)   atomic_fetch_add_explicit(&(object), value, memory_order_relaxed)

#endif
