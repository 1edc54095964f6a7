/*
 * The one clock of this library: monotonic, and counting while the machine is suspended, so that a
 * limit's period is real time. Any thread may ask. Cannot fail.
 */
#ifndef RG_CLOCK_H
#define RG_CLOCK_H

#include <stdint.h>

/* Nanoseconds since boot. */
uint64_t rg_clock_ns(void);

#endif
