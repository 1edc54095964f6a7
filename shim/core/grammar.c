#include "core/grammar.h"

#include <string.h>

struct rg_text rg_text_of(const char *string)
{
	return (struct rg_text){string, strlen(string)};
}

bool rg_text_is(struct rg_text text, const char *word)
{
	return text.length == strlen(word) && memcmp(text.at, word, text.length) == 0;
}

struct rg_text rg_text_cut(struct rg_text *rest, char separator, bool *more)
{
	const char *at = memchr(rest->at, separator, rest->length);
	struct rg_text part = *rest;

	*more = at != NULL;
	if (at == NULL) {
		*rest = (struct rg_text){rest->at + rest->length, 0};
		return part;
	}
	part.length = (size_t)(at - rest->at);
	*rest = (struct rg_text){at + 1, rest->length - part.length - 1};
	return part;
}

int rg_parse_number(struct rg_text text, uint64_t min, uint64_t max, uint32_t *number)
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

static int parse_period(struct rg_text text, uint32_t *period_s)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};

	for (size_t i = 0; text.length != 0 && i < sizeof units / sizeof units[0]; i++) {
		struct rg_text number = {text.at, text.length - 1};

		if (text.at[number.length] != units[i].unit)
			continue;
		if (rg_parse_number(number, 1, RG_LIMIT_PERIOD_MAX_S / units[i].seconds,
				    period_s) != 0)
			return -1;
		*period_s *= units[i].seconds;
		return 0;
	}
	return -1;
}

int rg_parse_limit(struct rg_text text, struct rg_limit *limit)
{
	struct rg_limit parsed;
	bool more;
	struct rg_text count = rg_text_cut(&text, '/', &more);

	if (!more || rg_parse_number(count, 1, RG_LIMIT_COUNT_MAX, &parsed.count) != 0 ||
	    parse_period(text, &parsed.period_s) != 0)
		return -1;
	*limit = parsed;
	return 0;
}

int rg_parse_rule(struct rg_text text, unsigned actions, struct rg_rule *rule)
{
	struct rg_rule parsed = {.limit = {0, 0}};
	bool limited;
	struct rg_text action = rg_text_cut(&text, ':', &limited);

	for (parsed.action = 0; parsed.action < RG_ACTION_COUNT; parsed.action++) {
		if (!(actions & RG_CAN(parsed.action)) ||
		    !rg_text_is(action, rg_action_name(parsed.action)))
			continue;
		if (limited && rg_parse_limit(text, &parsed.limit) != 0)
			return -1;
		*rule = parsed;
		return 0;
	}
	return -1;
}

int rg_parse_word(struct rg_text text, const struct rg_word *words, size_t count, unsigned *value)
{
	for (size_t i = 0; i < count; i++)
		if (rg_text_is(text, words[i].word)) {
			*value = words[i].value;
			return 0;
		}
	return -1;
}
