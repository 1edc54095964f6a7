/*
 * The two questions of `check`: about a program before it runs, and about a running process. Both
 * print one answer (answer.h) and return an exit status.
 */
#ifndef RG_CTL_CHECK_H
#define RG_CTL_CHECK_H

#include <stdbool.h>

/*
 * Will the shim take effect in the program WORDS[0], started with the arguments behind it (up to
 * a NULL)? Returns 127 if there is no such program.
 */
int rg_check_program(char **words, bool quiet);

/* Does it take effect in the running process PID? */
int rg_check_process(const char *pid, bool quiet);

#endif
