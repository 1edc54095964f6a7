/*
 * How `check` answers: one line that names the program or process, the answer and its reason. A yes
 * goes to standard output, a no to standard error. The answer is also the exit status.
 */
#ifndef RG_CTL_ANSWER_H
#define RG_CTL_ANSWER_H

#include <limits.h>
#include <stdbool.h>

enum rg_answer {
	RG_GUARDED = 0,
	RG_NOT_GUARDED = 1,
	RG_NOT_PRELOADED = 3 /* the program might not even start with the shim preloaded */
};

/* What the question is about. */
struct rg_subject {
	bool quiet; /* print nothing for a yes */
	const char *yes, *no;
	char name[PATH_MAX];
};

/* Print ANSWER with its reason (a printf format) and return it as an exit status. */
int rg_answer(const struct rg_subject *subject, enum rg_answer answer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Answer for a subject that calls the libssl in file LIBSSL. It is a no if that libssl lacks a
 * function the shim needs. A yes gives the reason HOW, which LIBSSL follows, and lists the hooks
 * that take effect: those whose function LIBSSL has.
 */
int rg_answer_for_libssl(const struct rg_subject *subject, const char *how, const char *libssl);

#endif
