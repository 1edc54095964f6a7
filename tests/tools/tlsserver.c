// tlsserver: a small TLS server, the "unmodified program" of the hook tests. `tlsserver --help`
// prints the usage. It answers each read that ends with a newline with a small HTTP response. It
// prints one line of key=value pairs per connection.
//
// It is built as a program and as a shared object. plughost opens the object with RTLD_LOCAL, or
// the loader preloads it. With TLSSERVER_IN_CONSTRUCTOR=1 it then serves from a constructor, which
// may run before the shim's.
#include "tlsserver.h"
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static struct options opt = {.host = "127.0.0.1", .connections = 1, .entry = "accept"};

static const char *const usage =
    "usage: tlsserver --cert PEM [--host H] [--port P] [--connections N] [--io "
    "blocking|nonblocking|membio]\n"
    "  [--entry accept|read|read_ex|peek|do_handshake|early|bio|write] [--where main|thread|fork] "
    "[--allow]\n"
    "  [--change-options] [--reuse] [--callbacks none|ssl|ctx] [--renegotiate-self] [--ask-later] "
    "[--quiet]\n"
    "  [--churn-fds FILE] [--jail DIRECTORY] [--early-jail DIRECTORY] [--dup] [--free-by-bio] "
    "[--heap] [--own-options]\n";

static int on_client_certificate(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static SSL_CTX *context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (SSL_CTX_use_certificate_chain_file(ctx, opt.cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, opt.cert, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		exit(2);
	}
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"tlsserver", 9);
	SSL_CTX_set_app_data(ctx, &callback_mark);
	SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY); // the default from 1.1.1 on
	if (opt.allow)
		SSL_CTX_set_options(ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	else if (!opt.renegotiate_self)
		SSL_CTX_set_options(ctx, NO_CLIENT_RENEGOTIATION);
	if (strcmp(opt.entry, "early") == 0)
		SSL_CTX_set_max_early_data(ctx, 16384);
	if (strcmp(opt.callbacks, "ctx") == 0)
		callbacks_on_ctx(ctx);
	return ctx;
}

// MariaDB and Dovecot do this right after SSL_new.
static void change_options(SSL *ssl)
{
	SSL_clear(ssl);
	SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_ALL);
	SSL_set_options(ssl, SSL_OP_NO_SSLv3 | (opt.allow ? SSL_OP_ALLOW_CLIENT_RENEGOTIATION : 0));
}

static SSL *new_ssl(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	if (opt.change_options)
		change_options(ssl);
	if (opt.dup) {
		SSL *copy = SSL_dup(ssl);

		SSL_free(ssl);
		ssl = copy;
	}
	if (strcmp(opt.callbacks, "ssl") == 0)
		callbacks_on_ssl(ssl);
	if (opt.own_options) // a refusal sets these, too
		SSL_set_options(ssl, SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1);
	SSL_set_app_data(ssl, &callback_mark);
	return ssl;
}

// A renegotiation that the daemon itself starts to get a client certificate, as Apache httpd does,
// or its TLS 1.3 counterpart (--ask-later). Returns 1 if it succeeded.
static int own_handshake(struct connection *c)
{
	char nothing;
	int ret;

	SSL_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
		       on_client_certificate);
	if (opt.ask_later) {
		if (SSL_verify_client_post_handshake(c->ssl) != 1)
			return -1;
	} else {
		// As mod_ssl does, change the session id context. Otherwise the session is resumed,
		// and no certificate is asked for.
		SSL_set_session_id_context(c->ssl, (const unsigned char *)"again", 5);
		if (SSL_renegotiate(c->ssl) != 1)
			return -1;
	}
	if (step(c, ENTRY_DO_HANDSHAKE, NULL, 0) != 1)
		return -1;
	if (opt.ask_later) // the certificate comes with the next read
		return 1;
	// As mod_ssl does, peek at zero bytes: that reads the handshake that was asked for.
	SSL_clear_mode(c->ssl, SSL_MODE_AUTO_RETRY);
	do
		ret = call(c, ENTRY_PEEK, &nothing, 0);
	while (!SSL_get0_peer_certificate(c->ssl) && supply(c, SSL_get_error(c->ssl, ret)));
	flush(c);
	SSL_set_verify(c->ssl, SSL_VERIFY_NONE, NULL);
	return SSL_get0_peer_certificate(c->ssl) ? 1 : -1;
}

static int shake_hands(struct connection *c)
{
	char early[256];

	if (strcmp(opt.entry, "accept") == 0)
		return step(c, ENTRY_ACCEPT, NULL, 0);
	SSL_set_accept_state(c->ssl);
	if (strcmp(opt.entry, "do_handshake") == 0)
		return step(c, ENTRY_DO_HANDSHAKE, NULL, 0);
	if (strcmp(opt.entry, "write") == 0)
		return step(c, ENTRY_WRITE, "", 0) >= 0 || SSL_is_init_finished(c->ssl) ? 1 : -1;
	if (strcmp(opt.entry, "early") == 0)
		return step(c, ENTRY_READ_EARLY, early, sizeof(early));
	return 1; // the first read shakes hands
}

static int read_entry(void)
{
	if (strcmp(opt.entry, "read_ex") == 0)
		return ENTRY_READ_EX;
	if (strcmp(opt.entry, "peek") == 0)
		return ENTRY_PEEK;
	return strcmp(opt.entry, "bio") == 0 ? ENTRY_BIO : ENTRY_READ;
}

