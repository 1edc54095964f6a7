/*
 * A worked example of reneguard-daemons(7), "Choosing limits": a day of browsers behind one NAT address,
 * played into the ledger. It shows what a limit of twice the busiest minute does to the browsers
 * and to an attacker among them, and what the default limit does.
 */
#include "ledgers.h"

#define DAY_S	    86400
#define MINUTE_S    60
#define BROWSERS    500
#define PAGE_S	    120 /* each browser opens a page this often on average, day and night */
#define CONNECTIONS 6	/* at once for each page, as with HTTP/1.1 */

static const struct rg_limit twice_busiest = {4000, MINUTE_S};
static const struct rg_limit default_limit = {120, MINUTE_S};

static struct rg_ledger *ledger;
static struct rg_key key;
static uint32_t acted, busiest, this_minute;
static uint64_t minute;

/* One offer to resume. */
static void offer(const struct rg_limit *limit, uint64_t now_ns)
{
	if (now_ns / NS_PER_S / MINUTE_S != minute)
		this_minute = 0;
	minute = now_ns / NS_PER_S / MINUTE_S;
	busiest = ++this_minute > busiest ? this_minute : busiest;
	acted += rg_ledger_record(ledger, &key, RG_RESUMPTION, limit, false, now_ns).over;
}

/* Play a day of the browsers, with ATTACKS offers a second from an attacker behind the same
 * address. Returns how many offers there were. */
static uint32_t day_behind_nat(const struct rg_limit *limit, unsigned attacks)
{
	uint64_t random = 2026;
	uint32_t offers = 0;

	ledger = ledger_for(64);
	key = key_number(ledger, 1);
	acted = busiest = this_minute = 0;
	for (uint64_t tenth = 0; tenth < 10 * DAY_S; tenth++) {
		uint64_t now_ns = (1000 + tenth / 10) * NS_PER_S + tenth % 10 * (NS_PER_S / 10);
		unsigned pages = 0;

		for (unsigned browser = 0; browser < BROWSERS; browser++)
			pages += unit_random(&random) % (10 * PAGE_S) == 0;
		for (unsigned i = 0; i < pages * CONNECTIONS; i++, offers++)
			offer(limit, now_ns + i);
		for (unsigned i = 0; i < attacks / 10; i++, offers++)
			offer(limit, now_ns + NS_PER_S / 20 + i);
	}
	return offers;
}

START_TEST(test_nat)
{
	uint32_t offers = day_behind_nat(&twice_busiest, 0);

	ck_assert_uint_gt(offers / (DAY_S / MINUTE_S), 1400);
	ck_assert_uint_lt(offers / (DAY_S / MINUTE_S), 1600);
	ck_assert_uint_gt(busiest, 1700);
	ck_assert_uint_le(2 * busiest, twice_busiest.count);
	ck_assert_uint_eq(acted, 0);
}
END_TEST

/* The default limit lets 120 a minute pass: eight in a hundred. */
START_TEST(test_nat_default)
{
	uint32_t offers = day_behind_nat(&default_limit, 0);

	ck_assert_uint_gt(acted, offers / 100 * 91);
	ck_assert_uint_lt(acted, offers / 100 * 93);
}
END_TEST

/* The attacker makes a hundred offers a second. */
START_TEST(test_nat_attacked)
{
	uint32_t offers = day_behind_nat(&twice_busiest, 100);

	ck_assert_uint_gt(acted, 0);
	ck_assert_uint_lt(offers - acted, (DAY_S / MINUTE_S + 2) * twice_busiest.count);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("examples");

	UNIT_ADD(suite, test_nat);
	UNIT_ADD(suite, test_nat_default);
	UNIT_ADD(suite, test_nat_attacked);
	return unit_run(suite);
}
