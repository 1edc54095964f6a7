/* Input: an environment, one variable per line. */
#include "fuzz.h"
#include "rg_policy.h"

#define VARIABLES_MAX 64
#define TEXT_BYTES    8192
#define SETTINGS_MAX  32

static void complain(void *arg, const char *variable, const char *value, const char *accepted)
{
	size_t *count = arg;

	FUZZ_MUST(strlen(variable) < RG_NAME_BYTES && accepted[0] != '\0' && value != NULL);
	(*count)++;
}

/* Make the lines of INPUT the strings of ENVIRONMENT. Returns how many there are. */
static size_t split(char *environment[VARIABLES_MAX + 1], const uint8_t *input, size_t bytes)
{
	size_t count = 0;

	while (bytes != 0 && count < VARIABLES_MAX) {
		const uint8_t *end = memchr(input, '\n', bytes);
		size_t length = end != NULL ? (size_t)(end - input) : bytes;
		size_t step = length + (end != NULL);

		environment[count] = malloc(length + 1);
		memcpy(environment[count], input, length);
		environment[count++][length] = '\0';
		input += step;
		bytes -= step;
	}
	environment[count] = NULL;
	return count;
}

/* Overwrite the strings before they are freed: a policy must not point to them. */
static void discard(char *environment[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		memset(environment[i], 'x', strlen(environment[i]));
		free(environment[i]);
	}
}

/* Make every setting of POLICY a variable of ENVIRONMENT. Returns how many there are. */
static size_t print(char *environment[SETTINGS_MAX + 1], const struct rg_policy *policy)
{
	static char text[TEXT_BYTES];
	const char *variable, *what;
	size_t count = 0;

	while (rg_policy_setting(policy, count, text, sizeof text, &variable, &what) != NULL) {
		size_t size = strlen(variable) + strlen(text) + 2;

		FUZZ_MUST(count < SETTINGS_MAX);
		environment[count] = malloc(size);
		snprintf(environment[count++], size, "%s=%s", variable, text);
	}
	environment[count] = NULL;
	return count;
}

/* The settings that a policy prints, read again, give the same policy. */
static void check_round_trip(const struct rg_policy *policy)
{
	char *first[SETTINGS_MAX + 1], *second[SETTINGS_MAX + 1];
	struct rg_policy again;
	size_t bad = 0, count = print(first, policy);

	FUZZ_MUST(rg_policy_read(&again, first, "", complain, &bad) == 0 && bad == 0);
	FUZZ_MUST(print(second, &again) == count);
	for (size_t i = 0; i < count; i++)
		FUZZ_MUST(strcmp(first[i], second[i]) == 0);
	discard(first, count);
	discard(second, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	char *environment[VARIABLES_MAX + 1];
	size_t bad = 0, count = split(environment, input, bytes);
	struct rg_policy policy;

	memset(&policy, 0x5a, sizeof policy);
	FUZZ_MUST(rg_policy_read(&policy, environment, "", complain, &bad) == bad && bad <= count);
	discard(environment, count);
	check_round_trip(&policy);
	for (size_t i = 0; i < RG_EVENT_COUNT; i++) {
		const struct rg_rule *rule = &policy.rules[i];

		FUZZ_MUST(rule->action < RG_ACTION_COUNT);
		FUZZ_MUST(rule->limit.count <= RG_LIMIT_COUNT_MAX);
		FUZZ_MUST(rule->limit.period_s <= RG_LIMIT_PERIOD_MAX_S);
		FUZZ_MUST((rule->limit.period_s == 0) == (rule->limit.count == 0));
	}
	return 0;
}
