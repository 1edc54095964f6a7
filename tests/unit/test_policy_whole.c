/* The policy as a whole: several variables at once, unknown ones, and which clients it makes of
 * addresses. */
#include "rg_policy.h"

#include "unit.h"

static void count_complaint(void *arg, const char *variable, const char *value,
			    const char *accepted)
{
	unsigned *count = arg;

	ck_assert_ptr_nonnull(variable);
	ck_assert_ptr_nonnull(value);
	ck_assert_ptr_nonnull(accepted);
	(*count)++;
}

static struct rg_policy policy_of(char *const environment[], unsigned bad)
{
	struct rg_policy policy;
	unsigned complaints = 0;

	ck_assert_uint_eq(
	    rg_policy_read(&policy, environment, "program", count_complaint, &complaints), bad);
	ck_assert_uint_eq(complaints, bad);
	return policy;
}

static char *const unknown[] = {
    "RENEGUARD_X=1",
    "RENEGUARD_=",
    "RENEGUARD_RENEGOCIATION=close",
    "RENEGUARD_RENEGOTIATIONS=close",
    "RENEGUARD_renegotiation=close",
    "RENEGUARD_ROLE =server",
    "RENEGUARD_AVERYLONGNAMEAVERYLONGNAMEAVERYLONGNAMEAVERYLONGNAMEAVERYLONGNAMEAVERYLONGNAME=1",
};

START_TEST(test_unknown_variable)
{
	char *const environment[] = {"PATH=/bin", unknown[_i], NULL};

	(void)policy_of(environment, 1);
}
END_TEST

START_TEST(test_each_bad_variable_is_reported)
{
	char *const environment[] = {"RENEGUARD_X=1",	   "RENEGUARD_RESUMPTION=warn:5/60s",
				     "RENEGUARD_ROLE=x",   "RENEGUARD_KEYUPDATE=",
				     "RENEGUARD_STRICT=1", NULL};
	struct rg_policy policy = policy_of(environment, 3);

	ck_assert_uint_eq(policy.rules[RG_RESUMPTION].limit.count, 5);
	ck_assert_uint_eq(policy.rules[RG_KEYUPDATE].limit.count, 64);
	ck_assert_int_eq(policy.role, RG_ROLE_SERVER);
	ck_assert(policy.strict);
}
END_TEST

/* A rule without a limit also removes the default's limit. */
START_TEST(test_default_limit_is_removed)
{
	char *const environment[] = {"RENEGUARD_RESUMPTION=close", NULL};
	struct rg_policy policy = policy_of(environment, 0);

	ck_assert_uint_eq(policy.rules[RG_RESUMPTION].limit.period_s, 0);
	ck_assert_uint_eq(policy.rules[RG_RESUMPTION].limit.count, 0);
}
END_TEST

