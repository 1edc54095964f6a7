/*
 * reads 1.2|1.3 one-record|one-byte-records COUNT CERT KEY: COUNT SSL_read calls of one byte each,
 * on a server whose client is joined to it by memory BIOs. one-record: all bytes are in one record
 * that is already decrypted, so only SSL_read itself is counted. one-byte-records: each byte comes
 * in a record of its own.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX_BYTES = SSL3_RT_MAX_PLAIN_LENGTH, WARM_UP_READS = 10 };

void bench_measured(SSL *server, int reads);
void counted_reads(SSL *server, int reads);

BENCH_COUNTED void counted_reads(SSL *server, int reads)
{
	char byte;

	for (int i = 0; i < reads; i++)
		if (SSL_read(server, &byte, 1) != 1)
			bench_die("SSL_read");
}

BENCH_COUNTED void bench_measured(SSL *server, int reads)
{
	counted_reads(server, reads);
}

static void join(struct bench_link *link)
{
	BIO *to_server = BIO_new(BIO_s_mem());
	BIO *to_client = BIO_new(BIO_s_mem());

	if (to_server == NULL || to_client == NULL || !BIO_up_ref(to_server) ||
	    !BIO_up_ref(to_client))
		bench_die("BIO");
	BIO_set_mem_eof_return(to_server, -1);
	BIO_set_mem_eof_return(to_client, -1);
	SSL_set_bio(link->server, to_server, to_client);
	SSL_set_bio(link->client, to_client, to_server);
	SSL_set_accept_state(link->server);
	SSL_set_connect_state(link->client);
}

static void write_bytes(SSL *client, int bytes, int record_bytes)
{
	static char zeros[RECORD_MAX_BYTES];

	for (int sent = 0; sent < bytes; sent += record_bytes)
		if (SSL_write(client, zeros, record_bytes) != record_bytes)
			bench_die("SSL_write");
}

int main(int argc, char **argv)
{
	struct bench_link link = {.server_fd = -1, .client_fd = -1};

	if (argc != 6)
		bench_die("usage: reads VERSION one-record|one-byte-records COUNT CERT KEY");
	bench_end_in_time();
	int version = bench_version(argv[1]);
	int reads = bench_count(argv[3]);
	int bytes = reads + WARM_UP_READS;
	int one_record = strcmp(argv[2], "one-record") == 0;
	if (one_record && bytes > RECORD_MAX_BYTES)
		bench_die("COUNT is more than one record holds");

	SSL_CTX *server_ctx = bench_server_ctx(version, argv[4], argv[5]);
	SSL_CTX *client_ctx = bench_client_ctx(version);
	link.server = SSL_new(server_ctx);
	link.client = SSL_new(client_ctx);
	join(&link);
	bench_handshake(&link);

	write_bytes(link.client, bytes, one_record ? bytes : 1);
	counted_reads(link.server, WARM_UP_READS);
	bench_measured(link.server, reads);

	SSL_free(link.server);
	SSL_free(link.client);
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
	return 0;
}
