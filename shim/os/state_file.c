#include "os/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"

#define TMPFS	    0x01021994 /* TMPFS_MAGIC of linux/magic.h */
#define FILE_MODE   0600
#define MODE_BITS   07777
#define BLOCK_BYTES 512 /* of st_blocks */

/* A file of fewer bytes in memory has nothing but its head. */
#define FRESH_BYTES 65536

/* How long to wait for another process that is allocating the file and makes no progress. It may
 * have to share its processor with thousands that wait, so these look ever more seldom. */
#define WAIT_MAX_MS  10000
#define PAUSE_MAX_MS 128

/* Allocating is begun again when a signal handler has run; a program's timer may be fast. */
#define SIGNALS_MAX 1000

static _Alignas(
    64) unsigned char head[RG_LEDGER_HEAD_BYTES]; /* as written to, or read from, a file */

/* Beyond RLIMIT_FSIZE, SIGXFSZ would end the process, for a memory file too. */
bool rg_may_grow_file(size_t bytes)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes <= limit.rlim_cur;
}

/* Put WHAT, and ERROR unless it is 0, in WHY. Returns false for the caller to return. */
static bool fail(char why[RG_STORE_WHY_BYTES], const char *what, int error)
{
	errno = error; /* for %m: strerror_r(3) differs between musl and glibc */
	snprintf(why, RG_STORE_WHY_BYTES, error != 0 ? "%s: %m" : "%s", what);
	return false;
}

static void wait_ms(unsigned ms)
{
	struct timespec pause = {.tv_nsec = (long)ms * 1000000};

	(void)nanosleep(&pause, NULL);
}

/* Say that PATH is on no tmpfs. */
static bool refuse_file_system(const char *path, char why[RG_STORE_WHY_BYTES])
{
	const char *slash = strrchr(path, '/');

	snprintf(why, RG_STORE_WHY_BYTES,
		 "it is not in memory: it must be on a tmpfs, such as /run/reneguard/%.40s",
		 slash != NULL ? slash + 1 : path);
	return false;
}

static bool is_on_tmpfs(int fd)
{
	struct statfs system;

	return fstatfs(fd, &system) == 0 && system.f_type == TMPFS;
}

/*
 * Make FD an empty ledger. Only its head is written: the rest is allocated when it is first mapped.
 * The head is written, not mapped, because on a full file system a store to memory is a SIGBUS.
 */
static bool fill_file(int fd, const struct rg_policy *policy, const uint8_t seed[16],
		      char why[RG_STORE_WHY_BYTES])
{
	size_t bytes = rg_ledger_bytes(policy->clients);
	struct rg_ledger ledger;

	if (!rg_may_grow_file(bytes))
		return fail(why, "it cannot be made", EFBIG);
	rg_ledger_make(&ledger, head, policy->clients, seed, rg_clock_space());
	if (fchmod(fd, FILE_MODE) != 0 || ftruncate(fd, (off_t)bytes) != 0 ||
	    pwrite(fd, head, sizeof head, 0) != (ssize_t)sizeof head)
		return fail(why, "it cannot be made", errno);
	return true;
}