START_TEST(test_no_program_name)
{
	struct rg_policy policy;
	unsigned complaints = 0;
	char long_name[200];

	ck_assert_uint_eq(rg_policy_read(&policy, NULL, NULL, count_complaint, &complaints), 0);
	ck_assert_str_eq(policy.name, "");
	ck_assert_uint_eq(rg_policy_read(&policy, NULL, "", count_complaint, &complaints), 0);
	ck_assert_str_eq(policy.name, "unnamed");
	memset(long_name, 'p', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	ck_assert_uint_eq(rg_policy_read(&policy, NULL, long_name, count_complaint, &complaints),
			  0);
	ck_assert_uint_eq(strlen(policy.name), RG_NAME_BYTES - 1);
}
END_TEST

static const struct {
	enum rg_action action;
	struct rg_limit limit;
	const char *text;
} rules[] = {
    {RG_OFF, {0, 0}, "off"},
    {RG_CLOSE, {3, 600}, "close:3/600s"},
    {RG_DECLINE, {1000000, 86400}, "decline:1000000/86400s"},
    {RG_DECLINE, {UINT32_MAX, UINT32_MAX}, "decline:4294967295/4294967295s"},
};

START_TEST(test_rule_text)
{
	struct rg_rule rule = {rules[_i].action, rules[_i].limit};
	char *text = malloc(RG_RULE_TEXT_BYTES);

	rg_rule_text(&rule, text);
	ck_assert_str_eq(text, rules[_i].text);
	free(text);
}
END_TEST

/* Text that does not fit is cut, but still terminated. */
START_TEST(test_setting_text_sizes)
{
	char *const environment[] = {"RENEGUARD_EXEMPT=192.0.2.7,2001:db8::/32,10.0.0.0/8",
				     "RENEGUARD_LOG=syslog,stderr", "RENEGUARD_NAME=a name", NULL};
	struct rg_policy policy = policy_of(environment, 0);
	const char *variable, *what;

	for (size_t size = 1; size < 80; size++) {
		char *text = malloc(size);

		for (size_t i = 0;
		     rg_policy_setting(&policy, i, text, size, &variable, &what) != NULL; i++)
			UNIT_MUST(strnlen(text, size) < size, "%s is not terminated in %zu bytes",
				  variable, size);
		free(text);
	}
}
END_TEST

/* --- clients --- */

static struct rg_address address_of(const char *text)
{
	struct rg_network network;

	ck_assert_int_eq(rg_network_parse(&network, text, strlen(text)), 0);
	return network.base;
}

static const struct {
	const char *address;
	bool exempt;
} exempt[] = {
    {"192.0.2.8", false},    {"11.0.0.0", false},	{"2001:db9::", false},
    {"::", false},	     {"192.0.2.7", true},	{"10.255.0.1", true},
    {"2001:db8:1::2", true}, {"::ffff:10.1.2.3", true}, {"172.16.5.5", true},
};

START_TEST(test_exempt)
{
	char *const environment[] = {
	    "RENEGUARD_EXEMPT=192.0.2.7,10.0.0.0/8,2001:db8::/32,::ffff:172.16.0.0/108", NULL};
	struct rg_policy policy = policy_of(environment, 0);
	struct rg_address address = address_of(exempt[_i].address),
			  no_address = {.family = RG_UNKNOWN};

	ck_assert_int_eq(rg_policy_exempts(&policy, &address), exempt[_i].exempt);
	ck_assert(!rg_policy_exempts(&policy, &no_address));
}
END_TEST

static const struct {
	const char *address, *client;
} cuts[] = {
    {"192.0.2.7", "192.0.2.0"},
    {"::ffff:192.0.2.7", "192.0.2.0"},
    {"2001:db8:1:2:3::4", "2001:db8:1::"},
    {"64:ff9b::192.0.2.7", "192.0.2.0"}, /* NAT64 */
    {"fe80::1:2:3:4", "fe80::1:2:3:4"},	 /* link-local */
    {"2001:0:c000:207:1:2:3:4", "2001:0:c000:207:1:2:3:4"}, /* Teredo */
    {"2001:db8:1:ffff::9", "2001:db8:1:ffff::9"},	    /* exempt */
    {"2001:db8:1:fffe::9", "2001:db8:1::"},		    /* its neighbour */
};

START_TEST(test_address_is_cut)
{
	char *const environment[] = {"RENEGUARD_IPV4_PREFIX=24", "RENEGUARD_IPV6_PREFIX=48",
				     "RENEGUARD_EXEMPT=2001:db8:1:ffff::9", NULL};
	struct rg_policy policy = policy_of(environment, 0);
	struct rg_address address = address_of(cuts[_i].address),
			  want = address_of(cuts[_i].client);
	struct rg_client got = rg_policy_client(&policy, &address);

	ck_assert_mem_eq(&got.base, &want, sizeof want);
	ck_assert_int_eq(got.exempt, strcmp(cuts[_i].address, "2001:db8:1:ffff::9") == 0);
}
END_TEST

START_TEST(test_unknown_address_is_not_cut)
{
	char *const environment[] = {"RENEGUARD_IPV4_PREFIX=0", "RENEGUARD_IPV6_PREFIX=0", NULL};
	struct rg_policy policy = policy_of(environment, 0);
	struct rg_address no_address = {.family = RG_UNKNOWN};
	struct rg_client got = rg_policy_client(&policy, &no_address);

	ck_assert_mem_eq(&got.base, &no_address, sizeof no_address);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_whole");

	UNIT_ADD_ROWS(suite, test_unknown_variable, unknown);
	UNIT_ADD(suite, test_each_bad_variable_is_reported);
	UNIT_ADD(suite, test_default_limit_is_removed);
	UNIT_ADD(suite, test_no_program_name);
	UNIT_ADD_ROWS(suite, test_rule_text, rules);
	UNIT_ADD(suite, test_setting_text_sizes);
	UNIT_ADD_ROWS(suite, test_exempt, exempt);
	UNIT_ADD_ROWS(suite, test_address_is_cut, cuts);
	UNIT_ADD(suite, test_unknown_address_is_not_cut);
	return unit_run(suite);
}
