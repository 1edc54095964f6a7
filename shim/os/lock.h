/*
 * A lock for short and rare work. Taking it may fail: then the caller must neither write what the
 * lock protects nor unlock it. Any thread or signal handler may call it, also after fork.
 *
 * The lock stores its owner's process. A child forked while another thread held the lock has a copy
 * of the lock, but not the thread that would release it. Such a child takes the lock over. Within a
 * process a caller waits, but not forever: a signal handler may have interrupted the owner.
 */
#ifndef RG_LOCK_H
#define RG_LOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

/* About a second. The work takes microseconds; opening a state file, some milliseconds at most. */
#define RG_LOCK_YIELDS 1000000

/* All zero: free. */
struct rg_lock {
	_Atomic int owner; /* process id */
};

/* Take LOCK. False if another thread of this process held it all the time. */
static inline bool rg_lock(struct rg_lock *lock)
{
	int self = (int)getpid();

	for (unsigned i = 0; i < RG_LOCK_YIELDS; i++) {
		int owner = 0;

		if (atomic_compare_exchange_strong(&lock->owner, &owner, self) ||
		    (owner != self && atomic_compare_exchange_strong(&lock->owner, &owner, self)))
			return true;
		sched_yield();
	}
	return false;
}

static inline void rg_unlock(struct rg_lock *lock)
{
	atomic_store(&lock->owner, 0);
}

#endif
