/*
 * Formats log lines as logfmt or JSON, one line for each report. The keys come in the contract's
 * order (INTERFACE "Log lines"); keys without a value are left out. Every value is escaped,
 * whatever its source. Pure: any thread may call it, nothing can fail.
 */
#ifndef RG_LINE_H
#define RG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_policy.h"

#define RG_LINE_BYTES 1024

/* NULL or empty strings and zero numbers are left out; tell_suppressed is the one exception. */
struct rg_report {
	const char *code;
	const char *event;
	const char *action;
	const char *client;
	unsigned port;
	unsigned long long count;
	const char *limit;			 /* "120/60s" */
	const char *variable, *value, *accepted; /* of a bad policy */
	const char *service;
	const char *tls;
	const char *libssl;
	const char *text; /* free text: what is guarded, or what prevents it */
	uint32_t suppressed;
	bool tell_suppressed; /* write `suppressed` even if it is zero */
};

/*
 * Write REPORT as one line to LINE, which has SIZE bytes; no newline is added. A value that is too
 * long is cut, and a key that no longer fits is left out; the line stays well-formed. Returns its
 * length.
 */
size_t rg_line(char *line, size_t size, enum rg_log_format format, const struct rg_report *report);

#endif
