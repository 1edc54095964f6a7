/* A ledger that was made elsewhere: what is believed to be one, and what is shown of it. */
#include "ledgers.h"

#define CLIENTS 64
#define NOW_NS	(1000 * NS_PER_S)

static const struct rg_limit three = {3, 60};

/* A copy of LEDGER's memory, as another process would find it in a file. */
static uint8_t *copy_of(const struct rg_ledger *ledger)
{
	uint8_t *copy = aligned_alloc(64, rg_ledger_bytes(CLIENTS));

	ck_assert(copy != NULL);
	memcpy(copy, ledger->head, rg_ledger_bytes(CLIENTS));
	return copy;
}

/* Record an event of CLIENT. Is it over the limit? */
static bool over(struct rg_ledger *ledger, uint32_t client, uint64_t now_ns)
{
	struct rg_key key = key_number(ledger, client);

	return rg_ledger_record(ledger, &key, RG_RESUMPTION, &three, false, now_ns).over;
}

/* A file with three events of client 1, as many as its limit allows. */
static uint8_t *used_file(void)
{
	struct rg_ledger *ledger = ledger_for(CLIENTS);

	for (unsigned i = 0; i < 3; i++)
		ck_assert(!over(ledger, 1, NOW_NS));
	return copy_of(ledger);
}

static struct rg_ledger attached(uint8_t *file)
{
	struct rg_ledger ledger;
	const char *why;

	ck_assert(rg_ledger_attach(&ledger, file, rg_ledger_bytes(CLIENTS), &why));
	ck_assert_ptr_null(why);
	ck_assert_uint_eq(rg_ledger_slots(&ledger), CLIENTS);
	return ledger;
}

START_TEST(test_goes_on)
{
	struct rg_ledger ledger = attached(used_file());
	struct rg_account account;

	ck_assert(over(&ledger, 1, NOW_NS + NS_PER_S));
	ck_assert(!over(&ledger, 2, NOW_NS + NS_PER_S));
	ck_assert_uint_eq(slots_of(&ledger, client_number(1), &account), 1);
	ck_assert_uint_eq(account.events[RG_RESUMPTION], 4);
	ck_assert_uint_eq(account.first_ns, NOW_NS);
}
END_TEST

START_TEST(test_announced_again)
{
	static const struct rg_about shop = {.service = "shop", .libssl = "3.0.19"};
	struct rg_ledger ledger = attached(used_file());

	ck_assert(rg_ledger_announce(&ledger, &shop, 7));
	ledger = attached((uint8_t *)ledger.head);
	ck_assert(!rg_ledger_announce(&ledger, &shop, 7));
}
END_TEST

/* Times are by the clock of whoever made it; another is told by its number. */
START_TEST(test_clock)
{
	static const uint8_t seed[16] = "a seed of 16 byt";
	uint8_t *memory = aligned_alloc(64, rg_ledger_bytes(CLIENTS));
	struct rg_ledger ledger;

	memset(memory, 0, rg_ledger_bytes(CLIENTS));
	rg_ledger_make(&ledger, memory, CLIENTS, seed, UINT64_C(0xeffffffc12345678));
	ledger = attached(memory);
	ck_assert_uint_eq(rg_ledger_clock(&ledger), UINT64_C(0xeffffffc12345678));
}
END_TEST

/* What a new file gets is its head. */
START_TEST(test_made_by_its_head)
{
	static const uint8_t seed[16] = "a seed of 16 byt";
	uint8_t *file = aligned_alloc(64, rg_ledger_bytes(CLIENTS));
	uint8_t *head = aligned_alloc(64, RG_LEDGER_HEAD_BYTES);
	struct rg_ledger ledger;

	memset(head, 0, RG_LEDGER_HEAD_BYTES);
	rg_ledger_make(&ledger, head, CLIENTS, seed, 0);
	memset(file, 0, rg_ledger_bytes(CLIENTS));
	memcpy(file, head, RG_LEDGER_HEAD_BYTES);
	free(head);
	ledger = attached(file);
	ck_assert(!over(&ledger, 1, NOW_NS));
}
END_TEST

/* --- memory that is not a ledger --- */

START_TEST(test_every_length)
{
	size_t whole = rg_ledger_bytes(CLIENTS);
	uint8_t *file = used_file();
	struct rg_ledger ledger;
	const char *why;

	for (size_t bytes = 0; bytes < whole + 64; bytes += bytes < 300 ? 1 : 97) {
		uint8_t *copy = aligned_alloc(64, (bytes + 64) / 64 * 64);

		memcpy(copy, file, bytes < whole ? bytes : whole);
		UNIT_MUST(bytes == whole || !rg_ledger_attach(&ledger, copy, bytes, &why),
			  "%zu bytes are accepted", bytes);
		free(copy);
	}
}
END_TEST

