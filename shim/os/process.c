#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/lock.h"

#define NS_PER_HOUR (UINT64_C(3600) * RG_NS_PER_S)
#define BAD_MAX	    16
#define VALUE_BYTES 128

/* Where the parts of a tree's number begin. The process group takes 22 bits, the kernel's maximum;
 * the hour takes 16, and the namespace the rest. */
#define HOUR_SHIFT	22
#define NAMESPACE_SHIFT 38

extern char **environ;

static struct rg_policy policy; /* immutable once it has been read */
static struct {
	char variable[RG_NAME_BYTES];
	char value[VALUE_BYTES];
	const char *accepted;
} bad_variables[BAD_MAX];
static size_t bad_count;
static struct rg_ledger ledger; /* immutable once it has been made */
static uint64_t group; /* set with the ledger; children keep it even if they change their group */

const struct rg_policy *_Atomic rg_process_policy_read; /* written once: &policy */
struct rg_ledger *_Atomic rg_process_ledger_made;	/* written once: &ledger */

static void keep_bad_variable(void *arg, const char *variable, const char *value,
			      const char *accepted)
{
	(void)arg;
	if (bad_count == BAD_MAX)
		return;
	snprintf(bad_variables[bad_count].variable, RG_NAME_BYTES, "%s", variable);
	snprintf(bad_variables[bad_count].value, VALUE_BYTES, "%s", value);
	bad_variables[bad_count].accepted = accepted;
	bad_count++;
}

bool rg_process_is_secure(void)
{
	return getauxval(AT_SECURE) != 0;
}

const struct rg_policy *rg_process_read_policy(void)
{
	static char *const nothing[] = {NULL};
	static atomic_flag begun = ATOMIC_FLAG_INIT;

	/* Not rg_lock: it asks for the pid, and even programs without libssl run this. */
	if (!atomic_flag_test_and_set(&begun)) {
		(void)rg_policy_read(&policy, rg_process_is_secure() ? nothing : environ,
				     program_invocation_short_name, keep_bad_variable, NULL);
		atomic_store_explicit(&rg_process_policy_read, &policy, memory_order_release);
	}
	for (unsigned i = 0; i < RG_LOCK_YIELDS && atomic_load(&rg_process_policy_read) == NULL;
	     i++)
		sched_yield();
	return &policy;
}

bool rg_process_bad_variable(size_t index, struct rg_bad_variable *bad)
{
	if (index >= bad_count)
		return false;
	bad->variable = bad_variables[index].variable;
	bad->value = bad_variables[index].value;
	bad->accepted = bad_variables[index].accepted;
	return true;
}

void rg_process_log_to_stderr(void)
{
	policy.log_targets |= RG_LOG_TO_STDERR;
}

static uint64_t group_now(void)
{
	struct stat namespace;
	uint64_t number = stat("/proc/self/ns/pid", &namespace) == 0 ? namespace.st_ino : 0;

	return number << NAMESPACE_SHIFT | (uint64_t)getpgrp();
}

void rg_process_make_ledger(char why[RG_STORE_WHY_BYTES])
{
	group = group_now();
	rg_store_open(&ledger, &policy, why);
	atomic_store_explicit(&rg_process_ledger_made, &ledger, memory_order_release);
}

uint64_t rg_process_tree(void)
{
	return policy.state[0] != '\0' ? group | rg_clock_ns() / NS_PER_HOUR << HOUR_SHIFT : 0;
}
