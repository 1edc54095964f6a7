/*
 * The gate: one word that tells a hook whether a call may take the short way. It may while exactly
 * one libssl is in use, nothing is refused, and the policy never blocks; a call then costs two
 * comparisons. What the flags mean is decided elsewhere; this file only keeps them.
 */
#ifndef RG_GATE_H
#define RG_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

/*
 * The flags. Each is more than any number of bytes that a call returns (see rg_gate_must_inspect).
 * LIBRARY: rg_gate_library is not, or not yet, the one libssl in use.
 * BLOCKING, for good: the policy can block, so every new handshake has to be checked.
 * REFUSED: there are refused connections; the bits below count them.
 */
#define RG_GATE_LIBRARY	 0x40000000
#define RG_GATE_BLOCKING 0x20000000
#define RG_GATE_REFUSED	 0x10000000

struct rg_libssl;

#pragma GCC visibility push(hidden) /* so that the hooks reach both without a detour */

/*
 * 0: the short way. Read without ordering: a thread's own refusal is its own store, and another
 * thread's is none of its business.
 */
extern _Atomic int rg_gate;
extern struct rg_libssl *rg_gate_library;

#pragma GCC visibility pop

static inline int rg_gate_flags(void)
{
	return atomic_load_explicit(&rg_gate, memory_order_relaxed);
}

/* Must a call take the long way? */
static inline bool rg_gate_is_slow(void)
{
	return __builtin_expect(rg_gate_flags() != 0, 0);
}

/*
 * Must the call that returned RESULT be inspected? Yes if it failed, which may have been the end of
 * a handshake, or if any flag is set. Every flag exceeds any byte count, so one comparison covers
 * both.
 */
static inline bool rg_gate_must_inspect(int result)
{
	return __builtin_expect(rg_gate_flags() >= result, 0);
}

void rg_gate_set(int flag);
void rg_gate_clear(int flag);

/* One connection more is refused, or one less. */
void rg_gate_count_refused(bool more);

#endif
