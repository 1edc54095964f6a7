/* Which log lines may be written. */
#include "core/ledger/layout.h"

#include "core/ledger/find.h"
#include "core/ledger/rules.h"

/* At most one line for a client and event in this time. */
#define LINE_AGAIN_S 60

/* Spend one line of RATE, unless fewer than RESERVE could be written after it. */
static bool spend(const struct rg_ledger *ledger, const struct rg_limit *rate, uint32_t reserve,
		  uint64_t now_ns, uint32_t *suppressed)
{
	struct rg_log_account *log = rg_rule_log(ledger, rate);
	uint64_t state = LOAD(log->state);
	struct rg_limit_step step;

	do {
		step = rg_limit_event(state, 0, now_ns, rate, false);
		if (step.over || rg_limit_left(step.state, 0, now_ns, rate) < reserve) {
			ADD(log->suppressed, 1);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&log->state, &state, step.state));
	*suppressed = atomic_exchange(&log->suppressed, 0);
	return true;
}

bool rg_ledger_log_allowed(struct rg_ledger *ledger, const struct rg_limit *rate, uint64_t now_ns,
			   uint32_t *suppressed)
{
	return spend(ledger, rate, 0, now_ns, suppressed);
}

bool rg_ledger_line_allowed(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
			    const struct rg_limit *rate, uint64_t now_ns, uint32_t *suppressed)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);
	uint32_t now_s = (uint32_t)(now_ns / RG_NS_PER_S) + 1, logged_s;

	if (slot == NULL) {
		rg_ledger_log_lost(ledger, rate, 1);
		return false;
	}
	logged_s = LOAD(slot->logged_s[event]);
	if (logged_s != 0 && (int32_t)(now_s - logged_s) <= LINE_AGAIN_S)
		return false;
	/* Claim the line, so that no other thread writes it. */
	if (!atomic_compare_exchange_strong(&slot->logged_s[event], &logged_s, now_s))
		return false;
	if (spend(ledger, rate, logged_s == 0 ? 0 : rate->count / 2, now_ns, suppressed))
		return true;
	(void)atomic_compare_exchange_strong(&slot->logged_s[event], &now_s, logged_s);
	return false;
}

void rg_ledger_log_lost(struct rg_ledger *ledger, const struct rg_limit *rate, uint32_t lines)
{
	ADD(rg_rule_log(ledger, rate)->suppressed, lines);
}
