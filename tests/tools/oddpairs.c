// oddpairs: a client and a server in one program, which do what programs seldom do: callbacks set
// and taken away halfway, async jobs that pause, contexts freed first, an SSL cleared, duplicated,
// given another BIO or another context. It prints what each call returned. The output must not
// depend on the shim. With the argument "renegotiate", the client asks for renegotiation, too.
#include <openssl/async.h>
#include <stdint.h>
#include <string.h>

#include "oddreport.h"
#include "versions.h"

enum { ROUNDS = 40 };

struct pair {
	SSL_CTX *server_ctx, *client_ctx;
	SSL *server, *client;
};

// --- what the callbacks saw ---

static int infos, messages, pauses;
static int pause_at; // the call of the message callback in which a job pauses; 0: none
static bool late;    // the message callback is set after the handshake: see `callbacks`

static void on_info(const SSL *ssl, int where, int value)
{
	(void)ssl, (void)where, (void)value;
	infos++;
}

static void on_message(int outgoing, int version, int type, const void *bytes, size_t count,
		       SSL *ssl, void *arg)
{
	(void)outgoing, (void)version, (void)bytes, (void)count;
	if (late && type >= SSL3_RT_HEADER) // the first of the types that are no messages
		return;
	messages += arg == ssl ? 1 : 1000;
	if (pause_at != 0 && messages % pause_at == 0 && ASYNC_get_current_job != NULL &&
	    ASYNC_get_current_job() != NULL) {
		pauses++;
		ASYNC_pause_job();
	}
}

static void seen(const char *what, SSL *ssl)
{
	printf("%s: infos=%d messages=%d pauses=%d options=%llx info=%d\n", what, infos, messages,
	       pauses, (unsigned long long)any_options(ssl), SSL_get_info_callback(ssl) == on_info);
	infos = messages = pauses = 0;
}

static void watch(SSL *ssl)
{
	SSL_set_info_callback(ssl, on_info);
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, (char *)ssl);
}

// --- a pair, by a pre-shared key, so that it needs no file ---

static unsigned client_key(SSL *ssl, const char *hint, char *identity, unsigned room,
			   unsigned char *key, unsigned key_room)
{
	(void)ssl, (void)hint, (void)key_room;
	snprintf(identity, room, "odd");
	memset(key, 'k', 16);
	return 16;
}

static unsigned server_key(SSL *ssl, const char *identity, unsigned char *key, unsigned room)
{
	(void)ssl, (void)identity, (void)room;
	memset(key, 'k', 16);
	return 16;
}

static void connect_pair(SSL *server, SSL *client)
{
	BIO *near, *far;

	BIO_new_bio_pair(&near, 0, &far, 0);
	SSL_set_bio(server, near, near);
	SSL_set_bio(client, far, far);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
}

static void renew(SSL **ssl, SSL_CTX *ctx)
{
	SSL_free(*ssl);
	*ssl = SSL_new(ctx);
}

static SSL_CTX *context(bool server, int version)
{
	SSL_CTX *ctx = any_context(server, false, version, version);

	SSL_CTX_set_cipher_list(ctx, libssl_is_old() ? "PSK" : "PSK:@SECLEVEL=0");
	any_ctx_set_options(ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	if (server) {
		SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"odd", 3);
		SSL_CTX_set_psk_server_callback(ctx, server_key);
	} else {
		SSL_CTX_set_psk_client_callback(ctx, client_key);
	}
	return ctx;
}

static struct pair pair_of(int version)
{
	struct pair pair = {.server_ctx = context(true, version),
			    .client_ctx = context(false, version)};

	pair.server = SSL_new(pair.server_ctx);
	pair.client = SSL_new(pair.client_ctx);
	connect_pair(pair.server, pair.client);
	return pair;
}

static void free_pair(struct pair *pair)
{
	SSL_free(pair->server);
	SSL_free(pair->client);
	SSL_CTX_free(pair->server_ctx);
	SSL_CTX_free(pair->client_ctx);
	report("freed", NULL, 0);
}

// --- what the two do ---

// The two take turns until neither waits for the other.
static void shake(SSL *server, SSL *client)
{
	for (int i = 0, done = 0; i < ROUNDS && done < 2; i++) {
		int there = SSL_do_handshake(client), here;

		report("  client", client, there);
		here = SSL_do_handshake(server);
		report("  server", server, here);
		done += there == 1 && here == 1;
	}
}

static void say(SSL *from, SSL *to)
{
	char buffer[8];

	report("  write", from, SSL_write(from, "hello", 5));
	report("  peek", to, SSL_peek(to, buffer, sizeof buffer));
	report("  read", to, SSL_read(to, buffer, sizeof buffer));
	report("  nothing to read", to, SSL_read(to, buffer, sizeof buffer));
}

static void talk(SSL *server, SSL *client)
{
	shake(server, client);
	say(client, server);
	say(server, client);
	seen("  so far", server);
}

static void part(SSL *server, SSL *client)
{
	for (int i = 0; i < 2; i++) {
		report("  client shuts down", client, SSL_shutdown(client));
		report("  server shuts down", server, SSL_shutdown(server));
	}
	report("  write after it", server, SSL_write(server, "x", 1));
	say(client, server);
	report("  handshake after it", server, SSL_do_handshake(server));
}

