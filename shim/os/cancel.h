/*
 * open(2), send(2), poll(2) and others are cancellation points (pthreads(7)); the functions of
 * libssl and the program's other calls that come here are none. So the work of this floor stands
 * between these two calls. Any thread may call them.
 */
#ifndef RG_CANCEL_H
#define RG_CANCEL_H

#include <pthread.h>
#include <stddef.h>

#pragma weak pthread_setcancelstate /* in another library than libc, before glibc 2.34 */

/* Hold cancellation of this thread back. Returns what rg_cancel_restore needs. */
static inline int rg_cancel_hold(void)
{
	int before = PTHREAD_CANCEL_ENABLE;

	if (pthread_setcancelstate != NULL)
		(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void rg_cancel_restore(int before)
{
	if (pthread_setcancelstate != NULL)
		(void)pthread_setcancelstate(before, &before);
}

#endif
