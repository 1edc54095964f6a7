/*
 * The only clock that limits use. It is monotonic and counts while the machine is suspended, so
 * that a limit's period is real time. Any thread may call it. It cannot fail.
 */
#ifndef RG_CLOCK_H
#define RG_CLOCK_H

#include <stdint.h>

/* Nanoseconds since boot. */
uint64_t rg_clock_ns(void);

/* A number for the time namespace whose clock this is; 0 if the kernel has none, or /proc is not
 * there. Processes of other namespaces read other times at the same moment. */
uint64_t rg_clock_space(void);

#endif
