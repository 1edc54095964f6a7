// facehost [OPTION]... CERT KIND=OBJECT...: a program that is not linked to libssl and calls one
// or several, each behind a port of its own: KIND `lookup` is a libssl itself, its functions found by
// dlsym; `linked` is a plug-in (face.c), `deepbind` one opened with RTLD_DEEPBIND. One thread serves all of them by turns, ONE
// CALL OF A LIBSSL EACH. Prints `ready PORT` per face, in their order, `served PORT` per connection.
//   --connections N  of each face, then it closes everything (default: until killed)
//   --one-by-one     the faces in turn: open, serve, close, and only then the next
//   --jail DIR       chroot and the identity of nobody before anything is opened
#include "face.h"
#include "netutil.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>

enum { FACES_MAX = 16, WANT_READ = 2, WANT_WRITE = 3, PEM = 1, ALLOW_CLIENT_RENEGOTIATION = 0x100 };
enum step { OPEN, CONTEXT, WAIT, NEW, ATTACH, ACCEPT, READ, WRITE, FREE, CLOSED };

struct place {
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

static void look_up(struct place *p)
{
	dlerror();
#define X(returns, name, parameters, arguments)                                                    \
	*(void **)&p->face.name = dlsym(p->handle, #name);                                         \
	if (!p->face.name)                                                                         \
		give_up(dlerror());                                                                \
	if (dlerror())                                                                             \
		give_up("dlsym answered, and left an error");
	FACE_CALLS(X)
#undef X
#define X(returns, name, parameters, arguments)                                                    \
	*(void **)&p->face.name = dlsym(p->handle, #name);                                         \
	if (!p->face.name != !!dlerror())                                                          \
		give_up("dlsym and dlerror do not agree");
	FACE_CALLS_OF_SOME(X)
#undef X
}

static void open_face(struct place *p)
{
	const struct face *lent = NULL;

	p->handle = dlopen(p->object, RTLD_NOW | RTLD_LOCAL |
					  (strcmp(p->kind, "deepbind") == 0 ? RTLD_DEEPBIND : 0));
	if (!p->handle)
		give_up(dlerror());
	if (strcmp(p->kind, "lookup") == 0) {
		look_up(p);
		return;
	}
	lent = dlsym(p->handle, "face");
	if (!lent)
		give_up(dlerror());
	p->face = *lent;
}

static void make_context(struct place *p)
{
	const struct face *f = &p->face;

	if (f->SSL_library_init) // up to 1.0.2
		f->SSL_library_init();
	else
		f->OPENSSL_init_ssl(0, NULL);
	p->ctx = f->SSL_CTX_new(f->TLS_server_method ? f->TLS_server_method()
						      : f->SSLv23_server_method());
	if (!p->ctx || f->SSL_CTX_use_certificate_chain_file(p->ctx, cert) != 1 ||
	    f->SSL_CTX_use_PrivateKey_file(p->ctx, cert, PEM) != 1)
		give_up("no context");
	f->SSL_CTX_set_session_id_context(p->ctx, "facehost", 8);
	if (f->SSL_CTX_set_options)
		f->SSL_CTX_set_options(p->ctx, ALLOW_CLIENT_RENEGOTIATION);
	p->listener = net_listen("127.0.0.1", &p->port);
	fcntl(p->listener, F_SETFL, O_NONBLOCK);
	printf("ready %d\n", p->port);
}

static void accept_one(struct place *p)
{
	p->fd = accept(p->listener, NULL, NULL);
	if (p->fd < 0)
		return;
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	p->step = NEW;
}

// What comes after a call that gave RESULT.
static enum step after(const struct place *p, int result, enum step done)
{
	int error;

	if (result > 0)
		return done;
	error = p->face.SSL_get_error(p->ssl, result);
	return error == WANT_READ || error == WANT_WRITE ? p->step : FREE;
}

static void read_some(struct place *p)
{
	char text[4096];
	int n = p->face.SSL_read(p->ssl, text, sizeof(text));

	p->step = after(p, n, n > 0 && text[n - 1] == '\n' ? WRITE : READ);
}

static void close_connection(struct place *p)
{
	p->face.SSL_free(p->ssl);
	p->ssl = NULL;
	close(p->fd);
	printf("served %d\n", p->port);
	p->step = ++p->served == connections ? CLOSED : WAIT;
	if (p->step != CLOSED)
		return;
	close(p->listener);
	p->face.SSL_CTX_free(p->ctx);
	dlclose(p->handle);
}

static void turn(struct place *p)
{
	// SSL_get_error looks at the thread's queue: another connection's error must not be in it.
	if (p->ssl)
		p->face.ERR_clear_error();
	switch (p->step) {
	case OPEN:
		open_face(p);
		p->step = CONTEXT;
		break;
	case CONTEXT:
		make_context(p);
		p->step = WAIT;
		break;
	case WAIT:
		accept_one(p);
		break;
	case NEW:
		p->ssl = p->face.SSL_new(p->ctx);
		p->step = ATTACH;
		break;
	case ATTACH:
		p->face.SSL_set_fd(p->ssl, p->fd);
		p->step = ACCEPT;
		break;
	case ACCEPT:
		p->step = after(p, p->face.SSL_accept(p->ssl), READ);
		break;
	case READ:
		read_some(p);
		break;
	case WRITE:
		p->step =
		    after(p, p->face.SSL_write(p->ssl, answer, sizeof(answer) - 1), READ);
		break;
	case FREE:
		close_connection(p);
		break;
	case CLOSED:
		break;
	}
}

static bool is_idle(const struct place *p)
{
	return p->step == WAIT || p->step == ACCEPT || p->step == READ || p->step == WRITE;
}

// Until all are closed; sleeps a little where all wait for their peers.
static void serve(struct place *places, int count)
{
	int open, idle;

	do {
		open = idle = 0;
		for (int i = 0; i < count; i++) {
			enum step before = places[i].step;

			turn(&places[i]);
			open += places[i].step != CLOSED;
			idle += places[i].step == before && is_idle(&places[i]);
		}
		if (idle == open)
			usleep(500);
	} while (open);
}

static void lock_up(void)
{
	if (chroot(jail) || chdir("/") || setgid(65534) || setuid(65534))
		net_die(jail);
}

int main(int argc, char **argv)
{
	static struct place places[FACES_MAX];
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
		places[count].kind = strtok(argv[i], "=");
		places[count].object = strtok(NULL, "=");
	}
	if (!count || !places[count - 1].object)
		give_up("usage: facehost [OPTION]... CERT KIND=OBJECT...");
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (jail)
		lock_up();
	for (i = 0; one_by_one && i < count; i++)
		serve(&places[i], 1);
	if (!one_by_one)
		serve(places, count);
	return 0;
}
