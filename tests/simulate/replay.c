/*
 * replay haproxy|haproxy-nopurge|nginx ENTRIES: connections from standard input, one a line,
 * `CLIENT MILLISECONDS`, into the model of that table (rivals.h); prints each client that it acts
 * upon once. For tests/daemons/rivals.sh, which has the real ones do the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rivals.h"

enum { CLIENTS_MAX = 65536 };

int main(int argc, char **argv)
{
	static bool acted[CLIENTS_MAX];
	unsigned client;
	unsigned long long ms;
	struct rivals *rivals;

	if (argc != 3)
		return 2;
	rivals = rivals_make(strcmp(argv[1], "nginx") == 0     ? RIVAL_NGINX
			     : strcmp(argv[1], "haproxy") == 0 ? RIVAL_HAPROXY
							       : RIVAL_HAPROXY_NOPURGE,
			     strtoull(argv[2], NULL, 10) * RIVAL_ENTRY_BYTES);
	while (scanf("%u %llu", &client, &ms) == 2)
		if (rivals_event(rivals, client, ms * 1000000) && client < CLIENTS_MAX &&
		    !acted[client]) {
			acted[client] = true;
			printf("%u\n", client);
		}
	rivals_free(rivals);
	return 0;
}
