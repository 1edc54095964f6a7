/*
 * Delivers finished lines: to the syslog socket, to standard error. It owns two descriptors, opened
 * while the program may still open them (before a chroot, before privileges are dropped), moved out
 * of the program's way, closed on exec. Before each use it makes sure that a descriptor is still
 * what it opened: daemons close what they inherited, and reuse the number. It never blocks, never
 * raises SIGPIPE, leaves errno alone. Any thread may call it, after fork too.
 */
#ifndef RG_LOG_H
#define RG_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "rg_policy.h"

/* syslog severities (RFC 3164 4.1.1) */
enum { RG_SEVERITY_ERR = 3, RG_SEVERITY_WARNING = 4, RG_SEVERITY_INFO = 6 };

/* Open, or open again, what POLICY's log targets need. Nothing is said where it fails: the next
 * line tries again. */
void rg_log_open(const struct rg_policy *policy);

/* Deliver LINE at SEVERITY to the policy's targets. False where one of them did not take it. */
bool rg_log_deliver(const struct rg_policy *policy, int severity, const char *line);

#endif
