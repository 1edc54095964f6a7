/*
 * What this process has one of: the policy, read once and never changed after; the ledger, shared
 * with every process forked later. Started by whoever comes first, the library's constructor or a
 * hook that another library's constructor calls.
 */
#ifndef RG_PROCESS_H
#define RG_PROCESS_H

#include <stdatomic.h>
#include <stdint.h>

#include "rg_ledger.h"
#include "rg_policy.h"

#pragma GCC visibility push(hidden) /* so that they are reached without a call */

/* NULL until the policy has been read, and until the ledger has been made. */
extern const struct rg_policy *_Atomic rg_process_policy_read;
extern struct rg_ledger *_Atomic rg_process_ledger_made;

#pragma GCC visibility pop

/* Read the policy, or wait for the thread that does. Makes no system call. */
const struct rg_policy *rg_process_start(void);

/* The policy; never NULL. */
static inline const struct rg_policy *rg_process_policy(void)
{
	const struct rg_policy *policy =
	    atomic_load_explicit(&rg_process_policy_read, memory_order_acquire);

	return __builtin_expect(policy != NULL, 1) ? policy : rg_process_start();
}

/*
 * Get ready to guard: map the ledger, open the log, tell what was bad in the policy. Called when a
 * libssl is there, while the program may still do such things; later calls only see to the log's
 * descriptors.
 */
void rg_process_prepare(void);

/* The program is about to call chroot(2), and may use a libssl after it: open what can not be
 * opened there, the log's socket and the state file. */
void rg_process_before_chroot(void);

/* The ledger; never NULL after rg_process_prepare. */
static inline struct rg_ledger *rg_process_ledger(void)
{
	return atomic_load_explicit(&rg_process_ledger_made, memory_order_acquire);
}

/*
 * Which process tree this is, for what each says once: with a state file, which outlives trees and
 * is shared by programs that are executed for a connection (Dovecot), the process group in which
 * this program was executed, in its pid namespace, and the hour: a supervisor may start the next
 * one in the same group.
 */
uint64_t rg_process_tree(void);

/* Monotonic time in nanoseconds, a suspended machine's included. */
uint64_t rg_process_now_ns(void);

#endif
