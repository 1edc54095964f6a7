/*
 * Waiting for another thread that does something short and once. A child that was forked meanwhile
 * has the lock but not the thread that held it: nobody waits for ever, whoever has waited long
 * enough goes on as if the lock were his.
 */
#ifndef RG_LOCK_H
#define RG_LOCK_H

#include <sched.h>
#include <stdatomic.h>

/* Tens of milliseconds: what is waited for takes microseconds. */
#define RG_LOCK_YIELDS 100000

static inline void rg_lock(atomic_flag *lock)
{
	for (unsigned i = 0; i < RG_LOCK_YIELDS; i++) {
		if (!atomic_flag_test_and_set_explicit(lock, memory_order_acquire))
			return;
		sched_yield();
	}
}

static inline void rg_unlock(atomic_flag *lock)
{
	atomic_flag_clear_explicit(lock, memory_order_release);
}

#endif
