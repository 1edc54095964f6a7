/*
 * Provides the ledger's memory. It is either a memory file, which children inherit and
 * `reneguardctl` finds, or the file that RENEGUARD_STATE names. That file is shared by processes
 * executed separately, and outlives them. Used once in a process, by one thread (guard/prepare.h).
 * Keeps no descriptor.
 *
 * The file is locked (flock) only while it is checked and mapped. It belongs to the user who runs
 * the program or to root, and nobody else can write to it. An owner who truncates the file while it
 * is in use takes the memory away under the program (SIGBUS). Nothing is done about that.
 */
#ifndef RG_STORE_H
#define RG_STORE_H

#include "rg_ledger.h"
#include "rg_policy.h"

#define RG_STORE_WHY_BYTES 160

/*
 * Open the ledger that POLICY asks for. This always makes one. If the state file cannot be used,
 * the ledger is private and WHY tells what is wrong with the file; else WHY is "". If no memory can
 * be mapped, the ledger is too small to be fair, but large enough to keep the log's rate.
 */
void rg_store_open(struct rg_ledger *ledger, const struct rg_policy *policy,
		   char why[RG_STORE_WHY_BYTES]);

#endif
