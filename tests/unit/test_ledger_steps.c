/*
 * "A process that is killed at any instruction leaves it usable" (rg_ledger.h). A child records an
 * event one instruction at a time, and is stopped or killed between any two of them. Then this
 * process records events of the same client or of others. Needs ptrace(2) on our own child.
 */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "ledgers.h"

#define NOW_NS	   (100000 * NS_PER_S)
#define POINTS_MAX 100
#define STEPS_MAX  300000
#define CLIENT	   1000

static const struct rg_limit two = {2, 60};

static struct rg_ledger *ledger;
static const struct rg_limit *child_limit = &two;
static struct rg_key child_key;
static uint64_t child_now_ns;

/*
 * Fill a ledger of eight slots with idle clients. The order in which they make room decides which
 * of two newcomers gets the lower slot: the one that came first (UPWARDS) or the other.
 */
static void fill_ledger(bool upwards)
{
	for (uint32_t slot = 0; slot < 8; slot++) {
		struct rg_key key = key_number(ledger, slot);
		uint64_t age_s = 10 * (upwards ? 10 - slot : slot + 2);

		(void)rg_ledger_record(ledger, &key, RG_RESUMPTION, NULL, false,
				       NOW_NS - age_s * NS_PER_S);
	}
	child_key = key_number(ledger, CLIENT);
	child_now_ns = NOW_NS;
}

static void fresh_ledger(bool upwards)
{
	ledger = ledger_for(8);
	fill_ledger(upwards);
}

static void discard_ledger(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t memory = (uintptr_t)ledger->head, begin = memory / page * page;

	munmap((void *)begin, rg_ledger_bytes(8) + (memory - begin));
	free(ledger);
}

/* A child that is stopped right before it records its event. */
static pid_t start_child(void)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(1);
		raise(SIGSTOP);
		(void)rg_ledger_record(ledger, &child_key, RG_RESUMPTION, child_limit, false, child_now_ns);
		_exit(0);
	}
	UNIT_MUST(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "the child did not stop");
	return pid;
}

