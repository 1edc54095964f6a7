/* The ledger in one thread: exact counts, and when a log line is due. */
#include "ledgers.h"

#define START_NS (1000 * NS_PER_S)

static const struct rg_limit three = {3, 60};
static const struct rg_limit none = {0, 0};

/* --- finding a client --- */

START_TEST(test_key_without_slot_changes_nothing)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);

	rg_ledger_outcome(ledger, &key, RG_OUTCOME_ACCEPTED);
	rg_ledger_acted(ledger, &key, RG_RESUMPTION);
	ck_assert(!rg_ledger_is_over(ledger, &key, RG_RESUMPTION, &three, START_NS));
	ck_assert(!rg_ledger_is_full(ledger, &key, RG_RESUMPTION, &three, START_NS));
	ck_assert_uint_eq(slots_taken(ledger), 0);
}
END_TEST

/* The unknown address, 0.0.0.0 and :: have the same bytes, but are three clients. */
START_TEST(test_families_are_separate)
{
	struct rg_ledger *ledger = ledger_for(64);

	for (unsigned i = 0; i < 3; i++) {
		static const uint8_t families[] = {RG_UNKNOWN, RG_IPV4, RG_IPV6};
		struct rg_client client = {.base = {.family = families[i]}};
		struct rg_key key = rg_ledger_key(ledger, &client);

		ck_assert_uint_eq(record(ledger, &key, &three, START_NS).count, 1);
		ck_assert_uint_eq(slots_of(ledger, client, NULL), 1);
	}
	ck_assert_uint_eq(slots_taken(ledger), 3);
}
END_TEST

/* The same bytes, exempt or not, on one interface or another: each has an account of its own. */
START_TEST(test_exempt_and_scopes_are_separate)
{
	static const uint8_t link_local[16] = {0xfe, 0x80, [15] = 1};
	struct rg_ledger *ledger = ledger_for(64);

	for (unsigned i = 0; i < 6; i++) {
		struct rg_client client = {.base = rg_address_ipv6(link_local),
					   .exempt = i % 2 != 0};
		struct rg_account account;
		struct rg_key key;

		client.base.scope = i / 2;
		key = rg_ledger_key(ledger, &client);
		for (uint32_t event = 1; event <= 4; event++)
			ck_assert_int_eq(record(ledger, &key, &three, START_NS).over, event > 3);
		ck_assert_uint_eq(slots_of(ledger, client, &account), 1);
		ck_assert_uint_eq(account.events[RG_RESUMPTION], 4);
	}
	ck_assert_uint_eq(slots_taken(ledger), 6);
}
END_TEST

START_TEST(test_wrong_hint)
{
	static const uint32_t hints[] = {0, 1, 7, 8, 63, 64, 65535, UINT32_MAX - 7, UINT32_MAX};
	struct rg_ledger *ledger = ledger_for(64);

	for (uint32_t i = 0; i < (uint32_t)ROWS(hints); i++) {
		struct rg_key key = key_number(ledger, 1);

		key.way_hint = hints[i];
		ck_assert_uint_eq(record(ledger, &key, NULL, START_NS).count, i + 1);
	}
	ck_assert_uint_eq(slots_taken(ledger), 1);
}
END_TEST

/* --- counting --- */

START_TEST(test_exact_for_many)
{
	static const struct rg_limit limit = {25, 600};
	struct rg_ledger *ledger = ledger_for(65536);
	struct rg_account account;

	for (uint32_t round = 1; round <= 30; round++)
		for (uint32_t i = 0; i < 1000; i++) {
			struct rg_key key = key_number(ledger, i);
			struct rg_result result = record(ledger, &key, &limit, START_NS + round);

			UNIT_MUST(result.over == (round > limit.count),
				  "client %u: over is wrong at event %u", i, round);
			UNIT_MUST(result.count == round, "client %u, event %u is counted as %u", i,
				  round, result.count);
		}
	ck_assert_uint_eq(rg_ledger_evictions(ledger), 0);
	ck_assert_uint_eq(slots_taken(ledger), 1000);
	ck_assert_uint_eq(slots_of(ledger, client_number(7), &account), 1);
	ck_assert_uint_eq(account.events[RG_RESUMPTION], 30);
	ck_assert_uint_eq(account.first_ns, START_NS + 1);
	ck_assert_uint_eq(account.last_ns, START_NS + 30);
}
END_TEST

