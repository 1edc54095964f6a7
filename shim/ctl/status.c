#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/view.h"

#define REFRESH_MS   1000
#define HEAD_ROWS    6 /* of the screen, for each ledger, besides its clients */
#define SCREEN_CLEAR "\033[H\033[2J"
#define USAGE_STATUS 2
#define ANSWER_NO    1

enum form { TABLE, JSON, PROMETHEUS };

struct question {
	pid_t pid;
	const char *file;
	enum form form;
	size_t column;
	size_t limit;
};

/* --- the words behind the command --- */

static int usage(const char *command, const char *what, const char *value, const char *accepted)
{
	fprintf(stderr, "reneguardctl: %s: %s '%s'; accepted: %s\n", command, what, value,
		accepted);
	return USAGE_STATUS;
}

static bool parse_number(const char *text, long max, long *number)
{
	char *end;

	errno = 0;
	*number = strtol(text, &end, 10);
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *number > 0 &&
	       *number <= max;
}

/* One option and its value. 0, or the exit status. */
static int take(struct question *question, const char *command, const char *option,
		const char *value)
{
	const char *accepted;
	long number;

	if (strcmp(option, "--state") == 0) {
		question->file = value;
	} else if (strcmp(option, "--sort") == 0) {
		if (!rg_view_column(value, &question->column, &accepted))
			return usage(command, "no column", value, accepted);
	} else if (strcmp(option, "--pid") == 0) {
		if (!parse_number(value, INT32_MAX, &number))
			return usage(command, "no process", value, "a number");
		question->pid = (pid_t)number;
	} else {
		if (!parse_number(value, INT32_MAX, &number))
			return usage(command, "no limit", value, "a number");
		question->limit = (size_t)number;
	}
	return 0;
}

static int parse(struct question *question, const char *command, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		bool valued = strcmp(argv[i], "--pid") == 0 || strcmp(argv[i], "--state") == 0 ||
			      strcmp(argv[i], "--sort") == 0 || strcmp(argv[i], "--limit") == 0;
		bool status = strcmp(command, "status") == 0;
		int bad = 0;

		if (valued && i + 1 < argc) {
			bad = take(question, command, argv[i], argv[i + 1]);
			i++;
		} else if (!valued && status && strcmp(argv[i], "--json") == 0) {
			question->form = JSON;
		} else if (!valued && status && strcmp(argv[i], "--prometheus") == 0) {
			question->form = PROMETHEUS;
		} else {
			bad = usage(command, "unknown argument", argv[i],
				    status ? "--pid PID, --state FILE, --json, --prometheus, "
					     "--sort COLUMN, --limit N"
					   : "--pid PID, --state FILE, --sort COLUMN, --limit N");
		}
		if (bad != 0)
			return bad;
	}
	if (question->pid != 0 && question->file != NULL)
		return usage(command, "not both", "--pid and --state", "one of them");
	return 0;
}

/* --- the answer --- */

/* False where there is nothing to show, and why is said. */
static bool find(const struct question *question, struct rg_finds *finds)
{
	const char *why;

	if (question->file != NULL) {
		if (rg_finds_file(finds, question->file, &why))
			return true;
		fprintf(stderr, "reneguardctl: %s can not be read as a ledger: %s\n",
			question->file, why);
		return false;
	}
	rg_finds_scan(finds, question->pid);
	if (finds->count != 0)
		return true;
	if (question->pid != 0)
		fprintf(stderr, "reneguardctl: process %ld has no ledger", (long)question->pid);
	else
		fprintf(stderr, "reneguardctl: no guarded process found");
	if (finds->unreadable != 0)
		fprintf(stderr, "; %zu may not be looked into by this user", finds->unreadable);
	fprintf(stderr, "\n");
	return false;
}

static void show(const struct question *question, const struct rg_finds *finds)
{
	struct rg_view *views = calloc(finds->count, sizeof *views);

	if (views == NULL)
		abort();
	for (size_t i = 0; i < finds->count; i++)
		views[i] = rg_view_make(&finds->all[i], question->column, question->limit);
	if (question->form == JSON)
		rg_view_json(views, finds->count);
	else if (question->form == PROMETHEUS)
		rg_view_prometheus(views, finds->count);
	for (size_t i = 0; question->form == TABLE && i < finds->count; i++)
		rg_view_table(&views[i]);
	for (size_t i = 0; i < finds->count; i++)
		rg_view_free(&views[i]);
	free(views);
}

int rg_ctl_status(int argc, char **argv)
{
	struct question question = {0};
	struct rg_finds finds = {0};
	int bad = parse(&question, "status", argc, argv);
	bool found;

	if (bad != 0)
		return bad;
	found = find(&question, &finds);
	if (found)
		show(&question, &finds);
	rg_finds_free(&finds);
	return found ? 0 : ANSWER_NO;
}

/* --- top --- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static size_t screen_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0 ? size.ws_row : 24;
}

/* A second, or less: false where `q` was typed or the user interrupted. */
static bool wait_for_end(void)
{
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = '\0';
	int ready = poll(&keys, 1, REFRESH_MS);

	if (interrupted)
		return false;
	if (ready > 0 && read(STDIN_FILENO, &key, 1) != 1)
		(void)poll(NULL, 0, REFRESH_MS); /* no keyboard: a second it is */
	return key != 'q' && !interrupted;
}

/* Keys are wanted as they are typed. True where the terminal has to be put back. */
static bool take_keys(struct termios *before)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, before) != 0)
		return false;
	raw = *before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

int rg_ctl_top(int argc, char **argv)
{
	struct question question = {0};
	struct sigaction action = {.sa_handler = on_interrupt};
	int bad = parse(&question, "top", argc, argv);
	struct termios before;
	bool restore, found, whole = question.limit == 0;

	if (bad != 0)
		return bad;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	restore = take_keys(&before);
	do {
		struct rg_finds finds = {0};
		size_t rows = screen_rows();

		fputs(SCREEN_CLEAR, stdout);
		fflush(stdout);
		found = find(&question, &finds);
		if (whole && found) {
			rows /= finds.count;
			question.limit = rows > HEAD_ROWS ? rows - HEAD_ROWS : 1;
		}
		if (found)
			show(&question, &finds);
		fflush(stdout);
		rg_finds_free(&finds);
	} while ((found || question.file == NULL) && wait_for_end());
	if (restore)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return found ? 0 : ANSWER_NO;
}