/* Let the child run STEPS instructions. Returns how many it ran before it ended. */
static unsigned step(pid_t pid, unsigned steps)
{
	unsigned done = 0;
	int status;

	for (; done < steps; done++) {
		ck_assert_int_eq((int)ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		UNIT_MUST(waitpid(pid, &status, 0) == pid, "the child is gone");
		if (WIFEXITED(status))
			break;
		UNIT_MUST(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP,
			  "the child did not stop after an instruction: status %#x",
			  (unsigned)status);
	}
	return done;
}

static void end_child(pid_t pid, bool killed)
{
	int status;

	if (killed)
		kill(pid, SIGKILL);
	else
		ck_assert_int_eq((int)ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	UNIT_MUST(waitpid(pid, &status, 0) == pid, "the child is gone");
	UNIT_MUST(WIFSIGNALED(status) == killed, "the child ended with status %#x",
		  (unsigned)status);
}

/* How many instructions the child needs for its event. */
static unsigned steps_needed(bool upwards)
{
	pid_t pid;
	unsigned steps;

	fresh_ledger(upwards);
	pid = start_child();
	steps = step(pid, UINT32_MAX);
	ck_assert_uint_eq(slots_of(ledger, client_number(CLIENT), NULL), 1);
	discard_ledger();
	return steps;
}

/* How many instructions lie between two stops, when the child needs STEPS. There are at most
 * POINTS_MAX stops, and about STEPS_MAX instructions to step through in all. */
static unsigned stride(unsigned steps)
{
	unsigned points = STEPS_MAX / steps < POINTS_MAX ? STEPS_MAX / steps : POINTS_MAX;

	return 1 + steps / (points + 1);
}

static unsigned allowed_of(uint32_t client, unsigned events, uint64_t now_ns)
{
	struct rg_key key = key_number(ledger, client);
	unsigned allowed = 0;

	while (events-- != 0)
		allowed += !rg_ledger_record(ledger, &key, RG_RESUMPTION, &two, false, now_ns).over;
	return allowed;
}

/*
 * The child is stopped while this process records an event of the same client, then goes on. The
 * client must have one slot, with both events in it.
 */
START_TEST(test_stopped_anywhere)
{
	unsigned steps = steps_needed(_i);

	for (unsigned stop = 0; stop < steps; stop += stride(steps)) {
		struct rg_account account = {.first_ns = 0};
		unsigned slots;
		pid_t pid;

		fresh_ledger(_i);
		pid = start_child();
		(void)step(pid, stop);
		(void)allowed_of(CLIENT, 1, NOW_NS);
		end_child(pid, false);
		slots = slots_of(ledger, client_number(CLIENT), &account);
		UNIT_MUST(slots == 1,
			  "stopped after %u of %u instructions: the client has %u slots", stop,
			  steps, slots);
		UNIT_MUST(account.events[RG_RESUMPTION] == 2,
			  "stopped after %u of %u instructions: %u of 2 events are on the account",
			  stop, steps, account.events[RG_RESUMPTION]);
		UNIT_MUST(allowed_of(CLIENT, 10, NOW_NS) == 0,
			  "stopped after %u instructions: more than two events are allowed", stop);
		discard_ledger();
	}
}
END_TEST

/*
 * The child's clock is ahead of ours, by as much as the clocks of two processors, or two readings
 * of one clock, may differ. Its claim must not count as a dead process's: another client takes
 * another slot.
 */
START_TEST(test_clocks_apart)
{
	unsigned steps = steps_needed(_i);

	for (unsigned stop = 0; stop < steps; stop += stride(steps)) {
		pid_t pid;

		fresh_ledger(_i);
		child_now_ns = NOW_NS + 150 * 1000000;
		pid = start_child();
		(void)step(pid, stop);
		(void)allowed_of(2000, 1, NOW_NS);
		end_child(pid, false);
		UNIT_MUST(slots_of(ledger, client_number(2000), NULL) == 1,
			  "stopped after %u of %u instructions: the other client has no slot", stop,
			  steps);
		UNIT_MUST(slots_of(ledger, client_number(CLIENT), NULL) == 1,
			  "stopped after %u of %u instructions: the client has no slot", stop,
			  steps);
		discard_ledger();
	}
}
END_TEST

/* The child is killed. Other clients can go on at once, and later every slot can be used again. */
START_TEST(test_killed_anywhere)
{
	unsigned steps = steps_needed(_i);

	for (unsigned stop = 0; stop < steps; stop += stride(steps)) {
		uint64_t later_ns = NOW_NS + 3600 * NS_PER_S;
		unsigned allowed;
		pid_t pid;

		fresh_ledger(_i);
		pid = start_child();
		(void)step(pid, stop);
		end_child(pid, true);
		allowed = allowed_of(2000, 5, NOW_NS);
		UNIT_MUST(allowed == two.count,
			  "killed after %u of %u instructions: another client is allowed %u", stop,
			  steps, allowed);
		for (uint32_t client = 0; client < 8; client++) {
			allowed = allowed_of(3000 + client, 5, later_ns);
			UNIT_MUST(allowed == two.count,
				  "killed after %u instructions: an hour later %u are allowed",
				  stop, allowed);
		}
		UNIT_MUST(slots_taken(ledger) == 8, "killed after %u instructions: a slot is lost",
			  stop);
		discard_ledger();
	}
}
END_TEST

/* No client is idle, so the child's client is counted in the overflow table. */
static pid_t start_child_without_slot(void)
{
	fresh_ledger(false);
	for (uint32_t client = 0; client < 8; client++)
		(void)allowed_of(client, 1, NOW_NS);
	return start_child();
}

/* The child is killed there. Its client loses one event at most, and no other client loses any. */
START_TEST(test_killed_without_slot)
{
	unsigned steps = steps_needed(false), stop = 0;

	for (;; stop += stride(steps)) {
		pid_t pid = start_child_without_slot();
		unsigned allowed;

		if (step(pid, stop) != stop)
			break; /* it ended before */
		end_child(pid, true);
		allowed = allowed_of(CLIENT, 5, NOW_NS);
		UNIT_MUST(allowed == two.count || allowed == two.count - 1,
			  "killed after %u instructions: its client is allowed %u more", stop,
			  allowed);
		for (uint32_t client = 3000; client < 3020; client++)
			UNIT_MUST(allowed_of(client, 5, NOW_NS) == two.count,
				  "killed after %u instructions: another client is not allowed two",
				  stop);
		UNIT_MUST(slots_taken(ledger) == 8, "killed after %u instructions: a slot is lost",
			  stop);
		discard_ledger();
	}
	ck_assert_uint_gt(stop, 100);
}
END_TEST

/* --- the child evicts a client whose limit is in use --- */

/* Each of the eight has one event of two left, and the child's client none. It is over its limit
 * next, and gets the slot of one of them. */
static pid_t start_evicting_child(void)
{
	fresh_ledger(false);
	for (uint32_t client = 0; client < 8; client++)
		ck_assert_uint_eq(allowed_of(client, 1, NOW_NS), 1);
	ck_assert_uint_eq(allowed_of(CLIENT, 2, NOW_NS), 2);
	return start_child();
}

/* Nobody was forgotten, and nobody was counted twice. */
static void check_everyone(unsigned stop, unsigned left)
{
	for (uint32_t client = 0; client < 8; client++) {
		unsigned allowed = allowed_of(client, 4, NOW_NS);

		UNIT_MUST(allowed == left, "stopped after %u instructions: client %u is allowed %u",
			  stop, client, allowed);
	}
	UNIT_MUST(allowed_of(CLIENT, 4, NOW_NS) == 0,
		  "stopped after %u instructions: the child's client is allowed more", stop);
	UNIT_MUST(rg_ledger_lost(ledger) == 0, "stopped after %u instructions: a record is lost",
		  stop);
}

/* The child is stopped anywhere; then killed or let go on. In half of the trials the eight go on to
 * their limits meanwhile. */
START_TEST(test_eviction_anywhere)
{
	bool killed = _i & 1, busy = _i & 2;
	pid_t pid = start_evicting_child();
	unsigned steps = step(pid, UINT32_MAX), stop;

	ck_assert_uint_eq(slots_of(ledger, client_number(CLIENT), NULL), 1);
	ck_assert_uint_eq(rg_ledger_evictions_active(ledger), 1);
	discard_ledger();
	for (stop = 0; stop < steps; stop += stride(steps)) {
		pid = start_evicting_child();
		(void)step(pid, stop);
		for (uint32_t client = 0; busy && client < 8; client++)
			UNIT_MUST(allowed_of(client, 1, NOW_NS) == 1,
				  "stopped after %u instructions: client %u is refused", stop,
				  client);
		end_child(pid, killed);
		check_everyone(stop, busy ? 0 : 1);
		discard_ledger();
	}
}
END_TEST

/* --- the child records under another rule than the slot's state --- */

static const struct rg_limit four = {4, 600};

/* The child's client was counted under TWO, at BEFORE_NS. */
static pid_t start_child_under_four(uint64_t before_ns)
{
	pid_t pid;

	fresh_ledger(false);
	ck_assert_uint_eq(allowed_of(CLIENT, 2, before_ns), 2);
	child_limit = &four;
	pid = start_child();
	child_limit = &two;
	return pid;
}

static unsigned allowed_under_four(unsigned events)
{
	struct rg_key key = key_number(ledger, CLIENT);
	unsigned allowed = 0;

	while (events-- != 0)
		allowed +=
		    !rg_ledger_record(ledger, &key, RG_RESUMPTION, &four, false, NOW_NS).over;
	return allowed;
}

/* The state under TWO is in use, or has drained, when the child records under FOUR. It is stopped
 * anywhere while its twin does the same, and killed or let go on. */
START_TEST(test_other_rule_anywhere)
{
	bool drained = _i & 1, killed = _i & 2;
	uint64_t before_ns = drained ? NOW_NS - 3600 * NS_PER_S : NOW_NS;
	pid_t pid = start_child_under_four(before_ns);
	unsigned steps = step(pid, UINT32_MAX), stop;

	discard_ledger();
	for (stop = 0; stop < steps; stop += stride(steps)) {
		unsigned allowed;

		pid = start_child_under_four(before_ns);
		(void)step(pid, stop);
		allowed = allowed_under_four(2);
		end_child(pid, killed);
		allowed += allowed_under_four(4);
		UNIT_MUST(allowed == 3 || (killed && allowed == 4),
			  "stopped after %u instructions: %u allowed beside the child's", stop,
			  allowed);
		UNIT_MUST(allowed_of(CLIENT, 3, NOW_NS) == (drained ? 2 : 0),
			  "stopped after %u instructions: the other rule's state", stop);
		discard_ledger();
	}
}
END_TEST

/* Containers and hardened kernels forbid ptrace, and a traced process cannot be traced again. */
static bool can_trace(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

int main(void)
{
	Suite *suite = suite_create("ledger_steps");

	if (!can_trace()) {
		puts("1..0 # SKIP ptrace(2) is not allowed here");
		return 0;
	}

	unit_add(suite, "test_stopped_anywhere", test_stopped_anywhere, 0, 2);
	unit_add(suite, "test_clocks_apart", test_clocks_apart, 0, 2);
	unit_add(suite, "test_killed_anywhere", test_killed_anywhere, 0, 2);
	UNIT_ADD(suite, test_killed_without_slot);
	unit_add(suite, "test_eviction_anywhere", test_eviction_anywhere, 0, 4);
	unit_add(suite, "test_other_rule_anywhere", test_other_rule_anywhere, 0, 4);
	return unit_run(suite);
}