/* Give the unnamed file FD the name PATH. True as well if another process was faster. */
static bool publish(int fd, const char *path)
{
	char unnamed[32];

	snprintf(unnamed, sizeof unnamed, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, unnamed, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ||
	       errno == EEXIST || linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0 ||
	       errno == EEXIST;
}

/* Make the file at the policy's path. It has no name before it is a ledger, so nobody finds half of
 * one, and nothing is left of it if this process is killed. */
static bool create(const struct rg_policy *policy, const uint8_t seed[16],
		   char why[RG_STORE_WHY_BYTES])
{
	char directory[RG_PATH_BYTES];
	bool made;
	int fd;

	snprintf(directory, sizeof directory, "%s", policy->state);
	strrchr(directory, '/')[1] = '\0';
	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return refuse_file_system(policy->state, why);
	if (fd < 0)
		return fail(why, "it cannot be made", errno);
	made = is_on_tmpfs(fd) ? fill_file(fd, policy, seed, why)
			       : refuse_file_system(policy->state, why);
	if (made && !publish(fd, policy->state))
		made = fail(why, "it cannot be made", errno);
	close(fd);
	return made;
}

/* Can nobody but the owner use this file, and do we trust the owner? If not, WHY tells. */
static bool is_acceptable(int fd, const char *path, struct stat *status,
			  char why[RG_STORE_WHY_BYTES])
{
	if (fstat(fd, status) != 0)
		return fail(why, "it cannot be examined", errno);
	if (!S_ISREG(status->st_mode))
		return fail(why, "it is no regular file", 0);
	if (!is_on_tmpfs(fd))
		return refuse_file_system(path, why);
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return fail(why, "it is owned by another user", 0);
	if ((status->st_mode & MODE_BITS) != FILE_MODE)
		return fail(why, "its mode is not 0600", 0);
	if (status->st_nlink != 1)
		return fail(why, "it has more than one name", 0);
	if (status->st_size <= 0 || (off_t)(size_t)status->st_size != status->st_size)
		return fail(why, "it is too short for a ledger", 0);
	return true;
}

static bool is_allocated(const struct stat *status)
{
	return (uint64_t)status->st_blocks * BLOCK_BYTES >= (uint64_t)status->st_size;
}

/* Allocate all of FD, whose lock we hold. If there is no room, a new file at PATH is removed. */
static bool allocate_locked(int fd, const char *path, const struct stat *status,
			    char why[RG_STORE_WHY_BYTES])
{
	int failed, error;

	for (unsigned i = 0; i < SIGNALS_MAX; i++) {
		failed = fallocate(fd, 0, 0, status->st_size);
		if (failed == 0 || errno != EINTR)
			break;
	}
	if (failed == 0)
		return true;
	error = errno;
	if ((uint64_t)status->st_blocks * BLOCK_BYTES < FRESH_BYTES)
		(void)unlink(path);
	return fail(why, "its memory cannot be allocated", error);
}

/*
 * See that all of the file is allocated, so that a full file system is met here and never by a
 * store to memory (SIGBUS). Only the processes that find a new file come here. One of them
 * allocates, and the others wait while it makes progress; if it is killed, another goes on.
 */
static bool allocate(int fd, const char *path, struct stat *status, char why[RG_STORE_WHY_BYTES])
{
	blkcnt_t blocks = status->st_blocks;
	bool allocated = is_allocated(status);
	unsigned pause_ms = 1;

	for (unsigned ms = 0; !allocated && ms < WAIT_MAX_MS; ms += pause_ms) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			allocated = (fstat(fd, status) == 0 && is_allocated(status)) ||
				    allocate_locked(fd, path, status, why);
			/* Closing FD alone would not do: a fork may have copied it meanwhile. */
			(void)flock(fd, LOCK_UN);
			return allocated;
		}
		if (errno != EWOULDBLOCK)
			return fail(why, "it cannot be locked", errno);
		wait_ms(pause_ms);
		pause_ms = pause_ms < PAUSE_MAX_MS ? 2 * pause_ms : pause_ms;
		if (fstat(fd, status) != 0)
			break;
		if (status->st_blocks != blocks)
			ms = 0;
		blocks = status->st_blocks;
		allocated = is_allocated(status);
	}
	return allocated || fail(why, "another process keeps it locked", 0);
}

/* Is the ledger in the file, whose head was read, the one we need? */
static bool is_fit(off_t bytes, const struct rg_policy *policy, char why[RG_STORE_WHY_BYTES])
{
	struct rg_ledger ledger;
	const char *wrong;

	if (!rg_ledger_attach(&ledger, head, (size_t)bytes, &wrong))
		return fail(why, wrong, 0);
	if (rg_ledger_clock(&ledger) != rg_clock_space())
		return fail(why, "its clock is that of another time namespace", 0);
	if (rg_ledger_slots(&ledger) == rg_ledger_slots_for(policy->clients))
		return true;
	snprintf(why, RG_STORE_WHY_BYTES,
		 "it is a ledger for %u clients, not for the %u of RENEGUARD_CLIENTS",
		 rg_ledger_slots(&ledger), policy->clients);
	return false;
}

static bool map_file(struct rg_ledger *ledger, int fd, size_t bytes, const struct rg_policy *policy,
		     char why[RG_STORE_WHY_BYTES])
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	const char *wrong;

	if (memory == MAP_FAILED)
		return fail(why, "it cannot be mapped", errno);
	if (!rg_ledger_attach(ledger, memory, bytes, &wrong))
		(void)fail(why, wrong, 0);
	else if (rg_ledger_use(ledger, policy->rules, &policy->log_rate))
		return true;
	else
		(void)fail(why, "it has no room for another rule; remove it to begin anew", 0);
	munmap(memory, bytes);
	return false;
}

/* Check the file, map it, and go on with its ledger. Nothing is mapped before all of it is there.
 */
static bool check_and_map(struct rg_ledger *ledger, int fd, const struct rg_policy *policy,
			  char why[RG_STORE_WHY_BYTES])
{
	struct stat status;

	if (!is_acceptable(fd, policy->state, &status, why))
		return false;
	/* Not read(2), of which this library has a hook. */
	if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head)
		return fail(why, "it is too short for a ledger", 0);
	return is_fit(status.st_size, policy, why) && allocate(fd, policy->state, &status, why) &&
	       map_file(ledger, fd, (size_t)status.st_size, policy, why);
}

bool rg_state_file_open(struct rg_ledger *ledger, const struct rg_policy *policy,
			const uint8_t seed[16], char why[RG_STORE_WHY_BYTES])
{
	int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(policy->state, flags);
	bool opened;

	if (fd < 0 && errno == ENOENT) {
		if (!create(policy, seed, why))
			return false;
		fd = open(policy->state, flags);
	}
	if (fd < 0)
		return fail(why, errno == ELOOP ? "it is a symbolic link" : "it cannot be opened",
			    errno == ELOOP ? 0 : errno);
	opened = check_and_map(ledger, fd, policy, why);
	close(fd);
	return opened;
}
