/*
 * sockets same|other|recv|tls COUNT: COUNT reads of bytes that are not TLS, from one descriptor
 * (same, recv) or from two by turns (other); or of the beginning of a ClientHello (tls), which no
 * libssl gets.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 60, WARM_UP_READS = 4 };

void bench_measured(const int fds[2], int reads, int by_recv);
void counted_reads(const int fds[2], int reads, int by_recv);

BENCH_COUNTED void counted_reads(const int fds[2], int reads, int by_recv)
{
	char bytes[READ_BYTES];

	for (int i = 0; i < reads; i++)
		if ((by_recv ? recv(fds[i % 2], bytes, sizeof bytes, 0)
			     : read(fds[i % 2], bytes, sizeof bytes)) != READ_BYTES)
			bench_die("read");
}

BENCH_COUNTED void bench_measured(const int fds[2], int reads, int by_recv)
{
	counted_reads(fds, reads, by_recv);
}

int main(int argc, char **argv)
{
	char bytes[READ_BYTES] = "GET / HTTP/1.1";
	int reads = argc == 3 ? bench_count(argv[2]) : 0, pairs[2][2], fds[2];
	int by_recv = argc == 3 && strcmp(argv[1], "recv") == 0;

	if (argc != 3)
		bench_die("usage: sockets same|other|recv|tls COUNT");
	bench_end_in_time();
	/* What a server has, so that there is a ledger and the hooks have a reason to look. */
	SSL_CTX_free(SSL_CTX_new(TLS_server_method()));
	if (strcmp(argv[1], "tls") == 0)
		memcpy(bytes, "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 11);
	for (int i = 0; i < 2; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pairs[i]) != 0)
			bench_die("socketpair");
		fds[i] = pairs[i][0];
	}
	if (strcmp(argv[1], "other") != 0)
		fds[1] = fds[0];
	/* As many as fit at a time; writing is not counted. */
	for (int left = reads + WARM_UP_READS, warm = 1; left > 0; warm = 0) {
		int now = warm ? WARM_UP_READS : left < 100 ? left : 100;

		for (int i = 0; i < now; i++)
			if (write(fds[i % 2] == fds[0] ? pairs[0][1] : pairs[1][1], bytes,
				  sizeof bytes) != READ_BYTES)
				bench_die("write");
		if (warm)
			counted_reads(fds, now, by_recv);
		else if (left == reads)
			bench_measured(fds, now, by_recv);
		else
			counted_reads(fds, now, by_recv);
		left -= now;
	}
	return 0;
}
