/*
 * The mappings of a process, as /proc/PID/maps lists them. Lines are read whole, however long they
 * are: a process chooses the names of the files that it maps, and the rest of a split line could
 * pass for another mapping. A reader belongs to one thread; several may be open at once.
 */
#ifndef RG_CTL_MAPS_H
#define RG_CTL_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* One mapping. The process may be of another word size than this program. */
struct rg_mapping {
	unsigned long long begin, end; /* addresses */
	char rights[5];		       /* such as "rw-s" */
	unsigned long long offset;     /* where in the file the mapping begins, in bytes */
	unsigned major, minor;	       /* the file's device */
	unsigned long long inode;      /* 0: the mapping has no file */
	const char *name;	       /* the file's path, a word like "[heap]", or "" */
};

struct rg_maps {
	FILE *file;
	char *line;
	size_t line_bytes;
};

/* Open the mappings of process PID. Returns false with errno set if they cannot be opened. */
bool rg_maps_open(struct rg_maps *maps, pid_t pid);

/* Read the next mapping; its name is valid until the next call. Returns false at the end. */
bool rg_maps_next(struct rg_maps *maps, struct rg_mapping *mapping);

/* Start again with the first mapping. */
void rg_maps_rewind(struct rg_maps *maps);

void rg_maps_close(struct rg_maps *maps);

/* Is the shim's file mapped here? */
bool rg_mapping_is_shim(const struct rg_mapping *mapping);

#endif
