// lookups: prints what dlsym answers, so that two runs can be compared. Not linked to libssl.
//   lookups ask PLUGIN LIBSSL   a line per handle and name: the object that the answer is in, its
//                               name there, dlerror and errno. The program asks, then PLUGIN does,
//                               which is this file built as a plug-in.
//   lookups whose LIBSSL NAME   the object in which dlsym finds NAME, asked by the handle of LIBSSL
//   lookups effects             fsync and time, called directly and as found by dlsym
//   lookups speed N             calls dlsym N times for a name that nobody hooks
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ERRNO_MARK = 4242 };

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "-";
}

// Prints only the base name of the object: a program may be called by another path.
static void print_found(const char *from, const char *where, const char *name, void *answer)
{
	int saved = errno;
	const char *error = dlerror();
	Dl_info info = {0};

	if (answer)
		dladdr(answer, &info);
	printf("%s %s %s: %s %s%s%s%s\n", from, where, name, base_name(info.dli_fname),
	       info.dli_sname ? info.dli_sname : answer ? "?" : "NULL", error ? " error=" : "",
	       error ? error : "", saved == ERRNO_MARK ? "" : " errno changed");
}

#define ASK(where, handle, name)                                                                   \
	do {                                                                                       \
		errno = ERRNO_MARK;                                                                \
		print_found(from, where, name, dlsym(handle, name));                               \
	} while (0)

void ask(const char *from, const char *libssl);

void ask(const char *from, const char *libssl)
{
	static const char *const names[] = {"getpid",	  "malloc",	  "dlopen_nobody", "Stranger",
					    "SSL_nobody", "OPENSSL_null", "S",		   "O",
					    "",		  "fsync",	  "time",	   "environ"};
	static const char *const ssl_names[] = {"SSL_get_version", "SSL_CTX_free", "SSL_ctrl",
						"OPENSSL_cleanse", "SSL_nobody"};
	static const char *const hooked[] = {"SSL_new", "SSL_read", "SSL_write_ex2", "SSL_CTX_new"};
	void *libc = dlopen("libc.so.6", RTLD_LAZY), *ssl = dlopen(libssl, RTLD_LAZY | RTLD_LOCAL);
	void *program = dlopen(NULL, RTLD_LAZY);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		ASK("default", RTLD_DEFAULT, names[i]);
		ASK("next", RTLD_NEXT, names[i]);
		ASK("program", program, names[i]);
		ASK("libc", libc, names[i]);
	}
	for (size_t i = 0; i < sizeof(ssl_names) / sizeof(*ssl_names); i++)
		ASK("libssl", ssl, ssl_names[i]);
	// libssl is not in the global scope, so dlsym must not find the shim's hooks there either.
	for (size_t i = 0; i < sizeof(hooked) / sizeof(*hooked); i++) {
		printf("%s %s: default %s, program %s, libssl %s\n", from, hooked[i],
		       dlsym(RTLD_DEFAULT, hooked[i]) ? "found" : "not there",
		       dlsym(program, hooked[i]) ? "found" : "not there",
		       dlsym(ssl, hooked[i]) ? "found" : "not there");
		printf("%s %s: %s\n", from, hooked[i], dlerror() ? "an error" : "no error");
	}
}

static void effects(void)
{
	static const char *const where[] = {"default", "next", "libc"};
	void *handles[] = {RTLD_DEFAULT, RTLD_NEXT, dlopen("libc.so.6", RTLD_LAZY)};
	time_t now = time(NULL);
	int ends[2]; // of a pipe, for which fsync fails

	if (pipe(ends))
		exit(2);
	printf("directly: fsync %d, year %d\n", fsync(ends[0]), gmtime(&now)->tm_year + 1900);
	for (int i = 0; i < 3; i++) {
		int (*their_fsync)(int);
		time_t (*their_time)(time_t *);

		*(void **)&their_fsync = dlsym(handles[i], "fsync");
		*(void **)&their_time = dlsym(handles[i], "time");
		now = their_time(NULL);
		printf("%s: fsync %d, year %d\n", where[i], their_fsync(ends[0]),
		       gmtime(&now)->tm_year + 1900);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "ask") == 0) {
		void *plugin = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
		void (*plugin_ask)(const char *, const char *);

		ask("program", argv[3]);
		*(void **)&plugin_ask = plugin ? dlsym(plugin, "ask") : NULL;
		if (!plugin_ask)
			return 2;
		plugin_ask("plug-in", argv[3]);
	} else if (argc == 4 && strcmp(argv[1], "whose") == 0) {
		void *answer = dlsym(dlopen(argv[2], RTLD_LAZY | RTLD_LOCAL), argv[3]);
		Dl_info info = {0};

		if (answer)
			dladdr(answer, &info);
		puts(base_name(info.dli_fname));
	} else if (argc == 2 && strcmp(argv[1], "effects") == 0) {
		effects();
	} else if (argc == 3 && strcmp(argv[1], "speed") == 0) {
		for (int n = atoi(argv[2]); n > 0; n--)
			dlsym(RTLD_DEFAULT, "getpid");
	} else {
		return 2;
	}
	return 0;
}
