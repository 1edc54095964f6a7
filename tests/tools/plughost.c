// plughost PLUGIN ARG...: runs the plug-in's tlsserver_main. Like Python, Apache httpd and Dovecot,
// this program is not linked to libssl, but opens an object that is, by dlopen with RTLD_LOCAL.
// There dlsym(RTLD_NEXT) finds nothing.
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
