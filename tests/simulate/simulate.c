/*
 * simulate [ADDRESSES]: a flood of that many distinct addresses (ten million) within one period,
 * under 120/60s, at the default capacity. Hidden in it are clients that send more than twice the
 * limit, in four manners, and clients that never exceed it, in three. Prints who is caught, and who
 * is caught wrongly, by the ledger and by other programs' tables in the same memory (rivals.h). The
 * seed is fixed: every run prints the same. The status is 1 if the ledger misses a client or acts
 * upon a wrong one.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rg_ledger.h"
#include "rivals.h"

#define CLIENTS	    65536
#define NS_PER_S    UINT64_C(1000000000)
#define PERIOD_S    60
#define START_NS    (1200 * NS_PER_S) /* the flood begins here */
#define EACH	    250		      /* clients of each manner */
#define EVENTS_MAX  (8 * EACH * 800)
#define FLOOD	    10000000
#define FLOOD_EVENT UINT32_MAX
#define SEED	    20261122

static const struct rg_limit limit = {120, PERIOD_S};

enum manner { EVENLY, AT_RANDOM, IN_BURSTS, FAST, LIMIT_EVENLY, LIMIT_AT_ONCE, BELOW, MANNERS };

static const struct {
	const char *what;
	bool above;
} manners[MANNERS] = {
    {"241 evenly within 60 s", true},	  {"300 at random within 60 s", true},
    {"3 bursts of 81, 20 s apart", true}, {"400 within 10 s", true},
    {"120 evenly a minute", false},	  {"120 at once, again 61 s later", false},
    {"60 at random a minute", false},
};

struct event {
	uint64_t at_ns;
	uint32_t client; /* manner * EACH + number */
};

static struct event *events;
static size_t event_count;
static uint64_t random_state = SEED;

/* splitmix64 (Vigna, 2015) */
static uint64_t next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void put(uint32_t client, uint64_t at_ns)
{
	if (event_count == EVENTS_MAX)
		abort();
	events[event_count++] = (struct event){START_NS + at_ns, client};
}

/* COUNT events at equal distances within SPAN_NS from FROM_NS on. */
static void put_evenly(uint32_t client, unsigned count, uint64_t from_ns, uint64_t span_ns)
{
	for (unsigned i = 0; i < count; i++)
		put(client, from_ns + span_ns * i / count);
}

static void put_client(enum manner manner, uint32_t client)
{
	uint64_t period_ns = PERIOD_S * NS_PER_S, from_ns = next_random() % NS_PER_S;

	switch (manner) {
	case EVENLY:
		put_evenly(client, 241, from_ns / 2, period_ns);
		break;
	case AT_RANDOM:
		for (unsigned i = 0; i < 300; i++)
			put(client, next_random() % period_ns);
		break;
	case IN_BURSTS:
		for (unsigned i = 0; i < 3; i++)
			put_evenly(client, 81, from_ns + i * 19 * NS_PER_S, NS_PER_S / 10);
		break;
	case FAST:
		put_evenly(client, 400, next_random() % (50 * NS_PER_S), 10 * NS_PER_S);
		break;
	case LIMIT_EVENLY:
		put_evenly(client, 120, from_ns, period_ns);
		break;
	case LIMIT_AT_ONCE:
		put_evenly(client, 120, from_ns, NS_PER_S / 2);
		put_evenly(client, 120, from_ns + 61 * NS_PER_S, NS_PER_S / 2);
		break;
	default:
		for (unsigned i = 0; i < 60; i++)
			put(client, next_random() % period_ns);
		break;
	}
}

static int by_time(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	return a->at_ns != b->at_ns    ? (a->at_ns < b->at_ns ? -1 : 1)
	       : a->client < b->client ? -1
				       : a->client > b->client;
}

/* --- the tables that are compared --- */

struct table {
	const char *name;
	bool (*event)(void *state, uint32_t address, uint64_t now_ns);
	void *state;
};

static bool ledger_event(void *state, uint32_t address, uint64_t now_ns)
{
	struct rg_ledger *ledger = state;
	uint8_t bytes[4] = {(uint8_t)(address >> 24), (uint8_t)(address >> 16),
			    (uint8_t)(address >> 8), (uint8_t)address};
	struct rg_client client = {.base = rg_address_ipv4(bytes)};
	struct rg_key key = rg_ledger_key(ledger, &client);

	return rg_ledger_record(ledger, &key, RG_RESUMPTION, &limit, false, now_ns).over;
}

static bool rival_event(void *state, uint32_t address, uint64_t now_ns)
{
	return rivals_event(state, address, now_ns);
}

/* The address that has this NUMBER. The factor is odd, so no two numbers give the same address. */
static uint32_t address_of(uint32_t number)
{
	return number * 2654435761U;
}

