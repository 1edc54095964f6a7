// sslshare CERT ROUTE[,ROUTE]... [CONNECTIONS]: a server that keeps its SSL objects in shared memory and hands
// each connection from process to process, as kamailio does. Prints port=N, then a line of pairs for
// each connection: what its last call returned (ret), the reason on the error queue, what
// SSL_get_error said after step w (error), whether its SSL has the address of an earlier one (same), calls of the program's message callback, blocks
// of a preload that are still allocated (live).
//
// ROUTE says what happens to a connection; the last one holds for all that follow. A capital letter names the process that goes on (A
// accepts the socket); a small one is a step:
//   n SSL_new, with a BIO    a SSL_accept until done or failed    p SSL_accept once, when readable
//   r echoes lines until the peer leaves or a call fails          t SSL_read once
//   u as r, but what is on the error queue stays there
//   k this process keeps it open, and the end    w SSL_read once on what it keeps, which is idle
//   m sets a message callback on the SSL        d goes on with a copy by SSL_dup
//   s from here a preload gets no memory        e it gets memory again
//   c SSL_clear, for a socket accepted now      f SSL_free, and the end
#include "netutil.h"
#include "openssl_compat.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum {
	ARENA_BYTES = 64 << 20,
	CLASS_BYTES = 64,
	CLASSES = 2048, // blocks of up to 128 KiB
	PROCESSES = 3,
	LINE_BYTES = 4096,
	SSLS_KEPT = 4096,
	STEP_TIMEOUT_MS = 5000
};

// --- an allocator in shared memory: freed blocks are used again at once --------------------------
struct block {
	size_t class;
	bool free, of_preload;
	struct block *next;
	_Alignas(16) unsigned char bytes[];
};

static struct arena {
	pthread_mutex_t lock;
	size_t used;
	bool starving;
	int live, callbacks, seen_count;
	struct block *free[CLASSES];
	const SSL *seen[SSLS_KEPT];
	_Alignas(16) unsigned char memory[];
} *arena;

static void make_arena(void)
{
	pthread_mutexattr_t shared;

	arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		net_die("mmap");
	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&arena->lock, &shared);
}

static struct block *block_of(void *memory)
{
	return (struct block *)((unsigned char *)memory - offsetof(struct block, bytes));
}

static void *allocate(size_t bytes, const char *file, int line)
{
	size_t class = (bytes + CLASS_BYTES - 1) / CLASS_BYTES;
	size_t size = sizeof(struct block) + class * CLASS_BYTES;
	bool of_preload = file != NULL && strcmp(file, "libreneguard") == 0;
	struct block *block;

	(void)line;
	if (bytes == 0 || class >= CLASSES)
		return NULL;
	pthread_mutex_lock(&arena->lock);
	block = arena->free[class];
	if (of_preload && arena->starving) {
		block = NULL;
	} else if (block) {
		arena->free[class] = block->next;
	} else if (arena->used + size < ARENA_BYTES - sizeof(*arena)) {
		block = (struct block *)(arena->memory + arena->used);
		arena->used += size;
	}
	if (block) {
		*block = (struct block){.class = class, .of_preload = of_preload};
		memset(block->bytes, 0xa5, class * CLASS_BYTES); // what was there is never zero
		arena->live += of_preload;
	}
	pthread_mutex_unlock(&arena->lock);
	return block ? block->bytes : NULL;
}

static void release(void *memory, const char *file, int line)
{
	struct block *block = block_of(memory);

	(void)file, (void)line;
	if (!memory)
		return;
	pthread_mutex_lock(&arena->lock);
	if (block->free)
		abort(); // freed twice
	block->free = true;
	arena->live -= block->of_preload;
	block->next = arena->free[block->class];
	arena->free[block->class] = block;
	memset(block->bytes, 0x5a, block->class * CLASS_BYTES);
	pthread_mutex_unlock(&arena->lock);
}

static void *reallocate(void *memory, size_t bytes, const char *file, int line)
{
	void *larger = allocate(bytes, file, line);
	size_t had = memory ? block_of(memory)->class * CLASS_BYTES : 0;

	if (larger && had)
		memcpy(larger, memory, had < bytes ? had : bytes);
	if (larger || bytes == 0)
		release(memory, file, line);
	return larger;
}

// --- handing a connection on -------------------------------------------------------------------
struct baton {
	SSL *ssl;
	const char *at; // in the route
	int ret, reason, error, same;
};

static SSL *kept;
static int kept_fd;
static int letters[PROCESSES][2], done[2]; // socket pairs
static int listener;
static SSL_CTX *ctx;

static void hand(int to, const struct baton *baton, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec part = {(void *)baton, sizeof(*baton)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(to, &message, 0) != sizeof(*baton))
		net_die("sendmsg");
	close(fd);
}

static int take(int from, struct baton *baton)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {baton, sizeof(*baton)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	int fd;

	if (recvmsg(from, &message, 0) != sizeof(*baton))
		exit(0);
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	if (baton->ssl) // each process has a number of its own for the socket
		BIO_set_fd(SSL_get_rbio(baton->ssl), fd, BIO_NOCLOSE);
	return fd;
}

// --- the steps -----------------------------------------------------------------------------------
static void own_message(int sent, int version, int type, const void *data, size_t length, SSL *ssl,
			void *arg)
{
	(void)sent, (void)version, (void)type, (void)data, (void)length, (void)ssl, (void)arg;
	__atomic_fetch_add(&arena->callbacks, 1, __ATOMIC_RELAXED);
}

