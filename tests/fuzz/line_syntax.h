/*
 * Checks that a log parser can read a line. A strict parser of both formats, written from the
 * contract and RFC 8259, not from line.c. JSON is a flat object of strings and whole numbers,
 * logfmt is key=value. Functions that take a pointer to a pointer, AT, move it past what they have
 * read, and return false where that is malformed.
 */
#ifndef LINE_SYNTAX_H
#define LINE_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static inline bool line_is_key(const char **at)
{
	size_t length = strspn(*at, "abcdefghijklmnopqrstuvwxyz");

	*at += length;
	return length != 0;
}

/* A number without leading zeros. */
static inline bool line_is_number(const char **at)
{
	size_t length = strspn(*at, "0123456789");
	bool good = length == 1 || (length > 1 && **at != '0');

	*at += length;
	return good;
}

/*
 * A string in quotes. Its characters, unescaped and each below 256, go into VALUE of SIZE bytes,
 * unless VALUE is NULL. Only bytes that need an escape may have one.
 */
static inline bool line_is_string(const char **at, char *value, size_t size)
{
	size_t used = 0;

	if (*(*at)++ != '"')
		return false;
	for (; **at != '"'; (*at)++) {
		unsigned byte = (unsigned char)**at;
		int length = 0;

		if (byte < ' ' || byte > '~')
			return false;
		if (byte == '\\') {
			(*at)++;
			byte = (unsigned char)**at;
			if (byte == 'u' &&
			    (sscanf(*at + 1, "00%2x%n", &byte, &length) != 1 || length != 4))
				return false;
			if (length == 0 && byte != '"' && byte != '\\')
				return false;
			*at += length;
		}
		if (value != NULL && used + 1 < size)
			value[used++] = (char)byte;
	}
	(*at)++;
	if (value != NULL)
		value[used] = '\0';
	return true;
}

static inline bool line_is_json(const char *line)
{
	if (*line++ != '{')
		return false;
	for (bool first = true; *line != '}'; first = false) {
		if (!first && *line++ != ',')
			return false;
		if (*line++ != '"' || !line_is_key(&line) || *line++ != '"' || *line++ != ':')
			return false;
		if (*line == '"' ? !line_is_string(&line, NULL, 0) : !line_is_number(&line))
			return false;
	}
	return line[1] == '\0';
}

/* A value without quotes: nothing in it could end it, begin another, or pass for an escape. */
static inline bool line_is_bare(const char **at)
{
	const char *begin = *at;

	for (; **at > ' ' && **at <= '~'; (*at)++)
		if (strchr("\"\\='`{}", **at) != NULL)
			return false;
	return *at != begin;
}

static inline bool line_is_logfmt(const char *line)
{
	for (bool first = true; *line != '\0'; first = false) {
		if (!first && *line++ != ' ')
			return false;
		if (!line_is_key(&line) || *line++ != '=')
			return false;
		if (*line == '"' ? !line_is_string(&line, NULL, 0) : !line_is_bare(&line))
			return false;
	}
	return true;
}

#endif
