/* What the ledger tells its readers: the program's own log lines, and `reneguardctl`. */
#include "core/ledger/layout.h"

#include <string.h>

#include "core/ledger/rules.h"
#include "core/ledger/state.h"
#include "core/siphash.h"

uint32_t rg_ledger_slots(const struct rg_ledger *ledger)
{
	return ledger->slots;
}

uint64_t rg_ledger_evictions(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->evictions);
}

uint64_t rg_ledger_evictions_active(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->evictions_active);
}

uint64_t rg_ledger_unplaced(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->unplaced);
}

uint64_t rg_ledger_lost(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->overflow_lost);
}

void rg_ledger_count_unguarded(struct rg_ledger *ledger)
{
	ADD(ledger->head->unguarded, 1);
}

uint32_t rg_ledger_unguarded(const struct rg_ledger *ledger)
{
	return LOAD(ledger->head->unguarded);
}

/* Copy STATE to ACCOUNT if it was written under the rule that was announced last. Else that rule
 * has no state here, and the account gets one that has drained. */
static void copy_state(const struct rg_ledger *ledger, enum rg_event event, uint64_t state,
		       struct rg_account *account)
{
	const struct rg_posted_rule *posted = &ledger->head->rules[event];
	struct rg_limit limit = {LOAD(posted->count), LOAD(posted->period_s)};
	uint64_t rule = rg_rule_word(&limit, LOAD(posted->action) == RG_BLOCK);
	unsigned number = rg_rule_listed(ledger, event, rule);
	bool same = number != 0 && rg_state_rule(state) == number;

	account->states[event] = same ? state : 0;
	account->tags[event] = same ? rg_state_tag(state) : UINT16_MAX;
}

bool rg_ledger_account(const struct rg_ledger *ledger, uint32_t index, struct rg_account *account)
{
	const struct rg_slot *slot = rg_slot_at(ledger, index);
	uint64_t id = atomic_load_explicit(rg_id_at(ledger, index), memory_order_acquire);
	uint64_t address[2] = {LOAD(slot->address[0]), LOAD(slot->address[1])};

	if ((id & 1) == 0)
		return false;
	memcpy(account->client.base.bytes, address, sizeof address);
	account->client.base.family = (uint8_t)LOAD(slot->family);
	account->client.base.scope = LOAD(slot->scope);
	account->client.exempt = (LOAD(slot->family) & RG_SLOT_EXEMPT) != 0;
	account->first_ns = LOAD(slot->first_ns);
	account->last_ns = LOAD(slot->last_ns);
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		account->outcomes[i] = LOAD(slot->outcomes[i]);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		account->events[i] = RG_COUNTER_EVENTS(LOAD(slot->counters[RG_COUNTER_OF(i)]));
		account->acted[i] = LOAD(slot->acted[i]);
		copy_state(ledger, (enum rg_event)i, LOAD(slot->states[i]), account);
	}
	return atomic_load_explicit(rg_id_at(ledger, index), memory_order_acquire) == id;
}

static void post_text(_Atomic char to[RG_ABOUT_BYTES], const char from[RG_ABOUT_BYTES])
{
	for (size_t i = 0; i < RG_ABOUT_BYTES; i++)
		STORE(to[i], from[i]);
}

static void read_text(char to[RG_ABOUT_BYTES], const _Atomic char from[RG_ABOUT_BYTES])
{
	for (size_t i = 0; i < RG_ABOUT_BYTES; i++)
		to[i] = LOAD(from[i]);
	to[RG_ABOUT_BYTES - 1] = '\0';
}

static void post(struct rg_ledger *ledger, const struct rg_about *about)
{
	struct rg_head *head = ledger->head;

	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		STORE(head->rules[i].action, about->rules[i].action);
		STORE(head->rules[i].count, about->rules[i].limit.count);
		STORE(head->rules[i].period_s, about->rules[i].limit.period_s);
	}
	post_text(head->service, about->service);
	post_text(head->libssl, about->libssl);
}

