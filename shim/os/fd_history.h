/*
 * The fd history: which descriptors this thread has read from. It is for clients that os/hellos.h
 * cannot tell, because too little of their hello has come, and for programs that set no descriptor
 * on the SSL. The bytes then come from the one Internet socket that was read, if it is only one.
 *
 * Any thread may call anything here; nothing fails. Noting a read costs two comparisons: no system
 * call, no lock, no memory.
 */
#ifndef RG_FD_HISTORY_H
#define RG_FD_HISTORY_H

#include <stdbool.h>
#include <sys/types.h>

#define RG_FD_HISTORY_KEPT 4

/* Different descriptors, at most RG_FD_HISTORY_KEPT. */
struct rg_fd_set {
	int fds[RG_FD_HISTORY_KEPT];
	int count;
	bool more; /* there were more */
};

struct rg_fd_history {
	int last;			/* the descriptor read last, plus one; 0: ask anew */
	int recent[RG_FD_HISTORY_KEPT]; /* a ring, each plus one; 0: none */
	unsigned newest;		/* index in `recent` */
	bool in_call;
	struct rg_fd_set ever, call; /* since the thread began; since the running call began */
};

#pragma GCC visibility push(hidden)
extern _Thread_local struct rg_fd_history rg_fd_history __attribute__((tls_model("initial-exec")));
#pragma GCC visibility pop

/* Add FD to the history. It must differ from the last one. */
void rg_fd_history_remember(int fd);

/* Is FD the last one, so that there is nothing to note? */
static inline bool rg_fd_history_is_last(int fd)
{
	return __builtin_expect(rg_fd_history.last == fd + 1, 1);
}

/* This thread read from FD. */
static inline void rg_fd_history_note(int fd)
{
	if (!rg_fd_history_is_last(fd))
		rg_fd_history_remember(fd);
}

/* The descriptor this thread read from, BACK different ones ago: 0 is the last. -1 if there is
 * none. BACK is less than RG_FD_HISTORY_KEPT. */
int rg_fd_history_recent(unsigned back);

/* A call of this thread that may shake hands begins or ends. A call inside such a call ends both.
 */
void rg_fd_history_begin_call(void);
void rg_fd_history_end_call(void);

/* What this thread has read since the running call began; NULL if none is running. */
const struct rg_fd_set *rg_fd_history_of_call(void);

/* What this thread has ever read. */
const struct rg_fd_set *rg_fd_history_of_thread(void);

/* Has another thread of this process read anything? */
bool rg_fd_history_has_others(void);

#endif
