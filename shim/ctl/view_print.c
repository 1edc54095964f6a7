#include "ctl/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIME_BYTES 32
#define CELL_BYTES 64

/* TEXT as it stands between quotes in JSON, and in a label of Prometheus alike. */
static void print_escaped(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("?");
		else
			putchar(c);
	}
}

static void print_quoted(const char *key, const char *text)
{
	printf("\"%s\":\"", key);
	print_escaped(text);
	putchar('"');
}

static const char *time_text(int64_t seconds, char text[TIME_BYTES])
{
	time_t when = (time_t)seconds;
	struct tm parts;

	if (gmtime_r(&when, &parts) == NULL ||
	    strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		strcpy(text, "?");
	return text;
}

/* --- the table --- */

static const char *cell_text(const struct rg_row *row, size_t event, char text[CELL_BYTES])
{
	char left[24] = "-";

	if (row->left[event] != RG_NO_LIMIT)
		snprintf(left, sizeof left, "%" PRId64, row->left[event]);
	snprintf(text, CELL_BYTES, "%" PRIu32 "/%" PRIu32 "/%s", row->account.events[event],
		 row->account.acted[event], left);
	return text;
}

static void table_head(const struct rg_view *view)
{
	const struct rg_found *found = view->found;

	print_escaped(view->about.service[0] != '\0' ? view->about.service : "(not yet in use)");
	printf(": libssl ");
	print_escaped(view->about.libssl[0] != '\0' ? view->about.libssl : "unknown");
	if (found->file[0] != '\0') {
		printf(", ");
		print_escaped(found->file);
	}
	printf(", %zu process%s:", found->pid_count, found->pid_count == 1 ? "" : "es");
	for (size_t i = 0; i < found->pid_count && i < 8; i++)
		printf(" %ld", (long)found->pids[i]);
	printf("%s\n  policy:", found->pid_count > 8 ? " ..." : "");
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		char rule[RG_RULE_TEXT_BYTES];

		rg_rule_text(&view->about.rules[i], rule);
		printf(" %s=%s", rg_event_name((enum rg_event)i), rule);
	}
	printf("\n  clients: %zu of %u", view->used, rg_ledger_slots(&found->ledger));
	printf(", made room: %" PRIu64 " (%" PRIu64 " with a limit in use)",
	       rg_ledger_evictions(&found->ledger), rg_ledger_evictions_active(&found->ledger));
	printf(", events without a place: %" PRIu64 ", accounts lost: %" PRIu64 "\n",
	       rg_ledger_unplaced(&found->ledger), rg_ledger_lost(&found->ledger));
}

void rg_view_table(const struct rg_view *view)
{
	char since[TIME_BYTES], last[TIME_BYTES], cell[CELL_BYTES];

	table_head(view);
	if (view->count == 0)
		return;
	puts("  each event: how many/how many were acted upon/how many more are within the limit");
	printf("  %-39s %-20s %-20s", "CLIENT", "SINCE", "LAST");
	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		printf(" %15s", rg_event_name((enum rg_event)i));
#define X(id, name, what) printf(" %12s", name);
	RG_OUTCOMES(X)
#undef X
	putchar('\n');
	for (size_t r = 0; r < view->count; r++) {
		const struct rg_row *row = &view->rows[r];

		printf("  %-39s %-20s %-20s", row->client, time_text(row->since_s, since),
		       time_text(row->last_s, last));
		for (size_t i = 0; i < RG_EVENT_COUNT; i++)
			printf(" %15s", cell_text(row, i, cell));
		for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
			printf(" %12" PRIu32, row->account.outcomes[i]);
		putchar('\n');
	}
}

/* --- JSON --- */

static void json_row(const struct rg_row *row)
{
	char since[TIME_BYTES], last[TIME_BYTES];
	const char *between = "";

	printf("{\"client\":\"%s\",\"since\":\"%s\",\"last\":\"%s\",\"acted\":%" PRIu64
	       ",\"events\":{",
	       row->client, time_text(row->since_s, since), time_text(row->last_s, last),
	       row->acted);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++, between = ",") {
		printf("%s\"%s\":{\"count\":%" PRIu32 ",\"acted\":%" PRIu32 ",\"left\":", between,
		       rg_event_name((enum rg_event)i), row->account.events[i],
		       row->account.acted[i]);
		if (row->left[i] == RG_NO_LIMIT)
			printf("null}");
		else
			printf("%" PRId64 "}", row->left[i]);
	}
	printf("},\"outcomes\":{");
	between = "";
