/*
 * crowd [SECONDS]: a full ledger under concurrency. 60 clients far over their limit among 5,000
 * others, in 64 slots, from eight threads, then from eight processes, then from eight processes of
 * which one after the other is killed; SECONDS (3) each, by the real clock. Clients lose and get
 * slots all the time. Each of the 60 must be allowed exactly COUNT events, and nobody else may be
 * acted upon. Where processes are killed, an event may have been recorded that its process could no
 * longer report: then COUNT is the most, and no more is missing than were killed. Ends with 1 if a
 * number is wrong.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rg_ledger.h"

enum { SLOTS = 64, ABOVE = 60, OTHERS = 5000, WORKERS = 8, BATCH = 256, KILL_GAP_US = 3000 };

#define NS_PER_S UINT64_C(1000000000)

/* An event drains in 36 s: none does while this runs. */
static const struct rg_limit above_limit = {100, 3600};
static const struct rg_limit other_limit = {1000, 1};

static struct rg_ledger ledger;

/* In memory that processes share. */
static struct shared {
	atomic_bool stop;
	atomic_uint allowed[ABOVE];
	atomic_ulong events, wronged;
} * shared;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* splitmix64 (Vigna, 2015) */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static struct rg_key key_of(uint32_t number)
{
	uint8_t address[4] = {10, 9, (uint8_t)(number >> 8), (uint8_t)number};
	struct rg_client client = {.base = rg_address_ipv4(address)};

	return rg_ledger_key(&ledger, &client);
}

/* Half of the 60 are under a rule that keeps what is over the limit, as `block` does. */
static void one_event(uint64_t random)
{
	uint32_t client = (uint32_t)(random >> 32) % (random % 2 == 0 ? ABOVE : OTHERS);
	struct rg_key key = key_of(random % 2 == 0 ? client : ABOVE + client);
	bool over;

	if (random % 2 == 0) {
		over = rg_ledger_record(&ledger, &key, RG_RESUMPTION, &above_limit, client % 2 != 0,
					now_ns())
			   .over;
		if (!over)
			atomic_fetch_add(&shared->allowed[client], 1);
	} else if (rg_ledger_record(&ledger, &key, RG_HANDSHAKE, &other_limit, false, now_ns())
		       .over) {
		atomic_fetch_add(&shared->wronged, 1);
	}
}

static void work(uint64_t seed)
{
	uint64_t random = seed;

	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < BATCH; i++)
			one_event(next_random(&random));
		atomic_fetch_add(&shared->events, BATCH);
	}
}

static void *work_in_thread(void *seed)
{
	work((uint64_t)(uintptr_t)seed);
	return NULL;
}

static void in_threads(uint64_t end_ns)
{
	pthread_t threads[WORKERS];

	for (uintptr_t i = 0; i < WORKERS; i++)
		if (pthread_create(&threads[i], NULL, work_in_thread, (void *)i) != 0)
			abort();
	while (now_ns() < end_ns)
		usleep(KILL_GAP_US);
	atomic_store(&shared->stop, true);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
}

static pid_t start(uint64_t seed)
{
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0) {
		alarm(120);
		work(seed);
		_exit(0);
	}
	return pid;
}

/* Returns how many were killed. */
static unsigned in_processes(uint64_t end_ns, bool kills)
{
	pid_t pids[WORKERS];
	unsigned killed = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		pids[i] = start(i);
	while (now_ns() < end_ns) {
		pid_t *victim = &pids[killed % WORKERS];

		usleep(KILL_GAP_US);
		if (!kills)
			continue;
		kill(*victim, SIGKILL);
		waitpid(*victim, NULL, 0);
		*victim = start(WORKERS + ++killed);
	}
	atomic_store(&shared->stop, true);
	for (unsigned i = 0; i < WORKERS; i++)
		waitpid(pids[i], NULL, 0);
	return killed;
}

static void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

static bool judge(const char *name, unsigned killed)
{
	unsigned least = UINT32_MAX, most = 0, missing = 0, wrong = 0;

	for (unsigned i = 0; i < ABOVE; i++) {
		unsigned allowed = atomic_load(&shared->allowed[i]);

		least = allowed < least ? allowed : least;
		most = allowed > most ? allowed : most;
		wrong += allowed > above_limit.count;
		missing += allowed < above_limit.count ? above_limit.count - allowed : 0;
	}
	printf("%-10s %9lu events, %8llu evictions (%llu active), %u killed: the %d were allowed "
	       "%u to %u of %u, %u of them too many, %lu others wronged, %llu records lost\n",
	       name, atomic_load(&shared->events), (unsigned long long)rg_ledger_evictions(&ledger),
	       (unsigned long long)rg_ledger_evictions_active(&ledger), killed, ABOVE, least, most,
	       above_limit.count, wrong, atomic_load(&shared->wronged),
	       (unsigned long long)rg_ledger_lost(&ledger));
	return wrong == 0 && missing <= killed && atomic_load(&shared->wronged) == 0 &&
	       rg_ledger_evictions_active(&ledger) > 100;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"threads", "processes", "killed"};
	static const uint8_t seed[16] = "a crowd, in 2026";
	unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 3;
	bool good = true;

	shared = shared_memory(sizeof *shared);
	for (unsigned mode = 0; mode < 3; mode++) {
		uint64_t end_ns = now_ns() + seconds * NS_PER_S;
		unsigned killed = 0;

		memset(shared, 0, sizeof *shared);
		rg_ledger_make(&ledger, shared_memory(rg_ledger_bytes(SLOTS)), SLOTS, seed, 0);
		if (mode == 0)
			in_threads(end_ns);
		else
			killed = in_processes(end_ns, mode == 2);
		good &= judge(names[mode], killed);
	}
	return good ? 0 : 1;
}
