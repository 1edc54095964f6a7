// One connection of tlsserver. It moves bytes by one of three kinds of I/O. It drives one call of
// libssl to its end, watching errno and the error queue. It has callbacks of its own, and reports
// all that in a line. Only tlsserver.c includes this, which is built as a program and as a plug-in.
#ifndef TESTS_LIB_TLSSERVER_H
#define TESTS_LIB_TLSSERVER_H

#include "netutil.h"
#include "openssl_compat.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum { STEP_TIMEOUT_MS = 5000, PUMP_BYTES = 16384, ERRNO_MARK = 4242 };
enum io { BLOCKING, NONBLOCKING, MEMBIO };
enum entry {
	ENTRY_ACCEPT,
	ENTRY_DO_HANDSHAKE,
	ENTRY_READ,
	ENTRY_READ_EX,
	ENTRY_PEEK,
	ENTRY_READ_EARLY,
	ENTRY_BIO,
	ENTRY_WRITE
};

struct options {
	const char *cert, *host, *entry, *where, *callbacks, *churn_fds, *jail, *early_jail;
	int port, connections;
	enum io io;
	bool allow, change_options, reuse, renegotiate_self, ask_later, quiet, dup, free_by_bio, heap, own_options;
};

struct connection {
	SSL *ssl;
	BIO *bio; // on top of ssl, for ENTRY_BIO
	int n, fd;
	enum io io;
	int ret, requests;
	int own; // the result of our own second handshake; -2: there was none
	// The calls that succeeded, the sum of errno after each, how many left an error queued.
	int calls, errno_sum, queue_dirty;
};

// --- the program's own callbacks ---------------------------------------------------------------
static int callback_mark;
static int info_calls, message_calls, message_wrong_arg, handshakes_started, handshakes_done;
static int server_hellos;

static void own_info(const SSL *ssl, int where, int ret)
{
	(void)ssl, (void)ret;
	info_calls++;
	handshakes_started += where == SSL_CB_HANDSHAKE_START;
	handshakes_done += where == SSL_CB_HANDSHAKE_DONE;
}

static void own_message(int sent, int version, int type, const void *data, size_t length, SSL *ssl,
			void *arg)
{
	(void)version, (void)ssl;
	message_calls++;
	server_hellos += sent && type == SSL3_RT_HANDSHAKE && length &&
			 *(const unsigned char *)data == SSL3_MT_SERVER_HELLO;
	message_wrong_arg += arg != &callback_mark;
}

static void callbacks_on_ctx(SSL_CTX *ctx)
{
	SSL_CTX_set_info_callback(ctx, own_info);
	SSL_CTX_set_msg_callback(ctx, own_message);
	SSL_CTX_set_msg_callback_arg(ctx, &callback_mark);
}

static void callbacks_on_ssl(SSL *ssl)
{
	SSL_set_info_callback(ssl, own_info);
	SSL_set_msg_callback(ssl, own_message);
	SSL_set_msg_callback_arg(ssl, &callback_mark);
}

// --- moving bytes --------------------------------------------------------------------------------
static void attach(struct connection *c, enum io io, bool bio_owns_ssl)
{
	c->io = io;
	if (io == NONBLOCKING)
		fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (io == MEMBIO)
		SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	else
		SSL_set_fd(c->ssl, c->fd);
	c->bio = BIO_new(BIO_f_ssl());
	BIO_set_ssl(c->bio, c->ssl, bio_owns_ssl ? BIO_CLOSE : BIO_NOCLOSE);
}

static void flush(struct connection *c)
{
	char bytes[PUMP_BYTES];
	int n;

	while (c->io == MEMBIO && (n = BIO_read(SSL_get_wbio(c->ssl), bytes, sizeof(bytes))) > 0)
		if (write(c->fd, bytes, (size_t)n) != n)
			return;
}

static void detach(struct connection *c)
{
	if (c->ret == 0)
		SSL_shutdown(c->ssl);
	flush(c);
	BIO_free_all(c->bio); // also drops its reference to the BIO below the SSL
	close(c->fd);
}

// Waits for what the call wants. False if nothing can be waited for, or it does not come in time.
static bool supply(struct connection *c, int wanted)
{
	char bytes[PUMP_BYTES];
	ssize_t n;

	flush(c);
	if (c->io == BLOCKING || (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE))
		return false;
	if (!net_wait(c->fd, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, STEP_TIMEOUT_MS))
		return false;
	if (c->io == NONBLOCKING)
		return true;
	n = read(c->fd, bytes, sizeof(bytes));
	if (n > 0)
		BIO_write(SSL_get_rbio(c->ssl), bytes, (int)n);
	return n > 0;
}

static int call_early(SSL *ssl, void *data, int size)
{
	size_t n = 0;
	int status;

	while ((status = SSL_read_early_data(ssl, data, (size_t)size, &n)) ==
	       SSL_READ_EARLY_DATA_SUCCESS)
		;
	return status == SSL_READ_EARLY_DATA_FINISH ? 1 : -1;
}

