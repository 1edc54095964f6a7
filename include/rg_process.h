/*
 * What this process has one of: the policy, read once and never changed after; the ledger, shared
 * with every process forked later. Started by whoever comes first, the library's constructor or a
 * hook that another library's constructor calls.
 */
#ifndef RG_PROCESS_H
#define RG_PROCESS_H

#include <stdint.h>

#include "rg_ledger.h"
#include "rg_policy.h"

/* The policy. Makes no system call. */
const struct rg_policy *rg_process_policy(void);

/*
 * Get ready to guard: map the ledger, open the log, tell what was bad in the policy. Called when a
 * libssl is there, while the program may still do such things; later calls only see to the log's
 * descriptors.
 */
void rg_process_prepare(void);

/* The ledger; never NULL after rg_process_prepare. */
struct rg_ledger *rg_process_ledger(void);

/* Monotonic time in nanoseconds, a suspended machine's included. */
uint64_t rg_process_now_ns(void);

#endif
