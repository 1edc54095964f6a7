/* Log lines: the contract's examples byte for byte, every byte value in every position, and every
 * line size. */
#include "rg_line.h"

#include "../fuzz/line_syntax.h"
#include "unit.h"

static const enum rg_log_format formats[] = {RG_FORMAT_TEXT, RG_FORMAT_JSON};

static void format_line(char line[RG_LINE_BYTES], enum rg_log_format format,
			const struct rg_report *report)
{
	size_t length = rg_line(line, RG_LINE_BYTES, format, report);

	ck_assert_uint_lt(length, RG_LINE_BYTES);
	ck_assert_uint_eq(length, strlen(line));
}

static bool is_well_formed(enum rg_log_format format, const char *line)
{
	return format == RG_FORMAT_JSON ? line_is_json(line) : line_is_logfmt(line);
}

/* --- the syntax check that the other tests rely on --- */

static const struct {
	enum rg_log_format format;
	const char *line;
} malformed[] = {
    {RG_FORMAT_JSON, ""},
    {RG_FORMAT_JSON, "{"},
    {RG_FORMAT_JSON, "{\"a\":1"},
    {RG_FORMAT_JSON, "{\"a\":1}}"},
    {RG_FORMAT_JSON, "{\"a\":1,}"},
    {RG_FORMAT_JSON, "{\"a\":01}"},
    {RG_FORMAT_JSON, "{\"a\":}"},
    {RG_FORMAT_JSON, "{\"a\":\"b}"},
    {RG_FORMAT_JSON, "{\"a\":\"b\n\"}"},
    {RG_FORMAT_JSON, "{\"a\":\"\\n\"}"},
    {RG_FORMAT_JSON, "{\"a\":\"\\u00g0\"}"},
    {RG_FORMAT_JSON, "{\"a\":\"\xc3\xa4\"}"},
    {RG_FORMAT_TEXT, "a"},
    {RG_FORMAT_TEXT, "a="},
    {RG_FORMAT_TEXT, "a=b "},
    {RG_FORMAT_TEXT, "a=b c"},
    {RG_FORMAT_TEXT, "a=b=c"},
    {RG_FORMAT_TEXT, "a=\"b"},
    {RG_FORMAT_TEXT, "a=b\n"},
};

START_TEST(test_syntax_check_is_strict)
{
	ck_assert(!is_well_formed(malformed[_i].format, malformed[_i].line));
}
END_TEST

/* --- the contract's examples --- */

#define REFUSED                                                                                    \
	.code = "ERR_TLS_RENEGOTIATION_DISABLED", .event = "renegotiation", .action = "close",     \
	.client = "192.0.2.7", .port = 51034, .count = 1, .service = "nginx", .tls = "TLSv1.2",    \
	.libssl = "3.0.19"
#define ATTACK                                                                                     \
	.code = "ERR_TLS_SESSION_ATTACK", .event = "resumption", .action = "warn",                 \
	.client = "192.0.2.7", .port = 51034, .count = 121, .limit = "120/60s",                    \
	.service = "nginx", .tls = "TLSv1.3", .libssl = "3.0.19", .tell_suppressed = true

static const struct {
	enum rg_log_format format;
	struct rg_report report;
	const char *line;
} examples[] = {
    {RG_FORMAT_TEXT,
     {REFUSED},
     "code=ERR_TLS_RENEGOTIATION_DISABLED event=renegotiation action=close client=192.0.2.7 "
     "port=51034 count=1 service=nginx tls=TLSv1.2 libssl=3.0.19"},
    {RG_FORMAT_TEXT,
     {ATTACK},
     "code=ERR_TLS_SESSION_ATTACK event=resumption action=warn client=192.0.2.7 port=51034 "
     "count=121 limit=120/60s service=nginx tls=TLSv1.3 libssl=3.0.19 suppressed=0"},
    {RG_FORMAT_JSON,
     {ATTACK},
     "{\"code\":\"ERR_TLS_SESSION_ATTACK\",\"event\":\"resumption\",\"action\":\"warn\","
     "\"client\":\"192.0.2.7\",\"port\":51034,\"count\":121,\"limit\":\"120/60s\","
     "\"service\":\"nginx\",\"tls\":\"TLSv1.3\",\"libssl\":\"3.0.19\",\"suppressed\":0}"},
    {RG_FORMAT_TEXT, {.code = "X", .suppressed = 7}, "code=X suppressed=7"},
    {RG_FORMAT_TEXT, {.code = "X", .service = "", .tls = NULL}, "code=X"},
    {RG_FORMAT_JSON, {.code = NULL}, "{}"},
    {RG_FORMAT_TEXT, {.code = NULL}, ""},
    {RG_FORMAT_TEXT,
     {.code = "X", .client = "2001:db8::1", .service = "my service", .libssl = "1.1.1w"},
     "code=X client=2001:db8::1 service=\"my service\" libssl=1.1.1w"},
    {RG_FORMAT_TEXT,
     {.code = "ERR_RENEGUARD_POLICY", .variable = "RENEGUARD_LOG", .value = "a b\"c"},
     "code=ERR_RENEGUARD_POLICY variable=RENEGUARD_LOG value=\"a b\\\"c\""},
    {RG_FORMAT_TEXT,
     {.count = 18446744073709551615ULL, .port = 4294967295U, .suppressed = UINT32_MAX},
     "port=4294967295 count=18446744073709551615 suppressed=4294967295"},
};

