#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ctl/answer.h"
#include "ctl/check.h"
#include "ctl/ctl.h"
#include "ctl/elf_file.h"
#include "ctl/maps.h"
#include "ctl/text.h"

/* What the mappings of a process show. */
struct mapped {
	bool shim;
	char libssl[PATH_MAX]; /* "" if none is mapped */
};

/* Returns false with errno set if the mappings cannot be read. */
static bool read_mapped(pid_t pid, struct mapped *mapped)
{
	struct rg_mapping mapping;
	struct rg_maps maps;

	memset(mapped, 0, sizeof *mapped);
	if (!rg_maps_open(&maps, pid))
		return false;
	while (rg_maps_next(&maps, &mapping)) {
		mapped->shim |= rg_mapping_is_shim(&mapping);
		if (mapping.name[0] == '/' && strstr(mapping.name, "/libssl.so") != NULL)
			snprintf(mapped->libssl, sizeof mapped->libssl, "%s", mapping.name);
	}
	rg_maps_close(&maps);
	return true;
}

/*
 * Was process PID executed in secure-execution mode (ld.so(8))? The kernel tells its loader so in
 * AT_SECURE. The process must be of this program's word size.
 */
static bool was_secure(pid_t pid)
{
	struct {
		unsigned long type, value;
	} entry;
	char path[64];
	bool secure = false;
	FILE *vector;

	snprintf(path, sizeof path, "/proc/%ld/auxv", (long)pid);
	vector = fopen(path, "re");
	while (vector != NULL && fread(&entry, sizeof entry, 1, vector) == 1)
		secure |= entry.type == AT_SECURE && entry.value != 0;
	if (vector != NULL)
		fclose(vector);
	return secure;
}

/* Does the program that process PID runs export a libssl of its own? */
static bool exports_libssl(pid_t pid)
{
	struct rg_elf_facts facts;
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
	return rg_elf_read(path, &facts) == 0 && facts.exports_libssl;
}

/* Say if a seccomp filter is in force in process PID. Nothing tells from outside what it allows. */
static void print_filter(pid_t pid)
{
	char path[64], line[256];
	bool filtered = false;
	FILE *status;

	snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
	status = fopen(path, "re");
	while (status != NULL && fgets(line, sizeof line, status) != NULL)
		filtered |= strcmp(line, "Seccomp:\t2\n") == 0;
	if (status != NULL)
		fclose(status);
	if (filtered)
		puts("  seccomp: a filter is in force: it has to allow what reneguard(8) lists "
		     "under System calls");
}

static int answer_for(const struct rg_subject *subject, pid_t pid)
{
	struct mapped mapped;
	int answer;

	if (!read_mapped(pid, &mapped)) {
		fprintf(stderr, "%s: cannot be checked: its mappings cannot be read: %s\n",
			subject->name, strerror(errno));
		return RG_NOT_GUARDED;
	}
	if (!mapped.shim)
		return rg_answer(subject, RG_NOT_GUARDED, "the shim is not loaded%s",
				 was_secure(pid)
				     ? ": it was executed in secure-execution mode (AT_SECURE), "
				       "in which the loader ignores LD_PRELOAD"
				     : "");
	if (exports_libssl(pid))
		return rg_answer(subject, RG_NOT_GUARDED,
				 "the shim is loaded, but the program contains its own libssl");
	if (mapped.libssl[0] == '\0')
		return rg_answer(subject, RG_NOT_GUARDED, "the shim is loaded, but libssl is not");
	answer = rg_answer_for_libssl(subject, "the shim is loaded in front of", mapped.libssl);
	if (answer == RG_GUARDED && !subject->quiet)
		print_filter(pid);
	return answer;
}

int rg_check_process(const char *pid, bool quiet)
{
	struct rg_subject subject = {.quiet = quiet, .yes = "is guarded", .no = "is not guarded"};
	long number;

	snprintf(subject.name, sizeof subject.name, "process %s", pid);
	if (rg_text_number(pid, INT32_MAX, &number))
		return answer_for(&subject, (pid_t)number);
	fprintf(stderr, "%s: cannot be checked: it is not a process ID; accepted: a number\n",
		subject.name);
	return RG_NOT_GUARDED;
}
