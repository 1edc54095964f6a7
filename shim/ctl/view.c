#include "ctl/view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rg_limit.h"

#define NS_PER_S ((int64_t)RG_NS_PER_S)

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * RG_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* --- columns to sort by: each gives a row's rank, and the highest comes first --- */

/* The same for all, so that only the address decides: see compare. */
static int64_t column_client(const struct rg_row *row)
{
	(void)row;
	return 0;
}

static int64_t column_since(const struct rg_row *row)
{
	return -row->since_s;
}

static int64_t column_last(const struct rg_row *row)
{
	return row->last_s;
}

static int64_t column_acted(const struct rg_row *row)
{
	return (int64_t)row->acted;
}

static int64_t column_left(const struct rg_row *row)
{
	return row->least_left == RG_NO_LIMIT ? INT64_MIN : -row->least_left;
}

#define X(id, name, variable, rule, actions, what)                                                 \
	static int64_t column_##id(const struct rg_row *row)                                       \
	{                                                                                          \
		return row->account.events[RG_##id];                                               \
	}
RG_EVENTS(X)
#undef X
#define X(id, name, what)                                                                          \
	static int64_t column_##id(const struct rg_row *row)                                       \
	{                                                                                          \
		return row->account.outcomes[RG_OUTCOME_##id];                                     \
	}
RG_OUTCOMES(X)
#undef X

/* "since" puts the client known for longest first, "left" the one nearest to a limit. */
static const struct {
	const char *name;
	int64_t (*value)(const struct rg_row *row);
} columns[] = {{"acted", column_acted},
	       {"client", column_client},
	       {"since", column_since},
	       {"last", column_last},
	       {"left", column_left},
#define X(id, name, variable, rule, actions, what) {name, column_##id},
	       RG_EVENTS(X)
#undef X
#define X(id, name, what) {name, column_##id},
		   RG_OUTCOMES(X)
#undef X
};

bool rg_view_column(const char *name, size_t *column, const char **accepted)
{
#define X(id, name, ...) ", " name
	*accepted = "acted, client, since, last, left" RG_EVENTS(X) RG_OUTCOMES(X);
#undef X
	for (*column = 0; *column < sizeof columns / sizeof columns[0]; ++*column)
		if (strcmp(columns[*column].name, name) == 0)
			return true;
	return false;
}

static size_t sort_column; /* for compare, because qsort passes no argument */

static int compare(const void *left, const void *right)
{
	const struct rg_row *a = left, *b = right;
	int64_t a_rank = columns[sort_column].value(a), b_rank = columns[sort_column].value(b);

	if (a_rank != b_rank)
		return a_rank < b_rank ? 1 : -1;
	if (a->account.client.base.family != b->account.client.base.family)
		return a->account.client.base.family - b->account.client.base.family;
	return memcmp(a->account.client.base.bytes, b->account.client.base.bytes,
		      sizeof a->account.client.base.bytes);
}

/* --- rows --- */

/* NOW_NS: the clock of the ledger's times. EPOCH_NS: wall-clock time at which that clock was 0. */
static void fill_row(struct rg_row *row, const struct rg_about *about, uint64_t now_ns,
		     uint64_t epoch_ns)
{
	const struct rg_account *account = &row->account;

	rg_address_text(&account->client.base, row->client);
	row->since_s = (int64_t)(account->first_ns + epoch_ns) / NS_PER_S;
	row->last_s = (int64_t)(account->last_ns + epoch_ns) / NS_PER_S;
	row->least_left = RG_NO_LIMIT;
	row->acted = 0;
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		const struct rg_limit *limit = &about->rules[i].limit;

		row->acted += account->acted[i];
		row->left[i] = RG_NO_LIMIT;
		if (limit->period_s == 0)
			continue;
		row->left[i] = rg_limit_left(account->states[i], account->tags[i], now_ns, limit);
		if (row->least_left == RG_NO_LIMIT || row->left[i] < row->least_left)
			row->least_left = row->left[i];
	}
}

struct rg_view rg_view_make(const struct rg_found *found, size_t column, size_t limit)
{
	struct rg_view view = {.found = found};
	uint64_t now_ns = clock_ns(CLOCK_BOOTTIME);
	uint64_t epoch_ns = clock_ns(CLOCK_REALTIME) - now_ns;
	uint32_t slots = rg_ledger_slots(&found->ledger);

	rg_ledger_about(&found->ledger, &view.about);
	rg_ledger_totals(&found->ledger, &view.totals);
	view.rows = calloc(slots, sizeof *view.rows);
	if (view.rows == NULL)
		abort();
	for (uint32_t slot = 0; slot < slots; slot++)
		if (rg_ledger_account(&found->ledger, slot, &view.rows[view.used].account))
			fill_row(&view.rows[view.used++], &view.about, now_ns, epoch_ns);
	sort_column = column;
	qsort(view.rows, view.used, sizeof *view.rows, compare);
	view.count = limit != 0 && limit < view.used ? limit : view.used;
	return view;
}

void rg_view_free(struct rg_view *view)
{
	free(view->rows);
	view->rows = NULL;
}
