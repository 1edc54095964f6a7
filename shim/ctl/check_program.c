/*
 * What decides is read from the ELF file, its mode and its capabilities, and from what the
 * program's own loader says it would load (ld.so --list, which runs nothing of the program).
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ctl/answer.h"
#include "ctl/check.h"
#include "ctl/elf_file.h"
#include "ctl/program.h"

#define EXIT_NOT_FOUND 127 /* as in a shell */

/* What is known of a program before it runs. */
struct candidate {
	char path[PATH_MAX]; /* the file that is executed: for a script, its interpreter */
	bool script;
	char **words; /* the program's name and arguments */
	struct rg_elf_facts facts;
};

/* The kernel ignores set-ID bits on a file system mounted nosuid and under PR_SET_NO_NEW_PRIVS. */
static bool ignores_setid(const char *path)
{
	struct statvfs file_system;

	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
	       (statvfs(path, &file_system) == 0 && (file_system.f_flag & ST_NOSUID) != 0);
}

/* Why the program would run in secure-execution mode (ld.so(8)), or NULL if it would not. */
static const char *secure_execution(const char *path)
{
	struct stat status;
	mode_t setid;

	if (stat(path, &status) != 0)
		return NULL;
	setid = ignores_setid(path) ? 0 : status.st_mode;
	if ((setid & S_ISUID) != 0 && status.st_uid != getuid())
		return "it is set-user-ID";
	if ((setid & S_ISGID) != 0 && status.st_gid != getgid())
		return "it is set-group-ID";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "it has file capabilities";
	return NULL;
}

/*
 * Programs that, when root starts them, execute themselves again with an effective user ID that
 * differs from the real one. The kernel then sets AT_SECURE. OPTION prevents it. Squid's master
 * calls setresuid(13, 13, 0), and to make its kid setresuid(-1, 0, -1).
 */
static const struct reexecuting {
	const char *name;
	char option;
} reexecuting[] = {{"squid", 'N'}};

static bool has_option(char **arguments, char option)
{
	for (; *arguments != NULL; arguments++)
		if ((*arguments)[0] == '-' && (*arguments)[1] != '-' &&
		    strchr(*arguments, option) != NULL)
			return true;
	return false;
}

/* The row above that applies to the program, or NULL. */
static const struct reexecuting *find_reexecuting(const struct candidate *candidate)
{
	const char *slash = strrchr(candidate->path, '/');
	const char *name = slash != NULL ? slash + 1 : candidate->path;

	for (size_t i = 0; i < sizeof reexecuting / sizeof reexecuting[0]; i++)
		if (strcmp(name, reexecuting[i].name) == 0)
			return geteuid() == 0 &&
				       !has_option(candidate->words + 1, reexecuting[i].option)
				   ? &reexecuting[i]
				   : NULL;
	return NULL;
}

/*
 * Preloaded into a program of another libc, the shim finds neither its own libc nor everything that
 * it needs in the other, and the program does not start.
 */
static bool uses_another_libc(const struct rg_elf_facts *facts)
{
#ifdef __GLIBC__
	const bool ours_is_musl = false;
#else
	const bool ours_is_musl = true;
#endif
	return (strstr(facts->loader, "/ld-musl-") != NULL) != ours_is_musl;
}

/* What the ELF file shows. Answers a no; returns RG_GUARDED in silence if it is no obstacle. */
static int check_file(const struct rg_subject *subject, const struct rg_elf_facts *facts)
{
	if (!facts->elf)
		return rg_answer(subject, RG_NOT_GUARDED, "it is not an ELF program");
	if (!facts->dynamic)
		return rg_answer(subject, RG_NOT_GUARDED,
				 facts->go ? "it is a static Go program with its own TLS"
					   : "it is statically linked");
	if (facts->foreign)
		return rg_answer(subject, RG_NOT_GUARDED,
				 "it is built for another architecture than the shim");
	if (uses_another_libc(facts))
		return rg_answer(subject, RG_NOT_PRELOADED,
				 "it uses another libc than the shim, and might not even start "
				 "with it; its loader is %s",
				 facts->loader);
	return RG_GUARDED;
}

