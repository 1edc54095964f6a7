/*
 * Provides the ledger's memory. It is either a memory file, which children inherit and
 * `reneguardctl` finds, or the file that RENEGUARD_STATE names (state_file.h). Used once in a
 * process, by one thread (guard/prepare.h). Keeps no descriptor. Nothing here is a cancellation
 * point.
 */
#ifndef RG_STORE_H
#define RG_STORE_H

#include "os/state_file.h"
#include "rg_ledger.h"
#include "rg_policy.h"

/*
 * Open the ledger that POLICY asks for. This always makes one. If the state file cannot be used,
 * the ledger is private and WHY tells what is wrong with the file; else WHY is "". If no memory can
 * be mapped, the ledger is too small to be fair, but large enough to keep the log's rate.
 */
void rg_store_open(struct rg_ledger *ledger, const struct rg_policy *policy,
		   char why[RG_STORE_WHY_BYTES]);

#endif