static void ordinary(struct pair *pair)
{
	talk(pair->server, pair->client);
	part(pair->server, pair->client);
}

static void contexts_first(struct pair *pair)
{
	SSL_CTX_free(pair->server_ctx);
	SSL_CTX_free(pair->client_ctx);
	pair->server_ctx = pair->client_ctx = NULL;
	ordinary(pair);
}

// From 3.2 on, libssl shows the headers of records only to a callback that was there when the keys
// were set. With the shim there is one, so a callback that is set later sees headers, too. That is
// stated in reneguard(8), and not counted here.
static void callbacks(struct pair *pair)
{
	SSL_CTX_set_msg_callback(pair->server_ctx, on_message); // for the SSLs that follow
	SSL_CTX_set_info_callback(pair->server_ctx, on_info);
	watch(pair->server);
	report("  client", pair->client, SSL_do_handshake(pair->client));
	report("  server", pair->server, SSL_do_handshake(pair->server));
	seen("  both", pair->server);
	SSL_set_msg_callback(pair->server, NULL);
	SSL_set_info_callback(pair->server, NULL);
	talk(pair->server, pair->client);
	late = true;
	watch(pair->server);
	part(pair->server, pair->client);
	seen("  again", pair->server);
	late = false;

	renew(&pair->server, pair->server_ctx);
	SSL_set_msg_callback_arg(pair->server, (char *)pair->server);
	renew(&pair->client, pair->client_ctx);
	connect_pair(pair->server, pair->client);
	ordinary(pair);
	seen("  from the context", pair->server);
}

static void cleared(struct pair *pair)
{
	watch(pair->server);
	talk(pair->server, pair->client);
	for (int i = 0; i < 2; i++) {
		report("  clear", pair->server, SSL_clear(pair->server));
		renew(&pair->client, pair->client_ctx);
		connect_pair(pair->server, pair->client);
		talk(pair->server, pair->client);
	}
	report("  clear", pair->server, SSL_clear(pair->server));
	report("  clear", pair->server, SSL_clear(pair->server));
}

// Without its BIO: libssl up to 1.1.1 crashes if it duplicates one of a pair.
static void duplicated(struct pair *pair)
{
	SSL *bare = SSL_new(pair->server_ctx), *early, *late;

	watch(bare);
	early = SSL_dup(bare);
	SSL_free(bare);
	watch(pair->server);
	talk(pair->server, pair->client);
	SSL_set_bio(pair->server, NULL, NULL);
	late = SSL_dup(pair->server);
	seen("  the late one", late);
	SSL_free(pair->server);
	pair->server = early;
	renew(&pair->client, pair->client_ctx);
	connect_pair(early, pair->client);
	talk(early, pair->client);
	SSL_free(late);
}

