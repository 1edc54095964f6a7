/* Writes a policy back as text, from the tables that rg_policy_read uses. */
#include <stdio.h>

#include "core/policy_words.h"
#include "rg_policy.h"

static void limit_text(const struct rg_limit *limit, char *text, size_t size)
{
	snprintf(text, size, "%u/%us", limit->count, limit->period_s);
}

void rg_rule_text(const struct rg_rule *rule, char text[RG_RULE_TEXT_BYTES])
{
	char limit[24];

	if (rule->limit.period_s == 0) {
		snprintf(text, RG_RULE_TEXT_BYTES, "%s", rg_action_name(rule->action));
		return;
	}
	limit_text(&rule->limit, limit, sizeof limit);
	snprintf(text, RG_RULE_TEXT_BYTES, "%s:%s", rg_action_name(rule->action), limit);
}

static const char *word_of(const struct rg_word *words, unsigned value)
{
	while (words->value != value)
		words++;
	return words->word;
}

static void networks_text(const struct rg_policy *policy, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < policy->exempt_count && used < size; i++) {
		char address[RG_ADDRESS_TEXT_BYTES];

		rg_address_text(&policy->exempt[i].base, address);
		used += (size_t)snprintf(text + used, size - used, "%s%s/%u", i == 0 ? "" : ",",
					 address, policy->exempt[i].prefix_bits);
	}
}

static void targets_text(const struct rg_policy *policy, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", policy->log_targets & RG_LOG_TO_SYSLOG ? "syslog" : "",
		 policy->log_targets == (RG_LOG_TO_SYSLOG | RG_LOG_TO_STDERR) ? "," : "",
		 policy->log_targets & RG_LOG_TO_STDERR ? "stderr"
		 : policy->log_targets == 0		? "off"
							: "");
}

#define show_on_off(p, t, s)   snprintf(t, s, "%s", word_of(on_off_words, (p)->on))
#define show_zero_one(p, t, s) snprintf(t, s, "%d", (p)->strict)
#define show_role(p, t, s)     snprintf(t, s, "%s", word_of(role_words, (p)->role))
#define show_networks(p, t, s) networks_text(p, t, s)
#define show_bits32(p, t, s)   snprintf(t, s, "%u", (p)->ipv4_prefix)
#define show_bits128(p, t, s)  snprintf(t, s, "%u", (p)->ipv6_prefix)
#define show_clients(p, t, s)  snprintf(t, s, "%u", (p)->clients)
#define show_path(p, t, s)     snprintf(t, s, "%s", (p)->state)
#define show_name(p, t, s)     snprintf(t, s, "%s", (p)->name)
#define show_targets(p, t, s)  targets_text(p, t, s)
#define show_format(p, t, s)   snprintf(t, s, "%s", word_of(format_words, (p)->log_format))
#define show_rate(p, t, s)     limit_text(&(p)->log_rate, t, s)
#define show_facility(p, t, s) snprintf(t, s, "%s", word_of(facility_words, (p)->facility))
#define show_socket(p, t, s)   snprintf(t, s, "%s", (p)->socket)

const char *rg_policy_setting(const struct rg_policy *policy, size_t index, char *text, size_t size,
			      const char **variable, const char **what)
{
	size_t row = 0;

#define X(id, name, variable_name, rule, actions, meaning)                                         \
	if (row++ == index) {                                                                      \
		char rule_text[RG_RULE_TEXT_BYTES];                                                \
		rg_rule_text(&policy->rules[RG_##id], rule_text);                                  \
		snprintf(text, size, "%s", rule_text);                                             \
		*variable = variable_name;                                                         \
		*what = meaning;                                                                   \
		return text;                                                                       \
	}
	RG_EVENTS(X)
#undef X
#define X(field, variable_name, standard, parser, form, meaning)                                   \
	if (row++ == index) {                                                                      \
		show_##parser(policy, text, size);                                                 \
		*variable = variable_name;                                                         \
		*what = meaning;                                                                   \
		return text;                                                                       \
	}
	RG_SETTINGS(X)
#undef X
	return NULL;
}
