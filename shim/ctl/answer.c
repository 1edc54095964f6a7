#include "ctl/answer.h"

#include <stdarg.h>
#include <stdio.h>

#include "ctl/elf_file.h"
#include "libssl/functions.h"

#define NAME(returns, name, arguments) #name,
static const char *const required[] = {RG_LIBSSL_HOOKS_REQUIRED(NAME)};
static const char *const hooks[] = {RG_LIBSSL_HOOKS(NAME)};
#undef NAME

#define COUNT(array) (sizeof(array) / sizeof *(array))

int rg_answer(const struct rg_subject *subject, enum rg_answer answer, const char *format, ...)
{
	FILE *out = answer == RG_GUARDED ? stdout : stderr;
	va_list reason;

	if (answer == RG_GUARDED && subject->quiet)
		return (int)answer;
	fprintf(out, "%s: %s: ", subject->name, answer == RG_GUARDED ? subject->yes : subject->no);
	va_start(reason, format);
	vfprintf(out, format, reason);
	va_end(reason);
	putc('\n', out);
	return (int)answer;
}

static void print_hooks(const char *libssl)
{
	bool has[COUNT(hooks)];

	if (rg_elf_has(libssl, hooks, has, COUNT(hooks)) != 0)
		return;
	printf("  hooks:");
	for (size_t i = 0; i < COUNT(hooks); i++)
		if (has[i])
			printf(" %s", hooks[i]);
	putchar('\n');
}

int rg_answer_for_libssl(const struct rg_subject *subject, const char *how, const char *libssl)
{
	bool has[COUNT(required)];
	int answer;

	if (rg_elf_has(libssl, required, has, COUNT(required)) == 0)
		for (size_t i = 0; i < COUNT(required); i++)
			if (!has[i])
				return rg_answer(subject, RG_NOT_GUARDED,
						 "its libssl has no %s: %s", required[i], libssl);
	answer = rg_answer(subject, RG_GUARDED, "%s %s", how, libssl);
	if (!subject->quiet)
		print_hooks(libssl);
	return answer;
}