static void other_bio(struct pair *pair)
{
	report("  client", pair->client, SSL_do_handshake(pair->client));
	report("  server", pair->server, SSL_do_handshake(pair->server));
	SSL_set_bio(pair->server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	report("  another BIO", pair->server, SSL_do_handshake(pair->server));
	report("  its other end is gone", pair->client, SSL_do_handshake(pair->client));
	SSL_set_bio(pair->server, NULL, NULL);
	report("  no BIO", pair->server, SSL_do_handshake(pair->server));
	connect_pair(pair->server, pair->client);
	shake(pair->server, pair->client);
	renew(&pair->server, pair->server_ctx);
	report("  the client alone", pair->client, SSL_do_handshake(pair->client));
}

static void other_context(struct pair *pair)
{
	SSL_CTX *other = context(true, SSL_version(pair->server));

	SSL_CTX_set_msg_callback(other, on_message);
	report("  client", pair->client, SSL_do_handshake(pair->client));
	report("  the other", pair->server, SSL_set_SSL_CTX(pair->server, other) == other);
	talk(pair->server, pair->client);
	SSL_CTX_free(other);
	report("  back", pair->server,
	       SSL_set_SSL_CTX(pair->server, pair->server_ctx) == pair->server_ctx);
	say(pair->client, pair->server);
}

static void other_role(struct pair *pair)
{
	SSL_set_connect_state(pair->server);
	report("  as a client", pair->server, SSL_do_handshake(pair->server));
	SSL_set_accept_state(pair->client);
	report("  as a server", pair->client, SSL_do_handshake(pair->client));
	report("  answers", pair->server, SSL_do_handshake(pair->server));
	SSL_set_accept_state(pair->server);
	report("  as a server again", pair->server, SSL_do_handshake(pair->server));
}

static void resumed(struct pair *pair)
{
	SSL_SESSION *session;

	talk(pair->server, pair->client);
	session = SSL_get1_session(pair->client);
	part(pair->server, pair->client);
	for (int i = 0; i < 3; i++) {
		renew(&pair->server, pair->server_ctx);
		renew(&pair->client, pair->client_ctx);
		SSL_set_session(pair->client, session);
		connect_pair(pair->server, pair->client);
		talk(pair->server, pair->client);
		report("  resumed", pair->server, any_session_reused(pair->server));
		part(pair->server, pair->client); // without it the session is not reused
	}
	SSL_SESSION_free(session);
}

static void renegotiate_twice(SSL *who, SSL *other, SSL *watched)
{
	for (int i = 0; i < 2; i++) {
		report("  renegotiate", who, SSL_renegotiate(who));
		report("  pending", who, SSL_renegotiate_pending(who));
		report("  begins", who, SSL_do_handshake(who));
		say(other, who);
		say(who, other);
		say(other, who);
		seen("  renegotiated", watched);
	}
}

static void own_renegotiation(struct pair *pair)
{
	watch(pair->server);
	talk(pair->server, pair->client);
	renegotiate_twice(pair->server, pair->client, pair->server);
}

static void clients_renegotiation(struct pair *pair)
{
	watch(pair->server);
	talk(pair->server, pair->client);
	renegotiate_twice(pair->client, pair->server, pair->server);
}

static void key_updates(struct pair *pair)
{
	talk(pair->server, pair->client);
	for (int i = 0; SSL_key_update != NULL && i < 3; i++) {
		report("  update", pair->client, SSL_key_update(pair->client, i % 2));
		say(pair->client, pair->server);
		say(pair->server, pair->client);
	}
}

// Jobs of two servers that pause in turn, and one that is freed while it pauses.
static void async_jobs(struct pair *pair)
{
	struct pair other = pair_of(SSL_version(pair->server));

	if (ASYNC_pause_job == NULL) {
		free_pair(&other);
		return;
	}
	pause_at = 2;
	SSL_set_mode(pair->server, SSL_MODE_ASYNC);
	SSL_set_mode(other.server, SSL_MODE_ASYNC);
	watch(pair->server);
	watch(other.server);
	for (int i = 0; i < ROUNDS &&
			!(any_is_init_finished(pair->server) && any_is_init_finished(other.server));
	     i++) {
		report("  client 1", pair->client, SSL_do_handshake(pair->client));
		report("  client 2", other.client, SSL_do_handshake(other.client));
		report("  server 1", pair->server, SSL_do_handshake(pair->server));
		report("  server 2", other.server, SSL_do_handshake(other.server));
	}
	say(pair->client, pair->server);
	say(other.client, other.server);
	seen("  after the jobs", pair->server);
	free_pair(&other);

	other = pair_of(SSL_version(pair->server));
	SSL_set_mode(other.server, SSL_MODE_ASYNC);
	watch(other.server);
	report("  client 3", other.client, SSL_do_handshake(other.client));
	report("  server 3", other.server, SSL_do_handshake(other.server));
	seen("  it pauses", other.server);
	free_pair(&other);
	pause_at = 0;
}

static void half_a_hello(struct pair *pair)
{
	static const unsigned char half[] = {22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3, 1, 2, 3};

	for (size_t count = 0; count <= sizeof half; count += 7) {
		BIO *in = BIO_new(BIO_s_mem());

		BIO_write(in, half, (int)count);
		SSL_set_bio(pair->server, in, BIO_new(BIO_s_mem()));
		report("  waits", pair->server, SSL_do_handshake(pair->server));
		BIO_set_mem_eof_return(in, 0);
		report("  at its end", pair->server, SSL_do_handshake(pair->server));
		renew(&pair->server, pair->server_ctx);
		SSL_set_accept_state(pair->server);
	}
}

static const struct {
	const char *name;
	void (*play)(struct pair *pair);
	int only; // this version; 0: each
	bool on_request;
} scenes[] = {
    {"ordinary", ordinary, 0, false},
    {"contexts freed first", contexts_first, 0, false},
    {"callbacks set and unset", callbacks, 0, false},
    {"cleared", cleared, 0, false},
    {"duplicated", duplicated, 0, false},
    {"another BIO", other_bio, 0, false},
    {"another context", other_context, 0, false},
    {"another role", other_role, 0, false},
    {"resumed", resumed, 0, false},
    {"its own renegotiation", own_renegotiation, TLS1_2_VERSION, false},
    {"key updates", key_updates, TLS1_3_VERSION, false},
    {"async jobs", async_jobs, 0, false},
    {"half a hello", half_a_hello, 0, false},
    {"the client's renegotiation", clients_renegotiation, TLS1_2_VERSION, true},
};

int main(int argc, char **argv)
{
	bool renegotiate = argc > 1 && strcmp(argv[1], "renegotiate") == 0;

	setvbuf(stdout, NULL, _IOLBF, 0); // what was printed before a crash is to be seen
	libssl_start();
	for (int version = TLS1_2_VERSION;
	     version <= (libssl_speaks_tls13() ? TLS1_3_VERSION : TLS1_2_VERSION); version++)
		for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
			struct pair pair;

			if ((scenes[i].only != 0 && scenes[i].only != version) ||
			    (scenes[i].on_request && !renegotiate))
				continue;
			printf("%s, version %x\n", scenes[i].name, (unsigned)version);
			ERR_clear_error();
			errno = 0;
			pair = pair_of(version);
			scenes[i].play(&pair);
			free_pair(&pair);
		}
	return 0;
}
