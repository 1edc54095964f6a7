// The model test's words. A crowd is one service (how a server is set up and how it feeds libssl)
// and its clients. A client makes visits, one after the other, all from an address of its own. What
// every visit does is planned before anything runs (plan.c), and with it what the ledger must say.
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "versions.h"

// --- random numbers: each crowd has its own, so that it can be replayed alone ---
struct rng {
	uint64_t state;
};
unsigned rng_below(struct rng *rng, unsigned n); // 0 ... n - 1
static inline bool rng_chance(struct rng *rng, unsigned percent)
{
	return rng_below(rng, 100) < percent;
}

// --- what the ledger counts ---
enum counter {
	RENEGOTIATION,
	RESUMPTION,
	HANDSHAKE,
	INCOMPLETE,
	KEYUPDATE,
	EVENTS,
	ACCEPTED = EVENTS,
	NOT_ACCEPTED,
	COUNTERS
};
extern const char *const counter_names[COUNTERS];

struct policy {
	const char *name;
	const char *action[EVENTS];
	unsigned limit[EVENTS]; // 0: none
};
extern const struct policy policies[];

// The bounds of what is right. They differ only where this is said, with the reason (plan.c).
struct expectation {
	unsigned low[COUNTERS], high[COUNTERS];
	unsigned first_low, first_high; // handshakes and resumptions together
	unsigned acted_low[EVENTS], acted_high[EVENTS];
	unsigned nameless; // unfinished handshakes that may stand under the client `unknown`
};

// --- the service ---
enum feed {
	FEED_FD,     // SSL_set_fd
	FEED_MEMORY, // memory BIOs
	FEED_PAIR,   // a BIO pair
	FEED_OWN,    // a socket BIO of the program's own
	FEED_DGRAM,  // DTLS, a connected socket for each client
	FEED_LISTEN, // DTLSv1_listen on an unconnected socket
	FEED_LOOSE,  // SSL_accept on an unconnected socket
	FEED_DMEMORY // DTLS, one socket for all, datagrams through memory BIOs
};
enum turn {
	TURN_ONE,    // one client at a time
	TURN_BATCH,  // all sockets are read, then all connections are worked off
	TURN_POOL,   // one thread reads, others do TLS at the same time
	TURN_BACKEND // as pool; who does TLS also reads from a backend over TCP
};
enum reader { BY_READ, BY_RECV, BY_RECVFROM, BY_RECVMSG, BY_READV, BY_HEADER, BY_PEEK, READERS };
enum entry { BY_ACCEPT, BY_DO_HANDSHAKE, BY_SSL_READ, BY_SSL_READ_EX, ENTRIES };
enum psk { PSK_NONE, PSK_SESSION, PSK_PLAIN };

struct service {
	int min, max;	// versions of the server
	int client_max; // of its clients; their least is MIN
	enum feed feed;
	enum turn turn;
	enum reader reader;
	enum entry entry;
	enum psk psk;
	bool ids;	      // session ids or stateful tickets: SSL_OP_NO_TICKET
	bool cookies;	      // DTLS: SSL_OP_COOKIE_EXCHANGE
	bool stateless;	      // SSL_stateless
	bool fresh;	      // a fresh SSL for each try of it
	bool late;	      // the client_hello callback switches TLS 1.3 off
	bool early;	      // takes early data
	bool replayable;      // SSL_OP_NO_ANTI_REPLAY
	bool stubborn;	      // SSL_OP_NO_RENEGOTIATION
	bool reuse;	      // SSL_clear, and the object serves the next client
	bool tells_end;	      // memory: the end of the stream is told to libssl
	bool proxy;	      // a PROXY header comes first, in the same segment as the hello
	bool brief;	      // sessions expire after a second
	bool wait;	      // two seconds between first and later visits
	SSL_CTX *ctx, *other; // OTHER never knows a session of CTX
	SSL *spare;
	int listener;
	int backend[2]; // the program's end, the backend's end
};
static inline bool is_dtls(const struct service *service)
{
	return service->feed >= FEED_DGRAM;
}
static inline bool is_memory(const struct service *service)
{
	return service->feed == FEED_MEMORY || service->feed == FEED_PAIR ||
	       service->feed == FEED_OWN;
}

