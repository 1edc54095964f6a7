#include <inttypes.h>
#include <stdio.h>

#include "ctl/text.h"
#include "ctl/view.h"

static void print_quoted(const char *key, const char *text)
{
	printf("\"%s\":\"", key);
	rg_text_print(text);
	putchar('"');
}

static void print_events(const struct rg_row *row)
{
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		printf("%s\"%s\":{\"count\":%" PRIu32 ",\"acted\":%" PRIu32 ",\"left\":",
		       i == 0 ? "" : ",", rg_event_name((enum rg_event)i), row->account.events[i],
		       row->account.acted[i]);
		if (row->left[i] == RG_NO_LIMIT)
			printf("null}");
		else
			printf("%" PRId64 "}", row->left[i]);
	}
}

static void print_outcomes(const struct rg_row *row)
{
	static const char *const names[] = {
#define X(id, name, what) name,
	    RG_OUTCOMES(X)
#undef X
	};

	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		printf("%s\"%s\":%" PRIu32, i == 0 ? "" : ",", names[i], row->account.outcomes[i]);
}

static void print_row(const struct rg_row *row)
{
	char since[RG_TIME_BYTES], last[RG_TIME_BYTES];

	printf("{\"client\":\"%s\",\"since\":\"%s\",\"last\":\"%s\",\"acted\":%" PRIu64
	       ",\"events\":{",
	       row->client, rg_text_time(row->since_s, since), rg_text_time(row->last_s, last),
	       row->acted);
	print_events(row);
	printf("},\"outcomes\":{");
	print_outcomes(row);
	printf("}}");
}

static void print_program(const struct rg_view *view)
{
	const struct rg_found *found = view->found;

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
	printf("]");
}

static void print_counters(const struct rg_view *view)
{
	const struct rg_ledger *ledger = &view->found->ledger;

	printf("\"places\":%u,\"used\":%zu,\"evictions\":%" PRIu64 ",\"evictions_unquiet\":%" PRIu64
	       ",\"unplaced\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"unguarded\":%" PRIu32,
	       rg_ledger_slots(ledger), view->used, rg_ledger_evictions(ledger),
	       rg_ledger_evictions_active(ledger), rg_ledger_unplaced(ledger),
	       rg_ledger_lost(ledger), rg_ledger_unguarded(ledger));
}

static void print_policy(const struct rg_view *view)
{
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		char rule[RG_RULE_TEXT_BYTES];

		rg_rule_text(&view->about.rules[i], rule);
		printf("%s\"%s\":\"%s\"", i == 0 ? "" : ",", rg_event_name((enum rg_event)i), rule);
	}
}

static void print_ledger(const struct rg_view *view)
{
	printf("{");
	print_program(view);
	printf(",");
	print_counters(view);
	printf(",\"policy\":{");
	print_policy(view);
	printf("},\"clients\":[");
	for (size_t i = 0; i < view->count; i++) {
		printf("%s", i == 0 ? "\n" : ",\n");
		print_row(&view->rows[i]);
	}
	printf("]}");
}

void rg_view_json(const struct rg_view *views, size_t count)
{
	printf("{\"ledgers\":[");
	for (size_t i = 0; i < count; i++) {
		printf("%s", i == 0 ? "" : ",\n");
		print_ledger(&views[i]);
	}
	puts("]}");
}
