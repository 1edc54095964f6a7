/*
 * Decides what to do about one event. The inputs are the rule, the ledger's result and what is
 * known about the client. The verdict is an action and whether to write a log line. Pure: any
 * thread may call it, nothing can fail.
 */
#ifndef RG_VERDICT_H
#define RG_VERDICT_H

#include <stdbool.h>

#include "rg_ledger.h"
#include "rg_policy.h"

struct rg_verdict {
	enum rg_action action; /* RG_COUNT: do nothing */
	bool log;
};

/*
 * The verdict on an event under RULE. KNOWN: the client's address is known. EXEMPT: it is on the
 * policy's exempt list. No action is taken against an exempt client. Against an unknown client only
 * a rule without a limit takes action (INTERFACE "Policy").
 */
struct rg_verdict rg_verdict(const struct rg_rule *rule, const struct rg_result *result, bool known,
			     bool exempt);

/*
 * The `code` of a log line about EVENT under RULE. It is ERR_TLS_RENEGOTIATION_DISABLED if RULE
 * refuses every renegotiation, else ERR_TLS_SESSION_ATTACK. A static string.
 */
const char *rg_verdict_code(enum rg_event event, const struct rg_rule *rule);

#endif
