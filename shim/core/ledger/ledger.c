#include "core/ledger/layout.h"

#include <string.h>

#include "core/ledger/find.h"
#include "core/ledger/overflow.h"
#include "core/ledger/rules.h"
#include "core/ledger/state.h"
#include "core/siphash.h"

/* How often a thread looks again for a limit state that others move meanwhile. */
#define FIND_TRIES 1000

struct rg_key rg_ledger_key(const struct rg_ledger *ledger, const struct rg_client *client)
{
	uint8_t input[sizeof client->base.bytes + 2 + sizeof client->base.scope];
	uint8_t *next = input + sizeof client->base.bytes;
	struct rg_key key = {.client = *client};

	memcpy(input, client->base.bytes, sizeof client->base.bytes);
	*next++ = client->base.family;
	*next++ = client->exempt;
	memcpy(next, &client->base.scope, sizeof client->base.scope);
	key.id = rg_siphash(ledger->seed, input, sizeof input) | 1;
	return key;
}

void rg_ledger_outcome(struct rg_ledger *ledger, struct rg_key *key, enum rg_outcome outcome)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);

	if (slot != NULL)
		ADD(slot->outcomes[outcome], 1);
	else
		ADD(ledger->head->gone_outcomes[outcome], 1);
}

void rg_ledger_acted(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);

	if (slot != NULL)
		ADD(slot->acted[event], 1);
	else
		ADD(ledger->head->gone_acted[event], 1);
}

void rg_ledger_not_acted(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event)
{
	struct rg_slot *slot = rg_slot_find(ledger, key);
	uint32_t acted = slot != NULL ? LOAD(slot->acted[event]) : 0;

	while (acted != 0 && !atomic_compare_exchange_weak(&slot->acted[event], &acted, acted - 1))
		;
}

/*
 * The client's limit state for EVENT, whether in a slot or in the overflow table; 0 if it has none.
 * If there is none where it was looked for, and the place to look has changed meanwhile, it is
 * looked for again.
 */
static uint64_t state_of(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
			 unsigned rule, uint64_t now_ns)
{
	for (unsigned tries = 0; tries < FIND_TRIES; tries++) {
		const struct rg_slot *slot = rg_slot_find(ledger, key);
		uint64_t word = slot != NULL ? atomic_load(&slot->states[event]) : 0, state;
		enum rg_state_kind kind = rg_state_kind(word);

		if (slot != NULL && !rg_slot_is_held(slot, key))
			continue;
		if ((kind == RG_STATE_LIVE || kind == RG_STATE_MOVING) &&
		    rg_state_rule(word) == rule)
			return rg_state_as(word, RG_STATE_LIVE);
		state = rg_overflow_state(ledger, key->id, event, rule, now_ns);
		if (state != 0 || (slot == NULL ? rg_slot_find(ledger, key) == NULL
						: atomic_load(&slot->states[event]) == word))
			return state;
	}
	return 0;
}

bool rg_ledger_is_over(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns)
{
	unsigned rule = rg_rule_find(ledger, event, limit);

	return rule != 0 && rg_limit_is_over(state_of(ledger, key, event, rule, now_ns),
					     rg_live_tag(key->id, rule), now_ns, limit);
}

bool rg_ledger_is_full(struct rg_ledger *ledger, struct rg_key *key, enum rg_event event,
		       const struct rg_limit *limit, uint64_t now_ns)
{
	unsigned rule = rg_rule_find(ledger, event, limit);

	return limit->period_s == 0 ||
	       (rule != 0 && rg_limit_is_full(state_of(ledger, key, event, rule, now_ns),
					      rg_live_tag(key->id, rule), now_ns, limit));
}
