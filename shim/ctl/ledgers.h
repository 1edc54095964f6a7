/*
 * Ledgers as the inspector sees them: found in the mappings of running programs or in a file, and
 * copied out. Nothing is written to, no process is stopped, and of a ledger's memory only the parts
 * that were ever used are read, because a page that is read becomes resident.
 */
#ifndef RG_CTL_LEDGERS_H
#define RG_CTL_LEDGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "rg_ledger.h"

#define RG_CTL_PATH_BYTES 4096

/* A ledger, and the processes that use it. */
struct rg_found {
	dev_t device;
	ino_t inode;
	pid_t *pids;
	size_t pid_count;
	char file[RG_CTL_PATH_BYTES]; /* "" where it is a memory file */
	struct rg_ledger ledger;      /* a copy */
	void *memory;
	size_t memory_bytes;
};

struct rg_finds {
	struct rg_found *all;
	size_t count;
	size_t unreadable; /* processes that this user may not look into */
};

/* Every ledger in use on this host; PID not 0: only those of that process. */
void rg_finds_scan(struct rg_finds *finds, pid_t pid);

/* The ledger in FILE. False where it is none, and *WHY says why. */
bool rg_finds_file(struct rg_finds *finds, const char *file, const char **why);

void rg_finds_free(struct rg_finds *finds);

#endif
