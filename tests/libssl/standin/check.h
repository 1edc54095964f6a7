// A stand-in for Check (libcheck), which is not packaged for musl. It has only what the unit tests
// of this project use. Each test runs in a child process of its own; the results are TAP.
#ifndef STANDIN_CHECK_H
#define STANDIN_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CK_ENV, CHECK_TESTS_MAX = 256 };

typedef struct {
	const char *name;
	void (*run)(int);
} TTest;

typedef struct {
	const TTest *test;
	int first, end;
	unsigned timeout_s;
} TCase;

typedef struct Suite {
	TCase *cases[CHECK_TESTS_MAX];
	int count, failed;
} Suite, SRunner;

#define START_TEST(test)                                                                           \
	static void test##_fn(int _i);                                                             \
	static const TTest test##_test = {#test, test##_fn};                                       \
	static const TTest *test = &test##_test;                                                   \
	static void test##_fn(int _i __attribute__((unused)))
#define END_TEST

#define ck_abort_msg(...)                                                                          \
	(printf("# %s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), putchar('\n'),              \
	 fflush(stdout), _exit(1))
#define ck_assert_msg(holds, ...) ((holds) ? (void)0 : ck_abort_msg(__VA_ARGS__))
#define ck_assert(holds)	  ck_assert_msg(holds, "%s", #holds)
#define CK_COMPARE(type, format, a, op, b)                                                         \
	do {                                                                                       \
		type _a = (a), _b = (b);                                                           \
		ck_assert_msg(_a op _b, "%s is " format ", not %s " format, #a, _a, #op, _b);      \
	} while (0)
#define CK_INT(a, op, b)	      CK_COMPARE(intmax_t, "%jd", a, op, b)
#define CK_UINT(a, op, b)	      CK_COMPARE(uintmax_t, "%ju", a, op, b)
#define ck_assert_int_eq(a, b)	      CK_INT(a, ==, b)
#define ck_assert_int_ge(a, b)	      CK_INT(a, >=, b)
#define ck_assert_int_gt(a, b)	      CK_INT(a, >, b)
#define ck_assert_int_le(a, b)	      CK_INT(a, <=, b)
#define ck_assert_int_lt(a, b)	      CK_INT(a, <, b)
#define ck_assert_uint_eq(a, b)	      CK_UINT(a, ==, b)
#define ck_assert_uint_ne(a, b)	      CK_UINT(a, !=, b)
#define ck_assert_uint_ge(a, b)	      CK_UINT(a, >=, b)
#define ck_assert_uint_gt(a, b)	      CK_UINT(a, >, b)
#define ck_assert_uint_le(a, b)	      CK_UINT(a, <=, b)
#define ck_assert_uint_lt(a, b)	      CK_UINT(a, <, b)
#define ck_assert_str_eq(a, b)	      ck_assert_msg(strcmp(a, b) == 0, "%s is '%s', not '%s'", #a, a, b)
#define ck_assert_str_ne(a, b)	      ck_assert_msg(strcmp(a, b) != 0, "%s is '%s'", #a, a)
#define ck_assert_mem_eq(a, b, bytes) ck_assert(memcmp(a, b, bytes) == 0)
#define ck_assert_ptr_null(a)	      ck_assert((a) == NULL)
#define ck_assert_ptr_nonnull(a)      ck_assert((a) != NULL)

static inline Suite *suite_create(const char *name)
{
	return (void)name, calloc(1, sizeof(Suite));
}
static inline TCase *tcase_create(const char *name)
{
	return (void)name, calloc(1, sizeof(TCase));
}
static inline void tcase_set_timeout(TCase *tcase, double seconds)
{
	tcase->timeout_s = (unsigned)seconds;
}
static inline void suite_add_tcase(Suite *suite, TCase *tcase)
{
	suite->cases[suite->count++] = tcase;
}
static inline SRunner *srunner_create(Suite *suite)
{
	return suite;
}
static inline int srunner_ntests_failed(const SRunner *runner)
{
	return runner->failed;
}
static inline void srunner_free(SRunner *runner)
{
	free(runner);
}

static inline void tcase_add_loop_test(TCase *tcase, const TTest *test, int first, int end)
{
	tcase->test = test;
	tcase->first = first;
	tcase->end = end;
}

static inline int check_run(const TCase *tcase, int i)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		alarm(tcase->timeout_s);
		tcase->test->run(i);
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static inline void srunner_run_all(SRunner *runner, int mode)
{
	int points = 0;

	(void)mode;
	for (int n = 0; n < runner->count; n++)
		for (int i = runner->cases[n]->first; i < runner->cases[n]->end; i++) {
			int good = check_run(runner->cases[n], i);

			runner->failed += !good;
			printf("%sok %d - %s %d\n", good ? "" : "not ", ++points,
			       runner->cases[n]->test->name, i);
			fflush(stdout);
		}
	printf("1..%d\n", points);
}

#endif
