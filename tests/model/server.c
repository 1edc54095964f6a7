// The server's end: the unmodified program. It feeds libssl in every way that is known from real
// daemons, and answers each byte with the same byte.
#include "run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

enum { HEADER_BYTES = 5, PAIR_BYTES = 65536, COOKIE_BYTES = 16, EARLY_BYTES = 4096 };

// --- contexts ---

static const unsigned char cookie[COOKIE_BYTES] = "proof of address";

static int make_cookie(SSL *ssl, unsigned char *out, unsigned *bytes)
{
	(void)ssl;
	memcpy(out, cookie, *bytes = COOKIE_BYTES);
	return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *in, unsigned bytes)
{
	(void)ssl;
	return bytes == COOKIE_BYTES && memcmp(in, cookie, bytes) == 0;
}

static int make_stateless(SSL *ssl, unsigned char *out, size_t *bytes)
{
	(void)ssl;
	memcpy(out, cookie, *bytes = COOKIE_BYTES);
	return 1;
}

static int check_stateless(SSL *ssl, const unsigned char *in, size_t bytes)
{
	return check_cookie(ssl, in, (unsigned)bytes);
}

static int switch_off(SSL *ssl, int *alert, void *arg)
{
	(void)alert, (void)arg;
	any_set_options(ssl, SSL_OP_NO_TLSv1_3);
	return SSL_CLIENT_HELLO_SUCCESS;
}

static const unsigned char psk_key[32] = "a secret of two, by another path";

static int find_external(SSL *ssl, const unsigned char *id, size_t bytes, SSL_SESSION **session)
{
	*session = NULL;
	if (bytes != 5 || memcmp(id, "model", 5) != 0)
		return 1;
	*session = SSL_SESSION_new();
	return SSL_SESSION_set1_master_key(*session, psk_key, sizeof psk_key) &&
	       SSL_SESSION_set_cipher(*session,
				      SSL_CIPHER_find(ssl, (const unsigned char *)"\x13\x02")) &&
	       SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
}

static unsigned find_plain(SSL *ssl, const char *identity, unsigned char *key, unsigned room)
{
	(void)ssl;
	if (strcmp(identity, "model") != 0 || room < sizeof psk_key)
		return 0;
	memcpy(key, psk_key, sizeof psk_key);
	return sizeof psk_key;
}

static SSL_CTX *server_context(const struct service *service)
{
	SSL_CTX *ctx = any_context(true, is_dtls(service), service->min, service->max);

	SSL_CTX_use_certificate_file(ctx, certificate_file, SSL_FILETYPE_PEM);
	SSL_CTX_use_PrivateKey_file(ctx, certificate_file, SSL_FILETYPE_PEM);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"model", 5);
	if (!service->stubborn && !libssl_is_old()) // there the bit means something else
		any_ctx_set_options(ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	any_ctx_set_options(ctx, (service->ids ? SSL_OP_NO_TICKET : 0) |
				     (service->cookies ? SSL_OP_COOKIE_EXCHANGE : 0) |
				     (service->stubborn ? SSL_OP_NO_RENEGOTIATION : 0) |
				     (service->replayable ? SSL_OP_NO_ANTI_REPLAY : 0));
	SSL_CTX_set_cookie_generate_cb(ctx, make_cookie);
	SSL_CTX_set_cookie_verify_cb(ctx, check_cookie);
	if (service->stateless) {
		SSL_CTX_set_stateless_cookie_generate_cb(ctx, make_stateless);
		SSL_CTX_set_stateless_cookie_verify_cb(ctx, check_stateless);
	}
	if (service->late)
		SSL_CTX_set_client_hello_cb(ctx, switch_off, NULL);
	if (service->early)
		SSL_CTX_set_max_early_data(ctx, EARLY_BYTES);
	if (service->psk == PSK_SESSION)
		SSL_CTX_set_psk_find_session_callback(ctx, find_external);
	if (service->psk == PSK_PLAIN)
		SSL_CTX_set_psk_server_callback(ctx, find_plain);
	if (service->brief)
		SSL_CTX_set_timeout(ctx, 1);
	return ctx;
}

static int bound_socket(int type)
{
	struct sockaddr_in here = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here))
		die("bind the server");
	return fd;
}

// A backend is a peer of the same family, so one that is taken for the client by mistake has an
// address.
static void open_backend(struct service *service)
{
	struct sockaddr_in here = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(0x7ffa0001)}; // 127.250.0.1
	socklen_t bytes = sizeof here;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof here) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&here, &bytes))
		die("a backend");
	service->backend[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(service->backend[0], (struct sockaddr *)&here, sizeof here))
		die("connect to the backend");
	service->backend[1] = (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
}

