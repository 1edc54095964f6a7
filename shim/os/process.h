/*
 * The policy and the ledger of this process. The policy is read once from the environment and then
 * stays as it is. The ledger is shared with every process forked later. Any thread may call
 * anything here, even before this library's constructor has run, unless its comment says otherwise.
 */
#ifndef RG_PROCESS_H
#define RG_PROCESS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "os/store.h"
#include "rg_ledger.h"
#include "rg_policy.h"

#pragma GCC visibility push(hidden) /* so that both are reached without the GOT */

/* NULL until the policy has been read, and until the ledger has been made. */
extern const struct rg_policy *_Atomic rg_process_policy_read;
extern struct rg_ledger *_Atomic rg_process_ledger_made;

#pragma GCC visibility pop

/* Read the policy, or wait about a second for the thread that does. Never NULL. Reading makes no
 * system call. */
const struct rg_policy *rg_process_read_policy(void);

/*
 * Was the program executed in secure mode (AT_SECURE, ld.so(8)), such as a set-user-ID program? Its
 * environment is the caller's, who must not decide for it: no variable is read, the defaults hold.
 * (The library gets into such a process by /etc/ld.so.preload alone.)
 */
bool rg_process_is_secure(void);

/* The policy; never NULL. */
static inline const struct rg_policy *rg_process_policy(void)
{
	const struct rg_policy *policy =
	    atomic_load_explicit(&rg_process_policy_read, memory_order_acquire);

	return __builtin_expect(policy != NULL, 1) ? policy : rg_process_read_policy();
}

/* A bad variable: its name and value in the environment, and what would be ACCEPTED. */
struct rg_bad_variable {
	const char *variable, *value, *accepted;
};

/* The bad variable at INDEX, from 0, into BAD. False if there are no more. */
bool rg_process_bad_variable(size_t index, struct rg_bad_variable *bad);

/* Log to standard error as well, because a strict policy was bad. Call it before a second thread
 * exists. */
void rg_process_log_to_stderr(void);

/* Make the ledger. Called once, by one thread. WHY: see rg_store_open. */
void rg_process_make_ledger(char why[RG_STORE_WHY_BYTES]);

/* The ledger; NULL until rg_process_make_ledger has made it. */
static inline struct rg_ledger *rg_process_ledger(void)
{
	return atomic_load_explicit(&rg_process_ledger_made, memory_order_acquire);
}

/*
 * A number for this process tree, so that each tree writes some lines only once. Without a state
 * file it is 0: the ledger is the tree's own. A state file outlives trees, and is shared by
 * programs that are executed for each connection (Dovecot). With one, the number combines three
 * things: the process group in which this program was executed, its pid namespace, and the hour.
 * The hour is part of it because a supervisor may start the next program in the same group.
 */
uint64_t rg_process_tree(void);

#endif
