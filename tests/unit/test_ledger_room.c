/* Which client makes room in a full ledger, and what happens to one that gets no slot. A ledger of
 * eight slots is a single set: every client competes for all of them. */
#include "ledgers.h"

#define START_NS (1000 * NS_PER_S)

static const struct rg_limit three = {3, 60};
static const uint32_t one_each[8] = {1, 1, 1, 1, 1, 1, 1, 1};

/* Eight clients in eight slots. Client I has EVENTS[I] events under LIMIT. */
static struct rg_ledger *full_ledger(const struct rg_limit *limit, const uint32_t events[8])
{
	struct rg_ledger *ledger = ledger_for(8);

	for (uint32_t i = 0; i < 8; i++) {
		struct rg_key key = key_number(ledger, i);

		for (uint32_t event = 0; event < events[i]; event++)
			(void)record(ledger, &key, limit, START_NS);
	}
	return ledger;
}

static const struct {
	const char *what;
	int idle;    /* which of the eight clients is idle; -1: none, 8: all */
	int oldest;  /* which was seen longest ago */
	int evicted; /* -1: nobody */
} evictions[] = {
    {"none is idle: nobody makes room for one event of a newcomer", -1, 5, -1},
    {"one is idle, another was seen longest ago: the idle one", 2, 5, 2},
    {"one is idle, and was seen last: that one", 7, 0, 7},
    {"all are idle: the one that was seen longest ago", 8, 3, 3},
};

START_TEST(test_eviction)
{
	struct rg_ledger *ledger = ledger_for(8);
	struct rg_key newcomer = key_number(ledger, 99);

	ck_assert_uint_eq(rg_ledger_slots(ledger), 8);
	for (int i = 0; i < 8; i++) {
		bool idle = evictions[_i].idle == i || evictions[_i].idle == 8;
		struct rg_key key = key_number(ledger, (uint32_t)i);
		uint64_t now =
		    START_NS + (i == evictions[_i].oldest ? 0 : (uint64_t)(i + 1) * NS_PER_S);

		(void)record(ledger, &key, idle ? NULL : &three, now);
	}
	ck_assert_uint_eq(rg_ledger_evictions(ledger), 0);
	ck_assert_uint_eq(record(ledger, &newcomer, &three, START_NS + 10 * NS_PER_S).count, 1);
	for (int i = 0; i < 8; i++)
		ck_assert_msg((slots_of(ledger, client_number((uint32_t)i), NULL) == 0) ==
				  (i == evictions[_i].evicted),
			      "%s: client %d", evictions[_i].what, i);
	ck_assert_uint_eq(rg_ledger_evictions(ledger), evictions[_i].evicted >= 0);
	ck_assert_uint_eq(rg_ledger_evictions_active(ledger), 0);
	ck_assert_uint_eq(rg_ledger_unplaced(ledger), evictions[_i].evicted < 0);
}
END_TEST

/* A client without a slot is counted all the same. Over its limit it gets the slot of the client
 * that has the least on its limits. From then on that client is counted without a slot. */
START_TEST(test_overflow)
{
	static const struct rg_limit ten = {10, 600};
	static const uint32_t events[8] = {8, 8, 8, 8, 8, 4, 8, 8};
	struct rg_ledger *ledger = full_ledger(&ten, events);
	struct rg_key newcomer = key_number(ledger, 99), least = key_number(ledger, 5);

	for (uint32_t event = 1; event <= 15; event++) {
		struct rg_result result = record(ledger, &newcomer, &ten, START_NS);

		ck_assert_int_eq(result.over, event > 10);
		ck_assert_uint_eq(slots_of(ledger, client_number(99), NULL), event > 10);
		ck_assert_uint_eq(result.count, event > 10 ? event : 1);
		ck_assert_int_eq(
		    rg_ledger_is_full(ledger, &newcomer, RG_RESUMPTION, &ten, START_NS),
		    event >= 10);
	}
	ck_assert_uint_eq(slots_of(ledger, client_number(5), NULL), 0);
	ck_assert_uint_eq(rg_ledger_evictions_active(ledger), 1);
	ck_assert_uint_eq(rg_ledger_unplaced(ledger), 10);
	for (uint32_t event = 5; event <= 11; event++)
		ck_assert_int_eq(record(ledger, &least, &ten, START_NS).over, event > 10);
	ck_assert_uint_eq(rg_ledger_lost(ledger), 0);
}
END_TEST

START_TEST(test_overflow_out_of_order)
{
	static const struct rg_limit six = {6, 60};
	struct rg_ledger *ledger = full_ledger(&six, one_each);
	struct rg_key newcomer = key_number(ledger, 99);

	for (uint32_t i = 0; i < 10; i++)
		ck_assert_int_eq(record(ledger, &newcomer, &six, START_NS - 1000 * i).over, i >= 6);
}
END_TEST

