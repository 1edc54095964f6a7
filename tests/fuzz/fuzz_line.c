/* Input: two bytes for the size of the line, one of flags, then the strings of the report, each
 * ended by a zero byte. */
#include "fuzz.h"
#include "line_syntax.h"
#include "rg_line.h"

#define SIZE_MIN    64
#define STRINGS	    12
#define FLAG_JSON   0x01
#define FLAG_TELL   0x02
#define INPUT_BYTES 3

/* A copy of the string at *AT, which is moved past it; NULL at the end. The caller frees it. */
static char *next_string(const uint8_t **at, size_t *left)
{
	size_t length = strnlen((const char *)*at, *left);
	char *string;

	if (*left == 0)
		return NULL;
	string = malloc(length + 1);
	memcpy(string, *at, length);
	string[length] = '\0';
	length += length < *left;
	*at += length;
	*left -= length;
	return string;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	char *strings[STRINGS], *line;
	struct rg_report report;
	enum rg_log_format format;
	size_t size, length;
	uint8_t flags;

	if (bytes < INPUT_BYTES)
		return 0;
	size = SIZE_MIN + (((size_t)input[0] << 8 | input[1]) & 0xfff);
	flags = input[2];
	input += INPUT_BYTES;
	bytes -= INPUT_BYTES;
	for (size_t i = 0; i < STRINGS; i++)
		strings[i] = next_string(&input, &bytes);
	report = (struct rg_report){
	    .code = strings[0],
	    .event = strings[1],
	    .action = strings[2],
	    .client = strings[3],
	    .limit = strings[4],
	    .variable = strings[5],
	    .value = strings[6],
	    .accepted = strings[7],
	    .service = strings[8],
	    .tls = strings[9],
	    .libssl = strings[10],
	    .text = strings[11],
	    .port = flags,
	    .count = size * flags,
	    .suppressed = flags >> 4,
	    .tell_suppressed = flags & FLAG_TELL,
	};
	format = flags & FLAG_JSON ? RG_FORMAT_JSON : RG_FORMAT_TEXT;
	line = malloc(size);
	length = rg_line(line, size, format, &report);
	FUZZ_MUST(length < size && strnlen(line, size) == length);
	FUZZ_MUST(format == RG_FORMAT_JSON ? line_is_json(line) : line_is_logfmt(line));
	free(line);
	for (size_t i = 0; i < STRINGS; i++)
		free(strings[i]);
	return 0;
}