// Answers requests until a call fails. Its result is in c->ret.
static void serve(struct connection *c)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
	bool asked = false;
	char text[4096];

	c->ret = shake_hands(c);
	while (c->ret > 0) {
		c->ret = step(c, read_entry(), text, sizeof(text));
		if (c->ret <= 0 || text[c->ret - 1] != '\n')
			continue;
		if ((opt.renegotiate_self || opt.ask_later) && !asked) {
			asked = true;
			c->own = own_handshake(c);
			if (c->own != 1) {
				c->ret = -1;
				return;
			}
		}
		c->requests++;
		c->ret = step(c, ENTRY_WRITE, (void *)(uintptr_t)answer, sizeof(answer) - 1);
	}
}

static void *handle(void *argument)
{
	struct connection *c = argument;

	serve(c);
	if (!opt.quiet)
		report(c);
	return NULL;
}

static void handle_where(struct connection *c)
{
	pthread_t thread;

	if (strcmp(opt.where, "thread") == 0) {
		if (pthread_create(&thread, NULL, handle, c) || pthread_join(thread, NULL))
			net_die("thread");
	} else if (strcmp(opt.where, "fork") == 0) {
		pid_t child = fork();

		if (child == 0) {
			handle(c);
			fflush(stdout);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	} else {
		handle(c);
	}
}

// --heap: prints how many bytes the second half of the connections left allocated.
static void note_heap(int served)
{
	static long at_half;
#if __GLIBC_PREREQ(2, 33)
	long now = (long)mallinfo2().uordblks;
#else
	long now = mallinfo().uordblks;
#endif

	if (served == opt.connections / 2)
		at_half = now;
	if (served == opt.connections)
		printf("heap grown=%ld\n", now - at_half);
}

static void run(int listener)
{
	SSL_CTX *ctx;
	SSL *kept;

	// As Dovecot does: only the library is initialized before it enters its jail.
	if (opt.early_jail) {
		OPENSSL_init_ssl(0, NULL);
		enter_jail(opt.early_jail);
	}
	ctx = context();
	kept = opt.reuse ? new_ssl(ctx) : NULL;
	if (opt.jail)
		enter_jail(opt.jail);
	for (int n = 0; opt.connections < 0 || n < opt.connections; n++) {
		struct connection c = {.n = n + 1, .fd = accept(listener, NULL, NULL), .own = -2};

		if (c.fd < 0)
			net_die("accept");
		net_bound_waits(c.fd, STEP_TIMEOUT_MS);
		c.ssl = kept ? kept : new_ssl(ctx);
		attach(&c, opt.io, opt.free_by_bio);
		handle_where(&c);
		detach(&c);
		if (kept && SSL_clear(kept) != 1)
			fprintf(stderr, "SSL_clear fails\n");
		if (!kept && !opt.free_by_bio)
			SSL_free(c.ssl);
		ERR_clear_error();
		if (opt.heap)
			note_heap(n + 1);
	}
	SSL_free(kept);
	SSL_CTX_free(ctx);
}

// Counts SIGPIPEs: each would kill a daemon that does not ignore them.
static void count_broken_pipe(int signal_number)
{
	(void)signal_number;
	broken_pipes++;
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

#define FLAG(text, field)                                                                          \
	if (strcmp(name, "--" text) == 0) {                                                        \
		opt.field = true;                                                                  \
		continue;                                                                          \
	}
#define VALUE(text, field, parsed)                                                                 \
	if (strcmp(name, "--" text) == 0) {                                                        \
		opt.field = parsed;                                                                \
		i++;                                                                               \
		continue;                                                                          \
	}
		FLAG("allow", allow)
		FLAG("change-options", change_options)
		FLAG("reuse", reuse)
		FLAG("renegotiate-self", renegotiate_self)
		FLAG("ask-later", ask_later)
		FLAG("quiet", quiet)
		FLAG("dup", dup)
		FLAG("free-by-bio", free_by_bio)
		FLAG("heap", heap)
		FLAG("own-options", own_options)
		VALUE("churn-fds", churn_fds, value)
		VALUE("jail", jail, value)
		VALUE("early-jail", early_jail, value)
		VALUE("cert", cert, value)
		VALUE("host", host, value)
		VALUE("port", port, atoi(value))
		VALUE("connections", connections, atoi(value))
		VALUE("entry", entry, value)
		VALUE("where", where, value)
		VALUE("callbacks", callbacks, value)
		VALUE("io", io,
		      strcmp(value, "membio") == 0 ? MEMBIO
		      : *value == 'n'		   ? NONBLOCKING
						   : BLOCKING)
		fputs(usage, stderr);
		exit(2);
	}
}

__attribute__((visibility("default"))) int tlsserver_main(int argc, char **argv)
{
	int listener;

	opt.where = opt.callbacks = "none";
	parse(argc, argv);
	signal(SIGPIPE, count_broken_pipe);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (opt.churn_fds)
		churn_fds(opt.churn_fds);
	listener = net_listen(opt.host, &opt.port);
	printf("port=%d\n", opt.port);
	run(listener);
	close(listener);
	return 0;
}

#ifdef TLSSERVER_PLUGIN
__attribute__((constructor)) static void serve_before_main(int argc, char **argv)
{
	if (getenv("TLSSERVER_IN_CONSTRUCTOR"))
		exit(tlsserver_main(argc, argv));
}
#else
int main(int argc, char **argv)
{
	return tlsserver_main(argc, argv);
}
#endif
