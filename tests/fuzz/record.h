/*
 * The recorder (record.c) and the connections it records (scenarios.c). Both ends of a connection
 * are in this process, joined by memory BIOs. A step that fails ends the program with status 1.
 */
#ifndef RECORD_H
#define RECORD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tape.h"

/* Both ends of a connection. */
struct link {
	SSL *server, *client;
	bool early; /* the client sends 0-RTT data */
};

/* A pair of contexts, and the session that the next connection offers. */
struct stage {
	SSL_CTX *server, *client;
	SSL_SESSION *session;
};

struct scenario {
	const char *name;
	void (*run)(struct tape *server, struct tape *client);
};

extern const struct scenario record_scenarios[]; /* NULL name at the end */

/* A context of METHOD with a key and certificate; VERSION 0: all versions. */
SSL_CTX *record_context(const SSL_METHOD *method, int version);
/* Both ends of a new connection. */
struct link record_link(SSL_CTX *server, SSL_CTX *client);

/* Append SSL's messages to TAPE from now on; NULL: drop them. */
void record_ssl(SSL *ssl, struct tape *tape);

/* Run both ends for as long as anything can happen between them. */
void record_pump(struct link *link);

/* A stage for that VERSION of TLS, and one for DTLS 1.2. */
struct stage record_stage(int version);
struct stage record_stage_dtls(void);

/* Make one connection and record it, unless the tape is NULL. The next connection offers the
 * session that this one leaves. */
struct link record_connect(struct stage *stage, struct tape *server, struct tape *client,
			   bool early);

/* Free a connection, but keep its session usable. An SSL that is freed without a shutdown makes its
 * session unusable. */
void record_hang_up(struct link *link);

/* Free a connection and its stage. */
void record_end(struct stage *stage, struct link *link);

/* End the program, naming WHAT, if the scenario did not happen as planned. */
void record_must(bool holds, const char *what);

/* Save BODY as this scenario's ClientHello. */
void record_raw_hello(const uint8_t *body, size_t bytes);

#endif
