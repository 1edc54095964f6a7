/* Services with different rules share a ledger: each is as exact as on a ledger of its own. */
#include "ledgers.h"

#define START_NS (1000 * NS_PER_S)
#define SERVICES 4

/* A service's own handle on LEDGER, which handshakes are under RULE. */
static struct rg_ledger service(const struct rg_ledger *ledger, struct rg_rule rule)
{
	struct rg_rule rules[RG_EVENT_COUNT] = {[RG_HANDSHAKE] = rule};
	static const struct rg_limit log_rate = {20, 1};
	struct rg_ledger handle = *ledger;

	ck_assert(rg_ledger_use(&handle, rules, &log_rate));
	return handle;
}

static struct rg_result visit(struct rg_ledger *handle, uint32_t client,
			      const struct rg_rule *rule, uint64_t now_ns)
{
	struct rg_key key = key_number(handle, client);

	return rg_ledger_record(handle, &key, RG_HANDSHAKE, &rule->limit, rule->action == RG_BLOCK,
				now_ns);
}

/* One visit to the strict service and four to the lax one are within both rules (A15). */
START_TEST(test_two_services)
{
	static const struct rg_rule lax = {RG_CLOSE, {120, 60}}, strict = {RG_CLOSE, {5, 600}};
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_ledger first = service(ledger, lax), second = service(ledger, strict);

	ck_assert(!visit(&second, 1, &strict, START_NS).over);
	for (unsigned i = 0; i < 4; i++)
		ck_assert(!visit(&first, 1, &lax, START_NS + i).over);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(visit(&second, 1, &strict, START_NS + NS_PER_S).over, i >= 4);
	for (unsigned i = 0; i < 200; i++)
		ck_assert_int_eq(visit(&first, 1, &lax, START_NS + NS_PER_S).over, i >= 116 + 2);
	ck_assert_uint_eq(slots_of(ledger, client_number(1), NULL), 1);
}
END_TEST

/* A restart with a laxer rule does not go on refusing. */
START_TEST(test_changed_rule)
{
	static const struct rg_rule before = {RG_BLOCK, {5, 3600}}, after = {RG_BLOCK, {1000, 60}};
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_ledger old = service(ledger, before), new = service(ledger, after);
	struct rg_key key = key_number(ledger, 1);

	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(visit(&old, 1, &before, START_NS).over, i >= 5);
	ck_assert(rg_ledger_is_over(&old, &key, RG_HANDSHAKE, &before.limit, START_NS));
	ck_assert(!rg_ledger_is_over(&new, &key, RG_HANDSHAKE, &after.limit, START_NS));
	for (unsigned i = 0; i < 1001; i++)
		ck_assert_int_eq(visit(&new, 1, &after, START_NS + NS_PER_S).over, i >= 1000);
	ck_assert(rg_ledger_is_over(&old, &key, RG_HANDSHAKE, &before.limit, START_NS + NS_PER_S));
}
END_TEST

/* The same limit, kept or not, is two rules. */
START_TEST(test_keeping_is_part_of_the_rule)
{
	static const struct rg_rule kept = {RG_BLOCK, {3, 60}}, closed = {RG_CLOSE, {3, 60}};
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_ledger blocks = service(ledger, kept), closes = service(ledger, closed);

	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(visit(&blocks, 1, &kept, START_NS).over, i >= 3);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(visit(&closes, 1, &closed, START_NS).over, i >= 3);
}
END_TEST

/* --- any services, any order --- */

static const struct rg_rule rules[SERVICES] = {
    {RG_CLOSE, {120, 60}}, {RG_CLOSE, {5, 600}}, {RG_BLOCK, {5, 600}}, {RG_WARN, {7, 3}}};

