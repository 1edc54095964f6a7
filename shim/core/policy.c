#include "rg_policy.h"

#include <stdio.h>
#include <string.h>

#include "policy_words.h"

#define PREFIX "RENEGUARD"

/* A value or a part of one: not terminated. */
struct text {
	const char *at;
	size_t length;
};

static struct text text_of(const char *string)
{
	return (struct text){string, strlen(string)};
}

static bool text_is(struct text text, const char *word)
{
	return text.length == strlen(word) && memcmp(text.at, word, text.length) == 0;
}

/* Cut *REST at the first SEPARATOR: the part before is returned, the part behind is left. False in
 * *MORE where there is none. */
static struct text cut(struct text *rest, char separator, bool *more)
{
	const char *at = memchr(rest->at, separator, rest->length);
	struct text part = *rest;

	*more = at != NULL;
	if (at == NULL) {
		*rest = (struct text){rest->at + rest->length, 0};
		return part;
	}
	part.length = (size_t)(at - rest->at);
	*rest = (struct text){at + 1, rest->length - part.length - 1};
	return part;
}

/* A decimal number from MIN to MAX without sign, space or leading zero. */
static int parse_number(struct text text, uint64_t min, uint64_t max, uint32_t *number)
{
	uint64_t value = 0;

	if (text.length == 0 || text.length > 9 || (text.at[0] == '0' && text.length > 1))
		return -1;
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		value = 10 * value + (uint64_t)(text.at[i] - '0');
	}
	if (value < min || value > max)
		return -1;
	*number = (uint32_t)value;
	return 0;
}

static int parse_period(struct text text, uint32_t *period_s)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};

	for (size_t i = 0; text.length != 0 && i < sizeof units / sizeof units[0]; i++) {
		struct text number = {text.at, text.length - 1};

		if (text.at[number.length] != units[i].unit)
			continue;
		if (parse_number(number, 1, RG_LIMIT_PERIOD_MAX_S / units[i].seconds, period_s) !=
		    0)
			return -1;
		*period_s *= units[i].seconds;
		return 0;
	}
	return -1;
}

static int parse_limit(struct text text, struct rg_limit *limit)
{
	struct rg_limit parsed;
	bool more;
	struct text count = cut(&text, '/', &more);

	if (!more || parse_number(count, 1, RG_LIMIT_COUNT_MAX, &parsed.count) != 0 ||
	    parse_period(text, &parsed.period_s) != 0)
		return -1;
	*limit = parsed;
	return 0;
}

static int parse_rule(struct text text, unsigned actions, struct rg_rule *rule)
{
	struct rg_rule parsed = {.limit = {0, 0}};
	bool limited;
	struct text action = cut(&text, ':', &limited);

	for (parsed.action = 0; parsed.action < RG_ACTION_COUNT; parsed.action++) {
		if (!(actions & RG_CAN(parsed.action)) ||
		    !text_is(action, rg_action_name(parsed.action)))
			continue;
		if (limited && parse_limit(text, &parsed.limit) != 0)
			return -1;
		*rule = parsed;
		return 0;
	}
	return -1;
}

/* --- one parser for each kind of setting; all return 0, or -1 and leave the policy untouched ---
 */

static int parse_word(struct text text, const struct rg_word *words, size_t count, unsigned *value)
{
	for (size_t i = 0; i < count; i++)
		if (text_is(text, words[i].word)) {
			*value = words[i].value;
			return 0;
		}
	return -1;
}

#define PARSE_WORD(text, words, value)                                                             \
	parse_word(text, words, sizeof(words) / sizeof(words)[0], value)

static int set_on_off(struct rg_policy *policy, struct text text)
{
	unsigned value;

	if (PARSE_WORD(text, on_off_words, &value) != 0)
		return -1;
	policy->on = value != 0;
	return 0;
}

static int set_zero_one(struct rg_policy *policy, struct text text)
{
	uint32_t value;

	if (parse_number(text, 0, 1, &value) != 0)
		return -1;
	policy->strict = value != 0;
	return 0;
}

static int set_role(struct rg_policy *policy, struct text text)
{
	unsigned value;

	if (PARSE_WORD(text, role_words, &value) != 0)
		return -1;
	policy->role = (enum rg_role)value;
	return 0;
}

static int set_networks(struct rg_policy *policy, struct text text)
{
	struct rg_network parsed[RG_EXEMPT_MAX] = {0};
	size_t count = 0;
	bool more = text.length != 0;

	while (more) {
		struct text item = cut(&text, ',', &more);

		if (count == RG_EXEMPT_MAX ||
		    rg_network_parse(&parsed[count], item.at, item.length) != 0)
			return -1;
		count++;
	}
	memcpy(policy->exempt, parsed, count * sizeof parsed[0]);
	policy->exempt_count = count;
	return 0;
}

