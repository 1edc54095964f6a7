/* Text: numbers in arguments, and what the printers of a view write. Everything goes to standard
 * output. */
#ifndef RG_CTL_TEXT_H
#define RG_CTL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define RG_TIME_BYTES 32

/*
 * Print TEXT as it may stand between quotes in JSON and in a Prometheus label: quotes and
 * backslashes escaped, anything but printable ASCII replaced by '?'.
 */
void rg_text_print(const char *text);

/* Write Unix time SECONDS into TEXT as UTC, like 2026-11-22T07:22:49Z. Returns TEXT. */
const char *rg_text_time(int64_t seconds, char text[RG_TIME_BYTES]);

/* Read TEXT as a decimal number from 1 to MAX. Returns false if it is none. */
bool rg_text_number(const char *text, long max, long *number);

#endif
