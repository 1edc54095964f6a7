/*
 * What is to be done about one event: the rule, the account and who the client is, in; an action
 * and whether to write a log line, out. Pure.
 */
#ifndef RG_VERDICT_H
#define RG_VERDICT_H

#include <stdbool.h>

#include "rg_ledger.h"
#include "rg_policy.h"

struct rg_verdict {
	enum rg_action action; /* RG_COUNT: nothing is to be done */
	bool log;
};

/*
 * KNOWN: the client could be told; EXEMPT: it is on the policy's exempt list. An exempt client is
 * never acted upon; an unknown one only by a rule without limit (INTERFACE "Policy").
 */
struct rg_verdict rg_verdict(const struct rg_rule *rule, const struct rg_result *result, bool known,
			     bool exempt);

/* The code of a line about EVENT under RULE: ERR_TLS_RENEGOTIATION_DISABLED or
 * ERR_TLS_SESSION_ATTACK. */
const char *rg_verdict_code(enum rg_event event, const struct rg_rule *rule);

#endif
