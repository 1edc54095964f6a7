#include "ctl/question.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/text.h"
#include "ctl/view.h"

#define STATUS_ARGUMENTS "--pid PID, --state FILE, --json, --prometheus, --sort COLUMN, --limit N"
#define TOP_ARGUMENTS	 "--pid PID, --state FILE, --sort COLUMN, --limit N"
#define ANY_NUMBER	 "a number from 1 to 2147483647"

static int bad_usage(const char *command, const char *what, const char *argument,
		     const char *accepted)
{
	fprintf(stderr, "reneguardctl: %s: %s '%s'; accepted: %s\n", command, what, argument,
		accepted);
	return RG_CTL_BAD_USAGE;
}

static bool takes_value(const char *option)
{
	static const char *const options[] = {"--pid", "--state", "--sort", "--limit"};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (strcmp(option, options[i]) == 0)
			return true;
	return false;
}

static int set_value(struct rg_question *question, const char *command, const char *option,
		     const char *value)
{
	const char *accepted;
	long number;

	if (strcmp(option, "--state") == 0) {
		question->file = value;
	} else if (strcmp(option, "--sort") == 0) {
		if (!rg_view_column(value, &question->column, &accepted))
			return bad_usage(command, "unknown column", value, accepted);
	} else if (strcmp(option, "--pid") == 0) {
		if (!rg_text_number(value, INT32_MAX, &number))
			return bad_usage(command, "bad process ID", value, ANY_NUMBER);
		question->pid = (pid_t)number;
	} else {
		if (!rg_text_number(value, INT32_MAX, &number))
			return bad_usage(command, "bad limit", value, ANY_NUMBER);
		question->limit = (size_t)number;
	}
	return 0;
}

int rg_question_parse(struct rg_question *question, const char *command, int argc, char **argv)
{
	bool has_forms = strcmp(command, "status") == 0;
	const char *accepted = has_forms ? STATUS_ARGUMENTS : TOP_ARGUMENTS;

	for (int i = 0; i < argc; i++) {
		int status = 0;

		if (takes_value(argv[i]) && i + 1 == argc) {
			status = bad_usage(command, "no value for", argv[i], accepted);
		} else if (takes_value(argv[i])) {
			status = set_value(question, command, argv[i], argv[i + 1]);
			i++;
		} else if (has_forms && strcmp(argv[i], "--json") == 0) {
			question->form = RG_FORM_JSON;
		} else if (has_forms && strcmp(argv[i], "--prometheus") == 0) {
			question->form = RG_FORM_PROMETHEUS;
		} else {
			status = bad_usage(command, "unknown argument", argv[i], accepted);
		}
		if (status != 0)
			return status;
	}
	if (question->pid != 0 && question->file != NULL)
		return bad_usage(command, "conflicting options", "--pid and --state",
				 "one of them");
	return 0;
}
