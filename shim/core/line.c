#include "rg_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* These bytes stay free for what closes a line: a quote, a brace and the NUL. */
#define RESERVE_BYTES	8
#define VALUE_BYTES_MAX 512

struct out {
	char *at;
	size_t size, used;
	enum rg_log_format format;
	bool first;
};

/* Append TEXT if all of it fits before the reserve; else append nothing and return false. */
static bool put(struct out *out, const char *text, size_t length)
{
	if (out->used + length + RESERVE_BYTES > out->size)
		return false;
	memcpy(out->at + out->used, text, length);
	out->used += length;
	return true;
}

static bool put_string(struct out *out, const char *text)
{
	return put(out, text, strlen(text));
}

/* A value made only of these characters needs no quotes in logfmt. */
static bool is_bare(const char *value)
{
	return value[strspn(
		   value,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-+,@%[]")] ==
	       '\0';
}

/* Append VALUE in quotes, escaped as in JSON (RFC 8259 7). Control characters and bytes that are
 * not ASCII become \u00xx. */
static void put_quoted(struct out *out, const char *value)
{
	size_t taken = 0;

	put_string(out, "\"");
	for (; *value != '\0' && taken < VALUE_BYTES_MAX; value++, taken++) {
		unsigned char c = (unsigned char)*value;
		char escaped[8];

		if (c == '"' || c == '\\')
			snprintf(escaped, sizeof escaped, "\\%c", c);
		else if (c < ' ' || c > '~')
			snprintf(escaped, sizeof escaped, "\\u%04x", c);
		else
			snprintf(escaped, sizeof escaped, "%c", c);
		/* The closing quote and what follows it must fit as well. */
		if (out->used + 2 * RESERVE_BYTES + strlen(escaped) > out->size ||
		    !put_string(out, escaped))
			break;
	}
	put_string(out, "\"");
}

static bool put_key(struct out *out, const char *key, size_t value_bytes)
{
	/* A key is written only if its shortest value has room as well. */
	if (out->used + strlen(key) + value_bytes + 3 * RESERVE_BYTES > out->size)
		return false;
	if (!out->first)
		put_string(out, out->format == RG_FORMAT_JSON ? "," : " ");
	out->first = false;
	if (out->format == RG_FORMAT_JSON)
		put_string(out, "\"");
	put_string(out, key);
	return put_string(out, out->format == RG_FORMAT_JSON ? "\":" : "=");
}

static void put_text(struct out *out, const char *key, const char *value)
{
	if (value == NULL || value[0] == '\0' || !put_key(out, key, 0))
		return;
	if (out->format == RG_FORMAT_JSON || !is_bare(value) || strlen(value) > VALUE_BYTES_MAX)
		put_quoted(out, value);
	else if (!put_string(out, value))
		put_quoted(out, value);
}

static void put_number(struct out *out, const char *key, unsigned long long value, bool even_zero)
{
	char digits[24];

	if ((value == 0 && !even_zero) || !put_key(out, key, sizeof digits))
		return;
	snprintf(digits, sizeof digits, "%llu", value);
	put_string(out, digits);
}

size_t rg_line(char *line, size_t size, enum rg_log_format format, const struct rg_report *report)
{
	struct out out = {.at = line, .size = size, .format = format, .first = true};

	if (format == RG_FORMAT_JSON)
		put_string(&out, "{");
	put_text(&out, "code", report->code);
	put_text(&out, "event", report->event);
	put_text(&out, "action", report->action);
	put_text(&out, "client", report->client);
	put_number(&out, "port", report->port, false);
	put_number(&out, "count", report->count, false);
	put_text(&out, "limit", report->limit);
	put_text(&out, "variable", report->variable);
	put_text(&out, "value", report->value);
	put_text(&out, "accepted", report->accepted);
	put_text(&out, "service", report->service);
	put_text(&out, "tls", report->tls);
	put_text(&out, "libssl", report->libssl);
	put_text(&out, "text", report->text);
	put_number(&out, "suppressed", report->suppressed, report->tell_suppressed);
	/* These fit into the reserve. */
	if (format == RG_FORMAT_JSON)
		out.at[out.used++] = '}';
	out.at[out.used] = '\0';
	return out.used;
}
