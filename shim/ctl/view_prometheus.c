#include <inttypes.h>
#include <stdio.h>

#include "ctl/text.h"
#include "ctl/view.h"

/* Start a metric: its HELP and TYPE lines. */
static void print_metric(const char *name, const char *kind, const char *what)
{
	printf("# HELP reneguard_%s %s\n# TYPE reneguard_%s %s\n", name, what, name, kind);
}

/* Start a sample: its name and the labels that distinguish ledgers. */
static void print_sample(const char *name, const struct rg_view *view)
{
	printf("reneguard_%s{service=\"", name);
	rg_text_print(view->about.service);
	printf("\",ledger=\"%lu\"", (unsigned long)view->found->inode);
}

/* COUNTS returns one counter for each event. */
static void print_events(const char *name, const char *what, const struct rg_view *views,
			 size_t count, const uint64_t *(*counts)(const struct rg_totals *))
{
	print_metric(name, "counter", what);
	for (size_t v = 0; v < count; v++)
		for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
			print_sample(name, &views[v]);
			printf(",event=\"%s\"} %" PRIu64 "\n", rg_event_name((enum rg_event)i),
			       counts(&views[v].totals)[i]);
		}
}

static const uint64_t *events_of(const struct rg_totals *totals)
{
	return totals->events;
}

static const uint64_t *acted_of(const struct rg_totals *totals)
{
	return totals->acted;
}

/* A metric with one sample for each ledger; VALUE is an expression in `view`. */
#define PRINT_LEDGERS(name, kind, what, value)                                                     \
	print_metric(name, kind, what);                                                            \
	for (size_t v = 0; v < count; v++) {                                                       \
		const struct rg_view *view = &views[v];                                            \
                                                                                                   \
		print_sample(name, view);                                                          \
		printf("} %" PRIu64 "\n", (uint64_t)(value));                                      \
	}

static void print_outcomes(const struct rg_view *views, size_t count)
{
#define X(id, name, what)                                                                          \
	PRINT_LEDGERS(name "_total", "counter", what, view->totals.outcomes[RG_OUTCOME_##id])
	RG_OUTCOMES(X)
#undef X
}

static void print_counters(const struct rg_view *views, size_t count)
{
	PRINT_LEDGERS("clients", "gauge", "Clients in the ledger.", view->used)
	PRINT_LEDGERS("places", "gauge", "Slots for clients in the ledger.",
		      rg_ledger_slots(&view->found->ledger))
	PRINT_LEDGERS("processes", "gauge", "Processes that use the ledger.",
		      view->found->pid_count)
	PRINT_LEDGERS("evictions_total", "counter", "Clients evicted for another client.",
		      rg_ledger_evictions(&view->found->ledger))
	PRINT_LEDGERS("evictions_unquiet_total", "counter",
		      "Clients evicted while one of their limits was in use.",
		      rg_ledger_evictions_active(&view->found->ledger))
	PRINT_LEDGERS("unplaced_total", "counter", "Events of clients without a slot.",
		      rg_ledger_unplaced(&view->found->ledger))
	PRINT_LEDGERS("lost_total", "counter", "Accounts lost while a limit was in use.",
		      rg_ledger_lost(&view->found->ledger))
	PRINT_LEDGERS("unguarded_total", "counter",
		      "Connections that were not guarded, because there was no memory.",
		      rg_ledger_unguarded(&view->found->ledger))
}

static void print_client_events(const struct rg_view *view, const struct rg_row *row)
{
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		if (row->account.events[i] == 0)
			continue;
		print_sample("client_events", view);
		printf(",client=\"%s\",event=\"%s\"} %" PRIu32 "\n", row->client,
		       rg_event_name((enum rg_event)i), row->account.events[i]);
	}
}

void rg_view_prometheus(const struct rg_view *views, size_t count)
{
	print_events("events_total", "Guarded events of all clients.", views, count, events_of);
	print_events("acted_total", "Guarded events that were acted upon.", views, count, acted_of);
	print_outcomes(views, count);
	print_counters(views, count);
	print_metric("client_events", "gauge", "Guarded events of one client.");
	for (size_t v = 0; v < count; v++)
		for (size_t r = 0; r < views[v].count; r++)
			print_client_events(&views[v], &views[v].rows[r]);
}
