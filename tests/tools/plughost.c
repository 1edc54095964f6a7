// plughost PLUGIN ARG...: a program that is not linked to libssl and opens one that is, as Python,
// Apache httpd and Dovecot do: by dlopen with RTLD_LOCAL, where dlsym(RTLD_NEXT) finds nothing.
// Runs the plug-in's tlsserver_main.
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	int (*run)(int, char **);

	if (!plugin) {
		fprintf(stderr, "plughost: %s\n", argc > 1 ? dlerror() : "no plug-in named");
		return 2;
	}
	*(void **)&run = dlsym(plugin, "tlsserver_main");
	return run ? run(argc - 1, argv + 1) : 2;
}
