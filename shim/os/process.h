/*
 * What this process has one of: the policy, read once from the environment and never changed after;
 * and the ledger, shared with every process that is forked later. Any thread may call anything
 * here, also before this library's constructor has run.
 */
#ifndef RG_PROCESS_H
#define RG_PROCESS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "os/store.h"
#include "rg_ledger.h"
#include "rg_policy.h"

#pragma GCC visibility push(hidden) /* so that they are reached without a call */

/* NULL until the policy has been read, and until the ledger has been made. */
extern const struct rg_policy *_Atomic rg_process_policy_read;
extern struct rg_ledger *_Atomic rg_process_ledger_made;

#pragma GCC visibility pop

/* Read the policy, or wait for the thread that does. Makes no system call. */
const struct rg_policy *rg_process_read_policy(void);

/* The policy; never NULL. */
static inline const struct rg_policy *rg_process_policy(void)
{
	const struct rg_policy *policy =
	    atomic_load_explicit(&rg_process_policy_read, memory_order_acquire);

	return __builtin_expect(policy != NULL, 1) ? policy : rg_process_read_policy();
}

/* What was bad in the environment: one variable for each INDEX from 0; false past the last. */
struct rg_bad_variable {
	const char *variable, *value, *accepted;
};

bool rg_process_bad_variable(size_t index, struct rg_bad_variable *bad);

/* A strict policy was bad: write to standard error, too. Before a second thread exists. */
void rg_process_log_to_stderr(void);

/* Make the ledger: once, by one thread. WHY: see rg_store_open. */
void rg_process_make_ledger(char why[RG_STORE_WHY_BYTES]);

/* The ledger; NULL before rg_process_make_ledger. */
static inline struct rg_ledger *rg_process_ledger(void)
{
	return atomic_load_explicit(&rg_process_ledger_made, memory_order_acquire);
}

/*
 * Which process tree this is, for what each tree says once. Without a state file: 0, for the ledger
 * is the tree's own. A state file outlives trees and is shared by programs that are executed for
 * each connection (Dovecot). There it is the process group in which this program was executed, in
 * its pid namespace, and the hour: a supervisor may start the next program in the same group.
 */
uint64_t rg_process_tree(void);

#endif
