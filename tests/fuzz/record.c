/*
 * Records what libssl's message callback hands out in real handshakes. It writes the corpora in
 * this folder: for each scenario a file with the messages (tests/fuzz/tape.h), and a file with the
 * body of each ClientHello that the server read.
 *
 *     cc tests/fuzz/record.c tests/fuzz/scenarios.c -lssl -lcrypto -o record
 *     ./record tests/fuzz/corpus
 *
 * The files are committed. Run this only to make new ones; all their random values will differ. The
 * hellos that are named after other programs were captured on the network.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

#define ROUNDS	  20
#define MTU_BYTES 4000

static const char *corpus;
static const char *scenario;

static void die(const char *what)
{
	fprintf(stderr, "record: %s: %s\n", scenario != NULL ? scenario : "start", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void save(const char *kind, const char *suffix, const void *bytes, size_t count)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s/%s%s", corpus, kind, scenario, suffix);
	file = fopen(path, "wb");
	if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
		die(path);
}

static void save_hello(struct tape *tape, int version, const uint8_t *message, size_t bytes)
{
	size_t header = version >> 8 == 0xfe ? 12 : 4;
	char suffix[8] = "";

	if (tape->hellos++ != 0)
		snprintf(suffix, sizeof suffix, "-%u", tape->hellos);
	save("client_hello", suffix, message + header, bytes - header);
}

static void on_message(int written, int version, int type, const void *message, size_t bytes,
		       SSL *ssl, void *arg)
{
	struct tape *tape = arg;
	bool pristine =
	    SSL_get_finished(ssl, NULL, 0) == 0 || SSL_get_peer_finished(ssl, NULL, 0) == 0;

	if (tape == NULL || !tape_takes(type))
		return;
	if (!tape_put(tape, written != 0, version, type, pristine, message, bytes))
		die("tape is full");
	if (!written && tape->keep_hellos && type == SSL3_RT_HANDSHAKE &&
	    ((const uint8_t *)message)[0] == 1)
		save_hello(tape, version, message, bytes);
}

void record_ssl(SSL *ssl, struct tape *tape)
{
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, tape);
}

static X509 *self_signed(EVP_PKEY *key)
{
	X509 *certificate = X509_new();

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
				   (const uint8_t *)"test", -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	if (X509_sign(certificate, key, EVP_sha256()) == 0)
		die("certificate");
	return certificate;
}

static int cookie_make(SSL *ssl, unsigned char *cookie, unsigned int *bytes)
{
	(void)ssl;
	memcpy(cookie, "cookie of ours", *bytes = 14);
	return 1;
}

static int cookie_verify(SSL *ssl, const unsigned char *cookie, unsigned int bytes)
{
	(void)ssl;
	return bytes == 14 && memcmp(cookie, "cookie of ours", 14) == 0;
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

SSL_CTX *record_context(const SSL_METHOD *method, int version)
{
	static EVP_PKEY *key;
	static X509 *certificate;
	SSL_CTX *context = SSL_CTX_new(method);

	if (key == NULL) {
		key = EVP_EC_gen("P-256");
		certificate = self_signed(key);
	}
	if (context == NULL || SSL_CTX_use_certificate(context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, key) != 1)
		die("context");
	if (version != 0) {
		SSL_CTX_set_min_proto_version(context, version);
		SSL_CTX_set_max_proto_version(context, version);
	}
	SSL_CTX_set_cookie_generate_cb(context, cookie_make);
	SSL_CTX_set_cookie_verify_cb(context, cookie_verify);
	SSL_CTX_set_session_id_context(context, (const uint8_t *)"record", 6);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, accept_any);
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU);
	return context;
}

struct link record_link(SSL_CTX *server, SSL_CTX *client)
{
	struct link link = {.server = SSL_new(server), .client = SSL_new(client)};
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());

	if (link.server == NULL || link.client == NULL || up == NULL || down == NULL)
		die("link");
	BIO_set_mem_eof_return(up, -1);
	BIO_set_mem_eof_return(down, -1);
	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(link.server, up, down);
	SSL_set_bio(link.client, down, up);
	SSL_set_mtu(link.server, MTU_BYTES);
	SSL_set_mtu(link.client, MTU_BYTES);
	SSL_set_accept_state(link.server);
	SSL_set_connect_state(link.client);
	return link;
}

void record_pump(struct link *link)
{
	char byte;

	for (int i = 0; i < ROUNDS; i++) {
		if (link->early && i == 0) {
			size_t got;

			SSL_write_early_data(link->client, "e", 1, &got);
			SSL_read_early_data(link->server, &byte, 1, &got);
		}
		(void)SSL_do_handshake(link->client);
		(void)SSL_do_handshake(link->server);
		(void)SSL_read(link->client, &byte, 1);
		(void)SSL_read(link->server, &byte, 1);
	}
	ERR_clear_error();
}

struct stage record_stage(int version)
{
	return (struct stage){record_context(TLS_server_method(), version),
			      record_context(TLS_client_method(), version), NULL};
}

struct stage record_stage_dtls(void)
{
	return (struct stage){record_context(DTLS_server_method(), DTLS1_2_VERSION),
			      record_context(DTLS_client_method(), DTLS1_2_VERSION), NULL};
}

struct link record_connect(struct stage *stage, struct tape *server, struct tape *client,
			   bool early)
{
	struct link link = record_link(stage->server, stage->client);

	record_ssl(link.server, server);
	record_ssl(link.client, client);
	if (stage->session != NULL)
		SSL_set_session(link.client, stage->session);
	link.early = early;
	record_pump(&link);
	record_must(SSL_is_init_finished(link.server) && SSL_is_init_finished(link.client),
		    "no handshake");
	SSL_SESSION_free(stage->session);
	stage->session = SSL_get1_session(link.client);
	return link;
}

void record_hang_up(struct link *link)
{
	SSL_set_shutdown(link->server, SSL_SENT_SHUTDOWN);
	SSL_set_shutdown(link->client, SSL_SENT_SHUTDOWN);
	SSL_free(link->server);
	SSL_free(link->client);
}

void record_end(struct stage *stage, struct link *link)
{
	record_hang_up(link);
	SSL_SESSION_free(stage->session);
	SSL_CTX_free(stage->server);
	SSL_CTX_free(stage->client);
}

void record_must(bool holds, const char *what)
{
	if (!holds)
		die(what);
}

void record_raw_hello(const uint8_t *body, size_t bytes)
{
	save("client_hello", "", body, bytes);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	corpus = argv[1];
	for (const struct scenario *row = record_scenarios; row->name != NULL; row++) {
		struct tape server = {.keep_hellos = true}, client = {.keep_hellos = false};

		scenario = row->name;
		row->run(&server, &client);
		if (server.used != 0)
			save("handshake", "-server", server.bytes, server.used);
		if (client.used != 0)
			save("handshake", "-client", client.bytes, client.used);
	}
	return 0;
}
