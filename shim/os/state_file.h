/*
 * The file that RENEGUARD_STATE names. It is shared by processes executed separately, and outlives
 * them, but not the machine's boot: it must be on a tmpfs, which is memory.
 *
 * The file has the mode 0600 and belongs to the user who runs the program or to root, so nobody
 * else can write to it or lock it. It appears under its name as a ledger. Then one process
 * allocates all of its memory and holds a lock meanwhile; who finds it allocated needs no lock. An
 * owner who truncates the file while it is in use takes the memory away under the program (SIGBUS).
 * Nothing is done about that.
 *
 * Used once in a process, by one thread. Keeps no descriptor.
 */
#ifndef RG_STATE_FILE_H
#define RG_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_ledger.h"
#include "rg_policy.h"

#define RG_STORE_WHY_BYTES 160

/* Open the ledger in the policy's file; if there is no such file, it is made with SEED. On failure
 * WHY says what is wrong with the file. */
bool rg_state_file_open(struct rg_ledger *ledger, const struct rg_policy *policy,
			const uint8_t seed[16], char why[RG_STORE_WHY_BYTES]);

/* May this process make a file of BYTES? */
bool rg_may_grow_file(size_t bytes);

#endif
