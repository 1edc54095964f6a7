/*
 * The rules under which limit states were written. A rule is a limit, and whether events over it
 * are kept. The ledger's head lists all rules that any process has ever used for an event; a rule's
 * number is its place in that list, from 1. So a process never takes another rule's state, which
 * means something else, for one of its own. The rates of the log are listed in the same way.
 * Private to the ledger's own files. Any thread may call these functions.
 */
#ifndef RG_RULES_H
#define RG_RULES_H

#include "core/ledger/layout.h"

/* A rule as one integer; never 0, which marks an empty entry. */
static inline uint64_t rg_rule_word(const struct rg_limit *limit, bool keep_over)
{
	return UINT64_C(1) << 63 | (uint64_t)limit->count << 32 | (uint64_t)limit->period_s << 1 |
	       keep_over;
}

/* The number of the rule for EVENT; it is listed if it is not yet. 0 if the list is full. */
unsigned rg_rule_number_slowly(const struct rg_ledger *ledger, enum rg_event event, uint64_t rule);

static inline unsigned rg_rule_number(const struct rg_ledger *ledger, enum rg_event event,
				      const struct rg_limit *limit, bool keep_over)
{
	uint64_t rule = rg_rule_word(limit, keep_over);

	return __builtin_expect(ledger->rules[event].word == rule, 1)
		   ? ledger->rules[event].number
		   : rg_rule_number_slowly(ledger, event, rule);
}

/* The number of the rule with LIMIT that this process uses for EVENT, or else of any such rule that
 * is listed. 0 if there is none. */
unsigned rg_rule_find(const struct rg_ledger *ledger, enum rg_event event,
		      const struct rg_limit *limit);

/* The number of RULE, an integer as above, for EVENT; 0 if it is not listed. */
unsigned rg_rule_listed(const struct rg_ledger *ledger, enum rg_event event, uint64_t rule);

/* The log's account for RATE; if the list is full, it shares the last one. */
struct rg_log_account *rg_rule_log(const struct rg_ledger *ledger, const struct rg_limit *rate);

#endif