void server_open(struct service *service)
{
	service->ctx = server_context(service);
	service->other = server_context(service);
	service->listener = -1;
	service->backend[0] = service->backend[1] = -1;
	if (!is_dtls(service)) {
		service->listener = bound_socket(SOCK_STREAM);
		if (listen(service->listener, 64))
			die("listen");
	} else if (service->feed == FEED_DMEMORY) {
		service->listener = bound_socket(SOCK_DGRAM);
	}
	if (service->turn == TURN_BACKEND)
		open_backend(service);
}

void server_shut(struct service *service)
{
	SSL_free(service->spare);
	SSL_CTX_free(service->ctx);
	SSL_CTX_free(service->other);
	if (service->listener >= 0)
		close(service->listener);
	for (int i = 0; i < 2; i++)
		if (service->backend[i] >= 0)
			close(service->backend[i]);
}

void server_read_backend(struct service *service)
{
	static const unsigned char answer[] = {0x16, 3, 3, 0, 40, 2, 0, 0, 36, 3, 3, 'O', 'K'};
	char bytes[64];

	raw_send(service->backend[1], answer, sizeof answer);
	(void)!recv(service->backend[0], bytes, sizeof bytes, 0);
}

// --- one connection ---

void server_expect(struct visit *visit, const struct sockaddr_in *client)
{
	struct service *service = &visit->crowd->service;

	visit->from = *client;
	if (service->feed == FEED_DMEMORY)
		return;
	if (visit->server_fd < 0)
		visit->server_fd = bound_socket(SOCK_DGRAM);
	if (service->feed == FEED_DGRAM &&
	    connect(visit->server_fd, (const struct sockaddr *)client, sizeof *client))
		die("connect a datagram socket");
}

void server_address(struct visit *visit, struct sockaddr_in *address)
{
	const struct service *service = &visit->crowd->service;
	socklen_t bytes = sizeof *address;

	if (getsockname(service->listener >= 0 ? service->listener : visit->server_fd,
			(struct sockaddr *)address, &bytes))
		die("getsockname");
}

