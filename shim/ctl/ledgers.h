/*
 * Finds ledgers, in the mappings of running programs or in a file, and copies them. It writes to
 * none of them and stops no process. It reads only the parts of a ledger that were ever used,
 * because reading a page makes it resident. Out of memory ends the program (abort).
 */
#ifndef RG_CTL_LEDGERS_H
#define RG_CTL_LEDGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "rg_ledger.h"

#define RG_CTL_PATH_BYTES 4096

/* A ledger, and the processes that have it mapped. */
struct rg_found {
	dev_t device;
	ino_t inode;
	pid_t *pids;
	size_t pid_count;
	char file[RG_CTL_PATH_BYTES]; /* "" for a memory file */
	struct rg_ledger ledger;      /* a copy, in MEMORY */
	void *memory;
	size_t memory_bytes;
};

/* To be zeroed before use and freed with rg_ledgers_free. */
struct rg_ledgers {
	struct rg_found *all;
	size_t count;
	size_t unreadable; /* processes that this user may not inspect */
};

/* Add every ledger that process PID has mapped; with PID 0, every ledger in use on this host. */
void rg_ledgers_scan(struct rg_ledgers *ledgers, pid_t pid);

/*
 * Add the ledger in FILE, with the processes that have it mapped. Returns false if FILE holds no
 * ledger, and *WHY says why.
 */
bool rg_ledgers_file(struct rg_ledgers *ledgers, const char *file, const char **why);

void rg_ledgers_free(struct rg_ledgers *ledgers);

#endif
