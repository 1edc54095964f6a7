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
struct link record_link(SSL_CTX *server, SSL_CTX *client);

/* From now on SSL's messages go onto TAPE. */
void record_ssl(SSL *ssl, struct tape *tape);

/* Run both ends until nothing more can happen. */
void record_pump(struct link *link);

/* A stage for VERSION of TLS; for DTLS 1.2. */
struct stage record_stage(int version);
struct stage record_stage_dtls(void);

/* One connection from start to end, recorded; the session it leaves is offered by the next. */
struct link record_connect(struct stage *stage, struct tape *server, struct tape *client,
			   bool early);

/* Free a connection, but leave its session good: an object freed without a shutdown takes it along.
 */
void record_hang_up(struct link *link);

/* Free a connection and its stage. */
void record_end(struct stage *stage, struct link *link);

/* End the program where a scenario did not come about. */
void record_must(bool holds, const char *what);

/* Save BODY as this scenario's ClientHello. */
void record_raw_hello(const uint8_t *body, size_t bytes);

#endif
