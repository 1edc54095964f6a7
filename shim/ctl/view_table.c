#include <inttypes.h>
#include <stdio.h>

#include "ctl/text.h"
#include "ctl/view.h"

#define CELL_BYTES 64
#define PIDS_SHOWN 8

/* "412/292/2": events, how many of them were acted upon, and how many more are allowed now. */
static const char *cell_text(const struct rg_row *row, size_t event, char text[CELL_BYTES])
{
	char left[24] = "-";

	if (row->left[event] != RG_NO_LIMIT)
		snprintf(left, sizeof left, "%" PRId64, row->left[event]);
	snprintf(text, CELL_BYTES, "%" PRIu32 "/%" PRIu32 "/%s", row->account.events[event],
		 row->account.acted[event], left);
	return text;
}

static void print_program(const struct rg_view *view)
{
	const struct rg_found *found = view->found;

	rg_text_print(view->about.service[0] != '\0' ? view->about.service : "(not yet in use)");
	printf(": libssl ");
	rg_text_print(view->about.libssl[0] != '\0' ? view->about.libssl : "unknown");
	if (found->file[0] != '\0') {
		printf(", ");
		rg_text_print(found->file);
	}
	printf(", %zu process%s:", found->pid_count, found->pid_count == 1 ? "" : "es");
	for (size_t i = 0; i < found->pid_count && i < PIDS_SHOWN; i++)
		printf(" %ld", (long)found->pids[i]);
	puts(found->pid_count > PIDS_SHOWN ? " ..." : "");
}

static void print_policy(const struct rg_view *view)
{
	printf("  policy:");
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		char rule[RG_RULE_TEXT_BYTES];

		rg_rule_text(&view->about.rules[i], rule);
		printf(" %s=%s", rg_event_name((enum rg_event)i), rule);
	}
	putchar('\n');
}

static void print_counters(const struct rg_view *view)
{
	const struct rg_ledger *ledger = &view->found->ledger;

	printf("  clients: %zu of %u, evicted: %" PRIu64 " (%" PRIu64 " with a limit in use), "
	       "events without a slot: %" PRIu64 ", accounts lost: %" PRIu64 "\n",
	       view->used, rg_ledger_slots(ledger), rg_ledger_evictions(ledger),
	       rg_ledger_evictions_active(ledger), rg_ledger_unplaced(ledger),
	       rg_ledger_lost(ledger));
	if (rg_ledger_unguarded(ledger) != 0)
		printf("  connections that were not guarded, because there was no memory: %" PRIu32
		       "\n",
		       rg_ledger_unguarded(ledger));
}

static void print_column_names(void)
{
	puts("  each event: count/acted upon/left within the limit (-: no limit)");
	printf("  %-39s %-20s %-20s", "CLIENT", "SINCE", "LAST");
	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		printf(" %15s", rg_event_name((enum rg_event)i));
#define X(id, name, what) printf(" %12s", name);
	RG_OUTCOMES(X)
#undef X
	putchar('\n');
}

static void print_row(const struct rg_row *row)
{
	char since[RG_TIME_BYTES], last[RG_TIME_BYTES], cell[CELL_BYTES];

	printf("  %-39s %-20s %-20s", row->client, rg_text_time(row->since_s, since),
	       rg_text_time(row->last_s, last));
	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		printf(" %15s", cell_text(row, i, cell));
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		printf(" %12" PRIu32, row->account.outcomes[i]);
	putchar('\n');
}

void rg_view_table(const struct rg_view *view)
{
	print_program(view);
	print_policy(view);
	print_counters(view);
	if (view->count == 0)
		return;
	print_column_names();
	for (size_t i = 0; i < view->count; i++)
		print_row(&view->rows[i]);
}
