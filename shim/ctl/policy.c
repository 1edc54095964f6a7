#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "rg_policy.h"

extern char **environ;

static void complain(void *arg, const char *variable, const char *value, const char *accepted)
{
	(void)arg;
	fprintf(stderr, "reneguard: %s=%s is bad policy; accepted: %s\n", variable, value,
		accepted);
}

/* The table of all variables, with what it means where HELP is asked for. */
static void print(const struct rg_policy *policy, int help)
{
	char text[8192];
	const char *variable, *what;

	for (size_t i = 0;
	     rg_policy_setting(policy, i, text, sizeof text, &variable, &what) != NULL; i++) {
		if (help)
			printf("  %-26s %s%s%s%s\n", variable, what,
			       text[0] != '\0' ? " (default: " : "", text,
			       text[0] != '\0' ? ")" : "");
		else
			printf("%s=%s\n", variable, text);
	}
}

int rg_ctl_policy(int argc, char **argv)
{
	static char *const empty[] = {NULL};
	struct rg_policy policy;
	size_t bad;

	if (argc == 1 && strcmp(argv[0], "--help") == 0) {
		(void)rg_policy_read(&policy, empty, NULL, complain, NULL);
		puts(
		    "An event's rule is ACTION[:COUNT/PERIOD]: PERIOD is a number with s, m or h.");
		print(&policy, 1);
		for (size_t i = 0; i < RG_EVENT_COUNT; i++)
			printf("  %s: %s\n", rg_event_name((enum rg_event)i),
			       rg_rule_accepted((enum rg_event)i));
		return 0;
	}
	if (argc != 0) {
		fprintf(stderr, "reneguardctl: policy: unknown argument '%s'; accepted: --help\n",
			argv[0]);
		return 2;
	}
	bad = rg_policy_read(&policy, environ, NULL, complain, NULL);
	print(&policy, 0);
	return bad == 0 ? 0 : 1;
}
