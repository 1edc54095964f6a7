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

#define MEMORY_FILE "/memfd:reneguard (deleted)"

/* Could a ledger be mapped here? */
static bool is_candidate(const struct rg_mapping *mapping)
{
	return strcmp(mapping->rights, "rw-s") == 0 && mapping->offset == 0 && mapping->inode != 0;
}

/* --- copying one out --- */

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

/* The ledger that begins at BASE in FD and is at most BYTES long; EXACT: exactly that long. */
static bool copy_out(struct rg_found *found, int fd, off_t base, size_t bytes, bool exact,
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
	*why = "no memory for a copy";
	found->memory = mmap(NULL, whole, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (found->memory == MAP_FAILED) {
		found->memory = NULL;
		return false;
	}
	found->memory_bytes = whole;
	memcpy(found->memory, head, sizeof head);
	*why = "it can not be read";
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

/* --- finding them --- */

static struct rg_found *add_found(struct rg_finds *finds)
{
	struct rg_found *all = realloc(finds->all, (finds->count + 1) * sizeof *all);

	if (all == NULL)
		abort();
	finds->all = all;
	memset(&all[finds->count], 0, sizeof all[0]);
	return &all[finds->count++];
}

static void add_pid(struct rg_found *found, pid_t pid)
{
	pid_t *pids = realloc(found->pids, (found->pid_count + 1) * sizeof *pids);

	if (pids == NULL)
		abort();
	found->pids = pids;
	if (found->pid_count == 0 || pids[found->pid_count - 1] != pid)
		pids[found->pid_count++] = pid;
}

static struct rg_found *known(struct rg_finds *finds, dev_t device, ino_t inode)
{
	for (size_t i = 0; i < finds->count; i++)
		if (finds->all[i].device == device && finds->all[i].inode == inode)
			return &finds->all[i];
	return NULL;
}

/* A mapping of PID's: is it a ledger, and a new one? */
static void consider(struct rg_finds *finds, pid_t pid, int memory,
		     const struct rg_mapping *mapping)
{
	dev_t device = makedev(mapping->major, mapping->minor);
	struct rg_found *found = known(finds, device, (ino_t)mapping->inode);
	struct rg_found fresh = {.device = device, .inode = (ino_t)mapping->inode};
	const char *why;

	if (found == NULL) {
		if (!copy_out(&fresh, memory, (off_t)mapping->begin,
			      (size_t)(mapping->end - mapping->begin), false, &why)) {
			forget_copy(&fresh);
			return;
		}
		if (strcmp(mapping->name, MEMORY_FILE) != 0 &&
		    strcmp(mapping->name, "/dev/zero (deleted)") != 0)
			snprintf(fresh.file, sizeof fresh.file, "%s", mapping->name);
		found = add_found(finds);
		*found = fresh;
	}
	add_pid(found, pid);
}

/* Is the shim, or a ledger, mapped here? */
static bool is_guarded(struct rg_maps *maps)
{
	struct rg_mapping mapping;
	bool guarded = false;

	while (!guarded && rg_maps_next(maps, &mapping))
		guarded = rg_mapping_is_shim(&mapping) || strcmp(mapping.name, MEMORY_FILE) == 0;
	rg_maps_rewind(maps);
	return guarded;
}

static void scan_process(struct rg_finds *finds, pid_t pid)
{
	struct rg_mapping mapping;
	struct rg_maps maps;
	char path[64];
	int memory;

	if (!rg_maps_open(&maps, pid)) {
		finds->unreadable += errno == EACCES || errno == EPERM;
		return;
	}
	snprintf(path, sizeof path, "/proc/%ld/mem", (long)pid);
	if (is_guarded(&maps)) {
		memory = open(path, O_RDONLY | O_CLOEXEC);
		finds->unreadable += memory < 0;
		while (memory >= 0 && rg_maps_next(&maps, &mapping))
			if (is_candidate(&mapping))
				consider(finds, pid, memory, &mapping);
		if (memory >= 0)
			close(memory);
	}
	rg_maps_close(&maps);
}

void rg_finds_scan(struct rg_finds *finds, pid_t pid)
{
	DIR *directory;
	struct dirent *entry;

	if (pid != 0) {
		scan_process(finds, pid);
		return;
	}
	directory = opendir("/proc");
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			scan_process(finds, (pid_t)strtol(entry->d_name, NULL, 10));
	if (directory != NULL)
		closedir(directory);
}

/* Who has FOUND's file mapped. */
static void find_users(struct rg_found *found)
{
	struct rg_finds others = {0};

	rg_finds_scan(&others, 0);
	for (size_t i = 0; i < others.count; i++)
		if (others.all[i].inode == found->inode &&
		    strcmp(others.all[i].file, found->file) == 0)
			for (size_t pid = 0; pid < others.all[i].pid_count; pid++)
				add_pid(found, others.all[i].pids[pid]);
	rg_finds_free(&others);
}

bool rg_finds_file(struct rg_finds *finds, const char *file, const char **why)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct rg_found found = {0};
	struct stat status;
	bool good;

	*why = strerror(errno);
	if (fd < 0)
		return false;
	*why = "it is no regular file";
	good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       copy_out(&found, fd, 0, (size_t)status.st_size, true, why);
	close(fd);
	if (!good) {
		forget_copy(&found);
		return false;
	}
	found.inode = status.st_ino;
	if (realpath(file, found.file) == NULL)
		snprintf(found.file, sizeof found.file, "%s", file);
	find_users(&found);
	*add_found(finds) = found;
	return true;
}

void rg_finds_free(struct rg_finds *finds)
{
	for (size_t i = 0; i < finds->count; i++) {
		forget_copy(&finds->all[i]);
		free(finds->all[i].pids);
	}
	free(finds->all);
	*finds = (struct rg_finds){0};
}
