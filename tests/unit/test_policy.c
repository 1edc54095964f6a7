/*
 * The policy, one variable at a time: defaults, bad values, good values, and the complaint about
 * each bad one. The expected values are those of the contract (INTERFACE "Policy").
 */
#include "rg_policy.h"

#include "unit.h"

#define PROGRAM	   "program"
#define TEXT_BYTES 8192

struct complaints {
	unsigned count;
	char variable[RG_NAME_BYTES], value[TEXT_BYTES], accepted[256];
};

static void complain(void *arg, const char *variable, const char *value, const char *accepted)
{
	struct complaints *complaints = arg;

	complaints->count++;
	snprintf(complaints->variable, sizeof complaints->variable, "%s", variable);
	snprintf(complaints->value, sizeof complaints->value, "%s", value);
	snprintf(complaints->accepted, sizeof complaints->accepted, "%s", accepted);
}

/* Read an environment that holds only SETTING. It is overwritten and freed before anyone looks at
 * the policy, which must keep copies only. */
static void read_one(struct rg_policy *policy, struct complaints *complaints, const char *setting)
{
	char *copy = unit_copy(setting, strlen(setting) + 1);
	char *const environment[] = {copy, NULL};

	memset(policy, 0x5a, sizeof *policy);
	memset(complaints, 0, sizeof *complaints);
	ck_assert_uint_eq(rg_policy_read(policy, environment, PROGRAM, complain, complaints),
			  complaints->count);
	memset(copy, 'x', strlen(setting));
	free(copy);
}

/* The value of VARIABLE, as the policy prints it. */
static const char *setting_of(const struct rg_policy *policy, const char *variable)
{
	static char text[TEXT_BYTES];
	const char *found, *what;

	for (size_t i = 0; rg_policy_setting(policy, i, text, sizeof text, &found, &what) != NULL;
	     i++)
		if (strcmp(found, variable) == 0)
			return text;
	ck_abort_msg("the policy does not print %s", variable);
}

/* --- the defaults of the contract --- */

static const struct {
	const char *variable, *initial;
} contract[] = {
    {"RENEGUARD_RENEGOTIATION", "close"},
    {"RENEGUARD_RESUMPTION", "warn:120/60s"},
    {"RENEGUARD_HANDSHAKE", "count"},
    {"RENEGUARD_INCOMPLETE", "count"},
    {"RENEGUARD_KEYUPDATE", "warn:64/60s"},
    {"RENEGUARD", "on"},
    {"RENEGUARD_ROLE", "server"},
    {"RENEGUARD_EXEMPT", ""},
    {"RENEGUARD_IPV4_PREFIX", "32"},
    {"RENEGUARD_IPV6_PREFIX", "64"},
    {"RENEGUARD_CLIENTS", "65536"},
    {"RENEGUARD_STATE", ""},
    {"RENEGUARD_NAME", PROGRAM},
    {"RENEGUARD_LOG", "syslog"},
    {"RENEGUARD_LOG_FORMAT", "text"},
    {"RENEGUARD_LOG_RATE", "20/1s"},
    {"RENEGUARD_SYSLOG_FACILITY", "authpriv"},
    {"RENEGUARD_SYSLOG_SOCKET", "/dev/log"},
    {"RENEGUARD_STRICT", "0"},
};

START_TEST(test_defaults)
{
	static char *const unrelated[] = {"RENEGUAR=off",
					  "RENEGUARDS=off",
					  "XRENEGUARD_ROLE=x",
					  "reneguard_role=x",
					  "RENEGUARD_ROLE",
					  "=",
					  "",
					  NULL};
	struct complaints complaints = {.count = 0};
	char text[TEXT_BYTES];
	const char *variable, *what;
	struct rg_policy policy;
	size_t index = 0;

	ck_assert_uint_eq(
	    rg_policy_read(&policy, _i == 0 ? NULL : unrelated, PROGRAM, complain, &complaints), 0);
	while (rg_policy_setting(&policy, index, text, sizeof text, &variable, &what) != NULL) {
		ck_assert_int_lt((int)index, ROWS(contract));
		ck_assert_str_eq(variable, contract[index].variable);
		ck_assert_str_eq(text, contract[index].initial);
		ck_assert_uint_gt(strlen(what), 0);
		index++;
	}
	ck_assert_int_eq((int)index, ROWS(contract));
}
END_TEST