/* What each service finds is what it would find alone, with the limit's states in a table. */
START_TEST(test_each_is_exact)
{
	struct rg_ledger *ledger = ledger_for(256), handles[SERVICES];
	static uint64_t alone[SERVICES][20];
	uint64_t random = 5, now_ns = START_NS;

	for (int i = 0; i < SERVICES; i++)
		handles[i] = service(ledger, rules[i]);
	for (unsigned round = 0; round < 200000; round++) {
		uint64_t drawn = unit_random(&random);
		uint32_t client = (uint32_t)(drawn >> 8) % 20;
		const struct rg_rule *rule = &rules[drawn % SERVICES];
		uint64_t *state = &alone[drawn % SERVICES][client];
		struct rg_limit_step step = rg_limit_event(*state, 5, now_ns, &rule->limit,
							   rule->action == RG_BLOCK);
		struct rg_key key = key_number(ledger, client);
		struct rg_ledger *handle = &handles[drawn % SERVICES];

		UNIT_MUST(rg_ledger_is_over(handle, &key, RG_HANDSHAKE, &rule->limit, now_ns) ==
			      rg_limit_is_over(*state, 5, now_ns, &rule->limit),
			  "round %u: is over", round);
		UNIT_MUST(rg_ledger_is_full(handle, &key, RG_HANDSHAKE, &rule->limit, now_ns) ==
			      step.over,
			  "round %u: is full", round);
		UNIT_MUST(visit(handle, client, rule, now_ns).over == step.over,
			  "round %u: service %u, client %u", round, (unsigned)(drawn % SERVICES),
			  client);
		*state = step.state;
		if (drawn >> 40 & 1) {
			rg_ledger_take_back(handle, &key, RG_HANDSHAKE,
					    step.over && rule->action != RG_BLOCK ? NULL
										  : &rule->limit,
					    now_ns);
			if (!step.over || rule->action == RG_BLOCK)
				*state = rg_limit_take_back(*state, 5, now_ns, &rule->limit);
		}
		now_ns += (drawn >> 48) % 50 == 0 ? (drawn >> 30) % (700 * NS_PER_S)
						  : (drawn >> 36) % (NS_PER_S / 10);
	}
	ck_assert_uint_eq(rg_ledger_lost(ledger), 0);
}
END_TEST

/* --- the lists --- */

START_TEST(test_lists_are_full)
{
	struct rg_ledger *ledger = ledger_for(64), other = *ledger;
	struct rg_rule use[RG_EVENT_COUNT] = {[RG_HANDSHAKE] = {RG_CLOSE, {1, 60}}};
	struct rg_limit rate = {20, 1};

	for (unsigned i = 1; i <= 31; i++) {
		use[RG_HANDSHAKE].limit.count = i;
		ck_assert(rg_ledger_use(&other, use, &rate));
	}
	use[RG_HANDSHAKE].limit.count = 32;
	ck_assert(!rg_ledger_use(&other, use, &rate));
	use[RG_HANDSHAKE].limit.count = 17;
	ck_assert(rg_ledger_use(&other, use, &rate));
	/* What is only counted needs no rule, and another event has its own list. */
	use[RG_HANDSHAKE] = (struct rg_rule){RG_COUNT, {0, 0}};
	use[RG_KEYUPDATE] = (struct rg_rule){RG_WARN, {32, 60}};
	ck_assert(rg_ledger_use(&other, use, &rate));
	for (unsigned i = 1; i <= 7; i++) {
		rate.count = 100 + i;
		ck_assert(rg_ledger_use(&other, use, &rate));
	}
	rate.count = 99;
	ck_assert(!rg_ledger_use(&other, use, &rate));
}
END_TEST

/* A rule that found no room acts on nobody. */
START_TEST(test_rule_without_room)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_rule rule = {RG_CLOSE, {1, 60}};

	for (unsigned i = 1; i <= 40; i++) {
		rule.limit.count = i;
		for (unsigned visits = 1; visits <= 50; visits++)
			UNIT_MUST(visit(ledger, 1, &rule, START_NS).over ==
				      (visits > i && i <= 31),
				  "rule %u, visit %u", i, visits);
	}
}
END_TEST

