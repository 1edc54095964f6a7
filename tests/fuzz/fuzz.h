/* Helpers for the fuzz targets. A finding is a crash: a sanitizer's, or that of FUZZ_MUST when a
 * promise is broken. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_MUST(holds)                                                                           \
	do {                                                                                       \
		if (!(holds)) {                                                                    \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #holds);        \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A heap copy of exactly COUNT bytes. The caller frees it. */
static inline void *fuzz_copy(const void *bytes, size_t count)
{
	void *copy = malloc(count);

	FUZZ_MUST(copy != NULL || count == 0);
	if (count != 0)
		memcpy(copy, bytes, count);
	return copy;
}

/* Called by libFuzzer for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

#endif
