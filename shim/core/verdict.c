#include "rg_verdict.h"

struct rg_verdict rg_verdict(const struct rg_rule *rule, const struct rg_result *result, bool known,
			     bool exempt)
{
	bool unlimited = rule->limit.period_s == 0;

	if (rule->action <= RG_COUNT || !result->over || exempt || (!known && !unlimited))
		return (struct rg_verdict){RG_COUNT, false};
	return (struct rg_verdict){rule->action, unlimited || result->log_due};
}

const char *rg_verdict_code(enum rg_event event, const struct rg_rule *rule)
{
	bool refused = rule->action == RG_CLOSE || rule->action == RG_BLOCK;

	return event == RG_RENEGOTIATION && refused && rule->limit.period_s == 0
		   ? "ERR_TLS_RENEGOTIATION_DISABLED"
		   : "ERR_TLS_SESSION_ATTACK";
}
