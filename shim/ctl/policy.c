#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "rg_policy.h"

extern char **environ;

static void complain(void *arg, const char *variable, const char *value, const char *accepted)
{
	(void)arg;
	fprintf(stderr, "reneguard: %s=%s is not a valid setting; accepted: %s\n", variable, value,
		accepted);
}

static void print_values(const struct rg_policy *policy)
{
	char value[8192];
	const char *variable, *what;

	for (size_t i = 0;
	     rg_policy_setting(policy, i, value, sizeof value, &variable, &what) != NULL; i++)
		printf("%s=%s\n", variable, value);
}

/* Explain every variable, with its value in DEFAULTS. */
static void print_help(const struct rg_policy *defaults)
{
	char value[8192];
	const char *variable, *what;

	puts("An event's rule is ACTION[:COUNT/PERIOD]; PERIOD is a number followed by s, m or h.");
	for (size_t i = 0;
	     rg_policy_setting(defaults, i, value, sizeof value, &variable, &what) != NULL; i++) {
		printf("  %-26s %s", variable, what);
		if (value[0] != '\0')
			printf(" (default: %s)", value);
		putchar('\n');
	}
	for (size_t i = 0; i < RG_EVENT_COUNT; i++)
		printf("  %s: %s\n", rg_event_name((enum rg_event)i),
		       rg_rule_accepted((enum rg_event)i));
}

int rg_ctl_policy(int argc, char **argv)
{
	static char *const empty[] = {NULL};
	struct rg_policy policy;
	size_t bad;

	if (argc == 1 && strcmp(argv[0], "--help") == 0) {
		(void)rg_policy_read(&policy, empty, NULL, complain, NULL);
		print_help(&policy);
		return 0;
	}
	if (argc != 0) {
		fprintf(stderr, "reneguardctl: policy: unknown argument '%s'; accepted: --help\n",
			argv[0]);
		return RG_CTL_BAD_USAGE;
	}
	bad = rg_policy_read(&policy, environ, NULL, complain, NULL);
	print_values(&policy);
	return bad == 0 ? 0 : RG_CTL_NO;
}
