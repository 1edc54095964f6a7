#include "core/ledger/rules.h"

/* The index of WORD in the list of COUNT words, STRIDE bytes apart; it is added if it is not there.
 * COUNT if the list is full. */
static unsigned list(_Atomic uint64_t *words, unsigned count, size_t stride, uint64_t word)
{
	for (unsigned i = 0; i < count; i++) {
		_Atomic uint64_t *entry = (_Atomic uint64_t *)((char *)words + i * stride);
		uint64_t found = LOAD(*entry);

		if (found == word ||
		    (found == 0 &&
		     (atomic_compare_exchange_strong(entry, &found, word) || found == word)))
			return i;
	}
	return count;
}

unsigned rg_rule_number_slowly(const struct rg_ledger *ledger, enum rg_event event, uint64_t rule)
{
	unsigned index =
	    list(ledger->head->listed[event], RG_RULES, sizeof(_Atomic uint64_t), rule);

	return index < RG_RULES ? index + 1 : 0;
}

unsigned rg_rule_listed(const struct rg_ledger *ledger, enum rg_event event, uint64_t rule)
{
	for (unsigned i = 0; i < RG_RULES; i++)
		if (LOAD(ledger->head->listed[event][i]) == rule)
			return i + 1;
	return 0;
}

unsigned rg_rule_find(const struct rg_ledger *ledger, enum rg_event event,
		      const struct rg_limit *limit)
{
	uint64_t rule = rg_rule_word(limit, false), kept = rg_rule_word(limit, true);
	unsigned number;

	if (ledger->rules[event].word == rule || ledger->rules[event].word == kept)
		return ledger->rules[event].number;
	number = rg_rule_listed(ledger, event, rule);
	return number != 0 ? number : rg_rule_listed(ledger, event, kept);
}

static unsigned find_log(const struct rg_ledger *ledger, const struct rg_limit *rate)
{
	struct rg_log_account *logs = ledger->head->logs;

	return list(&logs[0].rate, RG_LOG_RATES, sizeof logs[0], rg_rule_word(rate, false));
}

struct rg_log_account *rg_rule_log(const struct rg_ledger *ledger, const struct rg_limit *rate)
{
	unsigned index = find_log(ledger, rate);

	return &ledger->head->logs[index < RG_LOG_RATES ? index : RG_LOG_RATES - 1];
}

bool rg_ledger_use(struct rg_ledger *ledger, const struct rg_rule rules[RG_EVENT_COUNT],
		   const struct rg_limit *log_rate)
{
	for (int i = 0; i < RG_EVENT_COUNT; i++) {
		enum rg_event event = (enum rg_event)i;
		uint64_t rule = rg_rule_word(&rules[i].limit, rules[i].action == RG_BLOCK);

		if (rules[i].action <= RG_COUNT)
			continue;
		ledger->rules[i].number = rg_rule_number_slowly(ledger, event, rule);
		ledger->rules[i].word = rule;
		if (ledger->rules[i].number == 0)
			return false;
	}
	return find_log(ledger, log_rate) < RG_LOG_RATES;
}
