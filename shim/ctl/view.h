/*
 * What `status` and `top` show of a ledger: its accounts as rows, sorted and limited, and three
 * printers for them. Printers write to standard output and escape all text that programs and
 * clients put into a ledger. One thread only. Out of memory ends the program (abort).
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
	int64_t left[RG_EVENT_COUNT]; /* further events within the limit, or RG_NO_LIMIT */
	int64_t least_left;	      /* the smallest of these */
	uint64_t acted;		      /* sum over all events */
	int64_t since_s, last_s;      /* first and last event, in Unix time */
};

struct rg_view {
	const struct rg_found *found;
	struct rg_about about;
	struct rg_row *rows;
	size_t count; /* rows to show */
	size_t used;  /* slots in use: all rows */
	struct rg_totals totals;
};

/*
 * Find the column to sort by that NAME names. Returns false if there is none. *ACCEPTED lists all
 * names, for an error message.
 */
bool rg_view_column(const char *name, size_t *column, const char **accepted);

/*
 * Make the view of FOUND, which must outlive it, sorted by COLUMN, with at most LIMIT rows to show
 * (0: all). To be freed with rg_view_free.
 */
struct rg_view rg_view_make(const struct rg_found *found, size_t column, size_t limit);
void rg_view_free(struct rg_view *view);

void rg_view_table(const struct rg_view *view);
void rg_view_json(const struct rg_view *views, size_t count);
void rg_view_prometheus(const struct rg_view *views, size_t count);

#endif