/* A client that was counted without a slot keeps its limit state when it gets one. */
START_TEST(test_slot_later)
{
	static const struct rg_limit ten = {10, 600};
	struct rg_ledger *ledger = full_ledger(&ten, one_each);
	struct rg_key newcomer = key_number(ledger, 99);

	for (uint32_t event = 0; event < 9; event++)
		ck_assert(!record(ledger, &newcomer, &ten, START_NS).over);
	/* A minute later the others are idle, and one event of the newcomer has drained. */
	ck_assert(!record(ledger, &newcomer, &ten, START_NS + 60 * NS_PER_S).over);
	ck_assert_uint_eq(slots_of(ledger, client_number(99), NULL), 1);
	ck_assert(!record(ledger, &newcomer, &ten, START_NS + 60 * NS_PER_S).over);
	ck_assert(record(ledger, &newcomer, &ten, START_NS + 60 * NS_PER_S).over);
}
END_TEST

/* What is taken back from a client without a place is taken from its record and the totals. */
START_TEST(test_take_back_without_slot)
{
	static const struct rg_limit ten = {10, 600};
	struct rg_ledger *ledger = full_ledger(&ten, one_each);
	struct rg_key newcomer = key_number(ledger, 99);
	struct rg_totals totals;

	for (uint32_t event = 0; event < 10; event++)
		ck_assert(!record(ledger, &newcomer, &ten, START_NS).over);
	for (uint32_t event = 0; event < 4; event++)
		rg_ledger_take_back(ledger, &newcomer, RG_RESUMPTION, &ten, START_NS);
	ck_assert_uint_eq(rg_ledger_unplaced(ledger), 6);
	rg_ledger_totals(ledger, &totals);
	ck_assert_uint_eq(totals.events[RG_RESUMPTION], 8 + 6);
	for (uint32_t event = 0; event < 6; event++)
		ck_assert_int_eq(record(ledger, &newcomer, &ten, START_NS).over, event >= 4);
}
END_TEST

/* `block` also holds for clients without a slot. */
START_TEST(test_blocked_without_slot)
{
	struct rg_ledger *ledger = ledger_for(8);

	for (uint32_t client = 0; client < 60; client++) {
		struct rg_key key = key_number(ledger, client);

		for (uint32_t event = 0; event < 4; event++)
			(void)rg_ledger_record(ledger, &key, RG_RESUMPTION, &three, true, START_NS);
	}
	for (uint32_t client = 0; client < 60; client++) {
		struct rg_key key = key_number(ledger, client);

		ck_assert(rg_ledger_is_over(ledger, &key, RG_RESUMPTION, &three, START_NS));
	}
}
END_TEST

/* A newcomer inherits nothing from the client whose slot it gets. */
START_TEST(test_newcomer_starts_at_zero)
{
	struct rg_ledger *ledger = ledger_for(8);
	struct rg_account account;

	for (uint32_t client = 0; client < 1000; client++) {
		struct rg_key key = key_number(ledger, client);

		for (uint32_t i = 1; i <= 4; i++) {
			/* The client before is idle by then. */
			uint64_t now_ns = START_NS + client * 100 * NS_PER_S;
			struct rg_result result = record(ledger, &key, &three, now_ns);

			UNIT_MUST(result.over == (i > 3) && result.count == i,
				  "client %u: the result is wrong at event %u", client, i);
		}
		rg_ledger_acted(ledger, &key, RG_RESUMPTION);
		rg_ledger_outcome(ledger, &key, RG_OUTCOME_ACCEPTED);
		UNIT_MUST(slots_of(ledger, client_number(client), &account) == 1,
			  "client %u does not have one slot", client);
		UNIT_MUST(account.events[RG_RESUMPTION] == 4 && account.acted[RG_RESUMPTION] == 1 &&
			      account.outcomes[RG_OUTCOME_ACCEPTED] == 1 &&
			      account.first_ns == START_NS + client * 100 * NS_PER_S,
			  "client %u has another's account", client);
	}
	ck_assert_uint_eq(rg_ledger_evictions(ledger), 992);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger_room");

	UNIT_ADD_ROWS(suite, test_eviction, evictions);
	UNIT_ADD(suite, test_overflow);
	UNIT_ADD(suite, test_overflow_out_of_order);
	UNIT_ADD(suite, test_slot_later);
	UNIT_ADD(suite, test_take_back_without_slot);
	UNIT_ADD(suite, test_blocked_without_slot);
	UNIT_ADD(suite, test_newcomer_starts_at_zero);
	return unit_run(suite);
}