// --- visits ---
enum offer { OFFER_NONE, OFFER_SESSION, OFFER_EXTERNAL };
enum hide { HIDE_NOTHING, ONLY_SECOND, ONLY_FIRST }; // in which hello the offer stands
enum split { WHOLE, PIECES, BYTES };
enum ending {
	SERVED,
	SILENT,	     // nothing is sent, but for a PROXY header
	HALF_HEADER, // half of that
	ONE_BYTE,    // of the hello
	HALF,	     // of the hello
	HELLO,	     // the hello, then nothing
	AFTER_RETRY, // the first hello is answered by a retry, which is not answered
	BAD_COOKIE   // DTLS: the second hello carries a wrong cookie
};
enum leave { BY_FIN, BY_RST, BY_STAYING };
enum task {
	CLIENT_RENEGOTIATES,
	CLIENT_RENEGOTIATES_ABBREVIATED,
	SERVER_RENEGOTIATES,
	CLIENT_UPDATES,		 // a key update
	CLIENT_UPDATES_AND_ASKS, // one that asks for the server's
	SERVER_UPDATES,
	SERVER_UPDATES_AND_ASKS,
	SERVER_ASKS_CERTIFICATE, // post-handshake authentication
	TASKS
};
enum { MAX_TASKS = 10, MAX_VISITS = 10, MAX_CLIENTS = 10, MAX_FORGERS = 4 };

struct plan {
	enum offer offer;
	bool elsewhere; // to the context that does not know the session
	bool retry;	// the key share is not the server's: HelloRetryRequest
	enum hide hide;
	bool early;
	enum split split;
	int rerecord; // the ClientHello in records of at most that many bytes; 0: as libssl made it
	int fragment; // SSL_set_max_send_fragment; DTLS: the MTU; 0: as it is
	bool compat;  // TLS 1.3 middlebox compatibility
	enum ending ending;
	enum leave leave;
	enum task tasks[MAX_TASKS];
	int task_count;
	int forgers; // FEED_LISTEN: others that send hellos first, with no cookie or a wrong one
	// What must come of it.
	bool refused;	// the handshake fails
	bool at_answer; // but not before the server has answered: the client may be content
	int tasks_done; // then the connection is cut, if there are more
	bool reused;
};

static inline bool sends_no_hello(const struct plan *plan)
{
	return plan->ending == SILENT || plan->ending == HALF_HEADER;
}

struct visit; // run.h: while it runs

struct client {
	const char *group;
	uint32_t address; // host byte order
	bool exempt;
	struct plan plans[MAX_VISITS];
	int plan_count;
	struct expectation expected;
	char fault[240]; // what the conversation itself did wrong; "" if nothing
	// while it runs
	int next;
	SSL_CTX *ctx;
	SSL_SESSION *session;
	struct visit *visit;
	// while it is planned
	bool has_session, blocked;
	unsigned seen[EVENTS];
};

struct crowd {
	const char *group;
	unsigned index;
	struct rng rng;
	const struct policy *policy;
	struct service service;
	struct client clients[MAX_CLIENTS];
	int client_count;
	bool by_turns; // TURN_ONE: the clients come in their order, again and again
	uint32_t forged[MAX_CLIENTS * MAX_VISITS * MAX_FORGERS];
	int forged_count;
};

// plan.c
struct group {
	const char *name;
	void (*plan)(struct crowd *crowd);
	unsigned policies; // bits: in which policies it makes sense; IN_EVERY_RUN
};
enum { IN_EVERY_RUN = 1 << 16 }; // all crowds of the group, however short the run is
extern const struct group groups[];
void plan_predict(struct crowd *crowd, struct client *client, struct plan *plan);
// named.c
void plan_named(struct crowd *crowd);
// main.c
uint32_t plan_address(bool exempt); // a fresh one
// describe.c
void describe_service(const struct crowd *crowd, char *text, size_t size);
void describe_plan(const struct plan *plan, char *text, size_t size);

// run.c
void run_crowd(struct crowd *crowd);

#endif
