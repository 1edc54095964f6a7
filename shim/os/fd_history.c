#include "os/fd_history.h"

#include <stdatomic.h>
#include <stddef.h>

_Thread_local struct rg_fd_history rg_fd_history __attribute__((tls_model("initial-exec")));

static _Atomic unsigned reading_threads;

static void add(struct rg_fd_set *set, int fd)
{
	for (int i = 0; i < set->count; i++)
		if (set->fds[i] == fd)
			return;
	if (set->count < RG_FD_HISTORY_KEPT)
		set->fds[set->count++] = fd;
	else
		set->more = true;
}

__attribute__((noinline)) void rg_fd_history_remember(int fd)
{
	struct rg_fd_history *history = &rg_fd_history;

	history->last = fd + 1;
	if (history->recent[history->newest] != fd + 1) {
		history->newest = (history->newest + 1) % RG_FD_HISTORY_KEPT;
		history->recent[history->newest] = fd + 1;
	}
	if (!history->ever.more) {
		if (history->ever.count == 0)
			atomic_fetch_add_explicit(&reading_threads, 1, memory_order_relaxed);
		add(&history->ever, fd);
	}
	if (history->in_call)
		add(&history->call, fd);
}

int rg_fd_history_recent(unsigned back)
{
	unsigned at = (rg_fd_history.newest + RG_FD_HISTORY_KEPT - back) % RG_FD_HISTORY_KEPT;

	return rg_fd_history.recent[at] - 1;
}

void rg_fd_history_begin_call(void)
{
	rg_fd_history.last = 0; /* so that the next read is remembered */
	rg_fd_history.call.count = 0;
	rg_fd_history.call.more = false;
	rg_fd_history.in_call = true;
}

void rg_fd_history_end_call(void)
{
	rg_fd_history.in_call = false;
}

const struct rg_fd_set *rg_fd_history_of_call(void)
{
	return rg_fd_history.in_call ? &rg_fd_history.call : NULL;
}

const struct rg_fd_set *rg_fd_history_of_thread(void)
{
	return &rg_fd_history.ever;
}

bool rg_fd_history_has_others(void)
{
	return atomic_load_explicit(&reading_threads, memory_order_relaxed) > 1;
}