static const struct {
	const char *name, *actions;
} events[] = {
    {"renegotiation", "off count warn close block"},
    {"resumption", "off count warn decline close block"},
    {"handshake", "off count warn close block"},
    {"incomplete", "off count warn block"},
    {"keyupdate", "off count warn close block"},
};

/* Each event accepts exactly the actions that the contract lists for it. */
START_TEST(test_event_actions)
{
	ck_assert_str_eq(rg_event_name((enum rg_event)_i), events[_i].name);
	for (int action = 0; action < RG_ACTION_COUNT; action++) {
		const char *name = rg_action_name((enum rg_action)action);
		bool allowed = strstr(events[_i].actions, name) != NULL;
		struct complaints complaints;
		struct rg_policy policy;
		char setting[64];

		snprintf(setting, sizeof setting, "%s=%s", contract[_i].variable, name);
		read_one(&policy, &complaints, setting);
		ck_assert_int_eq(complaints.count == 0, allowed);
		ck_assert_str_eq(setting_of(&policy, contract[_i].variable),
				 allowed ? name : contract[_i].initial);
		ck_assert_int_eq(strstr(rg_rule_accepted((enum rg_event)_i), name) != NULL,
				 allowed);
	}
}
END_TEST

/* --- values --- */

#define RULE "RENEGUARD_RESUMPTION="

/* clang-format off */
static const char *const bad[] = {
    RULE "", RULE ":", RULE "warn:", RULE ":3/60s", RULE "warn:3", RULE "warn:/60s", RULE "warn:3/",
    RULE "warn:3/s", RULE "warn:3/60", RULE "warn:0/60s", RULE "warn:1000001/60s",
    RULE "warn:03/60s", RULE "warn:3/060s", RULE "warn:3/0s", RULE "warn:3/25h",
    RULE "warn:3/1441m", RULE "warn:3/86401s", RULE "warn:3/1d", RULE "warn:3/60S",
    RULE "warn:3/60ss", RULE "warn:3/60s ", RULE " warn:3/60s", RULE "warn :3/60s",
    RULE "warn: 3/60s", RULE "warn:3 /60s", RULE "warn:3/ 60s", RULE "warn:3/60 s",
    RULE "warn:+3/60s", RULE "warn:-3/60s", RULE "warn:3.5/60s", RULE "warn:0x3/60s",
    RULE "warn:3/60s/60s", RULE "warn:3/60s:3/60s", RULE "warn:3/60s,close", RULE "WARN",
    RULE "warning", RULE "war", RULE "warn:4294967299/60s", RULE "warn:18446744073709551617/60s",
    RULE "warn:3/4294967356s", RULE "warn\n", RULE "off:", RULE "count:x",
    "RENEGUARD_RENEGOTIATION=decline", "RENEGUARD_RENEGOTIATION=decline:3/60s",
    "RENEGUARD_HANDSHAKE=decline", "RENEGUARD_KEYUPDATE=decline", "RENEGUARD_INCOMPLETE=close",
    "RENEGUARD=", "RENEGUARD=ON", "RENEGUARD=1", "RENEGUARD=off ", "RENEGUARD_ROLE=",
    "RENEGUARD_ROLE=server,client", "RENEGUARD_ROLE=Server", "RENEGUARD_EXEMPT=,",
    "RENEGUARD_EXEMPT=192.0.2.1,", "RENEGUARD_EXEMPT=,192.0.2.1",
    "RENEGUARD_EXEMPT=192.0.2.1,,192.0.2.2", "RENEGUARD_EXEMPT=192.0.2.1, 192.0.2.2",
    "RENEGUARD_EXEMPT=192.0.2.0/33", "RENEGUARD_EXEMPT=localhost",
    "RENEGUARD_EXEMPT=192.0.2.1 192.0.2.2", "RENEGUARD_IPV4_PREFIX=", "RENEGUARD_IPV4_PREFIX=33",
    "RENEGUARD_IPV4_PREFIX=-1", "RENEGUARD_IPV4_PREFIX=024", "RENEGUARD_IPV4_PREFIX=/24",
    "RENEGUARD_IPV6_PREFIX=129", "RENEGUARD_IPV6_PREFIX=64 ", "RENEGUARD_CLIENTS=",
    "RENEGUARD_CLIENTS=63", "RENEGUARD_CLIENTS=4194305", "RENEGUARD_CLIENTS=4294967360",
    "RENEGUARD_CLIENTS=64k", "RENEGUARD_STATE=relative", "RENEGUARD_STATE= /absolute",
    "RENEGUARD_NAME=tab\there", "RENEGUARD_NAME=line\nbreak", "RENEGUARD_NAME=n\xc3\xa4me",
    "RENEGUARD_LOG=", "RENEGUARD_LOG=,", "RENEGUARD_LOG=syslog,", "RENEGUARD_LOG=syslog,,stderr",
    "RENEGUARD_LOG=syslog, stderr", "RENEGUARD_LOG=stdout", "RENEGUARD_LOG=off,syslog",
    "RENEGUARD_LOG_FORMAT=", "RENEGUARD_LOG_FORMAT=logfmt", "RENEGUARD_LOG_FORMAT=JSON",
    "RENEGUARD_LOG_RATE=", "RENEGUARD_LOG_RATE=20", "RENEGUARD_LOG_RATE=0/1s",
    "RENEGUARD_LOG_RATE=20/1", "RENEGUARD_LOG_RATE=1000001/1s", "RENEGUARD_LOG_RATE=off",
    "RENEGUARD_SYSLOG_FACILITY=", "RENEGUARD_SYSLOG_FACILITY=local8",
    "RENEGUARD_SYSLOG_FACILITY=10", "RENEGUARD_SYSLOG_FACILITY=AUTH", "RENEGUARD_SYSLOG_SOCKET=",
    "RENEGUARD_SYSLOG_SOCKET=dev/log", "RENEGUARD_STRICT=", "RENEGUARD_STRICT=2",
    "RENEGUARD_STRICT=yes", "RENEGUARD_STRICT=01",
};
/* clang-format on */

