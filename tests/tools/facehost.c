// facehost [OPTION]... CERT KIND=OBJECT...: a program that is not linked to libssl. It opens one
// libssl or several and runs a server on each, with a port of its own. KIND says what OBJECT is:
//
//   lookup    a libssl; its functions are found by dlsym
//   linked    a plug-in that is linked to a libssl (face.c)
//   deepbind  the same, opened with RTLD_DEEPBIND
//
// One thread runs all servers by turns, one call of a libssl each. Prints `ready PORT` per server,
// in their order, and `served PORT` per connection.
//
//   --connections N  each server ends after N connections (default: until killed)
//   --one-by-one     open, serve and close one server, and only then the next
//   --jail DIR       chroot to DIR and become nobody before anything is opened
#include "face.h"
#include "netutil.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>

enum { FACES_MAX = 16, WANT_READ = 2, WANT_WRITE = 3, PEM = 1, ALLOW_CLIENT_RENEGOTIATION = 0x100 };
enum step { OPEN, CONTEXT, WAIT, NEW, ATTACH, ACCEPT, READ, WRITE, FREE, CLOSED };

struct server {
	const char *kind, *object;
	int port, listener, fd, served;
	enum step step;
	void *handle, *ctx, *ssl;
	struct face face;
};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
static const char *cert, *jail;
static int connections = -1;
static bool one_by_one;

static void give_up(const char *what)
{
	fprintf(stderr, "facehost: %s\n", what ? what : "error");
	exit(2);
}