/* Threads read the clock, then wait for each other, so events come in another order than their
 * times. */
START_TEST(test_exact_out_of_order)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);

	for (uint32_t i = 0; i < 10; i++)
		ck_assert_int_eq(record(ledger, &key, &three, START_NS - 1000 * i).over, i >= 3);
}
END_TEST

START_TEST(test_events_are_separate)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);
	struct rg_account account;

	for (int event = 0; event < RG_EVENT_COUNT; event++)
		for (int i = 0; i <= event; i++)
			ck_assert_int_eq(rg_ledger_record(ledger, &key, (enum rg_event)event,
							  &three, false, START_NS)
					     .over,
					 i >= 3);
	rg_ledger_acted(ledger, &key, RG_INCOMPLETE);
	rg_ledger_outcome(ledger, &key, RG_OUTCOME_NOT_ACCEPTED);
	rg_ledger_outcome(ledger, &key, RG_OUTCOME_NOT_ACCEPTED);
	ck_assert_uint_eq(slots_of(ledger, client_number(1), &account), 1);
	for (uint32_t event = 0; event < RG_EVENT_COUNT; event++) {
		ck_assert_uint_eq(account.events[event], event + 1);
		ck_assert_uint_eq(account.acted[event], event == RG_INCOMPLETE);
	}
	ck_assert_uint_eq(account.outcomes[RG_OUTCOME_ACCEPTED], 0);
	ck_assert_uint_eq(account.outcomes[RG_OUTCOME_NOT_ACCEPTED], 2);
}
END_TEST

START_TEST(test_count_only)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);

	for (uint32_t i = 1; i <= 1000; i++) {
		struct rg_result result = record(ledger, &key, NULL, START_NS + i);

		UNIT_MUST(!result.over && result.count == i, "event %u", i);
	}
}
END_TEST

START_TEST(test_without_limit)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);

	for (uint32_t i = 1; i <= 5; i++) {
		struct rg_result result = record(ledger, &key, &none, START_NS + i);

		ck_assert(result.over);
		ck_assert_uint_eq(result.count, i);
	}
	ck_assert(rg_ledger_is_full(ledger, &key, RG_RESUMPTION, &none, START_NS));
}
END_TEST

/* The count covers the events since the client was last idle. */
START_TEST(test_count_restarts)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);

	for (uint32_t i = 1; i <= 10; i++)
		ck_assert_uint_eq(record(ledger, &key, &three, START_NS).count, i);
	ck_assert_uint_eq(record(ledger, &key, &three, START_NS + 59 * NS_PER_S).count, 11);
	ck_assert_uint_eq(record(ledger, &key, &three, START_NS + 200 * NS_PER_S).count, 1);
}
END_TEST

/* --- taking back --- */

START_TEST(test_take_back)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);
	struct rg_account account;
	struct rg_totals totals;

	rg_ledger_take_back(ledger, &key, RG_RESUMPTION, &three, START_NS);
	for (uint32_t i = 1; i <= 3; i++)
		ck_assert_uint_eq(record(ledger, &key, &three, START_NS).count, i);
	rg_ledger_take_back(ledger, &key, RG_RESUMPTION, &three, START_NS);
	ck_assert(!rg_ledger_is_full(ledger, &key, RG_RESUMPTION, &three, START_NS));
	ck_assert_uint_eq(record(ledger, &key, &three, START_NS).count, 3);
	ck_assert(record(ledger, &key, &three, START_NS).over);
	/* What was over the limit left no trace: only the counters change. */
	rg_ledger_take_back(ledger, &key, RG_RESUMPTION, NULL, START_NS);
	ck_assert(rg_ledger_is_full(ledger, &key, RG_RESUMPTION, &three, START_NS));
	ck_assert_uint_eq(slots_of(ledger, client_number(1), &account), 1);
	ck_assert_uint_eq(account.events[RG_RESUMPTION], 3);
	rg_ledger_totals(ledger, &totals);
	ck_assert_uint_eq(totals.events[RG_RESUMPTION], 3);
}
END_TEST

