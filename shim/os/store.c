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

#define CLOEXEC	    1U /* MFD_CLOEXEC, which an older libc does not name */
#define NOREPLACE   1U /* RENAME_NOREPLACE, likewise */
#define LEDGER_NAME "reneguard"
#define BOOT_ID	    "/proc/sys/kernel/random/boot_id"
#define FILE_MODE   0600

/* How long another process may hold the lock, or have the file under two names while it makes it:
 * far longer than either takes. */
#define PATIENCE_MS 1000

/* The memory of a process that can not map any. */
static _Alignas(64) unsigned char last_resort[RG_LEDGER_SMALL_BYTES];

/* 16 bytes nobody can guess, from what the kernel gave this process; hashed, because libc keeps
 * secrets in the same bytes. */
static void draw_seed(uint8_t seed[16])
{
	const uint8_t *random = (const uint8_t *)(uintptr_t)getauxval(AT_RANDOM);
	static const uint8_t none[16];
	uint64_t material[3] = {rg_clock_ns(), (uint64_t)getpid(), 0};

	for (material[2] = 0; material[2] < 2; material[2]++) {
		uint64_t half = rg_siphash(random != NULL ? random : none,
					   (const uint8_t *)material, sizeof material);

		memcpy(seed + 8 * material[2], &half, sizeof half);
	}
}

/* A file that is made longer than RLIMIT_FSIZE allows, a memory file too, ends the process by
 * SIGXFSZ. */
static bool is_allowed(size_t bytes)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes <= limit.rlim_cur;
}

/* --- a private ledger --- */

/*
 * Memory that children share and that `reneguardctl` finds by its name in /proc/PID/maps. The
 * descriptor is closed at once, so that the program never meets it; where it is not to be had, the
 * memory has no name.
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

static void open_private(struct rg_ledger *ledger, uint32_t clients)
{
	void *memory = map_shared(rg_ledger_bytes(clients));
	uint8_t seed[16];

	if (memory == MAP_FAILED) {
		memory = last_resort;
		clients = RG_CLIENTS_MIN;
	}
	draw_seed(seed);
	rg_ledger_make(ledger, memory, clients, seed);
}

/* --- a file --- */

static bool refuse(char why[RG_STORE_WHY_BYTES], const char *what, int error)
{
	errno = error; /* for %m: the strerror_r(3) of musl is not that of glibc */
	snprintf(why, RG_STORE_WHY_BYTES, error != 0 ? "%s: %m" : "%s", what);
	return false;
}

static void wait_ms(void)
{
	struct timespec pause = {.tv_nsec = 1000000};

	(void)nanosleep(&pause, NULL);
}

/* The kernel's name for this boot, as a number; 0 where it does not tell. */
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

static uint64_t epoch_ns(void)
{
	struct timespec wall;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)wall.tv_sec * RG_NS_PER_S + (uint64_t)wall.tv_nsec - rg_clock_ns();
}

/* Lengthen FD, with all its blocks, so that a full disk is met here and never by a store to memory;
 * and make it a ledger. */
static bool fill(int fd, uint32_t clients, char why[RG_STORE_WHY_BYTES])
{
	size_t bytes = rg_ledger_bytes(clients);
	int error = is_allowed(bytes) ? posix_fallocate(fd, 0, (off_t)bytes) : EFBIG;
	struct rg_ledger ledger;
	uint8_t seed[16];
	void *memory;

	if (error != 0)
		return refuse(why, "it can not be made", error);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return refuse(why, "it can not be mapped", errno);
	draw_seed(seed);
	rg_ledger_make(&ledger, memory, clients, seed);
	munmap(memory, bytes);
	return true;
}

/* Give the finished file its name, unless another process was faster. */
static bool publish(const char *made, const char *path)
{
	if (syscall(SYS_renameat2, AT_FDCWD, made, AT_FDCWD, path, NOREPLACE) == 0)
		return true;
	if (errno == EINVAL || errno == ENOSYS)
		(void)link(made, path);
	return false;
}

/* Make the file whole under another name first: nobody ever meets half a ledger under its own. */
static bool create(const char *path, uint32_t clients, char why[RG_STORE_WHY_BYTES])
{
	char made[RG_PATH_BYTES + 32];
	bool filled;
	int fd;

	snprintf(made, sizeof made, "%s.new.%ld", path, (long)getpid());
	(void)unlink(made); /* of a process that was killed and had our number */
	fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return refuse(why, "it can not be made", errno);
	filled = fill(fd, clients, why);
	close(fd);
	if (!filled || !publish(made, path))
		(void)unlink(made);
	return filled;
}

/* Is this a file that nobody but its owner, whom we trust, can touch? */
static bool is_acceptable(int fd, struct stat *status, char why[RG_STORE_WHY_BYTES])
{
	if (fstat(fd, status) != 0)
		return refuse(why, "it can not be looked at", errno);
	if (!S_ISREG(status->st_mode))
		return refuse(why, "it is no regular file", 0);
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return refuse(why, "it is owned by another user", 0);
	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return refuse(why, "others than its owner may write to it", 0);
	for (int ms = 0; status->st_nlink != 1 && ms < PATIENCE_MS; ms++) {
		wait_ms();
		(void)fstat(fd, status);
	}
	if (status->st_nlink != 1)
		return refuse(why, "it has more than one name", 0);
	return true;
}

static bool lock(int fd)
{
	int failed = flock(fd, LOCK_EX | LOCK_NB);

	for (int ms = 0; failed != 0 && errno == EWOULDBLOCK && ms < PATIENCE_MS; ms++) {
		wait_ms();
		failed = flock(fd, LOCK_EX | LOCK_NB);
	}
	return failed == 0;
}

static bool take_up(struct rg_ledger *ledger, int fd, const struct rg_policy *policy,
		    char why[RG_STORE_WHY_BYTES])
{
	uint64_t boot = boot_number();
	const char *wrong;
	struct stat status;
	size_t bytes;
	void *memory;
	int error;

	if (boot == 0)
		return refuse(why, "the boot of the machine can not be told: no " BOOT_ID, 0);
	if (!is_acceptable(fd, &status, why))
		return false;
	bytes = (size_t)status.st_size;
	if (status.st_size <= 0 || (off_t)bytes != status.st_size)
		return refuse(why, "it is too short for a ledger", 0);
	/* A copy may have holes: on a full disk the first store into one would be SIGBUS. */
	error = posix_fallocate(fd, 0, status.st_size);
	if (error != 0)
		return refuse(why, "its blocks can not be had", error);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return refuse(why, "it can not be mapped", errno);
	if (rg_ledger_attach(ledger, memory, bytes, &wrong) &&
	    bytes == rg_ledger_bytes(policy->clients)) {
		rg_ledger_resume(ledger, boot, epoch_ns());
		return true;
	}
	if (wrong != NULL)
		(void)refuse(why, wrong, 0);
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
		return refuse(why,
			      errno == ELOOP ? "it is a symbolic link" : "it can not be opened",
			      errno == ELOOP ? 0 : errno);
	taken = lock(fd) ? take_up(ledger, fd, policy, why)
			 : refuse(why, "another process keeps it locked", 0);
	/* Also for a copy of the descriptor that a fork of another thread made meanwhile. */
	(void)flock(fd, LOCK_UN);
	close(fd);
	return taken;
}

void rg_store_open(struct rg_ledger *ledger, const struct rg_policy *policy,
		   char why[RG_STORE_WHY_BYTES])
{
	why[0] = '\0';
	if (policy->state[0] == '\0' || !open_file(ledger, policy, why))
		open_private(ledger, policy->clients);
}