#define X(id, name, what)                                                                          \
	printf("%s\"%s\":%" PRIu32, between, name, row->account.outcomes[RG_OUTCOME_##id]);        \
	between = ",";
	RG_OUTCOMES(X)
#undef X
	(void)between;
	printf("}}");
}

static void json_ledger(const struct rg_view *view)
{
	const struct rg_found *found = view->found;

	printf("{");
	print_quoted("service", view->about.service);
	printf(",");
	print_quoted("libssl", view->about.libssl);
	printf(",");
	if (found->file[0] != '\0')
		print_quoted("file", found->file);
	else
		printf("\"file\":null");
	printf(",\"pids\":[");
	for (size_t i = 0; i < found->pid_count; i++)
		printf("%s%ld", i == 0 ? "" : ",", (long)found->pids[i]);
	printf("],\"places\":%u,\"used\":%zu,\"evictions\":%" PRIu64
	       ",\"evictions_unquiet\":%" PRIu64 ",\"unplaced\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"policy\":{",
	       rg_ledger_slots(&found->ledger), view->used, rg_ledger_evictions(&found->ledger),
	       rg_ledger_evictions_active(&found->ledger), rg_ledger_unplaced(&found->ledger),
	       rg_ledger_lost(&found->ledger));
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		char rule[RG_RULE_TEXT_BYTES];

		rg_rule_text(&view->about.rules[i], rule);
		printf("%s\"%s\":\"%s\"", i == 0 ? "" : ",", rg_event_name((enum rg_event)i), rule);
	}
	printf("},\"clients\":[");
	for (size_t i = 0; i < view->count; i++) {
		printf("%s", i == 0 ? "\n" : ",\n");
		json_row(&view->rows[i]);
	}
	printf("]}");
}

void rg_view_json(const struct rg_view *views, size_t count)
{
	printf("{\"ledgers\":[");
	for (size_t i = 0; i < count; i++) {
		printf("%s", i == 0 ? "" : ",\n");
		json_ledger(&views[i]);
	}
	puts("]}");
}

/* --- Prometheus --- */

static void metric(const char *name, const char *kind, const char *what)
{
	printf("# HELP reneguard_%s %s\n# TYPE reneguard_%s %s\n", name, what, name, kind);
}

/* The sample's name and the labels that tell ledgers apart. */
static void sample(const char *name, const struct rg_view *view)
{
	printf("reneguard_%s{service=\"", name);
	print_escaped(view->about.service);
	printf("\",ledger=\"%lu\"", (unsigned long)view->found->inode);
}

/* COUNTS tells where in the totals they are. */
static void events_metric(const char *name, const char *what, const struct rg_view *views,
			  size_t count, const uint64_t *(*counts)(const struct rg_totals *))
{
	metric(name, "counter", what);
	for (size_t v = 0; v < count; v++)
		for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
			sample(name, &views[v]);
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

void rg_view_prometheus(const struct rg_view *views, size_t count)
{
	events_metric("events_total", "Guarded events, all clients together.", views, count,
		      events_of);
	events_metric("acted_total", "Guarded events that were acted upon.", views, count,
		      acted_of);
#define X(id, name, what)                                                                          \
	metric(name "_total", "counter", what);                                                    \
	for (size_t v = 0; v < count; v++) {                                                       \
		sample(name "_total", &views[v]);                                                  \
		printf("} %" PRIu64 "\n", views[v].totals.outcomes[RG_OUTCOME_##id]);              \
	}
	RG_OUTCOMES(X)
#undef X
#define GAUGE(name, kind, what, value)                                                             \
	metric(name, kind, what);                                                                  \
	for (size_t v = 0; v < count; v++) {                                                       \
		sample(name, &views[v]);                                                           \
		printf("} %" PRIu64 "\n", (uint64_t)(value));                                      \
	}
	GAUGE("clients", "gauge", "Clients that have a place.", views[v].used)
	GAUGE("places", "gauge", "Places for clients.", rg_ledger_slots(&views[v].found->ledger))
	GAUGE("processes", "gauge", "Processes that use the ledger.", views[v].found->pid_count)
	GAUGE("evictions_total", "counter", "Clients that had to make room.",
	      rg_ledger_evictions(&views[v].found->ledger))
	GAUGE("evictions_unquiet_total", "counter",
	      "Clients that had to make room while a limit was in use.",
	      rg_ledger_evictions_active(&views[v].found->ledger))
	GAUGE("unplaced_total", "counter", "Events of clients that had no place.",
	      rg_ledger_unplaced(&views[v].found->ledger))
	GAUGE("lost_total", "counter", "Accounts given up while a limit was in use.",
	      rg_ledger_lost(&views[v].found->ledger))
#undef GAUGE
	metric("client_events", "gauge", "Guarded events of one client.");
	for (size_t v = 0; v < count; v++)
		for (size_t r = 0; r < views[v].count; r++)
			for (size_t i = 0; i < RG_EVENT_COUNT; i++)
				if (views[v].rows[r].account.events[i] != 0) {
					sample("client_events", &views[v]);
					printf(",client=\"%s\",event=\"%s\"} %" PRIu32 "\n",
					       views[v].rows[r].client,
					       rg_event_name((enum rg_event)i),
					       views[v].rows[r].account.events[i]);
				}
}