/* The part that never changes is checked: no bit of it can be another. */
START_TEST(test_every_bit)
{
	uint8_t *file = used_file();
	struct rg_ledger ledger;
	const char *why;

	for (size_t bit = 0; bit < 56 * 8; bit++) {
		file[bit / 8] ^= (uint8_t)(1U << bit % 8);
		UNIT_MUST(!rg_ledger_attach(&ledger, file, rg_ledger_bytes(CLIENTS), &why) &&
			      why != NULL,
			  "accepted with bit %zu changed", bit);
		file[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	(void)attached(file);
}
END_TEST

/* Damage under a process that uses the ledger never gives it a wrong index. */
START_TEST(test_damaged_in_use)
{
	struct rg_ledger *ledger = ledger_for(CLIENTS);
	uint64_t random = 1;

	for (unsigned round = 0; round < 200; round++) {
		uint64_t *words = (uint64_t *)ledger->head;

		for (size_t i = 0; i < rg_ledger_bytes(CLIENTS) / sizeof *words; i++)
			words[i] = unit_random(&random);
		for (uint32_t client = 0; client < 50; client++)
			(void)over(ledger, client, NOW_NS);
		(void)slots_taken(ledger);
	}
	ck_assert_uint_eq(rg_ledger_slots(ledger), CLIENTS);
}
END_TEST

/* --- what the inspector shows --- */

START_TEST(test_totals)
{
	struct rg_ledger *ledger = ledger_for(8);
	struct rg_totals totals;

	for (uint32_t client = 0; client < 100; client++) {
		struct rg_key key = key_number(ledger, client);

		(void)over(ledger, client, NOW_NS + client);
		(void)over(ledger, client, NOW_NS + client);
		rg_ledger_acted(ledger, &key, RG_RESUMPTION);
		rg_ledger_outcome(ledger, &key, RG_OUTCOME_ACCEPTED);
	}
	rg_ledger_totals(ledger, &totals);
	ck_assert_uint_eq(totals.events[RG_RESUMPTION], 200);
	ck_assert_uint_eq(totals.acted[RG_RESUMPTION], 100);
	ck_assert_uint_eq(totals.outcomes[RG_OUTCOME_ACCEPTED], 100);
	ck_assert_uint_eq(totals.events[RG_HANDSHAKE], 0);
}
END_TEST

/* A reader that copies only the parts that were touched has every client. */
START_TEST(test_parts)
{
	static const uint32_t sizes[] = {64, 1000, 65536};

	for (int i = 0; i < ROWS(sizes); i++) {
		struct rg_ledger *ledger = ledger_for(sizes[i]), copy;
		size_t bytes = rg_ledger_bytes(sizes[i]), first, count, read = 0;
		uint8_t *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
		const char *why;

		for (uint32_t client = 0; client < 50; client++)
			(void)over(ledger, client, NOW_NS);
		ck_assert_uint_eq(rg_ledger_length(ledger->head), bytes);
		memset(memory, 0, bytes);
		memcpy(memory, ledger->head, RG_LEDGER_HEAD_BYTES);
		ck_assert(rg_ledger_attach(&copy, memory, bytes, &why));
		for (unsigned part = 0; rg_ledger_part(&copy, part, &first, &count); part++) {
			ck_assert_uint_le(first + count, bytes);
			memcpy(memory + first, (uint8_t *)ledger->head + first, count);
			read += count;
		}
		ck_assert_uint_eq(slots_taken(&copy), slots_taken(ledger));
		ck_assert_uint_le(read, 50 * 64 * 200);
		free(memory);
	}
}
END_TEST

START_TEST(test_about)
{
	struct rg_about about = {.rules = {{RG_CLOSE, {0, 0}}, {RG_WARN, {120, 60}}},
				 .service = "shop",
				 .libssl = "3.0.19"},
			read;
	struct rg_ledger *ledger = ledger_for(64);

	ck_assert(rg_ledger_announce(ledger, &about, 1));
	rg_ledger_about(ledger, &read);
	ck_assert_str_eq(read.service, "shop");
	ck_assert_str_eq(read.libssl, "3.0.19");
	ck_assert_int_eq(read.rules[1].action, RG_WARN);
	ck_assert_uint_eq(read.rules[1].limit.count, 120);
	memset((uint8_t *)ledger->head + 64, 0xff, RG_LEDGER_HEAD_BYTES - 64);
	rg_ledger_about(ledger, &read);
	ck_assert_uint_lt(strlen(read.service), sizeof read.service);
	ck_assert_int_eq(read.rules[1].action, RG_OFF);
	ck_assert_uint_eq(read.rules[1].limit.period_s, 0);
}
END_TEST

/* rg_limit_left says exactly how many more events pass. */
START_TEST(test_left)
{
	static const struct rg_limit limits[] = {{1, 1}, {3, 60}, {120, 60}, {7, 86400}};
	uint64_t random = 3;

	for (unsigned round = 0; round < 2000; round++) {
		const struct rg_limit *limit = &limits[round % 4];
		uint64_t now_ns = NOW_NS + unit_random(&random) % NS_PER_S, state = 0;
		uint32_t left;

		for (uint64_t i = unit_random(&random) % 200; i != 0; i--) {
			now_ns += unit_random(&random) % NS_PER_S;
			state = rg_limit_event(state, 5, now_ns, limit, i % 2 != 0).state;
		}
		left = rg_limit_left(state, 5, now_ns, limit);
		for (uint32_t i = 0; i <= left; i++) {
			struct rg_limit_step step = rg_limit_event(state, 5, now_ns, limit, false);

			UNIT_MUST(step.over == (i == left),
				  "round %u: %u left, but over is wrong at event %u", round, left,
				  i);
			state = step.state;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger_file");

	UNIT_ADD(suite, test_goes_on);
	UNIT_ADD(suite, test_clock);
	UNIT_ADD(suite, test_made_by_its_head);
	UNIT_ADD(suite, test_announced_again);
	UNIT_ADD(suite, test_every_length);
	UNIT_ADD(suite, test_every_bit);
	UNIT_ADD(suite, test_damaged_in_use);
	UNIT_ADD(suite, test_totals);
	UNIT_ADD(suite, test_parts);
	UNIT_ADD(suite, test_about);
	UNIT_ADD(suite, test_left);
	return unit_run(suite);
}
