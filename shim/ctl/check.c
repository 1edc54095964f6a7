#include "ctl/check.h"

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

int rg_ctl_check(int argc, char **argv)
{
	bool quiet = argc > 0 && strcmp(argv[0], "--quiet") == 0;
	bool dashes;

	argc -= quiet;
	argv += quiet;
	if (argc == 2 && strcmp(argv[0], "--pid") == 0)
		return rg_check_process(argv[1], quiet);
	dashes = argc > 0 && strcmp(argv[0], "--") == 0;
	if (argc > dashes && (dashes || argv[0][0] != '-'))
		return rg_check_program(argv + dashes, quiet);
	fprintf(stderr, "reneguardctl: check: bad arguments; accepted: [--quiet] [--] PROGRAM "
			"[ARG]..., or [--quiet] --pid PID\n");
	return RG_CTL_BAD_USAGE;
}
