#include "ctl/ledgers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ctl/maps.h"

#define MEMORY_FILE	 "/memfd:reneguard (deleted)"
#define ANONYMOUS_SHARED "/dev/zero (deleted)" /* as maps calls it */

/* --- copying a ledger --- */

static bool read_at(int fd, void *to, size_t bytes, off_t at)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t got = pread(fd, (char *)to + done, bytes - done, at + (off_t)done);

		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/*
 * Copy the ledger that begins at BASE in FD and is at most BYTES long; with EXACT, it must be
 * exactly that long. On failure *WHY says why, and forget_copy is still due.
 */
static bool copy_ledger(struct rg_found *found, int fd, off_t base, size_t bytes, bool exact,
			const char **why)
{
	static _Alignas(64) unsigned char head[RG_LEDGER_HEAD_BYTES];
	size_t whole, first, count;

	*why = "it is too short for a ledger";
	if (bytes < sizeof head || !read_at(fd, head, sizeof head, base))
		return false;
	whole = exact ? bytes : rg_ledger_length(head);
	if (whole > bytes || !rg_ledger_attach(&found->ledger, head, whole, why))
		return false;
	*why = "there is no memory for a copy";
	found->memory = mmap(NULL, whole, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (found->memory == MAP_FAILED) {
		found->memory = NULL;
		return false;
	}
	found->memory_bytes = whole;
	memcpy(found->memory, head, sizeof head);
	*why = "it cannot be read";
	if (!rg_ledger_attach(&found->ledger, found->memory, whole, why))
		return false;
	for (unsigned part = 0; rg_ledger_part(&found->ledger, part, &first, &count); part++)
		if (count != 0 &&
		    !read_at(fd, (char *)found->memory + first, count, base + (off_t)first))
			return false;
	return true;
}

static void forget_copy(struct rg_found *found)
{
	if (found->memory != NULL)
		munmap(found->memory, found->memory_bytes);
	found->memory = NULL;
}

/* --- what was found --- */

static struct rg_found *add_found(struct rg_ledgers *ledgers)
{
	struct rg_found *all = realloc(ledgers->all, (ledgers->count + 1) * sizeof *all);

	if (all == NULL)
		abort();
	ledgers->all = all;
	memset(&all[ledgers->count], 0, sizeof all[0]);
	return &all[ledgers->count++];
}

/* PID may have several mappings of a ledger; they follow each other. */
static void add_pid(struct rg_found *found, pid_t pid)
{
	pid_t *pids = realloc(found->pids, (found->pid_count + 1) * sizeof *pids);

	if (pids == NULL)
		abort();
	found->pids = pids;
	if (found->pid_count == 0 || pids[found->pid_count - 1] != pid)
		pids[found->pid_count++] = pid;
}

static struct rg_found *find_known(struct rg_ledgers *ledgers, dev_t device, ino_t inode)
{
	for (size_t i = 0; i < ledgers->count; i++)
		if (ledgers->all[i].device == device && ledgers->all[i].inode == inode)
			return &ledgers->all[i];
	return NULL;
}

/* --- scanning processes --- */

/* Could this be the mapping of a ledger? */
static bool is_candidate(const struct rg_mapping *mapping)
{
	return strcmp(mapping->rights, "rw-s") == 0 && mapping->offset == 0 && mapping->inode != 0;
}

/* If MAPPING, read through MEMORY (/proc/PID/mem), is a ledger: add it, or PID to it. */
static void add_if_ledger(struct rg_ledgers *ledgers, pid_t pid, int memory,
			  const struct rg_mapping *mapping)
{
	dev_t device = makedev(mapping->major, mapping->minor);
	struct rg_found *found = find_known(ledgers, device, (ino_t)mapping->inode);
	struct rg_found fresh = {.device = device, .inode = (ino_t)mapping->inode};
	const char *why;

	if (found == NULL) {
		if (!copy_ledger(&fresh, memory, (off_t)mapping->begin,
				 (size_t)(mapping->end - mapping->begin), false, &why)) {
			forget_copy(&fresh);
			return;
		}
		if (strcmp(mapping->name, MEMORY_FILE) != 0 &&
		    strcmp(mapping->name, ANONYMOUS_SHARED) != 0)
			snprintf(fresh.file, sizeof fresh.file, "%s", mapping->name);
		found = add_found(ledgers);
		*found = fresh;
	}
	add_pid(found, pid);
}

/* Is the shim, or a memory file of its making, mapped? Leaves MAPS at the first mapping. */
static bool is_guarded(struct rg_maps *maps)
{
	struct rg_mapping mapping;
	bool guarded = false;

	while (!guarded && rg_maps_next(maps, &mapping))
		guarded = rg_mapping_is_shim(&mapping) || strcmp(mapping.name, MEMORY_FILE) == 0;
	rg_maps_rewind(maps);
	return guarded;
}

static void scan_mappings(struct rg_ledgers *ledgers, pid_t pid, struct rg_maps *maps)
{
	struct rg_mapping mapping;
	char path[64];
	int memory;

	snprintf(path, sizeof path, "/proc/%ld/mem", (long)pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	if (memory < 0) {
		ledgers->unreadable++;
		return;
	}
	while (rg_maps_next(maps, &mapping))
		if (is_candidate(&mapping))
			add_if_ledger(ledgers, pid, memory, &mapping);
	close(memory);
}

static void scan_process(struct rg_ledgers *ledgers, pid_t pid)
{
	struct rg_maps maps;

	if (!rg_maps_open(&maps, pid)) {
		ledgers->unreadable += errno == EACCES || errno == EPERM;
		return;
	}
	if (is_guarded(&maps))
		scan_mappings(ledgers, pid, &maps);
	rg_maps_close(&maps);
}

void rg_ledgers_scan(struct rg_ledgers *ledgers, pid_t pid)
{
	DIR *directory;
	struct dirent *entry;

	if (pid != 0) {
		scan_process(ledgers, pid);
		return;
	}
	directory = opendir("/proc");
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			scan_process(ledgers, (pid_t)strtol(entry->d_name, NULL, 10));
	if (directory != NULL)
		closedir(directory);
}

/* --- a ledger in a file --- */

/*
 * Add the processes that have FOUND's file mapped. Inode and path identify it, because the device
 * in /proc/PID/maps is not always the one that fstat tells (btrfs).
 */
static void add_users(struct rg_found *found)
{
	struct rg_ledgers others = {0};

	rg_ledgers_scan(&others, 0);
	for (size_t i = 0; i < others.count; i++)
		if (others.all[i].inode == found->inode &&
		    strcmp(others.all[i].file, found->file) == 0)
			for (size_t j = 0; j < others.all[i].pid_count; j++)
				add_pid(found, others.all[i].pids[j]);
	rg_ledgers_free(&others);
}

bool rg_ledgers_file(struct rg_ledgers *ledgers, const char *file, const char **why)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct rg_found found = {0};
	struct stat status;
	bool good;

	*why = strerror(errno);
	if (fd < 0)
		return false;
	*why = "it is not a regular file";
	good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       copy_ledger(&found, fd, 0, (size_t)status.st_size, true, why);
	close(fd);
	if (!good) {
		forget_copy(&found);
		return false;
	}
	found.inode = status.st_ino;
	if (realpath(file, found.file) == NULL)
		snprintf(found.file, sizeof found.file, "%s", file);
	add_users(&found);
	*add_found(ledgers) = found;
	return true;
}

void rg_ledgers_free(struct rg_ledgers *ledgers)
{
	for (size_t i = 0; i < ledgers->count; i++) {
		forget_copy(&ledgers->all[i]);
		free(ledgers->all[i].pids);
	}
	free(ledgers->all);
	*ledgers = (struct rg_ledgers){0};
}