START_TEST(test_bad_value)
{
	size_t variable_length = strcspn(bad[_i], "=");
	struct complaints complaints, ignored;
	struct rg_policy policy, defaults;

	read_one(&defaults, &ignored, "UNRELATED=1");
	read_one(&policy, &complaints, bad[_i]);
	ck_assert_msg(complaints.count == 1, "accepted: %s", bad[_i]);
	ck_assert_uint_eq(strlen(complaints.variable), variable_length);
	ck_assert_mem_eq(complaints.variable, bad[_i], variable_length);
	ck_assert_str_eq(complaints.value, bad[_i] + variable_length + 1);
	ck_assert_str_ne(complaints.accepted, "");
	ck_assert_mem_eq(&policy, &defaults, sizeof policy);
}
END_TEST

/* clang-format off */
static const struct {
	const char *setting, *text; /* as printed; NULL: the value itself */
} good[] = {
    {RULE "off", NULL}, {RULE "decline", NULL}, {RULE "block:1/1s", NULL},
    {RULE "close:3/600s", NULL}, {RULE "close:3/10m", "close:3/600s"},
    {RULE "close:3/24h", "close:3/86400s"}, {RULE "close:1000000/86400s", NULL},
    {RULE "close:1000000/1440m", "close:1000000/86400s"}, {RULE "off:3/60s", NULL},
    {RULE "count:3/60s", NULL}, {"RENEGUARD=off", NULL}, {"RENEGUARD_ROLE=client", NULL},
    {"RENEGUARD_ROLE=both", NULL}, {"RENEGUARD_EXEMPT=", NULL},
    {"RENEGUARD_EXEMPT=192.0.2.7,2001:db8::/32,::ffff:10.0.0.0/104", "192.0.2.7/32,2001:db8::/32,10.0.0.0/8"},
    {"RENEGUARD_IPV4_PREFIX=0", NULL}, {"RENEGUARD_IPV4_PREFIX=31", NULL},
    {"RENEGUARD_IPV6_PREFIX=0", NULL}, {"RENEGUARD_IPV6_PREFIX=128", NULL},
    {"RENEGUARD_CLIENTS=64", NULL}, {"RENEGUARD_CLIENTS=4194304", NULL},
    {"RENEGUARD_STATE=/", NULL}, {"RENEGUARD_STATE=/run/a b", NULL}, {"RENEGUARD_STATE=", NULL},
    {"RENEGUARD_NAME=", PROGRAM}, {"RENEGUARD_NAME=a \"b\"=c", NULL}, {"RENEGUARD_LOG=off", NULL},
    {"RENEGUARD_LOG=stderr", NULL}, {"RENEGUARD_LOG=stderr,syslog", "syslog,stderr"},
    {"RENEGUARD_LOG_FORMAT=json", NULL}, {"RENEGUARD_LOG_RATE=1/24h", "1/86400s"},
    {"RENEGUARD_SYSLOG_FACILITY=auth", NULL}, {"RENEGUARD_SYSLOG_FACILITY=local7", NULL},
    {"RENEGUARD_SYSLOG_SOCKET=/run/log", NULL}, {"RENEGUARD_STRICT=1", NULL},
};
/* clang-format on */