static int set_bits32(struct rg_policy *policy, struct text text)
{
	return parse_number(text, 0, 32, &policy->ipv4_prefix);
}

static int set_bits128(struct rg_policy *policy, struct text text)
{
	return parse_number(text, 0, 128, &policy->ipv6_prefix);
}

static int set_clients(struct rg_policy *policy, struct text text)
{
	return parse_number(text, RG_CLIENTS_MIN, RG_CLIENTS_MAX, &policy->clients);
}

static int set_absolute(char *path, size_t size, struct text text)
{
	if (text.length >= size || text.at[0] != '/')
		return -1;
	memcpy(path, text.at, text.length);
	path[text.length] = '\0';
	return 0;
}

static int set_path(struct rg_policy *policy, struct text text)
{
	if (text.length == 0) {
		policy->state[0] = '\0';
		return 0;
	}
	return set_absolute(policy->state, sizeof policy->state, text);
}

static int set_socket(struct rg_policy *policy, struct text text)
{
	return text.length == 0 ? -1 : set_absolute(policy->socket, sizeof policy->socket, text);
}

static int set_name(struct rg_policy *policy, struct text text)
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

static int set_targets(struct rg_policy *policy, struct text text)
{
	unsigned targets = 0, target;
	bool more = true;

	if (text_is(text, "off")) {
		policy->log_targets = 0;
		return 0;
	}
	while (more) {
		struct text item = cut(&text, ',', &more);

		if (PARSE_WORD(item, target_words, &target) != 0)
			return -1;
		targets |= target;
	}
	policy->log_targets = targets;
	return 0;
}

static int set_format(struct rg_policy *policy, struct text text)
{
	unsigned value;

	if (PARSE_WORD(text, format_words, &value) != 0)
		return -1;
	policy->log_format = (enum rg_log_format)value;
	return 0;
}

static int set_rate(struct rg_policy *policy, struct text text)
{
	return parse_limit(text, &policy->log_rate);
}

static int set_facility(struct rg_policy *policy, struct text text)
{
	return PARSE_WORD(text, facility_words, &policy->facility);
}

/* --- the table --- */

#define RULE_FORM                                                                                  \
	"[:COUNT/PERIOD], COUNT from 1 to 1000000, PERIOD a number with s, m or h, up to 24h"

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

/* Set VARIABLE to TEXT: 0; -1 where it is bad, and *ACCEPTED says what would be good. */
static int set_variable(struct rg_policy *policy, struct text variable, struct text text,
			const char **accepted)
{
#define X(id, name, variable_name, rule, actions, what)                                            \
	if (text_is(variable, variable_name)) {                                                    \
		*accepted = rg_rule_accepted(RG_##id);                                             \
		return parse_rule(text, actions, &policy->rules[RG_##id]);                         \
	}
	RG_EVENTS(X)
#undef X
#define X(field, variable_name, standard, parser, form, what)                                      \
	if (text_is(variable, variable_name)) {                                                    \
		*accepted = form;                                                                  \
		return set_##parser(policy, text);                                                 \
	}
	RG_SETTINGS(X)
#undef X
	*accepted = "none: no such variable (reneguardctl policy lists them all)";
	return -1;
}

static void set_defaults(struct rg_policy *policy)
{
	const char *accepted;

	memset(policy, 0, sizeof *policy);
#define X(id, name, variable, rule, actions, what)                                                 \
	(void)set_variable(policy, text_of(variable), text_of(rule), &accepted);
	RG_EVENTS(X)
#undef X
#define X(field, variable, standard, parser, form, what)                                           \
	(void)set_variable(policy, text_of(variable), text_of(standard), &accepted);
	RG_SETTINGS(X)
#undef X
}

static bool ours(struct text variable)
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
		struct text value = text_of(*environment);
		bool more;
		struct text variable = cut(&value, '=', &more);
		char name[RG_NAME_BYTES];
		const char *accepted;

		if (!more || !ours(variable) ||
		    set_variable(policy, variable, value, &accepted) == 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)variable.length, variable.at);
		complain(arg, name, value.at, accepted);
		bad++;
	}
	if (policy->name[0] == '\0' && program != NULL)
		snprintf(policy->name, sizeof policy->name, "%s", program);
	return bad;
}

bool rg_policy_exempts(const struct rg_policy *policy, const struct rg_client *client)
{
	for (size_t i = 0; i < policy->exempt_count; i++)
		if (rg_network_contains(&policy->exempt[i], client))
			return true;
	return false;
}

struct rg_client rg_policy_client(const struct rg_policy *policy, const struct rg_client *peer)
{
	return rg_client_masked(*peer, peer->family == RG_IPV4 ? policy->ipv4_prefix
							       : policy->ipv6_prefix);
}