static void find_functions(struct server *s)
{
	dlerror();
#define X(returns, name, parameters, arguments)                                                    \
	*(void **)&s->face.name = dlsym(s->handle, #name);                                         \
	if (!s->face.name)                                                                         \
		give_up(dlerror());                                                                \
	if (dlerror())                                                                             \
		give_up("dlsym answered, and left an error");
	FACE_CALLS(X)
#undef X
#define X(returns, name, parameters, arguments)                                                    \
	*(void **)&s->face.name = dlsym(s->handle, #name);                                         \
	if (!s->face.name != !!dlerror())                                                          \
		give_up("dlsym and dlerror do not agree");
	FACE_CALLS_OF_SOME(X)
#undef X
}

static void open_face(struct server *s)
{
	const struct face *lent = NULL;

	s->handle = dlopen(s->object, RTLD_NOW | RTLD_LOCAL |
					  (strcmp(s->kind, "deepbind") == 0 ? RTLD_DEEPBIND : 0));
	if (!s->handle)
		give_up(dlerror());
	if (strcmp(s->kind, "lookup") == 0) {
		find_functions(s);
		return;
	}
	lent = dlsym(s->handle, "face");
	if (!lent)
		give_up(dlerror());
	s->face = *lent;
}

static void make_context(struct server *s)
{
	const struct face *f = &s->face;

	if (f->SSL_library_init) // up to 1.0.2
		f->SSL_library_init();
	else
		f->OPENSSL_init_ssl(0, NULL);
	s->ctx = f->SSL_CTX_new(f->TLS_server_method ? f->TLS_server_method()
						      : f->SSLv23_server_method());
	if (!s->ctx || f->SSL_CTX_use_certificate_chain_file(s->ctx, cert) != 1 ||
	    f->SSL_CTX_use_PrivateKey_file(s->ctx, cert, PEM) != 1)
		give_up("no context");
	f->SSL_CTX_set_session_id_context(s->ctx, "facehost", 8);
	if (f->SSL_CTX_set_options)
		f->SSL_CTX_set_options(s->ctx, ALLOW_CLIENT_RENEGOTIATION);
	s->listener = net_listen("127.0.0.1", &s->port);
	fcntl(s->listener, F_SETFL, O_NONBLOCK);
	printf("ready %d\n", s->port);
}

static void accept_one(struct server *s)
{
	s->fd = accept(s->listener, NULL, NULL);
	if (s->fd < 0)
		return;
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	s->step = NEW;
}

// The step after a call that returned result; done is the one after a success.
static enum step after(const struct server *s, int result, enum step done)
{
	int error;

	if (result > 0)
		return done;
	error = s->face.SSL_get_error(s->ssl, result);
	return error == WANT_READ || error == WANT_WRITE ? s->step : FREE;
}

static void read_some(struct server *s)
{
	char text[4096];
	int n = s->face.SSL_read(s->ssl, text, sizeof(text));

	s->step = after(s, n, n > 0 && text[n - 1] == '\n' ? WRITE : READ);
}

static void close_connection(struct server *s)
{
	s->face.SSL_free(s->ssl);
	s->ssl = NULL;
	close(s->fd);
	printf("served %d\n", s->port);
	s->step = ++s->served == connections ? CLOSED : WAIT;
	if (s->step != CLOSED)
		return;
	close(s->listener);
	s->face.SSL_CTX_free(s->ctx);
	dlclose(s->handle);
}

// Makes the next step, which is at most one call of the libssl (but for the setup).
static void advance(struct server *s)
{
	// SSL_get_error reads the thread's error queue, so no other connection's error may be left.
	if (s->ssl)
		s->face.ERR_clear_error();
	switch (s->step) {
	case OPEN:
		open_face(s);
		s->step = CONTEXT;
		break;
	case CONTEXT:
		make_context(s);
		s->step = WAIT;
		break;
	case WAIT:
		accept_one(s);
		break;
	case NEW:
		s->ssl = s->face.SSL_new(s->ctx);
		s->step = ATTACH;
		break;
	case ATTACH:
		s->face.SSL_set_fd(s->ssl, s->fd);
		s->step = ACCEPT;
		break;
	case ACCEPT:
		s->step = after(s, s->face.SSL_accept(s->ssl), READ);
		break;
	case READ:
		read_some(s);
		break;
	case WRITE:
		s->step =
		    after(s, s->face.SSL_write(s->ssl, answer, sizeof(answer) - 1), READ);
		break;
	case FREE:
		close_connection(s);
		break;
	case CLOSED:
		break;
	}
}

static bool is_waiting(const struct server *s)
{
	return s->step == WAIT || s->step == ACCEPT || s->step == READ || s->step == WRITE;
}

// Runs the servers until all are closed. Sleeps a little when all wait for their clients.
static void serve(struct server *servers, int count)
{
	int open, waiting;

	do {
		open = waiting = 0;
		for (int i = 0; i < count; i++) {
			enum step before = servers[i].step;

			advance(&servers[i]);
			open += servers[i].step != CLOSED;
			waiting += servers[i].step == before && is_waiting(&servers[i]);
		}
		if (waiting == open)
			usleep(500);
	} while (open);
}

static void enter_jail(void)
{
	if (chroot(jail) || chdir("/") || setgid(65534) || setuid(65534))
		net_die(jail);
}

int main(int argc, char **argv)
{
	static struct server servers[FACES_MAX];
	int count = 0, i = 1;

	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		if (strcmp(argv[i], "--one-by-one") == 0)
			one_by_one = true;
		else if (strcmp(argv[i], "--connections") == 0)
			connections = atoi(argv[++i]);
		else if (strcmp(argv[i], "--jail") == 0)
			jail = argv[++i];
	}
	cert = i < argc ? argv[i++] : NULL;
	for (; i < argc && count < FACES_MAX; i++, count++) {
		servers[count].kind = strtok(argv[i], "=");
		servers[count].object = strtok(NULL, "=");
	}
	if (!count || !servers[count - 1].object)
		give_up("usage: facehost [OPTION]... CERT KIND=OBJECT...");
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (jail)
		enter_jail();
	for (i = 0; one_by_one && i < count; i++)
		serve(&servers[i], 1);
	if (!one_by_one)
		serve(servers, count);
	return 0;
}
