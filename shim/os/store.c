#include "os/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/siphash.h"
#include "os/clock.h"

#define CLOEXEC	    1U /* MFD_CLOEXEC, which older libcs do not define */
#define NOREPLACE   1U /* RENAME_NOREPLACE, likewise */
#define LEDGER_NAME "reneguard"
#define BOOT_ID	    "/proc/sys/kernel/random/boot_id"
#define FILE_MODE   0600

/* How long to wait for another process that holds the file's lock, or that has the file under two
 * names while it makes it. Far longer than either takes. */
#define WAIT_MAX_MS 1000

/* The memory of a process that cannot map any. */
static _Alignas(64) unsigned char last_resort[RG_LEDGER_SMALL_BYTES];

/* Make 16 bytes that nobody can guess from AT_RANDOM, the kernel's random bytes for this process.
 * They are hashed, because libc keeps secrets in the same bytes. */
static void draw_seed(uint8_t seed[16])
{
	const uint8_t *random = (const uint8_t *)(uintptr_t)getauxval(AT_RANDOM);
	static const uint8_t zeros[16];
	uint64_t material[3] = {rg_clock_ns(), (uint64_t)getpid(), 0};

	for (material[2] = 0; material[2] < 2; material[2]++) {
		uint64_t half = rg_siphash(random != NULL ? random : zeros,
					   (const uint8_t *)material, sizeof material);

		memcpy(seed + 8 * material[2], &half, sizeof half);
	}
}

/* May a file grow to BYTES? Beyond RLIMIT_FSIZE, SIGXFSZ would end the process, for a memory file
 * too. */
static bool is_allowed(size_t bytes)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes <= limit.rlim_cur;
}

/* --- a private ledger --- */

/*
 * Memory that children share and that `reneguardctl` finds by its name in /proc/PID/maps. The
 * descriptor is closed at once, so that the program never meets it. If no memory file can be made,
 * the memory has no name. MAP_FAILED if none can be mapped.
 */
static void *map_shared(size_t bytes)
{
	int fd = is_allowed(bytes) ? (int)syscall(SYS_memfd_create, LEDGER_NAME, CLOEXEC) : -1;
	int flags = fd >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
	void *memory = MAP_FAILED;

	if (fd < 0 || ftruncate(fd, (off_t)bytes) == 0)
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
	if (fd >= 0)
		close(fd);
	return memory;
}

static void open_private(struct rg_ledger *ledger, const struct rg_policy *policy)
{
	uint32_t clients = policy->clients;
	void *memory = map_shared(rg_ledger_bytes(clients));
	uint8_t seed[16];

	if (memory == MAP_FAILED) {
		memory = last_resort;
		clients = RG_CLIENTS_MIN;
	}
	draw_seed(seed);
	rg_ledger_make(ledger, memory, clients, seed);
	(void)rg_ledger_use(ledger, policy->rules,
			    &policy->log_rate); /* the first: there is room */
}

/* --- a file --- */

/* Put WHAT, and ERROR unless it is 0, in WHY. Returns false for the caller to return. */
static bool fail(char why[RG_STORE_WHY_BYTES], const char *what, int error)
{
	errno = error; /* for %m: strerror_r(3) differs between musl and glibc */
	snprintf(why, RG_STORE_WHY_BYTES, error != 0 ? "%s: %m" : "%s", what);
	return false;
}

static void wait_ms(void)
{
	struct timespec pause = {.tv_nsec = 1000000};

	(void)nanosleep(&pause, NULL);
}

/* A number made from the kernel's id for this boot; 0 if it is unknown. */
static uint64_t boot_number(void)
{
	static const uint8_t key[16] = "reneguard boot";
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	uint8_t id[64];
	/* Not read(2), of which this library has a hook. */
	ssize_t got = fd >= 0 ? pread(fd, id, sizeof id, 0) : -1;

	if (fd >= 0)
		close(fd);
	return got > 0 ? rg_siphash(key, id, (size_t)got) | 1 : 0;
}

/* The wall-clock time at which rg_clock_ns was 0. */
static uint64_t epoch_ns(void)
{
	struct timespec wall;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)wall.tv_sec * RG_NS_PER_S + (uint64_t)wall.tv_nsec - rg_clock_ns();
}

/* Give FD its length, with all blocks allocated, and make it a ledger. A full disk is then noticed
 * here, never by a store to memory (SIGBUS). */
static bool fill_file(int fd, uint32_t clients, char why[RG_STORE_WHY_BYTES])
{
	size_t bytes = rg_ledger_bytes(clients);
	int error = is_allowed(bytes) ? posix_fallocate(fd, 0, (off_t)bytes) : EFBIG;
	struct rg_ledger ledger;
	uint8_t seed[16];
	void *memory;

	if (error != 0)
		return fail(why, "it cannot be made", error);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return fail(why, "it cannot be mapped", errno);
	draw_seed(seed);
	rg_ledger_make(&ledger, memory, clients, seed);
	munmap(memory, bytes);
	return true;
}

