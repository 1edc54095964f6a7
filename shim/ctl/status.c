#include "ctl/status.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/view.h"

bool rg_status_find(const struct rg_question *question, struct rg_ledgers *ledgers)
{
	const char *why;

	if (question->file != NULL) {
		if (rg_ledgers_file(ledgers, question->file, &why))
			return true;
		fprintf(stderr, "reneguardctl: %s cannot be read as a ledger: %s\n", question->file,
			why);
		return false;
	}
	rg_ledgers_scan(ledgers, question->pid);
	if (ledgers->count != 0)
		return true;
	if (question->pid != 0)
		fprintf(stderr, "reneguardctl: process %ld has no ledger", (long)question->pid);
	else
		fprintf(stderr, "reneguardctl: no guarded process was found");
	if (ledgers->unreadable != 0)
		fprintf(stderr, "; this user may not inspect %zu process%s", ledgers->unreadable,
			ledgers->unreadable == 1 ? "" : "es");
	fprintf(stderr, "\n");
	return false;
}

void rg_status_print(const struct rg_question *question, const struct rg_ledgers *ledgers)
{
	struct rg_view *views = calloc(ledgers->count, sizeof *views);

	if (views == NULL)
		abort();
	for (size_t i = 0; i < ledgers->count; i++)
		views[i] = rg_view_make(&ledgers->all[i], question->column, question->limit);
	if (question->form == RG_FORM_JSON)
		rg_view_json(views, ledgers->count);
	else if (question->form == RG_FORM_PROMETHEUS)
		rg_view_prometheus(views, ledgers->count);
	for (size_t i = 0; question->form == RG_FORM_TABLE && i < ledgers->count; i++)
		rg_view_table(&views[i]);
	for (size_t i = 0; i < ledgers->count; i++)
		rg_view_free(&views[i]);
	free(views);
}

int rg_ctl_status(int argc, char **argv)
{
	struct rg_question question = {0};
	struct rg_ledgers ledgers = {0};
	int bad_usage = rg_question_parse(&question, "status", argc, argv);
	bool found;

	if (bad_usage != 0)
		return bad_usage;
	found = rg_status_find(&question, &ledgers);
	if (found)
		rg_status_print(&question, &ledgers);
	rg_ledgers_free(&ledgers);
	return found ? 0 : RG_CTL_NO;
}
