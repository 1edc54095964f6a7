#include "os/process.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libssl/libssl.h"
#include "os/fd_history.h"
#include "os/lock.h"
#include "os/log.h"
#include "os/store.h"
#include "rg_line.h"

#define EXIT_CONFIG    78 /* EX_CONFIG of sysexits.h */
#define NS_PER_HOUR    UINT64_C(3600000000000)
#define COMPLAINTS_MAX 16
#define VALUE_BYTES    128

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
static struct rg_ledger ledger; /* immutable once `prepared` is DONE */
static _Atomic int started, prepared;
static uint64_t tree; /* with `ledger`: what is forked later keeps it, wherever it moves itself */

const struct rg_policy *_Atomic rg_process_policy_read; /* written once: &policy */
struct rg_ledger *_Atomic rg_process_ledger_made;	/* written once: &ledger */

/* True for the one caller that is to do the work; the others wait until it has been done. */
static bool begin(_Atomic int *stage)
{
	int seen = UNTOUCHED;

	if (atomic_load_explicit(stage, memory_order_acquire) == DONE)
		return false;
	if (atomic_compare_exchange_strong(stage, &seen, UNDER_WAY))
		return true;
	for (unsigned i = 0; i < RG_LOCK_YIELDS; i++) {
		if (atomic_load_explicit(stage, memory_order_acquire) == DONE)
			return false;
		sched_yield();
	}
	return true; /* in a child forked meanwhile: nobody else is going to do it */
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

static void tell(const char *variable, const char *value, const char *accepted)
{
	struct rg_report report = {.code = "ERR_RENEGUARD_POLICY",
				   .variable = variable,
				   .value = value,
				   .accepted = accepted,
				   .service = policy.name};
	char line[RG_LINE_BYTES];

	rg_line(line, sizeof line, policy.log_format, &report);
	(void)rg_log_deliver(&policy, RG_SEVERITY_ERR, line);
}

static void tell_complaints(void)
{
	for (size_t i = 0; i < complaint_count; i++)
		tell(complaints[i].variable, complaints[i].value, complaints[i].accepted);
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

/* 22 bits for the group, which is how many the kernel has at most; 16 for the hour, later. */
static uint64_t tree_now(void)
{
	struct stat namespace;
	uint64_t number = stat("/proc/self/ns/pid", &namespace) == 0 ? namespace.st_ino : 0;

	return number << 38 | (uint64_t)getpgrp();
}

static void make_ledger(void)
{
	char why[RG_STORE_WHY_BYTES], accepted[RG_STORE_WHY_BYTES + 64];

	tree = tree_now();
	rg_store_open(&ledger, &policy, why);
	atomic_store_explicit(&rg_process_ledger_made, &ledger, memory_order_release);
	if (why[0] == '\0')
		return;
	snprintf(accepted, sizeof accepted, "a ledger file, but %s; this ledger is private", why);
	tell("RENEGUARD_STATE", policy.state, accepted);
}

void rg_process_prepare(void)
{
	int saved = errno;

	if (!rg_process_policy()->on)
		return;
	rg_log_open(&policy);
	if (begin(&prepared)) {
		rg_next_prepare();
		make_ledger();
		tell_complaints();
		atomic_store_explicit(&prepared, DONE, memory_order_release);
	}
	errno = saved;
}

void rg_process_before_chroot(void)
{
	int saved = errno;

	if (!rg_process_policy()->on)
		return;
	if (policy.state[0] != '\0')
		rg_process_prepare();
	else
		rg_log_open(&policy);
	errno = saved;
}

uint64_t rg_process_tree(void)
{
	return policy.state[0] != '\0' ? tree | rg_process_now_ns() / NS_PER_HOUR << 22 : 0;
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
		policy.log_targets |= RG_LOG_TO_STDERR;
		rg_log_open(&policy);
		tell_complaints();
		_exit(EXIT_CONFIG);
	}
	if (loaded->on && rg_libssl_is_loaded())
		rg_process_prepare();
}
