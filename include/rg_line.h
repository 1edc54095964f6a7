/*
 * Formats log lines: logfmt or JSON, one line each, keys in the contract's order (INTERFACE "Log
 * lines"), keys without a value left out. Every value is escaped, whoever it came from. Pure.
 */
#ifndef RG_LINE_H
#define RG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_policy.h"

#define RG_LINE_BYTES 1024

/* Empty or NULL strings, zero numbers are left out, except where the comment says otherwise. */
struct rg_report {
	const char *code;
	const char *event;
	const char *action;
	const char *client;
	unsigned port;
	unsigned long long count;
	const char *limit;			 /* "120/60s" */
	const char *variable, *value, *accepted; /* a bad policy */
	const char *service;
	const char *tls;
	const char *libssl;
	const char *text; /* free text: what is guarded, what stands in the way */
	uint32_t suppressed;
	bool tell_suppressed; /* also when it is zero */
};

/*
 * The report as one line into LINE (of SIZE bytes), without newline. A value too long for it is
 * cut, never the line's syntax. Returns the length.
 */
size_t rg_line(char *line, size_t size, enum rg_log_format format, const struct rg_report *report);

#endif