static int call(struct connection *c, enum entry entry, void *data, int size)
{
	size_t n = 0;

	switch (entry) {
	case ENTRY_ACCEPT:
		return SSL_accept(c->ssl);
	case ENTRY_DO_HANDSHAKE:
		return SSL_do_handshake(c->ssl);
	case ENTRY_READ:
		return SSL_read(c->ssl, data, size);
	case ENTRY_READ_EX:
		return SSL_read_ex(c->ssl, data, (size_t)size, &n) == 1 ? (int)n : -1;
	case ENTRY_PEEK: {
		int peeked = SSL_peek(c->ssl, data, size);

		return peeked > 0 ? SSL_read(c->ssl, data, size) : peeked;
	}
	case ENTRY_READ_EARLY:
		return call_early(c->ssl, data, size);
	case ENTRY_BIO:
		return BIO_read(c->bio, data, size);
	case ENTRY_WRITE:
		return SSL_write(c->ssl, data, size);
	}
	return -1;
}

// Drives one call to its end and returns its result.
static int step(struct connection *c, enum entry entry, void *data, int size)
{
	int ret;

	do {
		ERR_clear_error();
		errno = ERRNO_MARK;
		ret = call(c, entry, data, size);
		if (ret > 0) {
			c->calls++;
			c->errno_sum += errno;
			c->queue_dirty += ERR_peek_error() != 0;
			flush(c);
			return ret;
		}
	} while (supply(c, SSL_get_error(c->ssl, ret)));
	return ret;
}

// --- the report ----------------------------------------------------------------------------------
// Makes one more call after the end. Prints its result, SSL_get_error and the reason in the queue.
static void report_again(struct connection *c, const char *name, enum entry entry)
{
	char text[16] = "late";
	int ret, error;

	ERR_clear_error();
	ret = call(c, entry, text, 4);
	error = SSL_get_error(c->ssl, ret);
	printf(" %s=%d/%d/%d", name, ret, error, ERR_GET_REASON(ERR_peek_error()));
}

static volatile sig_atomic_t broken_pipes;

static void report(struct connection *c)
{
	const char *data = "";
	int flags = 0, error = SSL_get_error(c->ssl, c->ret), entries = 0;
	unsigned long code = ERR_peek_error_data(&data, &flags);
	char text[256], *space, noted[128];

	ERR_error_string_n(code, text, sizeof(text));
	while ((space = strchr(text, ' ')))
		*space = '_';
	snprintf(noted, sizeof(noted), "%s", code && (flags & ERR_TXT_STRING) ? data : "-");
	while (ERR_get_error() != 0)
		entries++;
	printf("conn=%d requests=%d own=%d ret=%d error=%d lib=%d reason=%d entries=%d", c->n,
	       c->requests, c->own, c->ret, error, ERR_GET_LIB(code), ERR_GET_REASON(code),
	       entries);
	printf(" broken_pipes=%d", broken_pipes); // before the calls below, which may cause one
	report_again(c, "later_read", ENTRY_READ);
	report_again(c, "later_peek", ENTRY_PEEK);
	report_again(c, "later_write", ENTRY_WRITE);
	report_again(c, "later_handshake", ENTRY_DO_HANDSHAKE);
	printf(" calls=%d errno_sum=%d queue_dirty=%d info=%d started=%d done=%d message=%d "
	       "wrong_arg=%d",
	       c->calls, c->errno_sum, c->queue_dirty, info_calls, handshakes_started,
	       handshakes_done, message_calls, message_wrong_arg);
	printf(" options=%lx", (unsigned long)SSL_get_options(c->ssl));
	printf(" server_hellos=%d app_data=%d getter=%d text=%s data=%s\n", server_hellos,
	       SSL_get_app_data(c->ssl) == &callback_mark &&
		   SSL_CTX_get_app_data(SSL_get_SSL_CTX(c->ssl)) == &callback_mark,
	       SSL_get_info_callback(c->ssl) == own_info ||
		   SSL_CTX_get_info_callback(SSL_get_SSL_CTX(c->ssl)) == own_info,
	       text, noted);
}

// --- what daemons do to themselves at start ------------------------------------------------------
// Once it listens, a daemon changes its root directory and becomes nobody.
static void enter_jail(const char *directory)
{
	enum { NOBODY = 65534 };

	if (chroot(directory) || chdir("/") || setgid(NOBODY) || setuid(NOBODY))
		net_die(directory);
}

// Like a daemon that closes all descriptors it inherited, so that its own get those numbers.
static void churn_fds(const char *path)
{
	int fd;

	for (fd = 3; fd < 1024; fd++)
		close(fd);
	while ((fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600)) >= 0 && fd < 64)
		;
}

#endif
