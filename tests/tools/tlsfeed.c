// tlsfeed: a server that reads its sockets itself and hands the bytes to libssl through memory, in
// every way that real programs do. `tlsfeed --help` tells the usage. Its clients are in a process
// of their own, each with a source address of its own: client I of N comes from BASE.I. All of them
// are there before the first byte is worked on. Prints `port`, then `served N` when all are done,
// and waits for the end of its input: the account can be asked for meanwhile.
#include "netutil.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { HALF_BYTES = 40 }; // of a hello: more than its header, less than its random's end
enum { CLIENTS_MAX = 256, QUEUE_BYTES = 65536, WAIT_MS = 20000, HELLO_MAX = 4096 };

static const char usage[] =
    "usage: tlsfeed --cert PEM [--clients N] [--base 127.0.1] [--by "
    "read|recv|recvfrom|readv|recvmsg]\n"
    "  [--first N|i]     bytes of the first read; i: the client's number (default: all there are)\n"
    "  [--piece N]       bytes of each further read\n"
    "  [--bio mem|pair]  [--threads N (0: the thread that reads works)]  [--backend]\n"
    "  [--own]           the only thread that works reads the first client, and no other socket; "
    "nothing\n"
    "                    more is read of the others until it has worked off what there is\n"
    "  [--halves N]      the last N clients send half a hello, and leave\n"
    "  [--front HEX]     what each client sends before its hello; [--front-apart]: read for "
    "itself,\n"
    "                    and never given to libssl (--front-given gives it: libssl skips it)\n"
    "  [--behind HEX]    what each sends behind its hello, and is read before the hello is worked "
    "on\n"
    "  [--records N]     the hello is sent in records of N bytes\n"
    "  [--stale N]       before each client a stranger, on the same descriptor, sends N bytes of "
    "a\n"
    "                    hello, one by one, and leaves; the clients then come one by one\n"
    "  [--dtls]          one datagram socket, all senders interleaved\n"
    "  [--dgram-bio]     one datagram socket that libssl reads itself; the clients come one by "
    "one\n";

static struct {
	const char *cert, *base, *by, *bio, *front, *behind;
	int clients, first, piece, threads, records, stale, dtls, backend, front_apart, front_given,
	    dgram_bio, own, halves;
} opt = {.base = "127.0.1", .by = "read", .bio = "mem", .clients = 1};

struct connection {
	SSL *ssl;
	BIO *in, *out; // ours: what is written to `in` libssl reads
	int fd, number, reads;
	struct sockaddr_in sender; // of datagrams
	unsigned char queue[QUEUE_BYTES];
	size_t queued, skip; // skip: bytes of the front that libssl must not see
	bool done, busy, eof;
};