/* Rename the finished file at TEMPORARY to PATH, unless another process was faster. False if
 * TEMPORARY is still there. */
static bool publish(const char *temporary, const char *path)
{
	if (syscall(SYS_renameat2, AT_FDCWD, temporary, AT_FDCWD, path, NOREPLACE) == 0)
		return true;
	if (errno == EINVAL || errno == ENOSYS)
		(void)link(temporary, path);
	return false;
}

/* Make the file at PATH. It is finished under another name first, so that nobody finds half a
 * ledger. */
static bool create(const char *path, uint32_t clients, char why[RG_STORE_WHY_BYTES])
{
	char temporary[RG_PATH_BYTES + 32];
	bool filled;
	int fd;

	snprintf(temporary, sizeof temporary, "%s.new.%ld", path, (long)getpid());
	(void)unlink(temporary); /* left by a killed process with the same pid */
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return fail(why, "it cannot be made", errno);
	filled = fill_file(fd, clients, why);
	close(fd);
	if (!filled || !publish(temporary, path))
		(void)unlink(temporary);
	return filled;
}

/* Can nobody but the owner write to this file, and do we trust the owner? If not, WHY tells. */
static bool is_acceptable(int fd, struct stat *status, char why[RG_STORE_WHY_BYTES])
{
	if (fstat(fd, status) != 0)
		return fail(why, "it cannot be examined", errno);
	if (!S_ISREG(status->st_mode))
		return fail(why, "it is no regular file", 0);
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return fail(why, "it is owned by another user", 0);
	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return fail(why, "users other than its owner may write to it", 0);
	for (int ms = 0; status->st_nlink != 1 && ms < WAIT_MAX_MS; ms++) {
		wait_ms();
		(void)fstat(fd, status);
	}
	if (status->st_nlink != 1)
		return fail(why, "it has more than one name", 0);
	return true;
}

static bool lock_file(int fd)
{
	int failed = flock(fd, LOCK_EX | LOCK_NB);

	for (int ms = 0; failed != 0 && errno == EWOULDBLOCK && ms < WAIT_MAX_MS; ms++) {
		wait_ms();
		failed = flock(fd, LOCK_EX | LOCK_NB);
	}
	return failed == 0;
}

/* Check the file, map it, and go on with its ledger. */
static bool map_file(struct rg_ledger *ledger, int fd, const struct rg_policy *policy,
		     char why[RG_STORE_WHY_BYTES])
{
	uint64_t boot = boot_number();
	const char *wrong;
	struct stat status;
	size_t bytes;
	void *memory;
	int error;

	if (boot == 0)
		return fail(why, "the boot of this machine cannot be identified: no " BOOT_ID, 0);
	if (!is_acceptable(fd, &status, why))
		return false;
	bytes = (size_t)status.st_size;
	if (status.st_size <= 0 || (off_t)bytes != status.st_size)
		return fail(why, "it is too short for a ledger", 0);
	/* A copied file may have holes. On a full disk, the first store into one raises SIGBUS. */
	error = posix_fallocate(fd, 0, status.st_size);
	if (error != 0)
		return fail(why, "its blocks cannot be allocated", error);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return fail(why, "it cannot be mapped", errno);
	if (rg_ledger_attach(ledger, memory, bytes, &wrong) &&
	    bytes == rg_ledger_bytes(policy->clients)) {
		rg_ledger_resume(ledger, boot, epoch_ns());
		if (rg_ledger_use(ledger, policy->rules, &policy->log_rate))
			return true;
		wrong = "it remembers as many rules as it can: remove it";
	}
	if (wrong != NULL)
		(void)fail(why, wrong, 0);
	else
		snprintf(why, RG_STORE_WHY_BYTES,
			 "it is a ledger for %u clients, not for the %u of RENEGUARD_CLIENTS",
			 rg_ledger_slots(ledger), policy->clients);
	munmap(memory, bytes);
	return false;
}

static bool open_file(struct rg_ledger *ledger, const struct rg_policy *policy,
		      char why[RG_STORE_WHY_BYTES])
{
	int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(policy->state, flags);
	bool taken;

	if (fd < 0 && errno == ENOENT) {
		if (!create(policy->state, policy->clients, why))
			return false;
		fd = open(policy->state, flags);
	}
	if (fd < 0)
		return fail(why, errno == ELOOP ? "it is a symbolic link" : "it cannot be opened",
			    errno == ELOOP ? 0 : errno);
	taken = lock_file(fd) ? map_file(ledger, fd, policy, why)
			      : fail(why, "another process keeps it locked", 0);
	/* Closing FD alone would not do: a fork by another thread may have copied it meanwhile. */
	(void)flock(fd, LOCK_UN);
	close(fd);
	return taken;
}

void rg_store_open(struct rg_ledger *ledger, const struct rg_policy *policy,
		   char why[RG_STORE_WHY_BYTES])
{
	why[0] = '\0';
	if (policy->state[0] == '\0' || !open_file(ledger, policy, why))
		open_private(ledger, policy);
}
