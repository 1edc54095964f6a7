// The client's end of a visit. It is driven step by step by the thread that schedules the crowd,
// through a BIO whose bytes pass no hook, so that all reads that a preload sees are the server's.
#include "run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>

enum { SETTLED_AFTER = 4, SETTLED_AT_LAST = 1000, HEADER_BYTES = 5, DTLS_HEADERS_BYTES = 13 + 12 };

static const unsigned char retry_random[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11};

// --- the wire ---

// A ClientHello in one record becomes several records of at most PLAN->rerecord bytes.
static size_t rerecord(const struct visit *visit, const unsigned char *record, size_t bytes,
		       unsigned char *out)
{
	size_t length = bytes < HEADER_BYTES + 4 ? 0 : (size_t)record[3] << 8 | record[4];
	size_t done = 0, put = 0, most = (size_t)visit->plan->rerecord;

	if (most == 0 || length < 4 || bytes < HEADER_BYTES + length ||
	    record[0] != SSL3_RT_HANDSHAKE || record[5] != SSL3_MT_CLIENT_HELLO ||
	    ((size_t)record[7] << 8 | record[8]) != length - 4 ||
	    any_is_init_finished(visit->ssl)) {
		memcpy(out, record, bytes);
		return bytes;
	}
	while (done < length) {
		size_t part = length - done < most ? length - done : most;

		memcpy(out + put, record, 3);
		out[put + 3] = (unsigned char)(part >> 8);
		out[put + 4] = (unsigned char)part;
		memcpy(out + put + HEADER_BYTES, record + HEADER_BYTES + done, part);
		put += HEADER_BYTES + part;
		done += part;
	}
	memcpy(out + put, record + HEADER_BYTES + length, bytes - HEADER_BYTES - length);
	return put + bytes - HEADER_BYTES - length;
}

static int wire_write(BIO *bio, const char *bytes, int count)
{
	struct visit *visit = any_bio_data(bio);

	visit->moved = true;
	if (is_dtls(&visit->crowd->service)) {
		raw_send(visit->fd, bytes, (size_t)count);
		return count;
	}
	if (visit->out_bytes + (size_t)count * 7 > sizeof visit->out)
		die("a client's wire is full");
	visit->out_bytes += rerecord(visit, (const unsigned char *)bytes, (size_t)count,
				     visit->out + visit->out_bytes);
	return count;
}

static int wire_read(BIO *bio, char *bytes, int room)
{
	struct visit *visit = any_bio_data(bio);
	long got = raw_receive(visit->fd, bytes, (size_t)room, 0);

	BIO_clear_retry_flags(bio);
	if (got < 0 && (errno == EAGAIN || errno == ECONNREFUSED)) {
		BIO_set_retry_read(bio);
		return -1;
	}
	visit->moved = true;
	if (got > DTLS_HEADERS_BYTES && visit->plan->ending == BAD_COOKIE &&
	    bytes[0] == SSL3_RT_HANDSHAKE && bytes[13] == DTLS1_MT_HELLO_VERIFY_REQUEST)
		bytes[got - 1] ^= 0x55;
	return (int)got;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
		return 1;
	case BIO_CTRL_DGRAM_QUERY_MTU:
	case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
		return 1400;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return 28;
	default:
		return 0;
	}
}

static struct bio_kind wire = {"model wire", wire_read, wire_write, wire_control, NULL};

// Sends what the split allows in this round.
static void flush(struct visit *visit)
{
	size_t part = visit->out_bytes;
	long sent;

	if (part == 0)
		return;
	// The hellos are cut finely, the rest coarsely.
	if (visit->plan->split == BYTES && !any_is_init_finished(visit->ssl))
		part = visit->out_bytes > 1 && rng_chance(&visit->rng, 10) ? 2 : 1;
	else if (visit->plan->split != WHOLE)
		part = 1 + rng_below(&visit->rng, (unsigned)part);
	sent = raw_send(visit->fd, visit->out, part);
	visit->moved = true;
	if (sent < 0) {
		if (errno != EAGAIN)
			visit->out_bytes = 0; // the server has closed
		return;
	}
	visit->out_bytes -= (size_t)sent;
	memmove(visit->out, visit->out + sent, visit->out_bytes);
}

// --- callbacks ---

static int app_index(void)
{
	static int index = -1;

	if (index < 0)
		index = any_new_index();
	return index;
}

static struct visit *visit_of(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, app_index());
}

static void offer_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION *copy = any_session_copy(session);

	SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}

static void on_retry(struct visit *visit, SSL *ssl)
{
	visit->retries++;
	if (visit->plan->hide == ONLY_SECOND)
		offer_session(ssl, visit->client->session);
	if (visit->plan->hide == ONLY_FIRST)
		any_offer_nothing(ssl);
}

