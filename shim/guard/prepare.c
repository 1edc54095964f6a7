#include "guard/prepare.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "guard/gate.h"
#include "guard/report.h"
#include "libssl/find.h"
#include "os/lock.h"
#include "os/log.h"
#include "os/next.h"
#include "os/process.h"

#define EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h */

static void report_bad_variables(void)
{
	struct rg_bad_variable bad;

	for (size_t i = 0; rg_process_bad_variable(i, &bad); i++)
		rg_report_bad_variable(&bad);
}

static void make_ledger(void)
{
	char why[RG_STORE_WHY_BYTES], accepted[RG_STORE_WHY_BYTES + 64];

	rg_process_make_ledger(why);
	if (why[0] == '\0')
		return;
	snprintf(accepted, sizeof accepted, "a ledger file, but %s; this ledger is private", why);
	rg_report_bad_variable(
	    &(struct rg_bad_variable){"RENEGUARD_STATE", rg_process_policy()->state, accepted});
}

/* Allocates nothing: see before_fork. */
static void make_ledger_once(void)
{
	static struct rg_lock lock;
	static _Atomic bool done;

	if (atomic_load_explicit(&done, memory_order_acquire) || !rg_lock(&lock))
		return;
	if (!atomic_load(&done)) {
		if (rg_process_policy()->blocks)
			rg_gate_set(RG_GATE_BLOCKING);
		make_ledger();
		report_bad_variables();
		atomic_store_explicit(&done, true, memory_order_release);
	}
	rg_unlock(&lock);
}

static void find_next_once(void)
{
	static atomic_flag begun = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&begun))
		rg_next_prepare();
}

void rg_prepare(void)
{
	const struct rg_policy *policy = rg_process_policy();
	int saved = errno;

	if (!policy->on)
		return;
	rg_log_open(policy);
	find_next_once();
	make_ledger_once();
	errno = saved;
}

void rg_prepare_before_chroot(void)
{
	const struct rg_policy *policy = rg_process_policy();
	int saved = errno;

	if (policy->on && policy->state[0] != '\0')
		rg_prepare();
	else if (policy->on)
		rg_log_open(policy);
	errno = saved;
}

/*
 * The program is about to fork. It may have opened a libssl without using it yet (Python's
 * `import ssl`). Make the ledger now: one made after the fork would be the child's alone.
 *
 * libc runs such handlers in reverse order, so those of the program have already taken their locks:
 * after jemalloc's, even malloc(3) would wait forever. Nothing here allocates memory or asks the
 * loader for a symbol.
 */
static void before_fork(void)
{
	const struct rg_policy *policy = rg_process_policy();
	int saved = errno;

	if (policy->on && rg_process_ledger() == NULL && rg_libssl_is_loaded()) {
		rg_log_open(policy);
		make_ledger_once();
	}
	errno = saved;
}

/* Runs when this library is loaded. A program linked to libssl may close descriptors, chroot or
 * fork before it first uses libssl, so get ready now. A raw clone(2) runs no fork handler: such
 * programs (vsftpd) are linked to libssl. */
__attribute__((constructor)) static void load(void)
{
	const struct rg_policy *policy = rg_process_policy();
	struct rg_bad_variable bad;

	if (policy->on && policy->strict && rg_process_bad_variable(0, &bad)) {
		rg_process_log_to_stderr();
		rg_log_open(policy);
		report_bad_variables();
		_exit(EXIT_CONFIG);
	}
	if (!policy->on)
		return;
	if (rg_libssl_is_loaded())
		rg_prepare();
	else
		(void)pthread_atfork(before_fork, NULL, NULL);
}