/* Would the loader ignore LD_PRELOAD? Answers a no; else returns RG_GUARDED in silence. */
static int check_secure_execution(const struct rg_subject *subject,
				  const struct candidate *candidate)
{
	const char *secure = secure_execution(candidate->path);
	const struct reexecuting *again = find_reexecuting(candidate);

	if (secure != NULL)
		return rg_answer(subject, RG_NOT_GUARDED, "%s, so the loader ignores LD_PRELOAD",
				 secure);
	if (again != NULL)
		return rg_answer(subject, RG_NOT_GUARDED,
				 "it executes itself again in secure-execution mode, in which the "
				 "loader ignores LD_PRELOAD; run it with -%c",
				 again->option);
	return RG_GUARDED;
}

/* Does LD_PRELOAD begin with AddressSanitizer's runtime? The wrapper keeps it there. */
static bool preloads_asan_first(void)
{
	const char *preload = getenv("LD_PRELOAD");
	const char *slash = preload != NULL ? memrchr(preload, '/', strcspn(preload, ": ")) : NULL;

	return preload != NULL &&
	       strncmp(slash != NULL ? slash + 1 : preload, "libasan.so", 10) == 0;
}

/* Which libssl the program calls, if nothing else is in the way. */
static int check_libssl(const struct rg_subject *subject, const struct candidate *candidate)
{
	const struct rg_elf_facts *facts = &candidate->facts;
	struct rg_loaded loaded;

	if (facts->exports_libssl)
		return rg_answer(subject, RG_NOT_GUARDED, "it contains its own libssl");
	rg_program_loads(facts->loader, candidate->path, &loaded);
	if (loaded.asan[0] != '\0' && !preloads_asan_first())
		return rg_answer(subject, RG_NOT_PRELOADED,
				 "AddressSanitizer's runtime has to be its first library; "
				 "start the wrapper with LD_PRELOAD=%s",
				 loaded.asan);
	if (loaded.missing[0] != '\0')
		return rg_answer(subject, RG_NOT_GUARDED,
				 "it needs %s, which its loader does not find", loaded.missing);
	if (loaded.libssl[0] != '\0')
		return rg_answer_for_libssl(subject, "it is linked to", loaded.libssl);
	if (facts->go)
		return rg_answer(subject, RG_NOT_GUARDED, "it is a Go program with its own TLS");
	if (facts->names_libssl && !facts->opens_libssl)
		return rg_answer(subject, RG_NOT_GUARDED, "it contains its own libssl");
	if (candidate->script)
		return rg_answer(subject, RG_GUARDED,
				 "it is a script; the programs it starts inherit the shim");
	if ((facts->opens || loaded.others != 0) && rg_program_libssl_is_installed())
		return rg_answer(subject, RG_GUARDED,
				 "it is not linked to libssl, but may load one, which is guarded "
				 "then");
	return rg_answer(subject, RG_NOT_GUARDED,
			 "it is not linked to libssl and has none to load; programs "
			 "that it starts inherit the shim");
}

int rg_check_program(char **words, bool quiet)
{
	struct rg_subject subject = {
	    .quiet = quiet, .yes = "will be guarded", .no = "cannot be guarded"};
	struct candidate candidate = {.words = words};
	int answer;

	snprintf(subject.name, sizeof subject.name, "%s", words[0]);
	if (rg_program_find(words[0], candidate.path, &candidate.script) != 0) {
		(void)rg_answer(&subject, RG_NOT_GUARDED, "%s", strerror(errno));
		return EXIT_NOT_FOUND;
	}
	if (rg_elf_read(candidate.path, &candidate.facts) != 0)
		return rg_answer(&subject, RG_NOT_GUARDED, "%s cannot be read: %s", candidate.path,
				 strerror(errno));
	answer = check_file(&subject, &candidate.facts);
	if (answer == RG_GUARDED)
		answer = check_secure_execution(&subject, &candidate);
	return answer != RG_GUARDED ? answer : check_libssl(&subject, &candidate);
}