START_TEST(test_example)
{
	char line[RG_LINE_BYTES];

	format_line(line, examples[_i].format, &examples[_i].report);
	ck_assert_str_eq(line, examples[_i].line);
	ck_assert(is_well_formed(examples[_i].format, line));
}
END_TEST

/* --- hostile values --- */

/* What a reader finds after key= (or "key":) in LINE, unescaped, into VALUE. */
static void value_of(const char *line, enum rg_log_format format, const char *key, char *value,
		     size_t size)
{
	char begin[32];
	const char *at;

	snprintf(begin, sizeof begin, format == RG_FORMAT_JSON ? "\"%s\":" : "%s=", key);
	at = strstr(line, begin);
	UNIT_MUST(at != NULL, "there is no %s in %s", key, line);
	at += strlen(begin);
	if (*at == '"')
		UNIT_MUST(line_is_string(&at, value, size), "the value of %s is malformed: %s", key,
			  line);
	else
		snprintf(value, size, "%.*s", (int)strcspn(at, " "), at);
}

START_TEST(test_every_byte)
{
	char line[RG_LINE_BYTES], found[16];

	for (unsigned byte = 1; byte < 256; byte++)
		for (unsigned position = 0; position < 3; position++) {
			char value[4] = "aaa";
			struct rg_report report = {.code = "X", .service = value, .libssl = "z"};

			value[position] = (char)byte;
			format_line(line, formats[_i], &report);
			UNIT_MUST(is_well_formed(formats[_i], line), "byte %#x: malformed: %s",
				  byte, line);
			value_of(line, formats[_i], "service", found, sizeof found);
			UNIT_MUST(strcmp(found, value) == 0, "byte %#x: another value: %s", byte,
				  line);
		}
}
END_TEST

static const char *const injections[] = {
    "x\ncode=FORGED",
    "x action=off",
    "x\" action=\"off",
    "x\\\" action=\"off",
    "\\",
    "\"",
    "=",
    " ",
    "x\",\"action\":\"off",
    "x\"}\n{\"code\":\"FORGED",
    "\x1b[2J",
    "\xff\xfe\xc3\x28",
};

START_TEST(test_injection)
{
	char line[RG_LINE_BYTES], found[64];

	for (int i = 0; i < ROWS(formats); i++) {
		struct rg_report report = {
		    .code = "X", .action = "close", .value = injections[_i], .libssl = "3.0.19"};

		format_line(line, formats[i], &report);
		ck_assert_msg(is_well_formed(formats[i], line), "malformed: %s", line);
		value_of(line, formats[i], "value", found, sizeof found);
		ck_assert_str_eq(found, injections[_i]);
		value_of(line, formats[i], "action", found, sizeof found);
		ck_assert_str_eq(found, "close");
	}
}
END_TEST

/* --- values that are too long --- */

/* A report with every field set. Each text is LENGTH times BYTE. */
static struct rg_report long_report(char *text, size_t length, char byte)
{
	memset(text, byte, length);
	text[length] = '\0';
	return (struct rg_report){text, text, text, text, 65535, UINT64_MAX, text,	 text,
				  text, text, text, text, text,	 text,	     UINT32_MAX, true};
}

static const char long_bytes[] = {'a', ' ', '"', '\\', '\n', '\xff'};

START_TEST(test_every_size)
{
	static const size_t lengths[] = {1, 7, 20, 63, 511, 512, 513, 5000};
	static char text[5001];

	for (int i = 0; i < ROWS(lengths) * ROWS(formats); i++) {
		enum rg_log_format format = formats[i % 2];
		struct rg_report report = long_report(text, lengths[i / 2], long_bytes[_i]);

		for (size_t size = 64; size <= 2 * RG_LINE_BYTES; size++) {
			char *line = malloc(size);
			size_t length = rg_line(line, size, format, &report);

			UNIT_MUST(length < size && line[length] == '\0' && strlen(line) == length,
				  "size %zu: length %zu", size, length);
			UNIT_MUST(is_well_formed(format, line), "size %zu: malformed: %s", size,
				  line);
			free(line);
		}
	}
}
END_TEST

/* However long the bad value, a policy error's line still names the variable and the service. */
START_TEST(test_long_value_leaves_the_rest)
{
	static char text[100001];
	char line[RG_LINE_BYTES], found[64];

	for (int i = 0; i < ROWS(formats); i++) {
		struct rg_report report = {.code = "ERR_RENEGUARD_POLICY",
					   .variable = "RENEGUARD_EXEMPT",
					   .value = text,
					   .service = "nginx"};

		memset(text, 'a', sizeof text - 1);
		format_line(line, formats[i], &report);
		ck_assert(is_well_formed(formats[i], line));
		value_of(line, formats[i], "variable", found, sizeof found);
		ck_assert_str_eq(found, "RENEGUARD_EXEMPT");
		value_of(line, formats[i], "service", found, sizeof found);
		ck_assert_str_eq(found, "nginx");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("line");

	UNIT_ADD_ROWS(suite, test_syntax_check_is_strict, malformed);
	UNIT_ADD_ROWS(suite, test_injection, injections);
	UNIT_ADD_ROWS(suite, test_every_byte, formats);
	UNIT_ADD_ROWS(suite, test_every_size, long_bytes);
	UNIT_ADD(suite, test_long_value_leaves_the_rest);
	UNIT_ADD_ROWS(suite, test_example, examples);
	return unit_run(suite);
}
