/*
 * What `status` and `top` show of ledgers, and how: rows made of accounts, sorted, cut, and written
 * as a table, as JSON or for Prometheus. What programs and clients put into a ledger is escaped.
 */
#ifndef RG_CTL_VIEW_H
#define RG_CTL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/ledgers.h"

#define RG_NO_LIMIT (-1)

/* One client. */
struct rg_row {
	struct rg_account account;
	char client[RG_ADDRESS_TEXT_BYTES];
	int64_t left[RG_EVENT_COUNT]; /* events until the next is over the limit; RG_NO_LIMIT */
	int64_t least_left;	      /* of them */
	uint64_t acted;		      /* all events together */
	int64_t since_s, last_s;      /* wall clock */
};

struct rg_view {
	const struct rg_found *found;
	struct rg_about about;
	struct rg_row *rows;
	size_t count; /* rows that are shown */
	size_t used;  /* places that are taken */
	struct rg_totals totals;
};

/* Is NAME a column to sort by? The names, for an error text, into *ACCEPTED. */
bool rg_view_column(const char *name, size_t *column, const char **accepted);

/* The view of FOUND sorted by COLUMN, LIMIT rows (0: all). To be freed. */
struct rg_view rg_view_make(const struct rg_found *found, size_t column, size_t limit);
void rg_view_free(struct rg_view *view);

void rg_view_table(const struct rg_view *view);
void rg_view_json(const struct rg_view *views, size_t count);
void rg_view_prometheus(const struct rg_view *views, size_t count);

#endif