static void on_message(int written, int version, int type, const void *message, size_t bytes,
		       SSL *ssl, void *arg)
{
	struct visit *visit = visit_of(ssl);
	const unsigned char *at = message;

	(void)version, (void)arg;
	if (visit == NULL || type != SSL3_RT_HANDSHAKE || bytes < 4)
		return;
	if (written) {
		visit->hellos += at[0] == SSL3_MT_CLIENT_HELLO;
		return;
	}
	if (at[0] == DTLS1_MT_HELLO_VERIFY_REQUEST ||
	    (at[0] == SSL3_MT_SERVER_HELLO && bytes > 16 &&
	     memcmp(at + 6, retry_random, sizeof retry_random) == 0))
		on_retry(visit, ssl);
	visit->updates_read += at[0] == SSL3_MT_KEY_UPDATE;
	visit->requests_read += at[0] == SSL3_MT_CERTIFICATE_REQUEST;
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct visit *visit = visit_of(ssl);

	(void)value;
	if (visit != NULL && where == SSL_CB_HANDSHAKE_DONE)
		visit->handshakes++;
}

// The newest session is kept, unless this server would not know it, or the policy declined.
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct visit *visit = visit_of(ssl);

	if (visit == NULL || visit->plan->elsewhere ||
	    (visit->plan->offer == OFFER_SESSION && !visit->plan->reused &&
	     visit->plan->hide != ONLY_FIRST))
		return 0;
	SSL_SESSION_free(visit->client->session);
	// A copy: libssl marks a session as spent when its connection ends with an alert.
	visit->client->session = any_session_copy(session);
	return 0;
}

static const unsigned char psk_key[32] = "a secret of two, by another path";
static const char psk_name[] = "model";

static int use_external(SSL *ssl, const EVP_MD *digest, const unsigned char **id, size_t *id_bytes,
			SSL_SESSION **session)
{
	struct visit *visit = visit_of(ssl);
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, (const unsigned char *)"\x13\x02");

	(void)digest;
	*session = NULL;
	if (visit->plan->offer != OFFER_EXTERNAL)
		return 1;
	*session = SSL_SESSION_new();
	*id = (const unsigned char *)psk_name;
	*id_bytes = strlen(psk_name);
	return SSL_SESSION_set1_master_key(*session, psk_key, sizeof psk_key) &&
	       SSL_SESSION_set_cipher(*session, cipher) &&
	       SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
}

static unsigned use_plain(SSL *ssl, const char *hint, char *identity, unsigned identity_room,
			  unsigned char *key, unsigned key_room)
{
	struct visit *visit = visit_of(ssl);

	(void)hint;
	if (visit->plan->offer != OFFER_EXTERNAL || key_room < sizeof psk_key)
		return 0;
	snprintf(identity, identity_room, "%s", psk_name);
	memcpy(key, psk_key, sizeof psk_key);
	return sizeof psk_key;
}

// --- life ---

SSL_CTX *client_context(const struct service *service, struct client *client)
{
	SSL_CTX *ctx = any_context(false, is_dtls(service), service->min, service->client_max);

	(void)client;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_msg_callback(ctx, on_message);
	SSL_CTX_set_info_callback(ctx, on_info);
	SSL_CTX_use_certificate_file(ctx, certificate_file, SSL_FILETYPE_PEM);
	SSL_CTX_use_PrivateKey_file(ctx, certificate_file, SSL_FILETYPE_PEM);
	if (service->ids && service->max <= TLS1_2_VERSION)
		any_ctx_set_options(ctx, SSL_OP_NO_TICKET); // else the offer would be the ticket
	if (service->psk == PSK_SESSION)
		SSL_CTX_set_psk_use_session_callback(ctx, use_external);
	if (service->psk == PSK_PLAIN)
		SSL_CTX_set_psk_client_callback(ctx, use_plain);
	return ctx;
}

