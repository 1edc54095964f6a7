/*
 * Will the shim take effect in a program? What decides is read from the ELF file, its mode and
 * capabilities, and from what the program's own loader says it would load (ld.so --list, which runs
 * nothing of the program).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ctl.h"

#define SHIM_NAME    "libreneguard.so"
#define SCRIPT_DEPTH 4 /* interpreters of interpreters, as many as the kernel follows */

#define EXIT_NOT_FOUND 127 /* as a shell has it */

/* Whom the answer is about, and whether only a no is to be said. */
struct finding {
	bool quiet;
	char program[PATH_MAX];
};

static int conclude(const struct finding *finding, bool guarded, const char *what,
		    const char *detail)
{
	if (!guarded || !finding->quiet)
		fprintf(guarded ? stdout : stderr, "%s: %s%s%s\n", finding->program,
			guarded ? "will be guarded: " : "can not be guarded: ", what, detail);
	return guarded ? 0 : 1;
}

/* Find NAME as execvp(3) would. */
static int find_program(const char *name, char path[PATH_MAX])
{
	const char *search = getenv("PATH");

	if (strchr(name, '/') != NULL) {
		snprintf(path, PATH_MAX, "%s", name);
		return access(path, F_OK);
	}
	for (search = search != NULL ? search : "/usr/bin:/bin"; *search != '\0';) {
		size_t length = strcspn(search, ":");

		snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, search, length != 0 ? "/" : "./",
			 name);
		if (access(path, X_OK) == 0)
			return 0;
		search += length + (search[length] == ':');
	}
	errno = ENOENT;
	return -1;
}

/* The interpreter a script names in its first line into PATH; false where it is no script. */
static bool script_interpreter(char path[PATH_MAX])
{
	char line[256] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
	const char *word;
	size_t length;

	if (fd >= 0)
		close(fd);
	if (got < 2 || line[0] != '#' || line[1] != '!')
		return false;
	word = line + 2 + strspn(line + 2, " \t");
	length = strcspn(word, " \t\n");
	/* "#!/usr/bin/env NAME": what counts is NAME. */
	if (length >= 4 && memcmp(word + length - 4, "/env", 4) == 0 && word[length] != '\n') {
		char name[256];

		word += length + strspn(word + length, " \t");
		snprintf(name, sizeof name, "%.*s", (int)strcspn(word, " \t\n"), word);
		return find_program(name, path) == 0;
	}
	snprintf(path, PATH_MAX, "%.*s", (int)length, word);
	return length != 0;
}

struct elf_facts {
	bool elf, other_class, dynamic, go;
	bool own_libssl; /* names a libssl function: linked to one, or with one inside */
	bool opens;	 /* names dlopen */
	char loader[PATH_MAX];
};

static bool inside(size_t size, uint64_t offset, uint64_t bytes)
{
	return offset <= size && bytes <= size - offset;
}

static void read_segments(const unsigned char *image, size_t size, struct elf_facts *facts)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	memcpy(&header, image, sizeof header);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		uint64_t at = header.e_phoff + (uint64_t)i * header.e_phentsize;

		if (header.e_phentsize < sizeof segment || !inside(size, at, sizeof segment))
			return;
		memcpy(&segment, image + at, sizeof segment);
		if (segment.p_type == PT_INTERP &&
		    inside(size, segment.p_offset, segment.p_filesz) &&
		    segment.p_filesz < sizeof facts->loader) {
			memcpy(facts->loader, image + segment.p_offset, segment.p_filesz);
			facts->dynamic = true;
		}
	}
	facts->go = memmem(image, size, "\xff Go buildinf:", 14) != NULL;
	facts->own_libssl = memmem(image, size, "\0SSL_CTX_new", 13) != NULL;
	facts->opens = memmem(image, size, "\0dlopen", 8) != NULL;
}

