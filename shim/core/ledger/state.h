/*
 * Where a client's limit state is, and which rule it belongs to. A slot has one word for each
 * event. Its lower 52 bits are a time as in rg_limit.h; its upper 12, the tag, are:
 *
 *     2 bits  the kind, below
 *     5 bits  the number of the rule under which the state was written (rules.h)
 *     5 bits  of the client's id
 *
 * The limit state of a client, event and rule is in one place at every instant: in the slot if the
 * word is LIVE under that rule, else in the overflow table; absent means drained. A word changes
 * only by compare-and-swap from a value that was read before the slot's id was found unchanged. So
 * a thread that comes too late, after the slot has changed hands, changes nothing.
 *
 * NONE: look in the overflow table. If no record is there, or a drained one, the word may become
 * LIVE. LIVE: the limit state. MOVING: the slot is about to be given away. The state stands here,
 * but before it is used it must be in the overflow table. Any thread may see to that, because the
 * one that began may have been killed. GONE: look in the overflow table; the word never becomes
 * LIVE again. In NONE and GONE the time is a copy of what the overflow record held last; it is used
 * to rank slots and to show accounts, for nothing else.
 *
 * An overflow record's word is LIVE, or 0 if the record is dead. Private to the ledger's own files.
 */
#ifndef RG_STATE_H
#define RG_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "rg_limit.h"

enum rg_state_kind { RG_STATE_NONE, RG_STATE_LIVE, RG_STATE_MOVING, RG_STATE_GONE };

#define RG_STATE_TIME_BITS  52
#define RG_STATE_TIME_MASK  ((UINT64_C(1) << RG_STATE_TIME_BITS) - 1)
#define RG_STATE_KIND_SHIFT 62
#define RG_STATE_KIND_MASK  (UINT64_C(3) << RG_STATE_KIND_SHIFT)

static inline enum rg_state_kind rg_state_kind(uint64_t state)
{
	return (enum rg_state_kind)(state >> RG_STATE_KIND_SHIFT);
}

static inline unsigned rg_state_rule(uint64_t state)
{
	return (unsigned)(state >> 57 & 31);
}

static inline uint16_t rg_state_tag(uint64_t state)
{
	return (uint16_t)(state >> RG_STATE_TIME_BITS);
}

/* The tag of client ID's LIVE state under the rule numbered RULE. */
static inline uint16_t rg_live_tag(uint64_t id, unsigned rule)
{
	return (uint16_t)((unsigned)RG_STATE_LIVE << 10 | rule << 5 | (unsigned)(id >> 59));
}

/* The same rule, client and time, as another KIND. */
static inline uint64_t rg_state_as(uint64_t state, enum rg_state_kind kind)
{
	return (state & ~RG_STATE_KIND_MASK) | (uint64_t)kind << RG_STATE_KIND_SHIFT;
}

/* The state in the limit's terms: how far it is ahead of now, and whether it has drained. */
static inline uint64_t rg_state_ahead(uint64_t state, uint64_t now_ns)
{
	return rg_limit_ahead(state, rg_state_tag(state), now_ns);
}

static inline bool rg_state_is_drained(uint64_t state, uint64_t now_ns)
{
	return rg_state_ahead(state, now_ns) == 0;
}

/*
 * A state of KIND that has drained. MARK, of which 20 bits count, makes it differ from others that
 * are made at the same time: a compare-and-swap must never take one for another.
 */
static inline uint64_t rg_state_drained(enum rg_state_kind kind, unsigned rule, uint64_t id,
					uint64_t mark, uint64_t now_ns)
{
	uint64_t time = now_ns / RG_TICK_NS - 1 - (mark & 0xfffff);

	return rg_state_as((uint64_t)rg_live_tag(id, rule) << RG_STATE_TIME_BITS |
			       (time & RG_STATE_TIME_MASK),
			   kind);
}

#endif
