/*
 * A lock for work that is short and rare, which says whether it was taken. Whoever did not get it
 * must neither write what it protects nor unlock it.
 *
 * It knows its owner's process: a child that was forked while another thread held the lock has a
 * copy of it, but not the thread that would release it. Such a child takes the lock over. In the
 * same process a caller waits, but never for ever: a signal handler may have interrupted the owner.
 */
#ifndef RG_LOCK_H
#define RG_LOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

/* About a second: the work takes microseconds, opening a state file up to some milliseconds. */
#define RG_LOCK_YIELDS 1000000

/* All zero: free. */
struct rg_lock {
	_Atomic int owner; /* process id */
};

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