START_TEST(test_good_value)
{
	size_t variable_length = strcspn(good[_i].setting, "=");
	const char *text =
	    good[_i].text != NULL ? good[_i].text : good[_i].setting + variable_length + 1;
	struct complaints complaints;
	struct rg_policy policy;

	read_one(&policy, &complaints, good[_i].setting);
	ck_assert_msg(complaints.count == 0, "not accepted: %s", good[_i].setting);
	for (int i = 0; i < ROWS(contract); i++) {
		bool set = strlen(contract[i].variable) == variable_length &&
			   memcmp(contract[i].variable, good[_i].setting, variable_length) == 0;

		ck_assert_str_eq(setting_of(&policy, contract[i].variable),
				 set ? text : contract[i].initial);
	}
}
END_TEST

/* --- the longest values --- */

static const struct {
	const char *variable;
	char first;
	size_t longest;
} lengths[] = {{"RENEGUARD_NAME", 'a', 63},
	       {"RENEGUARD_STATE", '/', 1023},
	       {"RENEGUARD_SYSLOG_SOCKET", '/', 107}};

START_TEST(test_longest_value)
{
	for (size_t length = lengths[_i].longest; length <= lengths[_i].longest + 1; length++) {
		char setting[2048];
		size_t begin =
		    (size_t)snprintf(setting, sizeof setting, "%s=", lengths[_i].variable);
		struct complaints complaints;
		struct rg_policy policy;

		memset(setting + begin, 'a', length);
		setting[begin] = lengths[_i].first;
		setting[begin + length] = '\0';
		read_one(&policy, &complaints, setting);
		ck_assert_uint_eq(complaints.count, length > lengths[_i].longest);
		if (complaints.count == 0)
			ck_assert_str_eq(setting_of(&policy, lengths[_i].variable),
					 setting + begin);
	}
}
END_TEST

START_TEST(test_most_exempt_networks)
{
	struct complaints complaints;
	char setting[TEXT_BYTES] = "RENEGUARD_EXEMPT=";
	struct rg_policy policy;

	for (unsigned count = 1; count <= RG_EXEMPT_MAX + 1; count++) {
		size_t used = strlen(setting);

		snprintf(setting + used, sizeof setting - used, "%s10.0.%u.0/24",
			 count == 1 ? "" : ",", count);
		read_one(&policy, &complaints, setting);
		ck_assert_uint_eq(complaints.count, count > RG_EXEMPT_MAX);
		ck_assert_uint_eq(policy.exempt_count, count > RG_EXEMPT_MAX ? 0 : count);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");

	UNIT_ADD_ROWS(suite, test_bad_value, bad);
	UNIT_ADD_ROWS(suite, test_good_value, good);
	UNIT_ADD_ROWS(suite, test_longest_value, lengths);
	UNIT_ADD(suite, test_most_exempt_networks);
	UNIT_ADD_ROWS(suite, test_event_actions, events);
	unit_add(suite, "test_defaults", test_defaults, 0, 2);
	return unit_run(suite);
}
