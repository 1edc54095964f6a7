/*
 * Delivers finished lines to the syslog socket and to standard error. Owns two descriptors, closed
 * on exec and with high numbers, out of the program's way. They are opened early, before the
 * program enters a chroot or drops privileges. Before each use it checks that a descriptor is still
 * the one it opened: daemons close what they inherited, and reuse the number. Never blocks, never
 * raises SIGPIPE, leaves errno alone, and is no cancellation point. Any thread may call it, after
 * fork too.
 */
#ifndef RG_LOG_H
#define RG_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "rg_policy.h"

/* syslog severities (RFC 3164 4.1.1) */
enum { RG_SEVERITY_ERR = 3, RG_SEVERITY_WARNING = 4, RG_SEVERITY_INFO = 6 };

/* Open, or open again, what POLICY's log targets need. A failure is not reported: the next line
 * tries again. */
void rg_log_open(const struct rg_policy *policy);

/* Deliver LINE at SEVERITY to POLICY's log targets. False if one of them did not take it. */
bool rg_log_deliver(const struct rg_policy *policy, int severity, const char *line);

#endif