/* A kept event that took the client over the limit is gone with what it did. */
START_TEST(test_take_back_kept)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);

	for (uint32_t i = 1; i <= 4; i++)
		(void)rg_ledger_record(ledger, &key, RG_HANDSHAKE, &three, true, START_NS);
	ck_assert(rg_ledger_is_over(ledger, &key, RG_HANDSHAKE, &three, START_NS));
	rg_ledger_take_back(ledger, &key, RG_HANDSHAKE, &three, START_NS);
	ck_assert(!rg_ledger_is_over(ledger, &key, RG_HANDSHAKE, &three, START_NS));
	ck_assert(rg_ledger_is_full(ledger, &key, RG_HANDSHAKE, &three, START_NS));
}
END_TEST

/* More is taken back than there was, and the limit is no laxer for it. */
START_TEST(test_take_back_from_nothing)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);
	struct rg_account account;
	struct rg_totals totals;

	ck_assert(!record(ledger, &key, &three, START_NS).over);
	for (unsigned i = 0; i < 5; i++)
		rg_ledger_take_back(ledger, &key, RG_RESUMPTION, &three, START_NS);
	rg_ledger_totals(ledger, &totals);
	ck_assert_uint_eq(totals.events[RG_RESUMPTION], 0);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(record(ledger, &key, &three, START_NS).over, i >= 3);
	ck_assert_uint_eq(slots_of(ledger, client_number(1), &account), 1);
	ck_assert_uint_eq(account.events[RG_RESUMPTION], 5);
	ck_assert_uint_eq(account.events[RG_HANDSHAKE], 0);
}
END_TEST

START_TEST(test_is_over_and_full)
{
	struct rg_ledger *ledger = ledger_for(64);
	struct rg_key key = key_number(ledger, 1);

	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(
		    rg_ledger_is_full(ledger, &key, RG_RENEGOTIATION, &three, START_NS), i >= 3);
		ck_assert_int_eq(
		    rg_ledger_is_over(ledger, &key, RG_RENEGOTIATION, &three, START_NS), i >= 4);
		(void)rg_ledger_record(ledger, &key, RG_RENEGOTIATION, &three, true, START_NS);
	}
	ck_assert(
	    !rg_ledger_is_over(ledger, &key, RG_RENEGOTIATION, &three, START_NS + 20 * NS_PER_S));
	ck_assert(
	    !rg_ledger_is_full(ledger, &key, RG_RENEGOTIATION, &three, START_NS + 40 * NS_PER_S));
}
END_TEST

/* The memory lies between inaccessible pages: a slot outside would crash. */
START_TEST(test_stays_in_memory)
{
	static const uint32_t sizes[] = {1, 8, 64, 65, 1000, 65536};

	for (int i = 0; i < ROWS(sizes); i++) {
		struct rg_ledger *ledger = ledger_for(sizes[i]);

		ck_assert_uint_ge(rg_ledger_slots(ledger), sizes[i]);
		ck_assert_uint_le(rg_ledger_bytes(sizes[i]),
				  (200 + 256) * (size_t)rg_ledger_slots(ledger) + 4096);
		for (uint32_t client = 0; client < 20000; client++) {
			struct rg_key key = key_number(ledger, client);

			key.way_hint = client * 2654435761U;
			(void)record(ledger, &key, &three, START_NS + client);
		}
		ck_assert_uint_le(slots_taken(ledger), rg_ledger_slots(ledger));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger");

	UNIT_ADD(suite, test_key_without_slot_changes_nothing);
	UNIT_ADD(suite, test_families_are_separate);
	UNIT_ADD(suite, test_exempt_and_scopes_are_separate);
	UNIT_ADD(suite, test_wrong_hint);
	UNIT_ADD(suite, test_exact_for_many);
	UNIT_ADD(suite, test_exact_out_of_order);
	UNIT_ADD(suite, test_events_are_separate);
	UNIT_ADD(suite, test_count_only);
	UNIT_ADD(suite, test_without_limit);
	UNIT_ADD(suite, test_count_restarts);
	UNIT_ADD(suite, test_take_back);
	UNIT_ADD(suite, test_take_back_kept);
	UNIT_ADD(suite, test_take_back_from_nothing);
	UNIT_ADD(suite, test_is_over_and_full);
	UNIT_ADD(suite, test_stays_in_memory);
	return unit_run(suite);
}
