#include "ctl/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void rg_text_print(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("?");
		else
			putchar(c);
	}
}

const char *rg_text_time(int64_t seconds, char text[RG_TIME_BYTES])
{
	time_t when = (time_t)seconds;
	struct tm parts;

	if (gmtime_r(&when, &parts) == NULL ||
	    strftime(text, RG_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		strcpy(text, "?");
	return text;
}

bool rg_text_number(const char *text, long max, long *number)
{
	char *end;

	errno = 0;
	*number = strtol(text, &end, 10);
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *number > 0 &&
	       *number <= max;
}