static int seen_before(const SSL *ssl)
{
	for (int i = 0; i < arena->seen_count; i++)
		if (arena->seen[i] == ssl)
			return 1;
	if (arena->seen_count < SSLS_KEPT)
		arena->seen[arena->seen_count++] = ssl;
	return 0;
}

static void result(struct baton *baton, int ret)
{
	unsigned long error = ERR_peek_error();

	baton->ret = ret;
	if (ret <= 0 && error)
		baton->reason = ERR_GET_REASON(error);
	ERR_clear_error();
}

static int echo(SSL *ssl)
{
	char line[LINE_BYTES];
	int n;

	while ((n = SSL_read(ssl, line, sizeof(line))) > 0)
		if ((n = SSL_write(ssl, line, n)) <= 0)
			break;
	return n;
}

static int accept_once(SSL *ssl, int fd)
{
	int ret;

	net_wait(fd, POLLIN, STEP_TIMEOUT_MS);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ret = SSL_accept(ssl);
	fcntl(fd, F_SETFL, 0);
	return ret;
}

static int read_what_is_idle(void)
{
	char byte;

	fcntl(kept_fd, F_SETFL, O_NONBLOCK);
	return SSL_get_error(kept, SSL_read(kept, &byte, 1));
}

static SSL *copy(SSL *ssl, int fd)
{
	SSL *made = SSL_dup(ssl);

	if (!made)
		net_die("SSL_dup");
	SSL_free(ssl);
	SSL_set_fd(made, fd);
	return made;
}

static void step(struct baton *baton, int fd)
{
	char byte;

	switch (*baton->at) {
	case 'n':
		baton->ssl = SSL_new(ctx);
		SSL_set_fd(baton->ssl, fd);
		baton->same = seen_before(baton->ssl);
		break;
	case 'a':
		result(baton, SSL_accept(baton->ssl));
		break;
	case 'p':
		result(baton, accept_once(baton->ssl, fd));
		break;
	case 'r':
		result(baton, echo(baton->ssl));
		break;
	case 't':
		result(baton, SSL_read(baton->ssl, &byte, 1));
		break;
	case 'w':
		baton->error = read_what_is_idle();
		break;
	case 'k':
		kept = baton->ssl;
		kept_fd = dup(fd);
		BIO_set_fd(SSL_get_rbio(kept), kept_fd, BIO_NOCLOSE);
		baton->ssl = NULL;
		break;
	case 'u':
		baton->ret = echo(baton->ssl);
		break;
	case 'm':
		SSL_set_msg_callback(baton->ssl, own_message);
		break;
	case 'd':
		baton->ssl = copy(baton->ssl, fd);
		break;
	case 's':
		arena->starving = true;
		break;
	case 'e':
		arena->starving = false;
		break;
	case 'c':
		SSL_clear(baton->ssl);
		break;
	case 'f':
		SSL_free(baton->ssl);
		baton->ssl = NULL;
		break;
	}
}

// Goes on with a connection as far as the route leaves it with this process.
static void go_on(int self, struct baton *baton, int fd)
{
	for (; *baton->at && *baton->at != ','; baton->at++) {
		char letter = *baton->at;

		if (letter >= 'A' && letter < 'A' + PROCESSES && letter != 'A' + self) {
			hand(letters[letter - 'A'][1], baton, fd);
			return;
		}
		if (letter == 'c') { // another socket for the same object
			close(fd);
			fd = accept(listener, NULL, NULL);
			net_bound_waits(fd, STEP_TIMEOUT_MS);
			BIO_set_fd(SSL_get_rbio(baton->ssl), fd, BIO_NOCLOSE);
		}
		step(baton, fd);
	}
	hand(done[1], baton, fd);
}

static void work(int self)
{
	struct baton baton;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		fd = take(letters[self][0], &baton);
		go_on(self, &baton, fd);
	}
}

// The connection comes back to this process, until it is done.
static void wait_until_done(struct baton *baton)
{
	struct pollfd ready[] = {{letters[0][0], POLLIN, 0}, {done[0], POLLIN, 0}};

	while (poll(ready, 2, -1) > 0 && !ready[1].revents) {
		int fd = take(letters[0][0], baton);

		go_on(0, baton, fd);
	}
	close(take(done[0], baton));
}

static void serve(const char *route, int count)
{
	for (int n = 0; n != count; n++) {
		struct baton baton = {.at = route};
		int fd = accept(listener, NULL, NULL);

		net_bound_waits(fd, STEP_TIMEOUT_MS);
		go_on(0, &baton, fd);
		wait_until_done(&baton);
		printf("n=%d ret=%d reason=%d error=%d same=%d callbacks=%d live=%d\n", n,
		       baton.ret, baton.reason, baton.error, baton.same, arena->callbacks, arena->live);
		fflush(stdout);
		if (strchr(route, ','))
			route = strchr(route, ',') + 1;
	}
}

int main(int argc, char **argv)
{
	int port = 0;

	signal(SIGPIPE, SIG_IGN);
	make_arena();
	if (argc < 3 || !CRYPTO_set_mem_functions(allocate, reallocate, release))
		net_die("usage: sslshare CERT ROUTE [CONNECTIONS], before anything was allocated");
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[1], SSL_FILETYPE_PEM) != 1)
		net_die(argv[1]);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | NO_CLIENT_RENEGOTIATION);
	listener = net_listen("127.0.0.1", &port);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, done) != 0)
		net_die("socketpair");
	for (int i = 0; i < PROCESSES; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, letters[i]) != 0)
			net_die("socketpair");
	for (int i = 1; i < PROCESSES; i++)
		if (fork() == 0)
			work(i);
	printf("port=%d\n", port);
	fflush(stdout);
	serve(argv[2], argc > 3 ? atoi(argv[3]) : -1);
	return 0;
}
