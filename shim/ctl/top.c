#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/status.h"

#define REFRESH_MS	1000
#define HEAD_ROWS	6 /* rows of the screen that each ledger takes beside its clients */
#define ROWS_IF_UNKNOWN 24
#define SCREEN_CLEAR	"\033[H\033[2J"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static size_t screen_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0 ? size.ws_row
										: ROWS_IF_UNKNOWN;
}

/* Wait until the next refresh or a key. Returns false if the user typed `q` or interrupted. */
static bool wait_for_refresh(void)
{
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = '\0';
	int ready = poll(&keys, 1, REFRESH_MS);

	if (interrupted)
		return false;
	if (ready > 0 && read(STDIN_FILENO, &key, 1) != 1)
		(void)poll(NULL, 0, REFRESH_MS); /* standard input has ended: no key will come */
	return key != 'q' && !interrupted;
}

/*
 * Make the terminal deliver keys as they are typed, and unechoed. Returns true if the caller has
 * to restore its state from *BEFORE.
 */
static bool unbuffer_keys(struct termios *before)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, before) != 0)
		return false;
	raw = *before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* Draw the screen; with FIT, as many clients as it has rows for. Returns false if there is no
 * ledger. */
static bool draw(struct rg_question *question, bool fit)
{
	struct rg_ledgers ledgers = {0};
	size_t rows = screen_rows();
	bool found;

	fputs(SCREEN_CLEAR, stdout);
	fflush(stdout);
	found = rg_status_find(question, &ledgers);
	if (fit && found) {
		rows /= ledgers.count;
		question->limit = rows > HEAD_ROWS ? rows - HEAD_ROWS : 1;
	}
	if (found)
		rg_status_print(question, &ledgers);
	fflush(stdout);
	rg_ledgers_free(&ledgers);
	return found;
}

int rg_ctl_top(int argc, char **argv)
{
	struct rg_question question = {0};
	struct sigaction action = {.sa_handler = on_interrupt};
	int bad_usage = rg_question_parse(&question, "top", argc, argv);
	struct termios before;
	bool restore, found, fit = question.limit == 0;

	if (bad_usage != 0)
		return bad_usage;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	restore = unbuffer_keys(&before);
	do
		found = draw(&question, fit);
	while ((found || question.file == NULL) && wait_for_refresh());
	if (restore)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return found ? 0 : RG_CTL_NO;
}
