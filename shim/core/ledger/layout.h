/*
 * What a ledger's memory looks like: a head, then the places in sets, then the seats. Only integers
 * of fixed size at fixed offsets, the same for every word size. Any change to it is another
 * RG_LAYOUT_VERSION. Private to the ledger's own files.
 */
#ifndef RG_LEDGER_LAYOUT_H
#define RG_LEDGER_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#include "rg_ledger.h"

#define RG_LAYOUT_MAGIC	     UINT64_C(0x7265476e65723031) /* "10reneGr" */
#define RG_LAYOUT_VERSION    3
#define RG_CACHE_LINE	     64
#define RG_WAYS		     8
#define RG_OVERFLOW_WAYS     8
#define RG_OVERFLOW_PER_SLOT 16
#define RG_PARTS	     1024 /* of the places, for `touched` */
#define RG_ANNOUNCERS	     3

/* What is written once and never changes: checked before the rest is believed to be a ledger. */
struct rg_fixed {
	uint64_t magic;
	uint32_t version;
	uint32_t head_bytes;
	uint32_t slot_bytes;
	uint32_t slots;
	uint8_t seed[16];
	uint64_t check; /* a hash of all above */
};

struct rg_head {
	struct rg_fixed fixed;
	_Atomic uint64_t boot;	   /* whose clock the times are of */
	_Atomic uint64_t epoch_ns; /* wall-clock time at which that clock was zero */
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t log_state;
	_Atomic uint64_t evictions;
	_Atomic uint64_t evictions_active;
	_Atomic uint32_t log_suppressed;
	_Atomic uint32_t announced[RG_ANNOUNCERS]; /* what they said, hashed; the newest first */
	_Atomic uint64_t overflow_taken_ns;	   /* about when one was taken last; 0: never */
	_Atomic uint64_t overflow_lost;		   /* given up although in use */
	_Atomic uint64_t unplaced;		   /* events of clients that had no place */
	/* Which parts of the places were ever written to: a reader need not touch the others. */
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t touched[RG_PARTS / 64];
	/* What clients that had to make room had counted. */
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t gone_events[RG_EVENT_COUNT];
	_Atomic uint64_t gone_acted[RG_EVENT_COUNT];
	_Atomic uint64_t gone_outcomes[RG_OUTCOME_COUNT];
	/* For display: written by whoever announced last, read with suspicion. */
	struct rg_posted_rule {
		_Atomic uint32_t action, count, period_s;
	} rules[RG_EVENT_COUNT];
	_Atomic char service[RG_ABOUT_BYTES];
	_Atomic char libssl[RG_ABOUT_BYTES];
};

/*
 * The account of one client. What an event of a new connection reads and writes is the first cache
 * line, and so is what is asked of it when somebody looks for a place: where two processors enter
 * events of one client it is a line that has to travel, and no two.
 */
struct rg_slot {
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t last_ns;
	_Atomic uint64_t states[RG_EVENT_COUNT];   /* rg_limit */
	_Atomic uint64_t counters[RG_EVENT_COUNT]; /* at RG_COUNTER_OF; for people alone */
	_Atomic uint64_t first_ns;
	_Atomic uint64_t address[2];
	_Atomic uint32_t outcomes[RG_OUTCOME_COUNT];
	_Atomic uint32_t family;
	_Atomic uint32_t acted[RG_EVENT_COUNT];
	/* When a line was last due, monotonic, plus one; 0: never. */
	_Atomic uint32_t logged_s[RG_EVENT_COUNT];
	uint32_t reserved[7];
};

/* The two events that every connection is one of come first: they are in the first line. */
#define RG_COUNTER_OF(event) (((unsigned)(event) + RG_EVENT_COUNT - RG_RESUMPTION) % RG_EVENT_COUNT)

/* A tally: events ever, and those since the client was last quiet, in one word to be added to. */
#define RG_COUNTER_EVENT       (UINT64_C(1) << 32)
#define RG_COUNTER_EVENTS(all) ((uint32_t)((all) >> 32))
#define RG_COUNTER_RUN(all)    ((uint32_t)(all))

/* The places where one client may be, behind a line that says whose they are (claim.h). */
struct rg_set {
	_Alignas(RG_CACHE_LINE) _Atomic uint64_t ids[RG_WAYS];
	struct rg_slot slots[RG_WAYS];
};

/* See seats.h. */
struct rg_overflow {
	_Atomic uint64_t id;
	_Atomic uint64_t state; /* rg_limit */
};

_Static_assert(sizeof(struct rg_overflow) == 16, "the same for every word size");
_Static_assert(sizeof(struct rg_fixed) == 48 && offsetof(struct rg_fixed, check) == 40 &&
		   offsetof(struct rg_head, boot) == 48 &&
		   offsetof(struct rg_head, log_state) == 64 &&
		   sizeof(struct rg_head) == RG_LEDGER_HEAD_BYTES &&
		   offsetof(struct rg_head, touched) == 128 &&
		   offsetof(struct rg_head, gone_events) == 256 &&
		   offsetof(struct rg_head, rules) == 352,
	       "the same for every word size");
_Static_assert(sizeof(struct rg_slot) == 192 && offsetof(struct rg_slot, counters) == 48 &&
		   RG_COUNTER_OF(RG_RESUMPTION) == 0 && RG_COUNTER_OF(RG_HANDSHAKE) == 1 &&
		   offsetof(struct rg_slot, first_ns) == 88 &&
		   offsetof(struct rg_slot, family) == 120 &&
		   offsetof(struct rg_slot, reserved) == 164 && sizeof(struct rg_set) == 1600,
	       "laid out for cache lines, the same for every word size");

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
