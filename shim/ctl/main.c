/* reneguardctl: looks at policies and programs; see usage below. */
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

static const char usage[] =
    "usage: reneguardctl policy [--help]              the effective policy from this environment\n"
    "       reneguardctl check [--quiet] PROGRAM [ARG]...\n"
    "                                                 will the shim take effect in PROGRAM?\n"
    "       reneguardctl check [--quiet] --pid PID    does it in the running process PID?\n"
    "       reneguardctl status [--pid PID | --state FILE] [--json | --prometheus]\n"
    "                           [--sort COLUMN] [--limit N]\n"
    "                                                 what the ledgers of running programs hold\n"
    "       reneguardctl top [--pid PID | --state FILE] [--sort COLUMN] [--limit N]\n"
    "                                                 the same, live; q ends it\n"
    "       reneguardctl --help | --version\n"
    "\n"
    "policy ends with 0, or with 1 and one line for each bad variable on standard error.\n"
    "check ends with 0 where connections will be guarded, with 1 where they can not be, with 3 "
    "where "
    "the\n"
    "program would not even start with the library in front of it.\n"
    "status and top end with 1 where there is no ledger to show. COLUMN: client, since, last, "
    "left,\n"
    "acted (the default), or an event or outcome by its name.\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {{"policy", rg_ctl_policy},
		{"check", rg_ctl_check},
		{"status", rg_ctl_status},
		{"top", rg_ctl_top}};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--version") == 0) {
		puts("reneguardctl " RG_VERSION);
		return 0;
	}
	if (strcmp(name, "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	fprintf(stderr,
		"reneguardctl: unknown command '%s'; accepted: policy, check, status, top, --help, "
		"--version\n",
		name);
	return 2;
}