bool server_has_unread(const struct visit *visit)
{
	int bytes = 0;

	if (visit->ended)
		return false;
	if (visit->crowd->service.feed == FEED_DMEMORY)
		return visit->datagram_count > 0;
	if (!visit->accepted)
		return true;
	return ioctl(visit->server_fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static struct bio_kind own;

static void set_bios(struct visit *visit)
{
	BIO *in, *out;

	switch (visit->crowd->service.feed) {
	case FEED_FD:
		SSL_set_fd(visit->server, visit->server_fd);
		return;
	case FEED_OWN:
		in = out = any_bio(&own, visit);
		break;
	case FEED_PAIR:
		BIO_new_bio_pair(&in, PAIR_BYTES, &visit->network, PAIR_BYTES);
		out = in;
		break;
	case FEED_MEMORY:
	case FEED_DMEMORY:
		in = BIO_new(BIO_s_mem());
		out = BIO_new(BIO_s_mem());
		BIO_set_mem_eof_return(in, -1);
		break;
	default:
		in = out = BIO_new_dgram(visit->server_fd, BIO_NOCLOSE);
		if (visit->crowd->service.feed == FEED_DGRAM)
			BIO_ctrl(in, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &visit->from);
		break;
	}
	visit->in = in;
	SSL_set_bio(visit->server, in, out);
}

static void make_server(struct visit *visit)
{
	struct service *service = &visit->crowd->service;

	if (visit->server != NULL)
		return;
	if (service->spare != NULL && !visit->plan->elsewhere) {
		visit->server = service->spare;
		service->spare = NULL;
	} else {
		visit->server = SSL_new(visit->plan->elsewhere ? service->other : service->ctx);
	}
	set_bios(visit);
	SSL_set_accept_state(visit->server);
	if (is_dtls(service)) {
		any_set_options(visit->server, SSL_OP_NO_QUERY_MTU);
		SSL_set_mtu(visit->server, 1400);
	}
}

void server_accept(struct visit *visit)
{
	struct service *service = &visit->crowd->service;
	int on = 1;

	visit->accepted = true;
	if (!is_dtls(service)) {
		visit->server_fd =
		    accept4(service->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (visit->server_fd < 0)
			die("accept");
		setsockopt(visit->server_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
}

// --- reading the socket ---

static ssize_t take(enum reader reader, int fd, void *bytes, size_t room)
{
	size_t half = room / 2;
	struct iovec parts[2] = {{bytes, half}, {(char *)bytes + half, room - half}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	struct sockaddr_storage from;
	socklen_t from_bytes = sizeof from;

	// Several parts, the first of which ends within a hello.
	parts[0].iov_len = half > 40 ? 40 : half;
	parts[1].iov_base = (char *)bytes + parts[0].iov_len;
	parts[1].iov_len = room - parts[0].iov_len;
	switch (reader) {
	case BY_RECV:
		return recv(fd, bytes, room, 0);
	case BY_RECVFROM:
		return recvfrom(fd, bytes, room, 0, (struct sockaddr *)&from, &from_bytes);
	case BY_RECVMSG:
		return recvmsg(fd, &message, 0);
	case BY_READV:
		return readv(fd, parts, 2);
	case BY_PEEK:
		(void)!recv(fd, bytes, room < 11 ? room : 11, MSG_PEEK);
		return recv(fd, bytes, room, 0);
	default:
		return read(fd, bytes, room);
	}
}

static void feed(struct visit *visit, const unsigned char *bytes, size_t count)
{
	BIO *to = visit->crowd->service.feed == FEED_PAIR ? visit->network : visit->in;

	if (count != 0 && BIO_write(to, bytes, (int)count) != (int)count)
		die("feed libssl");
}

// What was read is held until the server's thread feeds it. True: something may follow.
static bool hold(struct visit *visit, size_t most)
{
	ssize_t got = take(visit->crowd->service.reader, visit->server_fd,
			   visit->held + visit->held_bytes, most);

	if (got > 0) {
		visit->held_bytes += (size_t)got;
		visit->moved = true;
		return true;
	}
	if (got == 0 || errno != EAGAIN) {
		visit->moved |= !visit->end_seen;
		visit->end_seen = true;
	}
	return false;
}

// Reads the header of a record, then its body.
static void hold_records(struct visit *visit)
{
	size_t start = 0, want;

	do {
		const unsigned char *at = visit->held + start;
		size_t have = visit->held_bytes - start;

		want = have < HEADER_BYTES ? HEADER_BYTES
					   : HEADER_BYTES + ((size_t)at[3] << 8 | at[4]);
		if (have >= HEADER_BYTES && have >= want) {
			start += want;
			want = HEADER_BYTES;
			have = visit->held_bytes - start;
		}
		want -= have;
	} while (visit->held_bytes + want < sizeof visit->held && hold(visit, want));
}

static void read_datagrams(struct visit *visit)
{
	struct crowd *crowd = visit->crowd;
	unsigned char bytes[DATAGRAM_BYTES];
	struct sockaddr_in from;
	socklen_t from_bytes = sizeof from;
	ssize_t got;

	while ((got = recvfrom(crowd->service.listener, bytes, sizeof bytes, 0,
			       (struct sockaddr *)&from, &from_bytes)) > 0)
		for (int i = 0; i < crowd->client_count; i++) {
			struct visit *to = crowd->clients[i].visit;

			if (to == NULL || to->from.sin_port != from.sin_port ||
			    to->from.sin_addr.s_addr != from.sin_addr.s_addr ||
			    to->datagram_count == DATAGRAMS)
				continue;
			to->datagrams[to->datagram_count].bytes = (size_t)got;
			memcpy(to->datagrams[to->datagram_count++].data, bytes, (size_t)got);
			to->moved = true;
		}
}

void server_read(struct visit *visit)
{
	enum feed way = visit->crowd->service.feed;

	if (visit->ended)
		return;
	if (!visit->accepted)
		server_accept(visit);
	if (way == FEED_DMEMORY)
		read_datagrams(visit);
	if ((way != FEED_MEMORY && way != FEED_PAIR) || visit->end_seen)
		return;
	if (visit->crowd->service.reader == BY_HEADER && !visit->crowd->service.proxy)
		hold_records(visit);
	else
		while (hold(visit, 16384 < sizeof visit->held - visit->held_bytes
				       ? 16384
				       : sizeof visit->held - visit->held_bytes))
			;
}

// What is whole goes to libssl: after the PROXY header; by records, for those who read so.
static void feed_held(struct visit *visit)
{
	const struct service *service = &visit->crowd->service;
	unsigned char *end;
	size_t skip = 0, count;

	if (service->proxy && !visit->header_seen) {
		end = memchr(visit->held, '\n', visit->held_bytes);
		if (end == NULL)
			return;
		visit->header_seen = true;
		skip = (size_t)(end + 1 - visit->held);
	}
	count = visit->held_bytes - skip;
	if (service->reader == BY_HEADER && !visit->end_seen) {
		size_t whole = 0, next;

		while (whole + HEADER_BYTES <= count &&
		       (next = whole + HEADER_BYTES +
			       ((size_t)visit->held[skip + whole + 3] << 8 |
				visit->held[skip + whole + 4])) <= count)
			whole = next;
		count = whole;
	}
	feed(visit, visit->held + skip, count);
	visit->held_bytes -= skip + count;
	memmove(visit->held, visit->held + skip + count, visit->held_bytes);
}

// --- a socket BIO of the program's own ---

static int own_read(BIO *bio, char *bytes, int room)
{
	struct visit *visit = any_bio_data(bio);
	ssize_t got = take(visit->crowd->service.reader, visit->server_fd, bytes, (size_t)room);

	BIO_clear_retry_flags(bio);
	if (got < 0 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	else
		visit->moved = true;
	return (int)got;
}

static int own_write(BIO *bio, const char *bytes, int count)
{
	struct visit *visit = any_bio_data(bio);

	visit->moved = true;
	return (int)send(visit->server_fd, bytes, (size_t)count, MSG_NOSIGNAL);
}

static long own_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static struct bio_kind own = {"server's own", own_read, own_write, own_control, NULL};

// --- TLS ---

// What libssl wrote goes out.
static void drain(struct visit *visit)
{
	unsigned char bytes[16384];
	enum feed way = visit->crowd->service.feed;
	BIO *from = way == FEED_PAIR ? visit->network : SSL_get_wbio(visit->server);
	int got;

	if (way != FEED_MEMORY && way != FEED_PAIR && way != FEED_DMEMORY)
		return;
	while ((got = BIO_read(from, bytes, sizeof bytes)) > 0) {
		visit->moved = true;
		if (way == FEED_DMEMORY)
			(void)!sendto(visit->crowd->service.listener, bytes, (size_t)got, 0,
				      (struct sockaddr *)&visit->from, sizeof visit->from);
		else
			(void)!send(visit->server_fd, bytes, (size_t)got, MSG_NOSIGNAL);
	}
}

void server_end(struct visit *visit)
{
	struct service *service = &visit->crowd->service;

	if (visit->ended)
		return;
	visit->ended = visit->moved = true;
	if (visit->server != NULL) {
		drain(visit);
		// A session goes from the cache with a connection that was not shut down.
		SSL_set_shutdown(visit->server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		ERR_clear_error();
		if (service->reuse && service->spare == NULL && !visit->plan->elsewhere &&
		    SSL_clear(visit->server) == 1)
			service->spare = visit->server;
		else
			SSL_free(visit->server);
	}
	ERR_clear_error();
	visit->server = NULL;
	BIO_free(visit->network);
	visit->network = NULL;
	if (visit->server_fd >= 0)
		close(visit->server_fd);
	visit->server_fd = -1;
}

static bool failed(struct visit *visit, int result)
{
	int error = SSL_get_error(visit->server, result);

	return error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
}

static int accept_certificate(int good, X509_STORE_CTX *store)
{
	(void)good, (void)store;
	return 1;
}

static void do_task(struct visit *visit)
{
	enum task task = (enum task)(visit->server_task - 1);

	visit->server_task = 0;
	visit->moved = true;
	if (task == SERVER_RENEGOTIATES) {
		SSL_renegotiate(visit->server);
	} else if (task == SERVER_ASKS_CERTIFICATE) {
		SSL_set_verify(visit->server, SSL_VERIFY_PEER, accept_certificate);
		SSL_verify_client_post_handshake(visit->server);
	} else {
		SSL_key_update(visit->server, task == SERVER_UPDATES ? SSL_KEY_UPDATE_NOT_REQUESTED
								     : SSL_KEY_UPDATE_REQUESTED);
	}
	(void)SSL_do_handshake(visit->server);
}

static bool has_input(struct visit *visit)
{
	if (visit->in != NULL && visit->crowd->service.feed != FEED_OWN)
		return BIO_ctrl_pending(visit->in) > 0;
	return server_has_unread(visit);
}

// SSL_stateless, until the client has proved its address. True: go on with SSL_accept.
static bool prove(struct visit *visit)
{
	SSL *old = visit->server;
	BIO *in = SSL_get_rbio(old), *out = SSL_get_wbio(old);
	int result;

	if (visit->proved)
		return true;
	if (!has_input(visit)) {
		if (visit->end_seen)
			server_end(visit);
		return false;
	}
	do { // -1 without an error: it read the ChangeCipherSpec before the second hello
		result = SSL_stateless(visit->server);
	} while (result < 0 && ERR_peek_error() == 0 && has_input(visit));
	visit->proved = result == 1;
	if (result < 0) {
		server_end(visit);
		return false;
	}
	drain(visit);
	if (result == 0 && visit->crowd->service.fresh) {
		visit->server = SSL_new(SSL_get_SSL_CTX(old));
		BIO_up_ref(in);
		if (in != out)
			BIO_up_ref(out);
		SSL_set_bio(visit->server, in, out);
		SSL_set_accept_state(visit->server);
		SSL_free(old);
	}
	return result == 1;
}

void server_listen_once(struct visit *visit)
{
	struct sockaddr_in from = visit->from;

	make_server(visit);
	visit->accepted = true;
	if (any_listen(visit->server) > 0) {
		// The next sender is the client.
		if (connect(visit->server_fd, (struct sockaddr *)&from, sizeof from))
			die("connect after listening");
		BIO_ctrl(SSL_get_rbio(visit->server), BIO_CTRL_DGRAM_SET_CONNECTED, 0, &from);
		visit->listened = visit->moved = true;
	}
	ERR_clear_error();
}

static bool take_early_data(struct visit *visit)
{
	char byte;
	size_t got;
	int result;

	while (!visit->early_done) {
		result = SSL_read_early_data(visit->server, &byte, 1, &got);
		visit->early_done = result == SSL_READ_EARLY_DATA_FINISH;
		if (result == SSL_READ_EARLY_DATA_ERROR) {
			if (failed(visit, -1))
				server_end(visit);
			return false;
		}
	}
	return true;
}

static int call(struct visit *visit, char *byte)
{
	size_t got = 0;
	enum entry entry = visit->crowd->service.entry;

	if (!visit->shaken && entry == BY_ACCEPT)
		return SSL_accept(visit->server) == 1 ? 0 : -1;
	if (!visit->shaken && entry == BY_DO_HANDSHAKE)
		return SSL_do_handshake(visit->server) == 1 ? 0 : -1;
	if (entry == BY_SSL_READ_EX)
		return SSL_read_ex(visit->server, byte, 1, &got) == 1 ? 1 : -1;
	return SSL_read(visit->server, byte, 1) == 1 ? 1 : -1;
}

static void work(struct visit *visit)
{
	const struct service *service = &visit->crowd->service;
	char byte;
	int result;

	if (service->stateless && !prove(visit))
		return;
	if (service->early && !visit->shaken && !take_early_data(visit))
		return;
	do {
		ERR_clear_error();
		if (visit->shaken && visit->server_task != 0)
			do_task(visit);
		result = call(visit, &byte);
		if (!visit->shaken && any_is_init_finished(visit->server)) {
			visit->shaken = visit->moved = true;
			visit->server_reused = any_session_reused(visit->server);
			if (result < 0)
				continue;
		}
		if (result == 1) {
			visit->moved = true;
			(void)SSL_write(visit->server, &byte, 1);
		}
	} while (result >= 0);
	if (failed(visit, -1))
		server_end(visit);
}

// As hitch does: the PROXY header is read off the BIO, byte by byte, before libssl is called.
// False: it is not whole yet.
static bool read_header(struct visit *visit)
{
	BIO *bio = SSL_get_rbio(visit->server);
	char byte;

	while (!visit->header_seen) {
		if (BIO_read(bio, &byte, 1) != 1) {
			if (!BIO_should_retry(bio))
				server_end(visit);
			return false;
		}
		visit->header_seen = byte == '\n';
		visit->moved = true;
	}
	return true;
}

void server_process(struct visit *visit)
{
	const struct service *service = &visit->crowd->service;

	if (visit->ended || !visit->accepted)
		return;
	ERR_clear_error();
	make_server(visit);
	if (service->proxy && service->feed == FEED_FD && !read_header(visit))
		return;
	if (service->feed == FEED_LISTEN && !visit->listened) {
		server_listen_once(visit);
		if (!visit->listened)
			return;
	}
	if (service->feed == FEED_MEMORY || service->feed == FEED_PAIR)
		feed_held(visit);
	if (visit->datagram_count == 0)
		work(visit);
	for (int i = 0; i < visit->datagram_count && !visit->ended; i++) {
		feed(visit, visit->datagrams[i].data, visit->datagrams[i].bytes);
		work(visit);
		if (!visit->ended)
			drain(visit);
	}
	visit->datagram_count = 0;
	if (visit->ended)
		return;
	drain(visit);
	if (visit->end_seen && visit->held_bytes == 0) {
		if (service->tells_end) { // as a program that passes the end on
			if (service->feed == FEED_PAIR)
				BIO_shutdown_wr(visit->network);
			else
				BIO_set_mem_eof_return(visit->in, 0);
			work(visit);
		}
		server_end(visit);
	}
}