static int open_socket(struct visit *visit, uint32_t from)
{
	bool datagrams = is_dtls(&visit->crowd->service);
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)}, there;
	socklen_t bytes = sizeof here;
	int on = 1, fd = socket(AF_INET, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) ||
	    getsockname(fd, (struct sockaddr *)&here, &bytes))
		die("bind a client");
	if (datagrams)
		server_expect(visit, &here);
	server_address(visit, &there);
	if (connect(fd, (struct sockaddr *)&there, sizeof there))
		die("connect a client");
	if (!datagrams)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static void set_up(struct visit *visit)
{
	const struct plan *plan = visit->plan;
	const struct service *service = &visit->crowd->service;
	bool dtls = is_dtls(service);
	BIO *bio = any_bio(&wire, visit);

	visit->ssl = SSL_new(visit->client->ctx);
	SSL_set_ex_data(visit->ssl, app_index(), visit);
	SSL_set_bio(visit->ssl, bio, bio);
	SSL_set_connect_state(visit->ssl);
	SSL_set1_groups_list(visit->ssl, plan->retry && !dtls ? "X25519:P-256" : "P-256");
	if (dtls) {
		any_set_options(visit->ssl, SSL_OP_NO_QUERY_MTU);
		SSL_set_mtu(visit->ssl, plan->fragment ? plan->fragment : 1400);
	} else if (plan->fragment) {
		SSL_set_max_send_fragment(visit->ssl, plan->fragment);
	}
	if (!plan->compat && libssl_speaks_tls13())
		SSL_clear_options(visit->ssl, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	if (service->client_max == TLS1_3_VERSION)
		SSL_set_post_handshake_auth(visit->ssl, 1);
	if (plan->offer == OFFER_EXTERNAL && service->max < TLS1_3_VERSION)
		SSL_set_cipher_list(visit->ssl, "kPSK:@SECLEVEL=0");
	if (plan->offer == OFFER_SESSION && plan->hide != ONLY_SECOND) {
		if (service->brief) // or the client would not offer it
			SSL_SESSION_set_time(visit->client->session, (long)time(NULL));
		offer_session(visit->ssl, visit->client->session);
	}
}

bool client_begin(struct visit *visit)
{
	struct client *client = visit->client;

	if (client->ctx == NULL)
		client->ctx = client_context(&visit->crowd->service, client);
	if (visit->plan->offer == OFFER_SESSION && client->session == NULL)
		return false;
	visit->fd = open_socket(visit, client->address);
	set_up(visit);
	visit->state = STARTING;
	if (visit->crowd->service.proxy)
		visit->out_bytes = (size_t)sprintf((char *)visit->out,
						   "PROXY TCP4 198.51.100.7 127.0.0.1 %u 443\r\n",
						   1024 + rng_below(&visit->rng, 60000));
	if (visit->plan->ending == HALF_HEADER)
		visit->out_bytes /= 2;
	return true;
}

static void leave(struct visit *visit)
{
	struct linger now = {1, 0};

	if (visit->state == GONE)
		return;
	visit->state = GONE;
	visit->moved = true;
	if (visit->plan->leave == BY_STAYING && visit->plan->ending != SERVED)
		return;
	if (visit->plan->leave == BY_RST && visit->plan->ending != SERVED)
		setsockopt(visit->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(visit->fd);
	visit->fd = -1;
}

static void settle(struct visit *visit)
{
	if (visit->out_bytes == 0 && visit->settled++ >= SETTLED_AFTER &&
	    (!server_has_unread(visit) || visit->settled > SETTLED_AT_LAST))
		leave(visit);
	visit->moved = true;
}

// True: nothing can be done now, or ever.
static bool waits(struct visit *visit, int result)
{
	int error;

	if (result > 0)
		return false;
	error = SSL_get_error(visit->ssl, result);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return true;
	visit->failed = true;
	ERR_clear_error();
	leave(visit);
	return true;
}

// HEADER bytes come before the hello.
static void cut_hello(struct visit *visit, size_t header)
{
	size_t hello = visit->out_bytes - header;

	visit->out_bytes = header + (visit->plan->ending == ONE_BYTE ? 1 : hello / 2);
}

static void shake(struct visit *visit)
{
	enum ending ending = visit->plan->ending;
	size_t header = visit->out_bytes, sent;
	int result;

	if (visit->plan->early && !visit->early_sent) {
		result = SSL_write_early_data(visit->ssl, "e", 1, &sent);
		visit->early_sent = result == 1;
		if (waits(visit, result))
			return;
	}
	result = SSL_do_handshake(visit->ssl);
	if (ending == ONE_BYTE || ending == HALF)
		cut_hello(visit, header);
	if (ending == ONE_BYTE || ending == HALF || ending == HELLO ||
	    (ending == BAD_COOKIE && visit->hellos > 1)) {
		if (ending != HELLO || !is_dtls(&visit->crowd->service) ||
		    !visit->crowd->service.cookies || visit->hellos > 1)
			visit->state = SETTLING;
		return;
	}
	if (waits(visit, result))
		return;
	visit->content = true;
	visit->reused = any_session_reused(visit->ssl);
	visit->state = WORKING;
	visit->moved = true;
}

static void await_retry(struct visit *visit)
{
	unsigned char first[2048];
	long got;

	if (visit->hellos == 0) {
		(void)SSL_do_handshake(visit->ssl);
		return;
	}
	got = raw_receive(visit->fd, first, sizeof first, MSG_PEEK);
	if (got > 0)
		visit->retry_seen = true;
	if (got >= 0)
		visit->state = SETTLING;
}

// --- tasks ---

static bool is_of_server(enum task task)
{
	return task == SERVER_RENEGOTIATES || task == SERVER_UPDATES ||
	       task == SERVER_UPDATES_AND_ASKS || task == SERVER_ASKS_CERTIFICATE;
}

static void begin_task(struct visit *visit)
{
	enum task task;

	if (visit->task == visit->plan->task_count) {
		SSL_shutdown(visit->ssl);
		visit->state = SETTLING;
		return;
	}
	task = visit->plan->tasks[visit->task];
	visit->baseline = task == SERVER_ASKS_CERTIFICATE ? visit->requests_read
			  : task == SERVER_UPDATES || task == SERVER_UPDATES_AND_ASKS
			      ? visit->updates_read
			      : visit->handshakes;
	if (is_of_server(task))
		visit->server_task = (int)task + 1;
	else if (task == CLIENT_RENEGOTIATES)
		SSL_renegotiate(visit->ssl);
	else if (task == CLIENT_RENEGOTIATES_ABBREVIATED)
		SSL_renegotiate_abbreviated(visit->ssl);
	else
		SSL_key_update(visit->ssl, task == CLIENT_UPDATES ? SSL_KEY_UPDATE_NOT_REQUESTED
								  : SSL_KEY_UPDATE_REQUESTED);
	visit->state = WAITING;
	visit->moved = true;
}

static bool task_is_done(struct visit *visit, bool *stuck)
{
	enum task task = visit->plan->tasks[visit->task];
	char byte;

	*stuck = false;
	if (is_of_server(task)) {
		int result = SSL_read(visit->ssl, &byte, 1);

		*stuck = waits(visit, result) && visit->failed;
		return task == SERVER_RENEGOTIATES	 ? visit->handshakes > visit->baseline
		       : task == SERVER_ASKS_CERTIFICATE ? visit->requests_read > visit->baseline
							 : visit->updates_read > visit->baseline;
	}
	if (waits(visit, SSL_do_handshake(visit->ssl))) {
		*stuck = true;
		return false;
	}
	return task == CLIENT_UPDATES || task == CLIENT_UPDATES_AND_ASKS ||
	       visit->handshakes > visit->baseline;
}

static void wait_for_task(struct visit *visit)
{
	bool stuck;

	if (!task_is_done(visit, &stuck) || stuck)
		return;
	visit->task++;
	visit->state = ECHOING;
	visit->moved = true;
}

static void echo(struct visit *visit)
{
	char byte;

	if (visit->echoes == 0) {
		if (waits(visit, SSL_write(visit->ssl, "x", 1)))
			return;
		visit->echoes = 1;
		visit->moved = true;
	}
	if (waits(visit, SSL_read(visit->ssl, &byte, 1)))
		return;
	visit->echoes = 0;
	visit->echoed++;
	visit->moved = true;
	begin_task(visit);
}

void client_step(struct visit *visit)
{
	ERR_clear_error();
	if (visit->state == STARTING)
		visit->state = sends_no_hello(visit->plan) ? SETTLING : SHAKING;
	if (visit->state == SHAKING && (visit->out_bytes == 0 || visit->hellos == 0)) {
		if (visit->plan->ending == AFTER_RETRY)
			await_retry(visit);
		else
			shake(visit);
	} else if (visit->state == WORKING) {
		visit->state = ECHOING;
		visit->moved = true;
	} else if (visit->state == WAITING) {
		wait_for_task(visit);
	} else if (visit->state == ECHOING) {
		echo(visit);
	}
	if (visit->state != GONE)
		flush(visit);
	if (visit->state == SETTLING)
		settle(visit);
}

void client_end(struct visit *visit)
{
	leave(visit);
	if (visit->fd >= 0)
		close(visit->fd);
	if (visit->ssl != NULL)
		SSL_set_shutdown(visit->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(visit->ssl);
	visit->ssl = NULL;
	visit->fd = -1;
}

// Another sender's hello reaches the same listening socket first.
void client_forge(struct visit *visit, uint32_t address, bool bad_cookie)
{
	struct plan plan = {.ending = bad_cookie ? BAD_COOKIE : AFTER_RETRY, .compat = true};
	struct visit *forger = calloc(1, sizeof *forger);

	*forger = (struct visit){.crowd = visit->crowd, .client = visit->client, .plan = &plan};
	forger->server_fd = visit->server_fd;
	forger->fd = open_socket(forger, address);
	set_up(forger);
	(void)SSL_do_handshake(forger->ssl);
	server_listen_once(visit);
	if (bad_cookie) {
		(void)SSL_do_handshake(forger->ssl);
		server_listen_once(visit);
	}
	ERR_clear_error();
	client_end(forger);
	free(forger);
}
