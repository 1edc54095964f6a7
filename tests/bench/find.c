/*
 * find DESCRIPTORS COUNT: how long it takes to find a ClientHello by its random among those of so
 * many descriptors, in nanoseconds. It is linked to the objects of the library.
 */
#include "os/hellos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rg_ledger.h"

extern struct rg_ledger *_Atomic rg_process_ledger_made;
struct rg_ledger *_Atomic rg_process_ledger_made;

enum { FIRST = 10 };

static void hello_of(int fd, uint8_t bytes[60])
{
	memcpy(bytes, "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 11);
	srand((unsigned)fd);
	for (int i = 0; i < RG_RANDOM_BYTES; i++)
		bytes[11 + i] = (uint8_t)(rand() >> 4);
}

int main(int argc, char **argv)
{
	int descriptors = argc == 3 ? atoi(argv[1]) : 0, count = argc == 3 ? atoi(argv[2]) : 0;
	struct timespec begin, end;
	struct rg_peer_name sender;
	uint8_t bytes[60] = {0};
	int found = 0;

	if (descriptors < 1 || count < 1)
		return 2;
	rg_process_ledger_made = (struct rg_ledger *)&found; /* never used */
	for (int fd = FIRST; fd < FIRST + descriptors; fd++) {
		struct iovec part = {bytes, sizeof bytes};

		hello_of(fd, bytes);
		rg_hellos_note(&(struct rg_read){.fd = fd, .parts = &part, .bytes = sizeof bytes});
	}
	hello_of(FIRST + descriptors / 2, bytes);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < count; i++)
		found += rg_hellos_find(bytes + 11, &sender);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (found != count)
		return 1;
	printf("%.0f\n",
	       ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
		   count);
	return 0;
}
