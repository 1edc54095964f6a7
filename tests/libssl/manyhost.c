// manyhost threads|turns CERT PLUGIN PORT...: a program with more than one libssl in it. Each is
// used by a plug-in of its own (tlsserver.so, opened with RTLD_LOCAL). `threads`: all serve at the
// same time, each in a thread of its own, until killed. `turns`: one thread serves one connection
// with each, one after the other, three times round.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLUGINS_MAX = 4, ROUNDS = 3 };

struct plugin {
	int (*serve)(int argc, char **argv);
	char *port, *cert;
	char *connections;
};

static void *serve(void *argument)
{
	struct plugin *plugin = argument;
	char *argv[] = {"manyhost",	     "--cert",	plugin->cert, "--port",
			plugin->port,	     "--allow", "--quiet",    "--connections",
			plugin->connections, NULL};

	plugin->serve(9, argv);
	return NULL;
}

int main(int argc, char **argv)
{
	struct plugin plugins[PLUGINS_MAX];
	pthread_t threads[PLUGINS_MAX];
	int count = 0, together = argc > 2 && strcmp(argv[1], "threads") == 0;

	for (int i = 3; i + 1 < argc && count < PLUGINS_MAX; i += 2) {
		void *handle = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
		void *symbol = handle ? dlsym(handle, "tlsserver_main") : NULL;

		if (!symbol) {
			fprintf(stderr, "%s\n", dlerror());
			return 2;
		}
		plugins[count] = (struct plugin){
		    .port = argv[i + 1], .cert = argv[2], .connections = together ? "-1" : "1"};
		memcpy(&plugins[count++].serve, &symbol, sizeof(symbol));
	}
	for (int i = 0; together && i < count; i++)
		pthread_create(&threads[i], NULL, serve, &plugins[i]);
	for (int i = 0; together && i < count; i++)
		pthread_join(threads[i], NULL);
	for (int n = 0; n < ROUNDS * count; n++)
		serve(&plugins[n % count]);
	return 0;
}