static struct connection *connections[CLIENTS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int backend_port, left;

static size_t from_hex(const char *hex, unsigned char *bytes)
{
	size_t count = 0;
	unsigned value;

	for (; hex && sscanf(hex, "%2x", &value) == 1; hex += 2)
		bytes[count++] = (unsigned char)value;
	return count;
}

static void die_ssl(const char *what)
{
	fprintf(stderr, "tlsfeed: %s\n", what);
	ERR_print_errors_fp(stderr);
	_exit(2);
}

// --- clients, in a process of their own ----------------------------------------------------------
static SSL_CTX *client_ctx;
static int server_port;
static sem_t connected;

static void send_all(int fd, const unsigned char *bytes, size_t count)
{
	if (send(fd, bytes, count, MSG_NOSIGNAL) != (ssize_t)count)
		perror("tlsfeed: client: send");
}

static int connect_from(int number)
{
	char source[64];

	snprintf(source, sizeof(source), "%s.%d", opt.base, number);
	if (!opt.dtls)
		return net_connect("127.0.0.1", server_port, source, WAIT_MS);
	struct sockaddr_storage own, server;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t own_bytes = net_address(source, 0, &own);
	socklen_t bytes = net_address("127.0.0.1", server_port, &server);

	if (fd < 0 || bind(fd, (struct sockaddr *)&own, own_bytes) ||
	    connect(fd, (struct sockaddr *)&server, bytes))
		net_die("tlsfeed: client");
	net_bound_waits(fd, WAIT_MS);
	return fd;
}

// The first flight, spread over records of --records bytes.
static size_t fragment(const unsigned char *flight, size_t bytes, unsigned char *out)
{
	const unsigned char *message = flight + 5;
	size_t count = 0, size = (size_t)opt.records;

	for (size_t at = 0; at < bytes - 5; at += size) {
		size_t part = bytes - 5 - at < size ? bytes - 5 - at : size;

		memcpy(out + count, flight, 3);
		out[count + 3] = (unsigned char)(part >> 8);
		out[count + 4] = (unsigned char)part;
		memcpy(out + count + 5, message + at, part);
		count += 5 + part;
	}
	return count;
}

static void send_first_flight(int fd, const unsigned char *flight, size_t bytes)
{
	static __thread unsigned char out[8 * HELLO_MAX];
	size_t count = from_hex(opt.front, out);

	if (opt.records)
		count += fragment(flight, bytes, out + count);
	else
		memcpy(out + count, flight, bytes), count += bytes;
	count += from_hex(opt.behind, out + count);
	send_all(fd, out, count);
}

// Shakes hands; the first flight is ours to send.
static void *client(void *argument)
{
	int fd = connect_from((int)(intptr_t)argument), ret;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(client_ctx);
	unsigned char bytes[QUEUE_BYTES];
	bool first = true, half = (intptr_t)argument > opt.clients - opt.halves;

	sem_post(&connected);
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(ssl, in, out);
	if (opt.dtls) {
		SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
		DTLS_set_link_mtu(ssl, 1400);
	}
	while ((ret = SSL_connect(ssl)) != 1 || BIO_pending(out)) {
		int n = BIO_read(out, bytes, sizeof(bytes));

		if (n > 0 && half) {
			send_all(fd, bytes, HALF_BYTES);
			break;
		}
		if (n > 0 && first)
			send_first_flight(fd, bytes, (size_t)n), first = false;
		else if (n > 0)
			send_all(fd, bytes, (size_t)n);
		if (ret != 1) {
			ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

			if (got <= 0)
				break;
			BIO_write(in, bytes, (int)got);
		}
	}
	close(fd);
	SSL_free(ssl);
	return NULL;
}

// A stranger's beginning of a hello: what it would be, up to where it leaves.
static void stale_stranger(void)
{
	unsigned char hello[64] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
	struct linger reset = {1, 0};
	int fd = connect_from(250);
	char byte;

	send_all(fd, hello, (size_t)opt.stale);
	(void)!recv(fd, &byte, 1, 0); // until the server has read it all
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void *backend(void *argument)
{
	int listener = (int)(intptr_t)argument, fd;
	char byte;

	while ((fd = accept(listener, NULL, NULL)) >= 0)
		while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
			if (byte == 'q')
				break;
	return NULL;
}

static void run_clients(int backend_listener)
{
	pthread_t threads[CLIENTS_MAX], other;

	sem_init(&connected, 0, 0);
	client_ctx = SSL_CTX_new(opt.dtls ? DTLS_client_method() : TLS_client_method());
	for (int i = 0; i <= opt.threads; i++)
		pthread_create(&other, NULL, backend, (void *)(intptr_t)backend_listener);
	for (int i = 1; i <= opt.clients; i++) {
		if (opt.stale)
			stale_stranger();
		if (pthread_create(&threads[i - 1], NULL, client, (void *)(intptr_t)i))
			net_die("tlsfeed: client");
		if (i == 1) // it is accepted first
			sem_wait(&connected);
		if (opt.stale || opt.dgram_bio)
			pthread_join(threads[i - 1], NULL);
	}
	for (int i = 0; !opt.stale && !opt.dgram_bio && i < opt.clients; i++)
		pthread_join(threads[i], NULL);
}

// --- the server: reading -------------------------------------------------------------------------
static ssize_t read_parts(int fd, unsigned char *bytes, size_t count, bool message)
{
	static const size_t sizes[] = {0, 1, 2, 0, 3, 7, 20, 5};
	struct iovec parts[9];
	struct msghdr header = {.msg_iov = parts};
	size_t at = 0;
	int used = 0;

	for (size_t i = 0; i < 8; at += parts[i++].iov_len, used++) {
		parts[i].iov_base = bytes + at;
		parts[i].iov_len = sizes[i] < count - at ? sizes[i] : count - at;
	}
	parts[used++] = (struct iovec){bytes + at, count - at};
	header.msg_iovlen = (size_t)used;
	return message ? recvmsg(fd, &header, 0) : readv(fd, parts, used);
}

static ssize_t read_by(int fd, unsigned char *bytes, size_t count)
{
	if (strcmp(opt.by, "recv") == 0)
		return recv(fd, bytes, count, 0);
	if (strcmp(opt.by, "recvfrom") == 0)
		return recvfrom(fd, bytes, count, 0, NULL, NULL);
	if (strcmp(opt.by, "readv") == 0)
		return read_parts(fd, bytes, count, false);
	if (strcmp(opt.by, "recvmsg") == 0)
		return read_parts(fd, bytes, count, true);
	return read(fd, bytes, count);
}

static size_t wanted(const struct connection *c)
{
	size_t room = sizeof(c->queue) - c->queued;
	int first = opt.first == -1 ? c->number : opt.first;
	int count = c->reads == 0 ? first : opt.piece;

	if (opt.front_apart && c->reads == 0)
		count = (int)c->skip;
	return count > 0 && (size_t)count < room ? (size_t)count : room;
}

// One read. Peeks come before it, as programs that look for a protocol make them: they do not
// count.
static void fill(struct connection *c)
{
	unsigned char peeked[64];
	ssize_t n;

	if (recv(c->fd, peeked, sizeof(peeked), MSG_PEEK | MSG_DONTWAIT) == -1 && errno == EAGAIN)
		return;
	n = read_by(c->fd, c->queue + c->queued, wanted(c));
	c->reads++;
	if (n <= 0)
		c->eof = true;
	else
		c->queued += (size_t)n;
}

// --- the server: working -------------------------------------------------------------------------
static void ask_backend(void)
{
	static __thread int fd = -1;
	char byte = 'x';

	if (!opt.backend || opt.own)
		return;
	if (fd < 0)
		fd = net_connect("127.0.0.1", backend_port, "127.0.9.9", WAIT_MS);
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || read(fd, &byte, 1) != 1)
		net_die("tlsfeed: backend");
}

static void flush(struct connection *c)
{
	unsigned char bytes[QUEUE_BYTES];
	int n;

	while ((n = BIO_read(c->out, bytes, sizeof(bytes))) > 0) {
		if (opt.dtls)
			sendto(c->fd, bytes, (size_t)n, 0, (struct sockaddr *)&c->sender,
			       sizeof(c->sender));
		else
			(void)!send(c->fd, bytes, (size_t)n, MSG_NOSIGNAL);
	}
}

static void work(struct connection *c)
{
	size_t skip = c->skip < c->queued ? c->skip : c->queued;
	int ret;

	ask_backend();
	BIO_write(c->in, c->queue + skip, (int)(c->queued - skip));
	c->skip -= skip;
	c->queued = 0;
	ret = SSL_do_handshake(c->ssl);
	flush(c);
	c->done = c->eof || ret == 1 || SSL_get_error(c->ssl, ret) != SSL_ERROR_WANT_READ;
	ERR_clear_error();
}

static struct connection *new_connection(SSL_CTX *ctx, int fd, int number)
{
	struct connection *c = calloc(1, sizeof(*c));
	unsigned char front[HELLO_MAX];
	BIO *theirs_in, *theirs_out;

	c->ssl = SSL_new(ctx);
	c->fd = fd;
	c->number = number;
	c->skip = opt.front_given ? 0 : from_hex(opt.front, front);
	if (strcmp(opt.bio, "pair") == 0) {
		BIO_new_bio_pair(&theirs_in, QUEUE_BYTES, &c->in, QUEUE_BYTES);
		theirs_out = theirs_in;
		c->out = c->in;
	} else {
		c->in = theirs_in = BIO_new(BIO_s_mem());
		c->out = theirs_out = BIO_new(BIO_s_mem());
		BIO_set_mem_eof_return(theirs_in, -1);
	}
	SSL_set_bio(c->ssl, theirs_in, theirs_out);
	SSL_set_accept_state(c->ssl);
	return c;
}

static void close_connection(struct connection *c)
{
	close(c->fd);
	c->fd = -1;
	SSL_free(c->ssl);
}

// The first client, from its first byte to its last, on this thread alone.
static void serve_own(struct connection *c)
{
	while (!c->done) {
		struct pollfd ready = {c->fd, POLLIN, 0};

		poll(&ready, 1, WAIT_MS);
		fill(c);
		work(c);
	}
}

static void *worker(void *nothing)
{
	(void)nothing;
	if (opt.own)
		serve_own(connections[0]);
	pthread_mutex_lock(&lock);
	left -= opt.own;
	while (left > 0) {
		struct connection *c = NULL;

		for (int i = 0; i < opt.clients && !c; i++)
			if (connections[i] && !connections[i]->busy && !connections[i]->done &&
			    (connections[i]->queued || connections[i]->eof))
				c = connections[i];
		if (!c) {
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		c->busy = true;
		pthread_mutex_unlock(&lock);
		work(c);
		pthread_mutex_lock(&lock);
		c->busy = false;
		left -= c->done;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

// Waits for bytes of all that are not done and not being worked on, reads all of them, and then
// works them off in the other order.
static void round_of_reads(bool all)
{
	struct pollfd ready[CLIENTS_MAX];

	for (int i = 0; i < opt.clients; i++)
		ready[i] = (struct pollfd){connections[i]->done || connections[i]->busy ||
						   connections[i]->eof ||
						   (opt.own && connections[i]->queued)
					       ? -1
					       : connections[i]->fd,
					   POLLIN, 0};
	pthread_mutex_unlock(&lock);
	for (int i = 0; all && i < opt.clients; i++)
		if (ready[i].fd >= 0)
			poll(&ready[i], 1, WAIT_MS);
	poll(ready, (nfds_t)opt.clients, opt.threads ? 5 : WAIT_MS);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < opt.clients; i++)
		if (ready[i].revents && !connections[i]->busy && !connections[i]->done)
			fill(connections[i]);
}

static void serve_all(void)
{
	pthread_t threads[64];
	unsigned char behind[HELLO_MAX];
	int ahead = from_hex(opt.behind, behind) ? 3 : 1;

	left = opt.clients;
	connections[0]->busy = opt.own;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < ahead; i++)
		round_of_reads(i == 0);
	for (int i = 0; i < opt.threads; i++)
		pthread_create(&threads[i], NULL, worker, NULL);
	while (left > 0) {
		for (int i = opt.clients - 1; opt.threads == 0 && i >= 0; i--)
			if ((connections[i]->queued || connections[i]->eof) &&
			    !connections[i]->done) {
				work(connections[i]);
				left -= connections[i]->done;
			}
		pthread_cond_broadcast(&changed);
		if (left > 0)
			round_of_reads(false);
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < opt.threads; i++)
		pthread_join(threads[i], NULL);
}

// One client at a time, each behind a stranger.
static void serve_behind_strangers(SSL_CTX *ctx, int listener)
{
	for (int i = 1; i <= opt.clients; i++) {
		int fd = accept(listener, NULL, NULL), stranger = fd;
		struct connection *c;
		unsigned char byte;

		for (int n = 0; n < opt.stale; n++)
			if (read(fd, &byte, 1) != 1)
				net_die("tlsfeed: stranger");
		(void)!send(fd, "x", 1, MSG_NOSIGNAL);
		close(fd);
		fd = accept(listener, NULL, NULL);
		if (fd != stranger)
			net_die("tlsfeed: another descriptor");
		c = new_connection(ctx, fd, i);
		while (!c->done) {
			struct pollfd ready = {fd, POLLIN, 0};

			poll(&ready, 1, WAIT_MS);
			fill(c);
			work(c);
		}
		close_connection(c);
	}
}

// --- datagrams -----------------------------------------------------------------------------------
static struct connection *sender_of(SSL_CTX *ctx, int fd, const struct sockaddr_in *sender)
{
	int i = 0;

	while (i < opt.clients && connections[i] &&
	       memcmp(&connections[i]->sender, sender, sizeof(*sender)) != 0)
		i++;
	if (i < opt.clients && !connections[i]) {
		connections[i] = new_connection(ctx, fd, i);
		connections[i]->sender = *sender;
		SSL_set_options(connections[i]->ssl, SSL_OP_NO_QUERY_MTU);
		DTLS_set_link_mtu(connections[i]->ssl, 1400);
	}
	return i < opt.clients ? connections[i] : NULL;
}

static ssize_t receive(int fd, unsigned char *bytes, size_t count, struct sockaddr_in *sender)
{
	socklen_t sender_bytes = sizeof(*sender);
	struct iovec parts[] = {{bytes, 1}, {bytes + 1, 20}, {bytes + 21, count - 21}};
	struct msghdr message = {
	    .msg_name = sender, .msg_namelen = sizeof(*sender), .msg_iov = parts, .msg_iovlen = 3};

	return strcmp(opt.by, "recvmsg") == 0 ? recvmsg(fd, &message, 0)
					      : recvfrom(fd, bytes, count, MSG_TRUNC,
							 (struct sockaddr *)sender, &sender_bytes);
}

// All first datagrams are read before the first is worked on.
static void serve_datagrams(SSL_CTX *ctx, int fd)
{
	int first = 0;

	left = opt.clients;
	while (left > 0) {
		unsigned char bytes[QUEUE_BYTES];
		struct sockaddr_in sender = {0};
		ssize_t n = receive(fd, bytes, sizeof(bytes), &sender);
		struct connection *c = n > 0 ? sender_of(ctx, fd, &sender) : NULL;

		if (!c)
			net_die("tlsfeed: datagram");
		if (c->done)
			continue;
		if (!c->queued && first < opt.clients) {
			memcpy(c->queue, bytes, (size_t)n);
			c->queued = (size_t)n;
			if (++first < opt.clients)
				continue;
			for (int i = 0; i < opt.clients; i++)
				work(connections[i]), left -= connections[i]->done;
			continue;
		}
		if (first < opt.clients)
			continue; // sent again
		memcpy(c->queue, bytes, (size_t)n);
		c->queued = (size_t)n;
		work(c);
		left -= c->done;
	}
}

static void serve_by_dgram_bio(SSL_CTX *ctx, int fd)
{
	for (int i = 0; i < opt.clients; i++) {
		BIO *bio = BIO_new_dgram(fd, BIO_NOCLOSE);
		SSL *ssl = SSL_new(ctx);

		SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
		DTLS_set_link_mtu(ssl, 1400);
		SSL_set_bio(ssl, bio, bio);
		SSL_set_accept_state(ssl);
		if (SSL_do_handshake(ssl) != 1)
			die_ssl("SSL_do_handshake");
		SSL_free(ssl);
	}
}

// --- all of it -----------------------------------------------------------------------------------
static int listen_on(int type, int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, type, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) ||
	    (type == SOCK_STREAM && listen(fd, CLIENTS_MAX)) ||
	    getsockname(fd, (struct sockaddr *)&address, &bytes))
		net_die("tlsfeed: listen");
	*port = ntohs(address.sin_port);
	return fd;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {{"cert", 1, 0, 'c'},
						{"clients", 1, 0, 'n'},
						{"base", 1, 0, 'a'},
						{"by", 1, 0, 'b'},
						{"first", 1, 0, 'f'},
						{"piece", 1, 0, 'p'},
						{"bio", 1, 0, 'i'},
						{"threads", 1, 0, 't'},
						{"backend", 0, &opt.backend, 1},
						{"own", 0, &opt.own, 1},
						{"halves", 1, 0, 'h'},
						{"front", 1, 0, 'F'},
						{"behind", 1, 0, 'B'},
						{"front-apart", 0, &opt.front_apart, 1},
						{"records", 1, 0, 'r'},
						{"stale", 1, 0, 's'},
						{"dtls", 0, &opt.dtls, 1},
						{"dgram-bio", 0, &opt.dgram_bio, 1},
						{"front-given", 0, &opt.front_given, 1},
						{0, 0, 0, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			opt.cert = optarg;
			break;
		case 'n':
			opt.clients = atoi(optarg);
			break;
		case 'a':
			opt.base = optarg;
			break;
		case 'b':
			opt.by = optarg;
			break;
		case 'f':
			opt.first = strcmp(optarg, "i") ? atoi(optarg) : -1;
			break;
		case 'p':
			opt.piece = atoi(optarg);
			break;
		case 'i':
			opt.bio = optarg;
			break;
		case 't':
			opt.threads = atoi(optarg);
			break;
		case 'F':
			opt.front = optarg;
			break;
		case 'B':
			opt.behind = optarg;
			break;
		case 'r':
			opt.records = atoi(optarg);
			break;
		case 'h':
			opt.halves = atoi(optarg);
			break;
		case 's':
			opt.stale = atoi(optarg);
			break;
		case 0:
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (!opt.cert || opt.clients < 1 || opt.clients > CLIENTS_MAX || optind != argc) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	int listener, backend_listener, until[2];
	SSL_CTX *ctx;
	pid_t clients;

	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	opt.dtls |= opt.dgram_bio;
	listener = listen_on(opt.dtls ? SOCK_DGRAM : SOCK_STREAM, &server_port);
	backend_listener = listen_on(SOCK_STREAM, &backend_port);
	if (pipe(until))
		net_die("tlsfeed: pipe");
	clients = fork();
	if (clients == 0) {
		char byte;

		close(until[1]);
		run_clients(backend_listener);
		_exit((int)read(until[0], &byte, 1)); // the backend is here as well
	}
	ctx = SSL_CTX_new(opt.dtls ? DTLS_server_method() : TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(ctx, opt.cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, opt.cert, SSL_FILETYPE_PEM) != 1)
		die_ssl("certificate");
	ask_backend(); // so that this thread has read from more than one Internet socket
	if (opt.dgram_bio) {
		serve_by_dgram_bio(ctx, listener);
	} else if (opt.dtls) {
		serve_datagrams(ctx, listener);
	} else if (opt.stale) {
		serve_behind_strangers(ctx, listener);
	} else {
		for (int i = 0; i < opt.clients; i++)
			connections[i] = new_connection(ctx, accept(listener, NULL, NULL), i + 1);
		serve_all();
		for (int i = 0; i < opt.clients; i++)
			close_connection(connections[i]);
	}
	close(until[1]);
	waitpid(clients, NULL, 0);
	printf("served %d\n", opt.clients);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
