/* The recorder (record.c) and what it records (scenarios.c). */
#ifndef RECORD_H
#define RECORD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tape.h"

/* Both ends of a connection, joined by memory. EARLY: the client sends 0-RTT data. */
struct link {
	SSL *server, *client;
	bool early;
};

struct scenario {
	const char *name;
	void (*run)(struct tape *server, struct tape *client);
};

extern const struct scenario record_scenarios[]; /* NULL name at the end */

/* A context of METHOD with a key and certificate; VERSION 0: all versions. */
SSL_CTX *record_context(const SSL_METHOD *method, int version);
struct link record_link(SSL_CTX *server, SSL_CTX *client);

/* From now on SSL's messages go onto TAPE. */
void record_ssl(SSL *ssl, struct tape *tape);

/* Run both ends until nothing more can happen. */
void record_pump(struct link *link);
void record_done(struct link *link);

/* End the program where a scenario did not come about. */
void record_must(bool holds, const char *what);

/* Save BODY as this scenario's ClientHello. */
void record_raw_hello(const uint8_t *body, size_t bytes);

#endif
