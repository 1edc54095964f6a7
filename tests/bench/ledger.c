/*
 * ledger CLIENTS|zipf MILLISECONDS: accounting operations per second. An operation is what a new
 * connection does: make the client's key and record an event under a limit (120/60s). CLIENTS are
 * drawn evenly. zipf is ten million clients with exponent 1: the busiest sends every 23rd event,
 * and half of all events come from the busiest 3,000. The ledger has the default capacity, in
 * memory that processes share.
 *
 * Prints `one VALUE`, `threads VALUE`, `processes VALUE`: operations per second of one worker, of
 * two threads together, of two processes together. Each is the best of three runs. Each worker is
 * pinned to a CPU of its own.
 *
 * Between these runs it measures a bare account, printed with `bare_` before the name: the key is
 * made, and one atomic addition goes to a cache line of the client's. No exact account that two
 * processors share can do less, so this is the most that two of them can reach.
 */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rg_ledger.h"

enum {
	CAPACITY = 65536,
	MANY = 10000000,
	SKEWED_DRAWS = 1 << 22,
	BATCH = 1024,
	RUNS = 3,
	EVENT_GAP_NS = 100,
	WARM_UP = 1 << 20
};

static struct rg_ledger ledger;
static struct line {
	_Alignas(64) atomic_ulong count;
} * lines; /* the bare account */
static bool bare;
static const struct rg_limit limit = {.count = 120, .period_s = 60};
static uint32_t clients;
static uint32_t *skewed; /* clients drawn for zipf; NULL: draw evenly */

/* This memory is shared by processes, too. */
static struct shared {
	atomic_bool go, stop;
	atomic_ulong operations;
} * shared;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ledger: %s\n", what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void operate(uint32_t client, uint64_t when_ns)
{
	uint8_t address[4] = {10, (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client};
	struct rg_client who = {.base = rg_address_ipv4(address)};
	struct rg_key key = rg_ledger_key(&ledger, &who);

	if (bare)
		(void)atomic_fetch_add_explicit(&lines[key.id >> 8 & (CAPACITY - 1)].count, 1,
						memory_order_relaxed);
	else
		(void)rg_ledger_record(&ledger, &key, RG_RESUMPTION, &limit, false, when_ns);
}

static void batch(uint64_t *random, uint64_t *when_ns)
{
	for (int i = 0; i < BATCH; i++, *when_ns += EVENT_GAP_NS) {
		uint64_t drawn = skewed != NULL ? (*random)++ : next_random(random) >> 32;

		operate(skewed != NULL ? skewed[drawn % SKEWED_DRAWS]
				       : (uint32_t)(drawn * clients >> 32),
			*when_ns);
	}
}

static void pin(int worker)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(worker % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	(void)sched_setaffinity(0, sizeof set, &set);
}

static void work(int worker)
{
	uint64_t random = 0x9e3779b97f4a7c15U * (uint64_t)(worker + 1), when_ns = now_ns();
	unsigned long operations = 0;

	pin(worker);
	while (!atomic_load(&shared->go))
		;
	for (; !atomic_load_explicit(&shared->stop, memory_order_relaxed); operations += BATCH)
		batch(&random, &when_ns);
	atomic_fetch_add(&shared->operations, operations);
}

static void *work_in_thread(void *worker)
{
	work((int)(intptr_t)worker);
	return NULL;
}

/* Let the waiting workers run for MILLISECONDS, then stop them. Returns the seconds they had. */
static double timed(long milliseconds)
{
	struct timespec run = {milliseconds / 1000, milliseconds % 1000 * 1000000};
	uint64_t begin;

	(void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* until all workers wait */
	begin = now_ns();
	atomic_store(&shared->go, true);
	(void)nanosleep(&run, NULL);
	atomic_store(&shared->stop, true);
	return (double)(now_ns() - begin) / 1e9;
}

static double in_threads(int workers, long milliseconds)
{
	pthread_t threads[2];
	double seconds;

	for (int i = 0; i < workers; i++)
		if (pthread_create(&threads[i], NULL, work_in_thread, (void *)(intptr_t)i) != 0)
			die("pthread_create");
	seconds = timed(milliseconds);
	for (int i = 0; i < workers; i++)
		pthread_join(threads[i], NULL);
	return (double)atomic_load(&shared->operations) / seconds;
}

static double in_processes(int workers, long milliseconds)
{
	pid_t pids[2];
	double seconds;

	for (int i = 0; i < workers; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (pids[i] == 0) {
			alarm(30);
			work(i);
			_exit(0);
		}
	}
	seconds = timed(milliseconds);
	for (int i = 0; i < workers; i++)
		waitpid(pids[i], NULL, 0);
	return (double)atomic_load(&shared->operations) / seconds;
}

static void best(const char *name, double (*run)(int, long), int workers, long milliseconds)
{
	double most[2] = {0};

	for (int i = 0; i < 2 * RUNS; i++) {
		double rate;

		memset(shared, 0, sizeof *shared);
		bare = i % 2 != 0;
		rate = run(workers, milliseconds);
		most[bare] = rate > most[bare] ? rate : most[bare];
	}
	printf("%s %.0f\nbare_%s %.0f\n", name, most[0], name, most[1]);
}

static void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

/* Draw rank r with a probability proportional to 1/r: the logarithm of the rank is drawn evenly. */
static void draw_skewed(void)
{
	uint64_t random = 88172645463325252U;

	skewed = malloc(SKEWED_DRAWS * sizeof *skewed);
	if (skewed == NULL)
		die("malloc");
	for (int i = 0; i < SKEWED_DRAWS; i++) {
		double even = (double)(next_random(&random) >> 11) / 9007199254740992.0;

		skewed[i] = (uint32_t)exp(even * log(MANY));
	}
}

int main(int argc, char **argv)
{
	static const uint8_t seed[16] = "bench of ledger";
	uint64_t random = 1, when_ns = now_ns();
	long milliseconds;

	if (argc != 3)
		die("usage: ledger CLIENTS|zipf MILLISECONDS");
	alarm(60);
	clients = strcmp(argv[1], "zipf") == 0 ? MANY : (uint32_t)strtoul(argv[1], NULL, 10);
	milliseconds = strtol(argv[2], NULL, 10);
	if (clients == 0 || milliseconds <= 0)
		die("CLIENTS and MILLISECONDS are numbers from 1");
	if (strcmp(argv[1], "zipf") == 0)
		draw_skewed();
	shared = shared_memory(sizeof *shared);
	lines = shared_memory(CAPACITY * sizeof *lines);
	rg_ledger_make(&ledger, shared_memory(rg_ledger_bytes(CAPACITY)), CAPACITY, seed, 0);
	for (int i = 0; i < WARM_UP / BATCH; i++)
		batch(&random, &when_ns);
	best("one", in_threads, 1, milliseconds);
	best("threads", in_threads, 2, milliseconds);
	best("processes", in_processes, 2, milliseconds);
	return 0;
}
