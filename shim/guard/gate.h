/*
 * The gate: one word that tells a hook whether a call may take the fast path. It may while exactly
 * one libssl is in use, no connection is refused, and the policy never blocks. The call then costs
 * two comparisons. Other files decide when a flag is set; this one only keeps them. Any thread may
 * call anything here. Nothing fails.
 */
#ifndef RG_GATE_H
#define RG_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

/*
 * The flags. rg_gate_must_inspect takes each for more than any number of bytes a call returns.
 * LIBRARY: rg_gate_library is not, or not yet, the only libssl in use.
 * BLOCKING: the policy can block, so every new handshake must be checked. Never cleared.
 * SHARED: another process may have refused a connection of this one (guard/states.h). Never
 * cleared. REFUSED: some connections are refused; the bits below count them.
 */
#define RG_GATE_LIBRARY	 0x40000000
#define RG_GATE_BLOCKING 0x20000000
#define RG_GATE_SHARED	 0x10000000
#define RG_GATE_REFUSED	 0x08000000

struct rg_libssl;

#pragma GCC visibility push(hidden) /* so that the hooks reach both without the GOT */

/*
 * 0: take the fast path. Read without ordering. A thread sees its own stores, so it sees the
 * refusal of a connection that it drives; it need not see the others.
 */
extern _Atomic int rg_gate;

/* The libssl in use, while the flag LIBRARY is clear; NULL until a libssl is first called. */
extern struct rg_libssl *rg_gate_library;

#pragma GCC visibility pop

static inline int rg_gate_flags(void)
{
	return atomic_load_explicit(&rg_gate, memory_order_relaxed);
}

/* Must a call take the slow path? */
static inline bool rg_gate_is_slow(void)
{
#if defined __x86_64__ || defined __i386__
	/* gcc loads an atomic before it compares. One instruction does both, and is as atomic. */
	bool slow;

	__asm__("cmpl $0, %1" : "=@ccne"(slow) : "m"(rg_gate));
	return __builtin_expect(slow, 0);
#else
	return __builtin_expect(rg_gate_flags() != 0, 0);
#endif
}

/*
 * Must the call that returned RESULT be inspected? Yes if it failed, because the failure may have
 * ended a handshake, or if any flag is set. Every flag exceeds any byte count, so one comparison
 * covers both.
 */
static inline bool rg_gate_must_inspect(int result)
{
	return __builtin_expect(rg_gate_flags() >= result, 0);
}

/* Set or clear one RG_GATE_ flag, but not REFUSED. */
void rg_gate_set(int flag);
void rg_gate_clear(int flag);

/* One connection MORE is refused, or one fewer. Once SHARED is set, nothing is counted: the process
 * that ends a refused connection may not be the one that refused it. */
void rg_gate_count_refused(bool more);

#endif
