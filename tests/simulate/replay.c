/*
 * replay haproxy|haproxy-nopurge|nginx ENTRIES: feeds connections to the model of that table
 * (rivals.h). Standard input has one connection per line, `CLIENT MILLISECONDS`. Prints each client
 * that the model acts upon, once. tests/daemons/rivals.sh compares that with the real programs.
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
