/* What `status` and `top` are asked: their arguments. */
#ifndef RG_CTL_QUESTION_H
#define RG_CTL_QUESTION_H

#include <stddef.h>
#include <sys/types.h>

enum rg_form { RG_FORM_TABLE, RG_FORM_JSON, RG_FORM_PROMETHEUS };

struct rg_question {
	pid_t pid;	  /* 0: any process */
	const char *file; /* a state file, or NULL */
	enum rg_form form;
	size_t column; /* to sort by, see rg_view_column */
	size_t limit;  /* clients to show of each ledger; 0: all */
};

/*
 * Read the arguments of COMMAND ("status" or "top") into QUESTION. Returns 0, or
 * RG_CTL_BAD_USAGE after printing what is wrong.
 */
int rg_question_parse(struct rg_question *question, const char *command, int argc, char **argv);

#endif
