/* reneguardctl, the inspector: shows policies, programs and ledgers, and changes nothing. */
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

static const char usage[] =
    "usage: reneguardctl policy [--help]\n"
    "       reneguardctl check [--quiet] PROGRAM [ARG]...\n"
    "       reneguardctl check [--quiet] --pid PID\n"
    "       reneguardctl status [--pid PID | --state FILE] [--json | --prometheus]\n"
    "                           [--sort COLUMN] [--limit N]\n"
    "       reneguardctl top [--pid PID | --state FILE] [--sort COLUMN] [--limit N]\n"
    "       reneguardctl --help | --version\n"
    "\n"
    "policy  prints the policy that this environment sets, one variable a line.\n"
    "        --help explains each variable.\n"
    "        Exit status: 0, or 1 with one line on standard error for each bad variable.\n"
    "check   tells whether PROGRAM will be guarded, or whether the running process PID is.\n"
    "        If not, it tells why. --quiet prints nothing for one that is guarded.\n"
    "        Exit status: 0 if it is guarded, 1 if not, 3 if PROGRAM uses another libc and\n"
    "        might not even start with the library, 127 if there is no PROGRAM.\n"
    "status  prints the clients in the ledgers of all running programs, of process PID or\n"
    "        in the state file FILE. --limit prints only the first N clients of each ledger.\n"
    "        COLUMN is client, since, last, left (nearest to a limit first), acted (the\n"
    "        default), or the name of an event or outcome.\n"
    "top     shows the same, redrawn every second; q or an interrupt ends it.\n"
    "        Exit status of status and top: 0, or 1 if there is no ledger to show.\n"
    "\n"
    "Bad arguments give exit status 2.\n";

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
	return RG_CTL_BAD_USAGE;
}
