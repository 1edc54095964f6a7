/*
 * Will the shim take effect in a program? What decides is read from the ELF file, its mode and
 * capabilities, and from what the program's own loader says it would load (ld.so --list, which runs
 * nothing of the program).
 */
#include <elf.h>
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

#include "ctl/ctl.h"
#include "ctl/elf_file.h"
#include "ctl/maps.h"
#include "ctl/program.h"
#include "libssl/functions.h"

#define EXIT_NOT_FOUND 127 /* as a shell has it */

enum answer { GUARDED = 0, NOT_GUARDED = 1, NOT_PRELOADED = 3 }; /* exit statuses of check */

/* Whom the answer is about, and whether only a no is to be said. */
struct finding {
	bool quiet;
	char **words; /* its arguments, up to a NULL */
	char program[PATH_MAX];
};

static int conclude(const struct finding *finding, enum answer answer, const char *what,
		    const char *detail)
{
	if (answer != GUARDED || !finding->quiet)
		fprintf(answer == GUARDED ? stdout : stderr, "%s: %s%s%s\n", finding->program,
			answer == GUARDED ? "will be guarded: " : "can not be guarded: ", what,
			detail);
	return (int)answer;
}

#define NAME(returns, name, arguments) #name,
static const char *const required[] = {RG_LIBSSL_HOOKS_REQUIRED(NAME)};
static const char *const hooks[] = {RG_LIBSSL_HOOKS(NAME)};
#undef NAME

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* In front of which functions of LIBSSL the shim stands; those it has not got are left out. */
static void tell_hooks(const char *libssl)
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

/* It is LIBSSL that the program calls, of which HOW says how that is known. */
static int conclude_with(const struct finding *finding, const char *how, const char *libssl)
{
	bool has[COUNT(required)];
	int answer;

	if (rg_elf_has(libssl, required, has, COUNT(required)) == 0)
		for (size_t i = 0; i < COUNT(required); i++)
			if (!has[i])
				return conclude(finding, NOT_GUARDED, "its libssl has no ",
						required[i]);
	answer = conclude(finding, GUARDED, how, libssl);
	if (!finding->quiet)
		tell_hooks(libssl);
	return answer;
}

/* Of a file on such a file system, and for a process that may not gain rights, the bits mean
 * nothing. */
static bool ignores_setid(const char *path)
{
	struct statvfs place;

	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
	       (statvfs(path, &place) == 0 && (place.f_flag & ST_NOSUID) != 0);
}

/* A reason why the loader would ignore LD_PRELOAD (ld.so(8), secure-execution mode), or NULL. */
static const char *secure_execution(const char *path)
{
	struct stat about;
	mode_t setid;

	if (stat(path, &about) != 0)
		return NULL;
	setid = ignores_setid(path) ? 0 : about.st_mode;
	if ((setid & S_ISUID) != 0 && about.st_uid != getuid())
		return "it is set-user-ID: the loader ignores LD_PRELOAD";
	if ((setid & S_ISGID) != 0 && about.st_gid != getgid())
		return "it is set-group-ID: the loader ignores LD_PRELOAD";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "it has file capabilities: the loader ignores LD_PRELOAD";
	return NULL;
}

/*
 * Programs that, started by root, execute themselves again with an effective user who is not the
 * real one, and what keeps them from it. The kernel sets AT_SECURE then. Squid's master does
 * setresuid(13, 13, 0) and, to make its kid, setresuid(-1, 0, -1).
 */
static const struct {
	const char *name;
	char option;
} reexecuting[] = {{"squid", 'N'}};

static bool has_option(char **words, char option)
{
	for (; *words != NULL; words++)
		if ((*words)[0] == '-' && (*words)[1] != '-' && strchr(*words, option) != NULL)
			return true;
	return false;
}

static bool reexecutes(const struct finding *finding, const char *path)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < sizeof reexecuting / sizeof reexecuting[0]; i++)
		if (strcmp(slash != NULL ? slash + 1 : path, reexecuting[i].name) == 0)
			return geteuid() == 0 && !has_option(finding->words, reexecuting[i].option);
	return false;
}

/* In front of a program of another libc the library finds neither its own libc nor all that it
 * needs of that one, and the program does not start. */
static bool is_of_another_libc(const struct rg_elf_facts *facts)
{
#ifdef __GLIBC__
	const bool ours_is_musl = false;
#else
	const bool ours_is_musl = true;
#endif
	return (strstr(facts->loader, "/ld-musl-") != NULL) != ours_is_musl;
}

/* What the file alone tells; GUARDED: nothing stands in the way. */
static int check_file(const struct finding *finding, const char *path,
		      const struct rg_elf_facts *facts)
{
	const char *secure = secure_execution(path);

	if (!facts->elf)
		return conclude(finding, NOT_GUARDED, "it is no ELF program", "");
	if (!facts->dynamic)
		return conclude(finding, NOT_GUARDED,
				facts->go ? "it is a static Go program: it brings its own TLS"
					  : "it is statically linked",
				"");
	if (facts->foreign)
		return conclude(finding, NOT_GUARDED,
				"it is of another architecture than this library", "");
	if (is_of_another_libc(facts))
		return conclude(finding, NOT_PRELOADED,
				"it is of another libc than this library, with which it might not "
				"even start: ",
				facts->loader);
	if (secure != NULL)
		return conclude(finding, NOT_GUARDED, secure, "");
	if (reexecutes(finding, path))
		return conclude(finding, NOT_GUARDED,
				"it executes itself again in secure-execution mode, where the "
				"loader ignores LD_PRELOAD: run it with -N",
				"");
	if (facts->exports_libssl)
		return conclude(finding, NOT_GUARDED, "it has a libssl of its own inside", "");
	return GUARDED;
}