/* A service that logs little does not silence one that logs much. */
START_TEST(test_log_rates_apart)
{
	static const struct rg_limit much = {1000, 1}, little = {2, 3600};
	struct rg_ledger *ledger = ledger_for(64);
	uint32_t suppressed;

	for (unsigned i = 0; i < 1000; i++)
		ck_assert(rg_ledger_log_allowed(ledger, &much, START_NS, &suppressed));
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(rg_ledger_log_allowed(ledger, &little, START_NS, &suppressed),
				 i < 2);
	ck_assert(rg_ledger_log_allowed(ledger, &much, START_NS + NS_PER_S, &suppressed));
	ck_assert_uint_eq(suppressed, 0);
	ck_assert(!rg_ledger_log_allowed(ledger, &little, START_NS + NS_PER_S, &suppressed));
}
END_TEST

/* --- what is shown --- */

static uint32_t left_of(struct rg_ledger *ledger, const struct rg_rule *rule, uint64_t now_ns)
{
	struct rg_account account = {.first_ns = 0};

	ck_assert_uint_eq(slots_of(ledger, client_number(1), &account), 1);
	return rg_limit_left(account.states[RG_HANDSHAKE], account.tags[RG_HANDSHAKE], now_ns,
			     &rule->limit);
}

/* A state is shown under the rule that was announced, if it was written under it. */
START_TEST(test_shown_under_its_rule)
{
	static const struct rg_rule lax = {RG_CLOSE, {100, 60}}, strict = {RG_CLOSE, {5, 600}};
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_ledger first = service(ledger, lax), second = service(ledger, strict);
	struct rg_about about = {.rules[RG_HANDSHAKE] = strict};

	for (unsigned i = 0; i < 3; i++)
		ck_assert(!visit(&second, 1, &strict, START_NS).over);
	ck_assert(rg_ledger_announce(ledger, &about, 1));
	ck_assert_uint_eq(left_of(ledger, &strict, START_NS), 2);
	about.rules[RG_HANDSHAKE] = lax;
	ck_assert(rg_ledger_announce(ledger, &about, 1));
	ck_assert(!visit(&first, 1, &lax, START_NS).over);
	ck_assert_uint_eq(left_of(ledger, &lax, START_NS), 100);
	/* The other's state has drained, and the slot is this rule's. */
	ck_assert(!visit(&first, 1, &lax, START_NS + 700 * NS_PER_S).over);
	ck_assert_uint_eq(left_of(ledger, &lax, START_NS + 700 * NS_PER_S), 99);
}
END_TEST

/* Who went over the limit without a slot gets one, and is shown with what it has left: nothing. */
START_TEST(test_shown_from_the_overflow_table)
{
	static const struct rg_rule rule = {RG_CLOSE, {5, 600}};
	struct rg_ledger *ledger = ledger_for(8);
	struct rg_ledger handle = service(ledger, rule);
	struct rg_about about = {.rules[RG_HANDSHAKE] = rule};

	ck_assert(rg_ledger_announce(ledger, &about, 1));
	for (uint32_t client = 100; client < 108; client++)
		ck_assert(!visit(&handle, client, &rule, START_NS).over);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(visit(&handle, 1, &rule, START_NS).over, i >= 5);
	ck_assert_uint_eq(left_of(ledger, &rule, START_NS), 0);
	ck_assert(visit(&handle, 1, &rule, START_NS + NS_PER_S).over);
	ck_assert_uint_eq(left_of(ledger, &rule, START_NS + NS_PER_S), 0);
	ck_assert(!visit(&handle, 1, &rule, START_NS + 370 * NS_PER_S).over);
	ck_assert_uint_eq(left_of(ledger, &rule, START_NS + 370 * NS_PER_S), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger_rules");

	UNIT_ADD(suite, test_two_services);
	UNIT_ADD(suite, test_changed_rule);
	UNIT_ADD(suite, test_keeping_is_part_of_the_rule);
	UNIT_ADD(suite, test_each_is_exact);
	UNIT_ADD(suite, test_lists_are_full);
	UNIT_ADD(suite, test_rule_without_room);
	UNIT_ADD(suite, test_log_rates_apart);
	UNIT_ADD(suite, test_shown_under_its_rule);
	UNIT_ADD(suite, test_shown_from_the_overflow_table);
	return unit_run(suite);
}
