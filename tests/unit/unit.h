/*
 * Helpers for the unit tests: running a suite, copies of exact size (AddressSanitizer then reports
 * every read past the end), corpus files, and random numbers that are the same in every run. Tests
 * run in the root of the source tree.
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof(table)[0]))
#define NS_PER_S    UINT64_C(1000000000)

/* Like ck_assert_msg, for loops that run a million times. The ck_assert macros make a system call
 * even when the assertion holds, to mark the place. */
#define UNIT_MUST(holds, ...)                                                                      \
	do {                                                                                       \
		if (!(holds))                                                                      \
			ck_abort_msg(__VA_ARGS__);                                                 \
	} while (0)

/* Each test function gets a test case of its own: if one hangs or crashes, the others still run. */
#define UNIT_ADD(suite, test)		  unit_add(suite, #test, test, 0, 1)
#define UNIT_ADD_ROWS(suite, test, table) unit_add(suite, #test, test, 0, ROWS(table))

static inline void unit_add(Suite *suite, const char *name, const TTest *test, int first, int end)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 600); /* more than any test takes; tests/run limits them all */
	tcase_add_loop_test(tcase, test, first, end);
	suite_add_tcase(suite, tcase);
}

static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A heap copy of exactly COUNT bytes. The caller frees it. */
static inline void *unit_copy(const void *bytes, size_t count)
{
	void *copy = malloc(count);

	ck_assert(copy != NULL || count == 0);
	if (count != 0)
		memcpy(copy, bytes, count);
	return copy;
}

/* splitmix64 (Vigna, 2015) */
static inline uint64_t unit_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Read file NAME of corpus KIND; *BYTES is its size. The caller frees the content. */
static inline uint8_t *unit_corpus_file(const char *kind, const char *name, size_t *bytes)
{
	uint8_t *content = malloc(65536);
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "tests/fuzz/corpus/%s/%s", kind, name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL && content != NULL, "cannot read %s", path);
	*bytes = fread(content, 1, 65536, file);
	fclose(file);
	content = realloc(content, *bytes);
	ck_assert(content != NULL);
	return content;
}

typedef void unit_on_file(const char *name, const uint8_t *content, size_t bytes);

/* Call ON_FILE for every file of corpus KIND. Returns the number of files. */
static inline unsigned unit_corpus(const char *kind, unit_on_file *on_file)
{
	char path[512];
	struct dirent *entry;
	unsigned files = 0;
	DIR *directory;

	snprintf(path, sizeof path, "tests/fuzz/corpus/%s", kind);
	directory = opendir(path);
	ck_assert_msg(directory != NULL, "cannot open %s", path);
	while ((entry = readdir(directory)) != NULL) {
		uint8_t *content;
		size_t bytes;

		if (entry->d_name[0] == '.')
			continue;
		content = unit_corpus_file(kind, entry->d_name, &bytes);
		on_file(entry->d_name, content, bytes);
		free(content);
		files++;
	}
	closedir(directory);
	return files;
}

#endif
