#include "rg_process.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../core/siphash.h"
#include "rg_libssl.h"
#include "rg_line.h"
#include "rg_log.h"

#define EXIT_CONFIG    78 /* EX_CONFIG of sysexits.h */
#define COMPLAINTS_MAX 16
#define VALUE_BYTES    128
#define CLOEXEC	       1U /* MFD_CLOEXEC, which an older libc does not name */
#define LEDGER_NAME    "reneguard"

enum stage { UNTOUCHED, UNDER_WAY, DONE };

/* A bad variable, kept until there is a log to tell it to. */
struct complaint {
	char variable[RG_NAME_BYTES];
	char value[VALUE_BYTES];
	const char *accepted;
};

extern char **environ;

static struct rg_policy policy; /* immutable once `started` is DONE */
static struct complaint complaints[COMPLAINTS_MAX];
static size_t complaint_count;
static _Atomic int started, prepared;

const struct rg_policy *_Atomic rg_process_policy_read; /* written once: &policy */
struct rg_ledger *_Atomic rg_process_ledger_made;	/* written once */

/* The ledger of a process that can not map one: too small to be fair, large enough to keep the
 * log's rate. */
static _Alignas(64) unsigned char last_resort[128 + RG_CLIENTS_MIN * 192];

/* True for the one caller that is to do the work; the others wait until it has been done. */
static bool begin(_Atomic int *stage)
{
	int seen = UNTOUCHED;

	if (atomic_load_explicit(stage, memory_order_acquire) == DONE)
		return false;
	if (atomic_compare_exchange_strong(stage, &seen, UNDER_WAY))
		return true;
	while (atomic_load_explicit(stage, memory_order_acquire) != DONE)
		sched_yield();
	return false;
}

static void keep_complaint(void *arg, const char *variable, const char *value, const char *accepted)
{
	struct complaint *complaint = &complaints[complaint_count];

	(void)arg;
	if (complaint_count == COMPLAINTS_MAX)
		return;
	snprintf(complaint->variable, sizeof complaint->variable, "%s", variable);
	snprintf(complaint->value, sizeof complaint->value, "%s", value);
	complaint->accepted = accepted;
	complaint_count++;
}

static void tell_complaints(void)
{
	for (size_t i = 0; i < complaint_count; i++) {
		struct rg_report report = {.code = "ERR_RENEGUARD_POLICY",
					   .variable = complaints[i].variable,
					   .value = complaints[i].value,
					   .accepted = complaints[i].accepted,
					   .service = policy.name};
		char line[RG_LINE_BYTES];

		rg_line(line, sizeof line, policy.log_format, &report);
		(void)rg_log_deliver(&policy, RG_LOG_ERR, line);
	}
}

const struct rg_policy *rg_process_start(void)
{
	if (begin(&started)) {
		(void)rg_policy_read(&policy, environ, program_invocation_short_name,
				     keep_complaint, NULL);
		atomic_store_explicit(&rg_process_policy_read, &policy, memory_order_release);
		atomic_store_explicit(&started, DONE, memory_order_release);
	}
	return &policy;
}

/* 16 bytes nobody can guess, from what the kernel gave this process; hashed, because libc keeps
 * secrets in the same bytes. */
static void draw_seed(uint8_t seed[16])
{
	const uint8_t *random = (const uint8_t *)(uintptr_t)getauxval(AT_RANDOM);
	static const uint8_t none[16];
	uint64_t material[3] = {rg_process_now_ns(), (uint64_t)getpid(), 0};

	for (material[2] = 0; material[2] < 2; material[2]++) {
		uint64_t half = rg_siphash(random != NULL ? random : none,
					   (const uint8_t *)material, sizeof material);

		memcpy(seed + 8 * material[2], &half, sizeof half);
	}
}

/*
 * Memory that children share and that `reneguardctl` finds by its name in /proc/PID/maps. The
 * descriptor is closed at once, so that the program never meets it; a kernel without
 * memfd_create(2) gets memory without a name.
 */
static void *map_shared(size_t bytes)
{
	int fd = (int)syscall(SYS_memfd_create, LEDGER_NAME, CLOEXEC);
	int flags = fd >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
	void *memory = MAP_FAILED;

	if (fd < 0 || ftruncate(fd, (off_t)bytes) == 0)
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
	if (fd >= 0)
		close(fd);
	return memory;
}

static void make_ledger(void)
{
	uint32_t clients = policy.clients;
	void *memory = map_shared(rg_ledger_bytes(clients));
	uint8_t seed[16];

	if (memory == MAP_FAILED) {
		memory = last_resort;
		clients = RG_CLIENTS_MIN;
	}
	draw_seed(seed);
	atomic_store_explicit(&rg_process_ledger_made, rg_ledger_make(memory, clients, seed),
			      memory_order_release);
}

void rg_process_prepare(void)
{
	int saved = errno;

	if (!rg_process_policy()->on)
		return;
	rg_log_open(&policy);
	if (begin(&prepared)) {
		make_ledger();
		tell_complaints();
		atomic_store_explicit(&prepared, DONE, memory_order_release);
	}
	errno = saved;
}

uint64_t rg_process_now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* A program that is linked to libssl may close descriptors, chroot or fork before it first uses it:
 * be ready now. */
__attribute__((constructor)) static void load(void)
{
	const struct rg_policy *loaded = rg_process_policy();

	if (loaded->on && loaded->strict && complaint_count != 0) {
		policy.log_targets |= RG_LOG_STDERR;
		rg_log_open(&policy);
		tell_complaints();
		_exit(EXIT_CONFIG);
	}
	if (loaded->on && rg_libssl_is_loaded())
		rg_process_prepare();
}
