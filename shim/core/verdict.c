#include "rg_verdict.h"

enum rg_action rg_verdict(const struct rg_rule *rule, bool over, bool known, bool exempt)
{
	bool holds = !exempt && (known || rule->limit.period_s == 0);

	return rule->action > RG_COUNT && over && holds ? rule->action : RG_COUNT;
}

const char *rg_verdict_code(enum rg_event event, const struct rg_rule *rule)
{
	bool refused = rule->action == RG_CLOSE || rule->action == RG_BLOCK;

	return event == RG_RENEGOTIATION && refused && rule->limit.period_s == 0
		   ? "ERR_TLS_RENEGOTIATION_DISABLED"
		   : "ERR_TLS_SESSION_ATTACK";
}
