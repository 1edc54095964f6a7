#include "rg_policy.h"

#include <stdio.h>
#include <string.h>

#include "core/policy_words.h"

#define PREFIX "RENEGUARD"

/* --- one parser for each kind of setting: returns 0, or -1 and leaves the policy unchanged --- */

#define PARSE_WORD(text, words, value)                                                             \
	rg_parse_word(text, words, sizeof(words) / sizeof(words)[0], value)

static int set_on_off(struct rg_policy *policy, struct rg_text text)
{
	unsigned value;

	if (PARSE_WORD(text, on_off_words, &value) != 0)
		return -1;
	policy->on = value != 0;
	return 0;
}

static int set_zero_one(struct rg_policy *policy, struct rg_text text)
{
	uint32_t value;

	if (rg_parse_number(text, 0, 1, &value) != 0)
		return -1;
	policy->strict = value != 0;
	return 0;
}

static int set_role(struct rg_policy *policy, struct rg_text text)
{
	unsigned value;

	if (PARSE_WORD(text, role_words, &value) != 0)
		return -1;
	policy->role = (enum rg_role)value;
	return 0;
}

static int set_networks(struct rg_policy *policy, struct rg_text text)
{
	struct rg_network parsed[RG_EXEMPT_MAX] = {0};
	size_t count = 0;
	bool more = text.length != 0;

	while (more) {
		struct rg_text item = rg_text_cut(&text, ',', &more);

		if (count == RG_EXEMPT_MAX ||
		    rg_network_parse(&parsed[count], item.at, item.length) != 0)
			return -1;
		count++;
	}
	memcpy(policy->exempt, parsed, count * sizeof parsed[0]);
	policy->exempt_count = count;
	return 0;
}

static int set_bits32(struct rg_policy *policy, struct rg_text text)
{
	return rg_parse_number(text, 0, 32, &policy->ipv4_prefix);
}

static int set_bits128(struct rg_policy *policy, struct rg_text text)
{
	return rg_parse_number(text, 0, 128, &policy->ipv6_prefix);
}

static int set_clients(struct rg_policy *policy, struct rg_text text)
{
	return rg_parse_number(text, RG_CLIENTS_MIN, RG_CLIENTS_MAX, &policy->clients);
}

static int set_absolute(char *path, size_t size, struct rg_text text)
{
	if (text.length >= size || text.at[0] != '/')
		return -1;
	memcpy(path, text.at, text.length);
	path[text.length] = '\0';
	return 0;
}

static int set_path(struct rg_policy *policy, struct rg_text text)
{
	if (text.length == 0) {
		policy->state[0] = '\0';
		return 0;
	}
	return set_absolute(policy->state, sizeof policy->state, text);
}

static int set_socket(struct rg_policy *policy, struct rg_text text)
{
	return text.length == 0 ? -1 : set_absolute(policy->socket, sizeof policy->socket, text);
}

static int set_name(struct rg_policy *policy, struct rg_text text)
{
	if (text.length >= sizeof policy->name)
		return -1;
	for (size_t i = 0; i < text.length; i++)
		if (text.at[i] < ' ' || text.at[i] > '~')
			return -1;
	memcpy(policy->name, text.at, text.length);
	policy->name[text.length] = '\0';
	return 0;
}

static int set_targets(struct rg_policy *policy, struct rg_text text)
{
	unsigned targets = 0, target;
	bool more = true;

	if (rg_text_is(text, "off")) {
		policy->log_targets = 0;
		return 0;
	}
	while (more) {
		struct rg_text item = rg_text_cut(&text, ',', &more);

		if (PARSE_WORD(item, target_words, &target) != 0)
			return -1;
		targets |= target;
	}
	policy->log_targets = targets;
	return 0;
}

static int set_format(struct rg_policy *policy, struct rg_text text)
{
	unsigned value;

	if (PARSE_WORD(text, format_words, &value) != 0)
		return -1;
	policy->log_format = (enum rg_log_format)value;
	return 0;
}

static int set_rate(struct rg_policy *policy, struct rg_text text)
{
	return rg_parse_limit(text, &policy->log_rate);
}

static int set_facility(struct rg_policy *policy, struct rg_text text)
{
	return PARSE_WORD(text, facility_words, &policy->facility);
}

