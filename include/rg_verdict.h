/*
 * Decides what to do about one event. The inputs are the rule, the ledger's result and what is
 * known about the client. Pure: any thread may call it, nothing can fail.
 */
#ifndef RG_VERDICT_H
#define RG_VERDICT_H

#include <stdbool.h>

#include "rg_policy.h"

/*
 * What to do about an event under RULE; RG_COUNT: nothing. OVER: the ledger says that it is over
 * the rule's limit. KNOWN: the client's address is known. EXEMPT: it is on the policy's exempt
 * list. No action is taken against an exempt client. Against an unknown client only a rule without
 * a limit takes action (INTERFACE "Policy").
 */
enum rg_action rg_verdict(const struct rg_rule *rule, bool over, bool known, bool exempt);

/*
 * The `code` of a log line about EVENT under RULE. It is ERR_TLS_RENEGOTIATION_DISABLED if RULE
 * refuses every renegotiation, else ERR_TLS_SESSION_ATTACK. A static string.
 */
const char *rg_verdict_code(enum rg_event event, const struct rg_rule *rule);

#endif