/* Play all events in order of time. CAUGHT gets how many clients of each manner were acted upon. */
static void run(const struct table *table, uint32_t flood, unsigned caught[MANNERS])
{
	static bool acted[MANNERS * EACH];
	size_t next = 0;

	memset(acted, 0, sizeof acted);
	memset(caught, 0, MANNERS * sizeof *caught);
	for (uint32_t i = 0; i < flood || next < event_count;) {
		uint64_t flood_ns =
		    i < flood ? START_NS + PERIOD_S * NS_PER_S / flood * i : UINT64_MAX;

		if (next < event_count && events[next].at_ns <= flood_ns) {
			uint32_t client = events[next].client;

			acted[client] |=
			    table->event(table->state, address_of(client), events[next].at_ns);
			next++;
		} else {
			(void)table->event(table->state, address_of(MANNERS * EACH + i), flood_ns);
			i++;
		}
	}
	for (uint32_t client = 0; client < MANNERS * EACH; client++)
		caught[client / EACH] += acted[client];
}

/* Print a line. True if everyone above the limit was caught, and nobody else. */
static bool print(const char *name, const unsigned caught[MANNERS])
{
	unsigned above = 0, all = 0, wrong = 0;

	for (int m = 0; m < MANNERS; m++) {
		all += manners[m].above ? EACH : 0;
		above += manners[m].above ? caught[m] : 0;
		wrong += manners[m].above ? 0 : caught[m];
	}
	printf("%-22s %6.4f %6u  ", name, (double)above / all, wrong);
	for (int m = 0; m < MANNERS; m++)
		printf(" %4u", caught[m]);
	putchar('\n');
	return above == all && wrong == 0;
}

/* P[Poisson(MEAN) >= LEAST] */
static double poisson_tail(double mean, int least)
{
	double term = exp(-mean), sum = 0;

	for (int k = 1; k <= least; k++)
		term *= mean / k;
	for (int k = least; k < least + 60; term *= mean / ++k)
		sum += term;
	return sum;
}

static void print_bound(const struct rg_ledger *ledger, uint32_t flood)
{
	double in_use = (double)flood / PERIOD_S * PERIOD_S / limit.count;
	double sets = (double)rg_ledger_slots(ledger) * 16 / 8;

	printf(
	    "\nThe ledger: %llu clients made room, %llu of them with a limit in use; %llu events "
	    "were of clients without a slot.\n",
	    (unsigned long long)rg_ledger_evictions(ledger),
	    (unsigned long long)rg_ledger_evictions_active(ledger),
	    (unsigned long long)rg_ledger_unplaced(ledger));
	printf("Overflow records given up while in use: %llu. The bound, if there were no slots: "
	       "%.2g for a newcomer (P[Poisson(%.3f) >= 8]), %.2g in all.\n",
	       (unsigned long long)rg_ledger_lost(ledger), poisson_tail(in_use / sets, 8),
	       in_use / sets, poisson_tail(in_use / sets, 8) * flood);
}

int main(int argc, char **argv)
{
	static const uint8_t seed[16] = "simulation, 2026";
	uint32_t flood = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : FLOOD;
	size_t bytes = rg_ledger_bytes(CLIENTS);
	void *memory = aligned_alloc(64, bytes);
	struct rg_ledger ledger;
	struct table tables[] = {
	    {"reneguard", ledger_event, &ledger},
	    {"haproxy stick table", rival_event, rivals_make(RIVAL_HAPROXY, bytes)},
	    {"  with nopurge", rival_event, rivals_make(RIVAL_HAPROXY_NOPURGE, bytes)},
	    {"nginx limit_req", rival_event, rivals_make(RIVAL_NGINX, bytes)}};
	unsigned caught[MANNERS];
	bool good = false;

	events = malloc(EVENTS_MAX * sizeof *events);
	if (memory == NULL || events == NULL)
		abort();
	memset(memory, 0, bytes);
	rg_ledger_make(&ledger, memory, CLIENTS, seed, 0);
	for (uint32_t client = 0; client < MANNERS * EACH; client++)
		put_client((enum manner)(client / EACH), client);
	qsort(events, event_count, sizeof *events, by_time);

	printf(
	    "%u distinct addresses within %d s, limit %u/%us, %.1f MiB each, seed %d; %d clients "
	    "of each manner:\n",
	    flood, PERIOD_S, limit.count, limit.period_s, (double)bytes / (1 << 20), SEED, EACH);
	for (int m = 0; m < MANNERS; m++)
		printf("  %d  %-5s  %s\n", m + 1, manners[m].above ? "above" : "never",
		       manners[m].what);
	printf("\n%-22s %6s %6s  ", "", "recall", "wrong");
	for (int m = 0; m < MANNERS; m++)
		printf(" %4d", m + 1);
	putchar('\n');
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		run(&tables[i], flood, caught);
		good |= print(tables[i].name, caught) && i == 0;
	}
	print_bound(&ledger, flood);
	for (size_t i = 1; i < sizeof tables / sizeof tables[0]; i++)
		rivals_free(tables[i].state);
	free(memory);
	free(events);
	return good ? 0 : 1;
}
