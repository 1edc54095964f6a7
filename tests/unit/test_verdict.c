/* What to do about an event: every combination of action, limit, result and kind of client. */
#include "rg_verdict.h"

#include "unit.h"

#define LIMITED 2 /* bits of a case's number */
#define OVER	4
#define KNOWN	8
#define EXEMPT	16
#define CASES	32

/* The contract, written in another way than the code under test. */
static enum rg_action expected(enum rg_action action, int bits)
{
	bool acts = action != RG_OFF && action != RG_COUNT;

	return acts && (bits & OVER) && !(bits & EXEMPT) && ((bits & KNOWN) || !(bits & LIMITED))
		   ? action
		   : RG_COUNT;
}

START_TEST(test_every_case)
{
	for (int bits = 0; bits < CASES; bits += 2) {
		struct rg_rule rule = {.action = (enum rg_action)_i};
		enum rg_action got;

		if (bits & LIMITED)
			rule.limit = (struct rg_limit){3, 600};
		got = rg_verdict(&rule, bits & OVER, bits & KNOWN, bits & EXEMPT);
		ck_assert_msg(got == expected(rule.action, bits), "%s, bits %d: the action is %s",
			      rg_action_name(rule.action), bits, rg_action_name(got));
	}
}
END_TEST

/* The corner cases, spelled out. */
static const struct {
	const char *what;
	enum rg_action action;
	struct rg_limit limit;
	bool over, known, exempt;
	enum rg_action verdict;
} corners[] = {
    {"exempt, a rule without limit", RG_CLOSE, {0, 0}, true, true, true, RG_COUNT},
    {"exempt, over", RG_BLOCK, {3, 600}, true, true, true, RG_COUNT},
    {"unknown, over a limit", RG_CLOSE, {3, 600}, true, false, false, RG_COUNT},
    {"below the limit", RG_CLOSE, {3, 600}, false, true, false, RG_COUNT},
    {"count, over", RG_COUNT, {3, 600}, true, true, false, RG_COUNT},
    {"off", RG_OFF, {0, 0}, true, true, false, RG_COUNT},
    {"unknown, a rule without limit", RG_CLOSE, {0, 0}, true, false, false, RG_CLOSE},
    {"over", RG_DECLINE, {3, 600}, true, true, false, RG_DECLINE},
};

START_TEST(test_corner)
{
	struct rg_rule rule = {corners[_i].action, corners[_i].limit};
	enum rg_action got =
	    rg_verdict(&rule, corners[_i].over, corners[_i].known, corners[_i].exempt);

	ck_assert_msg(got == corners[_i].verdict, "%s: the action is %s", corners[_i].what,
		      rg_action_name(got));
}
END_TEST

/* ERR_TLS_RENEGOTIATION_DISABLED: a renegotiation is refused under a rule that allows none.
 * ERR_TLS_SESSION_ATTACK: every other line about an event. */
START_TEST(test_codes)
{
	for (int action = 0; action < RG_ACTION_COUNT; action++) {
		struct rg_rule unlimited = {.action = (enum rg_action)action},
			       limited = {(enum rg_action)action, {3, 600}};
		bool disabled =
		    _i == RG_RENEGOTIATION && (action == RG_CLOSE || action == RG_BLOCK);

		ck_assert_str_eq(rg_verdict_code((enum rg_event)_i, &limited),
				 "ERR_TLS_SESSION_ATTACK");
		ck_assert_str_eq(rg_verdict_code((enum rg_event)_i, &unlimited),
				 disabled ? "ERR_TLS_RENEGOTIATION_DISABLED"
					  : "ERR_TLS_SESSION_ATTACK");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verdict");

	UNIT_ADD_ROWS(suite, test_corner, corners);
	unit_add(suite, "test_every_case", test_every_case, 0, RG_ACTION_COUNT);
	unit_add(suite, "test_codes", test_codes, 0, RG_EVENT_COUNT);
	return unit_run(suite);
}
