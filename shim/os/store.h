/*
 * Where the ledger's memory comes from: a memory file that children inherit and `reneguardctl`
 * finds, or the file that RENEGUARD_STATE names, which processes executed separately share and
 * which outlives them. Used once in a process, while it is being prepared; keeps no descriptor.
 *
 * The file is locked (flock) while it is checked and taken up, never afterwards. It belongs to
 * whoever runs the program, and only he can write to it: nothing is done about an owner who
 * truncates a file that is in use, which takes the memory away under the program (SIGBUS).
 */
#ifndef RG_STORE_H
#define RG_STORE_H

#include "rg_ledger.h"
#include "rg_policy.h"

#define RG_STORE_WHY_BYTES 160

/*
 * Open the ledger that POLICY wants. Always gives one: where the file can not be used, WHY is what
 * is wrong with it, and the ledger is a private one; else WHY is "". Without memory to be had at
 * all the ledger is too small to be fair, large enough to keep the log's rate.
 */
void rg_store_open(struct rg_ledger *ledger, const struct rg_policy *policy,
		   char why[RG_STORE_WHY_BYTES]);

#endif