static int check_elf(const struct finding *finding, const char *path,
		     const struct rg_elf_facts *facts, bool script)
{
	int obstacle = check_file(finding, path, facts);
	struct rg_loaded loaded;

	if (obstacle != GUARDED)
		return obstacle;
	rg_program_loads(facts->loader, path, &loaded);
	if (loaded.libssl[0] != '\0')
		return conclude_with(finding, "it is linked to ", loaded.libssl);
	if (facts->go)
		return conclude(finding, NOT_GUARDED, "it is a Go program: it brings its own TLS",
				"");
	if (facts->own_libssl && !facts->looks_up)
		return conclude(finding, NOT_GUARDED, "it has a libssl of its own inside", "");
	if (script)
		return conclude(finding, GUARDED,
				"it is a script: the programs it starts inherit the shim", "");
	if ((facts->opens || loaded.others != 0) && rg_program_libssl_is_installed())
		return conclude(finding, GUARDED,
				"it is not linked to libssl, but guarded once it opens one", "");
	return conclude(finding, NOT_GUARDED,
			"no libssl is in reach; programs that it starts inherit the shim", "");
}

static int check_program(const char *name, struct finding *finding)
{
	char path[PATH_MAX];
	struct rg_elf_facts facts;
	bool script = false;

	snprintf(finding->program, sizeof finding->program, "%s", name);
	if (rg_program_find(name, path, &script) != 0) {
		(void)conclude(finding, NOT_GUARDED, strerror(errno), "");
		return EXIT_NOT_FOUND;
	}
	if (rg_elf_read(path, &facts) != 0)
		return conclude(finding, NOT_GUARDED, strerror(errno), "");
	return check_elf(finding, path, &facts, script);
}

/* What the mappings of a process show. */
struct mapped {
	bool shim;
	char libssl[PATH_MAX]; /* empty where there is none */
};

static void read_maps(struct rg_maps *maps, struct mapped *mapped)
{
	struct rg_mapping mapping;

	memset(mapped, 0, sizeof *mapped);
	while (rg_maps_next(maps, &mapping)) {
		mapped->shim |= rg_mapping_is_shim(&mapping);
		if (mapping.name[0] == '/' && strstr(mapping.name, "/libssl.so") != NULL)
			snprintf(mapped->libssl, sizeof mapped->libssl, "%s", mapping.name);
	}
}

/* Did the kernel tell the loader of process PID, of this word size, to trust no environment? */
static bool was_secure(const char *pid)
{
	struct {
		unsigned long type, value;
	} entry;
	char path[64];
	bool secure = false;
	FILE *vector;

	snprintf(path, sizeof path, "/proc/%.20s/auxv", pid);
	vector = fopen(path, "r");
	while (vector != NULL && fread(&entry, sizeof entry, 1, vector) == 1)
		secure |= entry.type == AT_SECURE && entry.value != 0;
	if (vector != NULL)
		fclose(vector);
	return secure;
}

static int check_pid(const char *pid, struct finding *finding)
{
	struct rg_elf_facts facts;
	struct mapped mapped;
	struct rg_maps maps;
	char path[64];

	snprintf(finding->program, sizeof finding->program, "process %s", pid);
	if (pid[strspn(pid, "0123456789")] != '\0' ||
	    !rg_maps_open(&maps, (pid_t)strtol(pid, NULL, 10)))
		return conclude(finding, NOT_GUARDED, "its mappings can not be read: ",
				strerror(errno != 0 ? errno : EINVAL));
	read_maps(&maps, &mapped);
	rg_maps_close(&maps);
	if (!mapped.shim)
		return conclude(finding, NOT_GUARDED, "the shim is not loaded there",
				was_secure(pid)
				    ? ": it was executed in secure-execution mode (AT_SECURE), "
				      "where the loader ignores LD_PRELOAD"
				    : "");
	snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
	if (rg_elf_read(path, &facts) == 0 && facts.exports_libssl)
		return conclude(finding, NOT_GUARDED,
				"the shim is loaded, but it calls a libssl of its own inside", "");
	if (mapped.libssl[0] == '\0')
		return conclude(finding, NOT_GUARDED, "the shim is loaded, but no libssl", "");
	return conclude_with(finding, "the shim is loaded in front of ", mapped.libssl);
}

int rg_ctl_check(int argc, char **argv)
{
	struct finding finding = {.quiet = argc > 0 && strcmp(argv[0], "--quiet") == 0};
	bool dashes;

	argc -= finding.quiet;
	argv += finding.quiet;
	if (argc == 2 && strcmp(argv[0], "--pid") == 0)
		return check_pid(argv[1], &finding);
	dashes = argc > 0 && strcmp(argv[0], "--") == 0;
	if (argc > dashes && (dashes || argv[0][0] != '-')) {
		finding.words = argv + dashes + 1;
		return check_program(argv[dashes], &finding);
	}
	fprintf(stderr, "reneguardctl: check: accepted: [--quiet] [--] PROGRAM [ARG]..., or "
			"[--quiet] --pid PID\n");
	return 2;
}
