/* The ledger, shared by threads, by forked processes, and by processes that are killed. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "ledgers.h"

#define WORKERS	    8
#define EVENTS_EACH 4000
#define NOW_NS	    (1000 * NS_PER_S)

static const struct rg_limit thousand = {1000, 86400};
static const struct rg_limit four = {4, 60};

static struct rg_ledger *ledger;

/* Record EVENTS of CLIENT. Returns how many are within LIMIT. */
static unsigned allowed_of(uint32_t client, unsigned events, const struct rg_limit *limit,
			   uint64_t now_ns)
{
	struct rg_key key = key_number(ledger, client);
	unsigned allowed = 0;

	while (events-- != 0)
		allowed +=
		    !rg_ledger_record(ledger, &key, RG_RESUMPTION, limit, false, now_ns).over;
	return allowed;
}

/* ALLOWED events of client 1 were within the limit, of all that the workers recorded. */
static void check_hammered(unsigned allowed)
{
	struct rg_account account;

	ck_assert_uint_eq(allowed, thousand.count);
	ck_assert_uint_eq(slots_of(ledger, client_number(1), &account), 1);
	ck_assert_uint_eq(account.events[RG_RESUMPTION], WORKERS * EVENTS_EACH);
}

/* --- one client in all threads, or in all processes, at once --- */

static void *hammer(void *result)
{
	*(unsigned *)result = allowed_of(1, EVENTS_EACH, &thousand, NOW_NS);
	return NULL;
}

START_TEST(test_threads_are_exact)
{
	pthread_t threads[WORKERS];
	unsigned results[WORKERS], allowed = 0;

	ledger = ledger_for(64);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &results[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		allowed += results[i];
	}
	check_hammered(allowed);
}
END_TEST

static void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert(memory != MAP_FAILED);
	return memory;
}

START_TEST(test_processes_are_exact)
{
	_Atomic unsigned *allowed = shared_memory(sizeof *allowed);
	int status;

	ledger = ledger_for(64);
	for (unsigned i = 0; i < WORKERS; i++)
		if (fork() == 0) {
			atomic_fetch_add(allowed, allowed_of(1, EVENTS_EACH, &thousand, NOW_NS));
			_exit(0);
		}
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	check_hammered(atomic_load(allowed));
}
END_TEST

/* The same for a client that gets no slot until it is over its limit. */
START_TEST(test_threads_without_slot)
{
	pthread_t threads[WORKERS];
	unsigned results[WORKERS], allowed = 0;

	ledger = ledger_for(8);
	for (uint32_t client = 100; client < 108; client++)
		(void)allowed_of(client, 4, &four, NOW_NS);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &results[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		allowed += results[i];
	}
	ck_assert_uint_eq(allowed, thousand.count);
	ck_assert_uint_eq(slots_of(ledger, client_number(1), NULL), 1);
	ck_assert_uint_ne(rg_ledger_unplaced(ledger), 0);
}
END_TEST

/* --- a new client that comes in all threads at once --- */

#ifdef __SANITIZE_THREAD__ /* each round takes a hundred times as long */
#define ROUNDS 200
#else
#define ROUNDS 2000
#endif
#define CLIENTS 3 /* new in each round */

static _Atomic uint64_t arrived;
static _Atomic unsigned round_allowed[CLIENTS];

/* All threads leave here at about the same moment. */
static void meet(uint64_t meeting)
{
	atomic_fetch_add(&arrived, 1);
	while (atomic_load(&arrived) < meeting * WORKERS)
		sched_yield();
}

/*
 * A client may have no slot where some client always has to make room. On a slow machine it may
 * have none elsewhere either: threads revoke the claims of those that stand still (claim.h), and
 * the time of a round stands still, so that no revoked claim becomes stale. Then events were
 * unplaced.
 */
static void check_round(unsigned round)
{
	unsigned least = rg_ledger_slots(ledger) > 8 && rg_ledger_unplaced(ledger) == 0;

	for (uint32_t i = 0; i < CLIENTS; i++) {
		unsigned slots = slots_of(ledger, client_number(CLIENTS * round + i), NULL);

		UNIT_MUST(slots >= least && slots <= 1, "round %u: the client has %u slots", round,
			  slots);
		UNIT_MUST(atomic_load(&round_allowed[i]) == four.count,
			  "round %u: %u events allowed", round, atomic_load(&round_allowed[i]));
		atomic_store(&round_allowed[i], 0);
	}
}

static void *arrive(void *number)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t now_ns = NOW_NS + round * 3600 * NS_PER_S;

		meet(2 * round + 1);
		for (uint32_t i = 0; i < CLIENTS; i++)
			atomic_fetch_add(&round_allowed[i],
					 allowed_of(CLIENTS * round + i, 1, &four, now_ns));
		meet(2 * round + 2);
		if (number == NULL)
			check_round(round);
	}
	return NULL;
}

