/*
 * Input: a state file. If the first byte is odd, the part that never changes is repaired, so that
 * the rest of the file is used, too. The sanitizers find accesses outside the memory. What is read
 * from the ledger must have sane values.
 */
#include "fuzz.h"
#include "rg_ledger.h"

#define SLOTS  8
#define NOW_NS UINT64_C(1000000000000)

/* What the shim does with a ledger. */
static void use(struct rg_ledger *ledger)
{
	static const struct rg_limit limits[] = {{3, 60}, {0, 0}, {1000000, 86400}};
	static const struct rg_rule rules[RG_EVENT_COUNT] = {
	    {RG_BLOCK, {3, 60}}, {RG_CLOSE, {3, 60}}, {RG_WARN, {7, 86400}}};
	struct rg_account account;
	uint32_t suppressed;

	(void)rg_ledger_use(ledger, rules, &limits[0]);
	for (uint8_t i = 0; i < 40; i++) {
		struct rg_client client = {.base = {.bytes = {10, 0, 0, i}, .family = RG_IPV4}};
		struct rg_key key = rg_ledger_key(ledger, &client);
		enum rg_event event = (enum rg_event)(i % RG_EVENT_COUNT);
		const struct rg_limit *limit = &limits[i % 3];
		uint64_t now_ns = NOW_NS + i;

		(void)rg_ledger_record(ledger, &key, event, limit, i % 2 != 0, now_ns);
		(void)rg_ledger_is_over(ledger, &key, event, limit, now_ns);
		(void)rg_ledger_is_full(ledger, &key, event, limit, now_ns);
		if (i % 4 == 0)
			rg_ledger_take_back(ledger, &key, event, limit, now_ns);
		rg_ledger_acted(ledger, &key, event);
		if (i % 8 == 0)
			rg_ledger_not_acted(ledger, &key, event);
		rg_ledger_outcome(ledger, &key, RG_OUTCOME_ACCEPTED);
	}
	(void)rg_ledger_log_allowed(ledger, &limits[0], NOW_NS, &suppressed);
	for (uint32_t slot = 0; slot < rg_ledger_slots(ledger); slot++)
		if (rg_ledger_account(ledger, slot, &account)) {
			char text[RG_ADDRESS_TEXT_BYTES];

			rg_address_text(&account.client.base, text);
			FUZZ_MUST(strlen(text) < sizeof text);
		}
}

/* What `reneguardctl status` reads. */
static void show(const struct rg_ledger *ledger)
{
	size_t whole = rg_ledger_bytes(rg_ledger_slots(ledger)), first, bytes;
	struct rg_totals totals;
	struct rg_about about;

	rg_ledger_totals(ledger, &totals);
	rg_ledger_about(ledger, &about);
	FUZZ_MUST(strlen(about.service) < sizeof about.service);
	FUZZ_MUST(strlen(about.libssl) < sizeof about.libssl);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		char text[RG_RULE_TEXT_BYTES];

		rg_rule_text(&about.rules[i], text);
		FUZZ_MUST((about.rules[i].limit.period_s == 0) || about.rules[i].limit.count != 0);
	}
	for (unsigned part = 0; rg_ledger_part(ledger, part, &first, &bytes); part++)
		FUZZ_MUST(first + bytes <= whole);
	FUZZ_MUST(rg_ledger_length(ledger->head) == whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	static const uint8_t seed[16] = "a seed of 16 byt";
	bool repair = bytes != 0 && input[0] % 2 != 0;
	size_t whole = rg_ledger_bytes(SLOTS), size = repair ? whole : bytes;
	uint8_t *memory = aligned_alloc(64, (size + 64) / 64 * 64);
	struct rg_ledger ledger;
	const char *why;

	memset(memory, 0, size);
	memcpy(memory, input, bytes < size ? bytes : size);
	if (repair)
		rg_ledger_make(&ledger, memory, SLOTS, seed, 0);
	if (rg_ledger_attach(&ledger, memory, size, &why)) {
		FUZZ_MUST(rg_ledger_bytes(rg_ledger_slots(&ledger)) == size);
		use(&ledger);
		show(&ledger);
		use(&ledger);
	} else {
		FUZZ_MUST(!repair && why != NULL);
	}
	free(memory);
	return 0;
}
