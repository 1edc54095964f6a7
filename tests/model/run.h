// A visit while it runs: the client's end (client.c), the wire and the server's end (server.c).
#ifndef TESTS_MODEL_RUN_H
#define TESTS_MODEL_RUN_H

#include "model.h"

enum { WIRE_BYTES = 65536, DATAGRAMS = 32, DATAGRAM_BYTES = 4096 };

enum client_state { STARTING, SHAKING, WORKING, WAITING, ECHOING, SETTLING, GONE };

struct visit {
	struct crowd *crowd;
	struct client *client;
	const struct plan *plan;
	struct rng rng; // the client's own
	bool moved;	// something happened in this round

	// the client's end
	SSL *ssl;
	int fd;
	enum client_state state;
	unsigned char out[WIRE_BYTES]; // what it wants to send (TCP)
	size_t out_bytes;
	int hellos, retries, handshakes, updates_read, requests_read;
	bool retry_seen;
	bool failed, content; // CONTENT: its handshake is over, as it sees it
	bool reused;
	bool early_sent;
	int task, settled, baseline;
	int echoes, echoed;

	// the server's end
	SSL *server;
	int server_fd;
	bool accepted, shaken, proved, ended, end_seen;
	bool listened;
	int server_task; // the task that the program wants done, plus one
	bool early_done;
	bool server_reused;
	BIO *in, *network;		// memory: what is fed; the other end of a pair
	unsigned char held[WIRE_BYTES]; // header first, PROXY: not fed yet
	size_t held_bytes;
	bool header_seen;
	struct {
		size_t bytes;
		unsigned char data[DATAGRAM_BYTES];
	} datagrams[DATAGRAMS];
	int datagram_count;
	struct sockaddr_in from;
};

// client.c
bool client_begin(struct visit *visit); // connects; false: it cannot
void client_step(struct visit *visit);
void client_end(struct visit *visit);
SSL_CTX *client_context(const struct service *service, struct client *client);
void client_forge(struct visit *visit, uint32_t address, bool bad_cookie);

// server.c
void server_open(struct service *service);
void server_shut(struct service *service);
void server_expect(struct visit *visit, const struct sockaddr_in *client); // datagrams
void server_address(struct visit *visit, struct sockaddr_in *address);
void server_accept(struct visit *visit);
void server_read(struct visit *visit);
void server_process(struct visit *visit);
void server_end(struct visit *visit);
void server_read_backend(struct service *service);
void server_listen_once(struct visit *visit);
bool server_has_unread(const struct visit *visit);

extern const char *certificate_file;

// The client's bytes pass by system calls that no preload sees: the program that is guarded is the
// server alone.
static inline long raw_send(int fd, const void *bytes, size_t count)
{
	return syscall(SYS_sendto, fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
}
static inline long raw_receive(int fd, void *bytes, size_t count, int flags)
{
	return syscall(SYS_recvfrom, fd, bytes, count, MSG_DONTWAIT | flags, NULL, NULL);
}

_Noreturn void die(const char *what);

#endif