/* An empty ledger, and one of eight slots, where some client always has to make room. */
static const uint32_t ledger_sizes[] = {8192, 8};

START_TEST(test_new_client_in_all_threads)
{
	pthread_t threads[WORKERS];

	ledger = ledger_for(ledger_sizes[_i]);
	for (uintptr_t i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, arrive, (void *)i), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

/* --- only one of all threads announces, and only one has a line --- */

static _Atomic unsigned announced, lines;

static void *announce(void *unused)
{
	struct rg_key key = key_number(ledger, 1);
	static const struct rg_limit none = {0, 0}, rate = {20, 1};
	static const struct rg_about about = {.service = "shop"};
	uint32_t suppressed;

	meet(1);
	if (rg_ledger_announce(ledger, &about, 1))
		atomic_fetch_add(&announced, 1);
	(void)rg_ledger_record(ledger, &key, RG_RESUMPTION, &none, false, NOW_NS);
	if (rg_ledger_line_allowed(ledger, &key, RG_RESUMPTION, &rate, NOW_NS, &suppressed))
		atomic_fetch_add(&lines, 1);
	return unused;
}

START_TEST(test_announced_and_due_once)
{
	pthread_t threads[WORKERS];

	ledger = ledger_for(64);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, announce, NULL), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(atomic_load(&announced), 1);
	ck_assert_uint_eq(atomic_load(&lines), slots_of(ledger, client_number(1), NULL));
	ck_assert(atomic_load(&lines) == 1 || rg_ledger_unplaced(ledger) != 0);
}
END_TEST

/* --- processes that are killed --- */

#define KILLS	      2000
#define KILLED_MIN    50
#define KILLING_S     10 /* after which KILLED_MIN are enough: forking may be slow */
#define VICTIMS	      4
#define CLAIM_UNIT_NS (UINT64_C(1) << 27) /* nine of them make a claim stale (claim.h) */

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static pid_t start_victim(uint64_t seed)
{
	uint64_t state = seed;
	pid_t pid = fork();

	while (pid == 0)
		(void)allowed_of((uint32_t)unit_random(&state) & 0xff, 1, &four, clock_ns());
	ck_assert_int_gt(pid, 0);
	return pid;
}

static void kill_often(void)
{
	uint64_t end_ns = clock_ns() + KILLING_S * NS_PER_S, state = 7;
	pid_t victims[VICTIMS];
	unsigned killed = 0;

	for (unsigned i = 0; i < VICTIMS; i++)
		victims[i] = start_victim(i);
	while (killed < KILLED_MIN || (killed < KILLS && clock_ns() < end_ns)) {
		pid_t *victim = &victims[killed % VICTIMS];

		usleep((useconds_t)(unit_random(&state) % 1500));
		kill(*victim, SIGKILL);
		waitpid(*victim, NULL, 0);
		*victim = start_victim(++killed + VICTIMS);
	}
	for (unsigned i = 0; i < VICTIMS; i++) {
		kill(victims[i], SIGKILL);
		waitpid(victims[i], NULL, 0);
	}
}

/* Sixteen slots for 256 clients: slots are claimed all the time. */
START_TEST(test_killed_processes)
{
	uint64_t later_ns;

	ledger = ledger_for(16);
	kill_often();
	/*
	 * A slot that a killed process had claimed is free for others after a while. That while
	 * begins anew when the same client comes again (core/ledger/slots.c). Nothing else is
	 * lost.
	 */
	later_ns = clock_ns() + 3600 * NS_PER_S;
	for (uint32_t client = 0; client < 300; client++) {
		unsigned allowed = allowed_of(client, 10, &four, later_ns + client * CLAIM_UNIT_NS);

		UNIT_MUST(allowed == four.count, "client %u: %u events allowed", client, allowed);
		UNIT_MUST(slots_of(ledger, client_number(client), NULL) == 1,
			  "client %u has %u slots", client,
			  slots_of(ledger, client_number(client), NULL));
	}
	ck_assert_uint_eq(slots_taken(ledger), 16);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger_shared");

	UNIT_ADD(suite, test_threads_are_exact);
	UNIT_ADD(suite, test_processes_are_exact);
	UNIT_ADD(suite, test_threads_without_slot);
	UNIT_ADD_ROWS(suite, test_new_client_in_all_threads, ledger_sizes);
	UNIT_ADD(suite, test_announced_and_due_once);
	UNIT_ADD(suite, test_killed_processes);
	return unit_run(suite);
}
