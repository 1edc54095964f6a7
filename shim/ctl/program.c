#include "ctl/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPT_DEPTH   4 /* scripts that interpret scripts: the kernel follows as many */
#define EXIT_NO_LOADER 127

/* Find NAME as execvp(3) would. Returns 0, or -1 with errno set. */
static int find(const char *name, char path[PATH_MAX])
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

/*
 * Find the program that env(1) would run. ARGUMENTS are env's, from the first line of a script:
 * in "#!/usr/bin/env -S A=b NAME -u" that program is NAME.
 */
static bool find_for_env(const char *arguments, char path[PATH_MAX])
{
	char name[256];
	size_t length;

	for (;; arguments += length) {
		arguments += strspn(arguments, " \t");
		length = strcspn(arguments, " \t\n");
		snprintf(name, sizeof name, "%.*s", (int)length, arguments);
		if (name[0] != '-' && strchr(name, '=') == NULL)
			return length != 0 && find(name, path) == 0;
	}
}

/*
 * If the file at PATH is a script, replace PATH by the interpreter that its first line names.
 * Returns false if it is no script.
 */
static bool follow_script(char path[PATH_MAX])
{
	char line[256] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
	const char *word;
	size_t length;

	if (fd >= 0)
		close(fd);
	if (got < 2 || line[0] != '#' || line[1] != '!')
		return false;
	word = line + 2 + strspn(line + 2, " \t");
	length = strcspn(word, " \t\n");
	if (length >= 4 && memcmp(word + length - 4, "/env", 4) == 0)
		return find_for_env(word + length, path);
	snprintf(path, PATH_MAX, "%.*s", (int)length, word);
	return length != 0;
}

int rg_program_find(const char *name, char path[PATH_MAX], bool *script)
{
	if (find(name, path) != 0)
		return -1;
	*script = false;
	for (int depth = 0; depth < SCRIPT_DEPTH && follow_script(path); depth++)
		*script = true;
	return 0;
}

/* The path at the beginning of TEXT, which a blank ends. */
static void copy_path(char path[PATH_MAX], const char *text)
{
	snprintf(path, PATH_MAX, "%.*s", (int)strcspn(text, " \n"), text);
}

/* If LINE is the loader's complaint about a library that it does not find, remember its name. */
static void read_complaint(const char *line, struct rg_loaded *loaded)
{
	static const char complaint[] = "error while loading shared libraries: ";
	const char *name = strstr(line, complaint);

	if (name == NULL)
		return;
	name += sizeof complaint - 1;
	snprintf(loaded->missing, sizeof loaded->missing, "%.*s", (int)strcspn(name, ":\n"), name);
}

/* Lines of interest look like "	libssl.so.3 => /lib/libssl.so.3 (0x...)". */
static void read_loaded(FILE *list, struct rg_loaded *loaded)
{
	char line[PATH_MAX + 128];

	while (fgets(line, sizeof line, list) != NULL) {
		const char *name = line + strspn(line, " \t");
		const char *arrow = strstr(name, " => ");

		if (arrow == NULL)
			read_complaint(line, loaded);
		if (arrow == NULL || arrow[4] != '/')
			continue;
		if (strncmp(name, "libssl.so", 9) == 0)
			copy_path(loaded->libssl, arrow + 4);
		else if (strncmp(name, "libasan.so", 10) == 0)
			copy_path(loaded->asan, arrow + 4);
		else if (strncmp(name, "libc.so", 7) != 0)
			loaded->others++;
	}
}

void rg_program_loads(const char *loader, const char *program, struct rg_loaded *loaded)
{
	char real[PATH_MAX]; /* $ORIGIN is where the file lies, not a link to it */
	int ends[2];
	pid_t child;
	FILE *list;

	memset(loaded, 0, sizeof *loaded);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return;
	if (realpath(program, real) == NULL)
		snprintf(real, sizeof real, "%s", program);
	child = fork();
	if (child == 0) {
		unsetenv("LD_PRELOAD");
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execl(loader, loader, "--list", real, (char *)NULL);
		_exit(EXIT_NO_LOADER);
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

bool rg_program_libssl_is_installed(void)
{
	static const char *const directories[] = {"/lib/x86_64-linux-gnu",
						  "/usr/lib/x86_64-linux-gnu",
						  "/lib/i386-linux-gnu",
						  "/usr/lib/i386-linux-gnu",
						  "/lib/aarch64-linux-gnu",
						  "/usr/lib/aarch64-linux-gnu",
						  "/usr/lib64",
						  "/lib64",
						  "/usr/lib",
						  "/usr/local/lib"};
	static const char *const names[] = {"libssl.so.3",  "libssl.so.1.1",   "libssl.so.4",
					    "libssl.so.10", "libssl.so.1.0.2", "libssl.so.1.0.0"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
		for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
			snprintf(path, sizeof path, "%s/%s", directories[i], names[j]);
			if (access(path, R_OK) == 0)
				return true;
		}
	return false;
}