static int read_elf(const char *path, struct elf_facts *facts)
{
	struct stat about;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *image;

	memset(facts, 0, sizeof *facts);
	if (fd < 0)
		return -1;
	if (fstat(fd, &about) != 0 || about.st_size < (off_t)sizeof(Elf64_Ehdr)) {
		close(fd);
		return 0;
	}
	image = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (image == MAP_FAILED)
		return -1;
	facts->elf = memcmp(image, ELFMAG, SELFMAG) == 0;
	facts->other_class =
	    facts->elf && image[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	if (facts->elf && !facts->other_class)
		read_segments(image, (size_t)about.st_size, facts);
	munmap(image, (size_t)about.st_size);
	return 0;
}

struct loaded {
	char libssl[PATH_MAX]; /* empty where there is none */
	unsigned others;       /* libraries beside libc, the loader and the vdso */
};

static void read_loaded(FILE *list, struct loaded *loaded)
{
	char line[PATH_MAX + 128];

	while (fgets(line, sizeof line, list) != NULL) {
		const char *name = line + strspn(line, " \t");
		const char *arrow = strstr(name, " => ");

		if (arrow == NULL || arrow[4] != '/')
			continue;
		if (strncmp(name, "libssl.so", 9) == 0)
			snprintf(loaded->libssl, PATH_MAX, "%.*s", (int)strcspn(arrow + 4, " \n"),
				 arrow + 4);
		else if (strncmp(name, "libc.so", 7) != 0)
			loaded->others++;
	}
}

/* What LOADER would load for PROGRAM; it runs nothing of the program itself. */
static void ask_loader(const char *loader, const char *program, struct loaded *loaded)
{
	int ends[2];
	pid_t child;
	FILE *list;

	memset(loaded, 0, sizeof *loaded);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return;
	child = fork();
	if (child == 0) {
		unsetenv("LD_PRELOAD");
		dup2(ends[1], STDOUT_FILENO);
		execl(loader, loader, "--list", program, (char *)NULL);
		_exit(EXIT_NOT_FOUND);
	}
	close(ends[1]);
	list = fdopen(ends[0], "r");
	if (list != NULL) {
		read_loaded(list, loaded);
		fclose(list);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

/* Is there a libssl that a program which opens libraries could open? */
static bool libssl_is_installed(void)
{
	static const char *const places[] = {"/lib/x86_64-linux-gnu",
					     "/usr/lib/x86_64-linux-gnu",
					     "/lib/aarch64-linux-gnu",
					     "/usr/lib/aarch64-linux-gnu",
					     "/usr/lib64",
					     "/lib64",
					     "/usr/lib",
					     "/usr/local/lib"};
	static const char *const names[] = {"libssl.so.3",  "libssl.so.1.1",   "libssl.so.4",
					    "libssl.so.10", "libssl.so.1.0.2", "libssl.so.1.0.0"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
			snprintf(path, sizeof path, "%s/%s", places[i], names[j]);
			if (access(path, R_OK) == 0)
				return true;
		}
	return false;
}

/* A reason why the loader would ignore LD_PRELOAD (ld.so(8), secure-execution mode), or NULL. */
static const char *secure_execution(const char *path)
{
	struct stat about;

	if (stat(path, &about) != 0)
		return NULL;
	if ((about.st_mode & S_ISUID) != 0 && about.st_uid != getuid())
		return "it is set-user-ID: the loader ignores LD_PRELOAD";
	if ((about.st_mode & S_ISGID) != 0 && about.st_gid != getgid())
		return "it is set-group-ID: the loader ignores LD_PRELOAD";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "it has file capabilities: the loader ignores LD_PRELOAD";
	return NULL;
}

static int check_elf(const struct finding *finding, const char *path, const struct elf_facts *facts,
		     bool script)
{
	const char *secure = secure_execution(path);
	struct loaded loaded;

	if (!facts->elf)
		return conclude(finding, false, "it is no ELF program", "");
	if (facts->other_class)
		return conclude(finding, false, "it is of another word size than this library", "");
	if (!facts->dynamic)
		return conclude(finding, false,
				facts->go ? "it is a static Go program: it brings its own TLS"
					  : "it is statically linked",
				"");
	if (secure != NULL)
		return conclude(finding, false, secure, "");
	ask_loader(facts->loader, path, &loaded);
	if (loaded.libssl[0] != '\0')
		return conclude(finding, true, "it is linked to ", loaded.libssl);
	if (facts->go)
		return conclude(finding, false, "it is a Go program: it brings its own TLS", "");
	if (facts->own_libssl)
		return conclude(finding, false, "it has a libssl of its own inside", "");
	if (script)
		return conclude(finding, true,
				"it is a script: the programs it starts inherit the shim", "");
	if ((facts->opens || loaded.others != 0) && libssl_is_installed())
		return conclude(
		    finding, true,
		    "it is not linked to libssl, but guarded once it opens a module that is", "");
	return conclude(finding, false,
			"no libssl is in reach; programs that it starts inherit the shim", "");
}

static int check_program(const char *name, struct finding *finding)
{
	char path[PATH_MAX];
	struct elf_facts facts;
	bool script = false;

	snprintf(finding->program, sizeof finding->program, "%s", name);
	if (find_program(name, path) != 0) {
		(void)conclude(finding, false, strerror(errno), "");
		return EXIT_NOT_FOUND;
	}
	for (int depth = 0; depth < SCRIPT_DEPTH && script_interpreter(path); depth++)
		script = true;
	if (read_elf(path, &facts) != 0)
		return conclude(finding, false, strerror(errno), "");
	return check_elf(finding, path, &facts, script);
}

/* A line of /proc/PID/maps names the file behind its first slash. */
static int check_pid(const char *pid, struct finding *finding)
{
	char path[64], line[PATH_MAX + 128], libssl[PATH_MAX] = "";
	bool shim = false;
	FILE *maps;

	snprintf(finding->program, sizeof finding->program, "process %s", pid);
	snprintf(path, sizeof path, "/proc/%.20s/maps", pid);
	if (pid[strspn(pid, "0123456789")] != '\0' || (maps = fopen(path, "r")) == NULL)
		return conclude(finding, false, "its mappings can not be read: ",
				strerror(errno != 0 ? errno : EINVAL));
	while (fgets(line, sizeof line, maps) != NULL) {
		const char *file = strchr(line, '/');

		if (file == NULL)
			continue;
		shim |= strstr(file, "/" SHIM_NAME) != NULL;
		if (strstr(file, "/libssl.so") != NULL)
			snprintf(libssl, sizeof libssl, "%.*s", (int)strcspn(file, "\n"), file);
	}
	fclose(maps);
	if (!shim)
		return conclude(finding, false, "the shim is not loaded there", "");
	if (libssl[0] == '\0')
		return conclude(finding, false, "the shim is loaded, but no libssl", "");
	return conclude(finding, true, "the shim is loaded in front of ", libssl);
}

int rg_ctl_check(int argc, char **argv)
{
	struct finding finding = {.quiet = argc > 0 && strcmp(argv[0], "--quiet") == 0};

	argc -= finding.quiet;
	argv += finding.quiet;
	if (argc == 2 && strcmp(argv[0], "--pid") == 0)
		return check_pid(argv[1], &finding);
	if (argc == 2 && strcmp(argv[0], "--") == 0)
		return check_program(argv[1], &finding);
	if (argc == 1 && argv[0][0] != '-')
		return check_program(argv[0], &finding);
	fprintf(stderr,
		"reneguardctl: check: accepted: [--quiet] PROGRAM, or [--quiet] --pid PID\n");
	return 2;
}
