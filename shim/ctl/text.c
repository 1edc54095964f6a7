#include "ctl/text.h"

#include <stdio.h>
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