/* Never 0, which marks an empty entry. */
static uint32_t hash_announcement(const struct rg_ledger *ledger, const struct rg_about *about,
				  uint64_t tree)
{
	struct {
		struct rg_about about;
		uint64_t tree;
	} announcement;
	uint64_t hash;

	memset(&announcement, 0, sizeof announcement); /* the padding is hashed as well */
	memcpy(&announcement.about, about, sizeof *about);
	announcement.tree = tree;
	hash = rg_siphash(ledger->seed, (const uint8_t *)&announcement, sizeof announcement);
	return (uint32_t)hash | 1;
}

bool rg_ledger_is_news(struct rg_ledger *ledger, const struct rg_about *about, uint64_t tree)
{
	_Atomic uint32_t *announced = ledger->head->announced;
	uint32_t hash = hash_announcement(ledger, about, tree), newest = LOAD(announced[0]);

	do {
		if (newest == hash)
			return false;
		for (size_t i = 1; i < RG_ANNOUNCERS; i++)
			if (LOAD(announced[i]) == hash)
				return false;
	} while (!atomic_compare_exchange_weak(&announced[0], &newest, hash));
	for (size_t i = RG_ANNOUNCERS - 1; i > 1; i--)
		STORE(announced[i], LOAD(announced[i - 1]));
	STORE(announced[1], newest);
	return true;
}

bool rg_ledger_announce(struct rg_ledger *ledger, const struct rg_about *about, uint64_t tree)
{
	bool is_news = rg_ledger_is_news(ledger, about, tree);

	if (is_news)
		post(ledger, about);
	return is_news;
}

void rg_ledger_about(const struct rg_ledger *ledger, struct rg_about *about)
{
	const struct rg_head *head = ledger->head;

	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		uint32_t action = LOAD(head->rules[i].action);
		struct rg_limit limit = {LOAD(head->rules[i].count), LOAD(head->rules[i].period_s)};
		bool valid = limit.count != 0 && limit.count <= RG_LIMIT_COUNT_MAX &&
			     limit.period_s <= RG_LIMIT_PERIOD_MAX_S;

		about->rules[i].action = action < RG_ACTION_COUNT ? (enum rg_action)action : RG_OFF;
		about->rules[i].limit = valid ? limit : (struct rg_limit){0, 0};
	}
	read_text(about->service, head->service);
	read_text(about->libssl, head->libssl);
}

void rg_ledger_totals(const struct rg_ledger *ledger, struct rg_totals *totals)
{
	const struct rg_head *head = ledger->head;
	struct rg_account account;

	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		totals->events[i] = LOAD(head->gone_events[i]);
		totals->acted[i] = LOAD(head->gone_acted[i]);
	}
	for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
		totals->outcomes[i] = LOAD(head->gone_outcomes[i]);
	for (uint32_t slot = 0; slot < ledger->slots; slot++) {
		if (!rg_ledger_account(ledger, slot, &account))
			continue;
		for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
			totals->events[i] += account.events[i];
			totals->acted[i] += account.acted[i];
		}
		for (size_t i = 0; i < RG_OUTCOME_COUNT; i++)
			totals->outcomes[i] += account.outcomes[i];
	}
}

bool rg_ledger_part(const struct rg_ledger *ledger, unsigned part, size_t *first, size_t *bytes)
{
	size_t begin = (size_t)part * ledger->part_sets, end = begin + ledger->part_sets;
	size_t sets = ledger->slots / RG_WAYS;

	if (part >= RG_PARTS || begin >= sets)
		return false;
	if (end > sets)
		end = sets;
	*first = sizeof(struct rg_head) + begin * sizeof(struct rg_set);
	*bytes = (LOAD(ledger->head->touched[part / 64]) >> part % 64 & 1) != 0
		     ? (end - begin) * sizeof(struct rg_set)
		     : 0;
	return true;
}