/* --- the table --- */

#define RULE_FORM ", optionally followed by :COUNT/PERIOD; " RG_LIMIT_FORM

const char *rg_rule_accepted(enum rg_event event)
{
	static const unsigned actions[] = {
#define X(id, name, variable, rule, can, what) can,
	    RG_EVENTS(X)
#undef X
	};

	switch (actions[event]) {
	case RG_CAN_ANYTHING:
		return "off, count, warn, decline, close or block" RULE_FORM;
	case RG_CAN_END:
		return "off, count, warn, close or block" RULE_FORM;
	default:
		return "off, count, warn or block" RULE_FORM;
	}
}

/* Set VARIABLE to TEXT. Returns 0, or -1 if it is bad; *ACCEPTED says what values are accepted. */
static int set_variable(struct rg_policy *policy, struct rg_text variable, struct rg_text text,
			const char **accepted)
{
#define X(id, name, variable_name, rule, actions, what)                                            \
	if (rg_text_is(variable, variable_name)) {                                                 \
		*accepted = rg_rule_accepted(RG_##id);                                             \
		return rg_parse_rule(text, actions, &policy->rules[RG_##id]);                      \
	}
	RG_EVENTS(X)
#undef X
#define X(field, variable_name, standard, parser, form, what)                                      \
	if (rg_text_is(variable, variable_name)) {                                                 \
		*accepted = form;                                                                  \
		return set_##parser(policy, text);                                                 \
	}
	RG_SETTINGS(X)
#undef X
	*accepted = "nothing: there is no such variable (reneguardctl policy lists them all)";
	return -1;
}

static void set_defaults(struct rg_policy *policy)
{
	const char *accepted;

	memset(policy, 0, sizeof *policy);
#define X(id, name, variable, rule, actions, what)                                                 \
	(void)set_variable(policy, rg_text_of(variable), rg_text_of(rule), &accepted);
	RG_EVENTS(X)
#undef X
#define X(field, variable, standard, parser, form, what)                                           \
	(void)set_variable(policy, rg_text_of(variable), rg_text_of(standard), &accepted);
	RG_SETTINGS(X)
#undef X
}

/* Does VARIABLE belong to us: RENEGUARD or RENEGUARD_...? */
static bool is_ours(struct rg_text variable)
{
	size_t length = strlen(PREFIX);

	return variable.length >= length && memcmp(variable.at, PREFIX, length) == 0 &&
	       (variable.length == length || variable.at[length] == '_');
}

size_t rg_policy_read(struct rg_policy *policy, char *const environment[], const char *program,
		      rg_complain *complain, void *arg)
{
	size_t bad = 0;

	set_defaults(policy);
	for (; environment != NULL && *environment != NULL; environment++) {
		struct rg_text value = rg_text_of(*environment);
		bool more;
		struct rg_text variable = rg_text_cut(&value, '=', &more);
		char name[RG_NAME_BYTES];
		const char *accepted;

		if (!more || !is_ours(variable) ||
		    set_variable(policy, variable, value, &accepted) == 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)variable.length, variable.at);
		complain(arg, name, value.at, accepted);
		bad++;
	}
	for (size_t event = 0; event < RG_EVENT_COUNT; event++)
		policy->blocks |= policy->rules[event].action == RG_BLOCK;
	if (policy->name[0] == '\0' && program != NULL)
		snprintf(policy->name, sizeof policy->name, "%s",
			 program[0] != '\0' ? program : "unnamed");
	return bad;
}

bool rg_policy_exempts(const struct rg_policy *policy, const struct rg_address *address)
{
	for (size_t i = 0; i < policy->exempt_count; i++)
		if (rg_network_contains(&policy->exempt[i], address))
			return true;
	return false;
}

struct rg_client rg_policy_client(const struct rg_policy *policy, const struct rg_address *address)
{
	unsigned prefix = address->family == RG_IPV4 ? policy->ipv4_prefix : policy->ipv6_prefix;
	struct rg_client client = {.base = *address, .exempt = rg_policy_exempts(policy, address)};

	if (!client.exempt && !rg_address_is_link_local(address) && !rg_address_is_teredo(address))
		client.base = rg_address_cut(*address, prefix);
	return client;
}
