// quic: the two ways to QUIC of libssl 3.5 and later. "objects": libssl's own QUIC objects, and
// nothing else. "transport N": N handshakes over a QUIC transport of the program's own
// (SSL_set_quic_tls_cbs). Then it runs the shell command in the environment variable AFTER. Written
// without headers of 3.5.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dispatch {
	int id;
	void (*function)(void);
};

void *SSL_CTX_new(const void *method), *SSL_new(void *ctx);
void *SSL_new_listener(void *ctx, uint64_t flags);
void SSL_free(void *ssl), SSL_CTX_free(void *ctx);
void SSL_set_accept_state(void *ssl), SSL_set_connect_state(void *ssl);
int SSL_do_handshake(void *ssl), SSL_is_init_finished(const void *ssl);
int SSL_CTX_use_certificate_chain_file(void *ctx, const char *file);
int SSL_CTX_use_PrivateKey_file(void *ctx, const char *file, int type);
int SSL_set_quic_tls_cbs(void *ssl, const struct dispatch *functions, void *arg);
int SSL_set_quic_tls_transport_params(void *ssl, const unsigned char *bytes, size_t count);
long SSL_ctrl(void *ssl, int command, long number, void *pointer);
const void *TLS_server_method(void), *TLS_client_method(void);
const void *OSSL_QUIC_server_method(void), *OSSL_QUIC_client_method(void);

enum { READ, WRITE, CHUNKS = 64 };

// One end. What it sends lies in the other's inbox, by the level that protects it.
struct end {
	void *ssl;
	struct end *other;
	uint32_t levels[2]; // of what it reads and writes
	struct {
		uint32_t level;
		size_t from, to;
	} chunks[CHUNKS];
	size_t first, last; // of the chunks
	unsigned char inbox[65536];
};

static int on_send(void *ssl, const unsigned char *bytes, size_t count, size_t *taken, void *arg)
{
	struct end *end = arg, *to = end->other;
	size_t at = to->last > 0 ? to->chunks[to->last - 1].to : 0;

	(void)ssl;
	if (to->last == CHUNKS || at + count > sizeof to->inbox)
		return 0;
	memcpy(to->inbox + at, bytes, count);
	to->chunks[to->last].level = end->levels[WRITE];
	to->chunks[to->last].from = at;
	to->chunks[to->last++].to = at + count;
	*taken = count;
	return 1;
}

static int on_receive(void *ssl, const unsigned char **bytes, size_t *count, void *arg)
{
	struct end *end = arg;

	(void)ssl;
	*count = 0;
	if (end->first < end->last && end->chunks[end->first].level == end->levels[READ]) {
		*bytes = end->inbox + end->chunks[end->first].from;
		*count = end->chunks[end->first].to - end->chunks[end->first].from;
	}
	return 1;
}

static int on_release(void *ssl, size_t count, void *arg)
{
	struct end *end = arg;

	(void)ssl;
	end->chunks[end->first].from += count;
	end->first += end->chunks[end->first].from == end->chunks[end->first].to;
	return 1;
}

static int on_secret(void *ssl, uint32_t level, int direction, const unsigned char *secret,
		     size_t count, void *arg)
{
	(void)ssl, (void)secret, (void)count;
	((struct end *)arg)->levels[direction == 1 ? WRITE : READ] = level;
	return 1;
}

static int on_parameters(void *ssl, const unsigned char *bytes, size_t count, void *arg)
{
	(void)ssl, (void)bytes, (void)count, (void)arg;
	return 1;
}

static int on_alert(void *ssl, unsigned char alert, void *arg)
{
	(void)ssl, (void)arg;
	fprintf(stderr, "alert %d\n", alert);
	return 1;
}

static const struct dispatch functions[] = {{2001, (void (*)(void))on_send},
					    {2002, (void (*)(void))on_receive},
					    {2003, (void (*)(void))on_release},
					    {2004, (void (*)(void))on_secret},
					    {2005, (void (*)(void))on_parameters},
					    {2006, (void (*)(void))on_alert},
					    {0, NULL}};

static void begin(struct end *end, struct end *other, void *ctx)
{
	memset(end, 0, sizeof *end);
	end->other = other;
	end->ssl = SSL_new(ctx);
	SSL_set_quic_tls_cbs(end->ssl, functions, end);
	SSL_set_quic_tls_transport_params(end->ssl, (const unsigned char *)"\1\1\0", 3);
}

static int over_own_transport(int count)
{
	static struct end server, client;
	void *server_ctx = SSL_CTX_new(TLS_server_method());
	void *client_ctx = SSL_CTX_new(TLS_client_method());
	int done = 0;

	SSL_CTX_use_certificate_chain_file(server_ctx, getenv("CERTIFICATE"));
	SSL_CTX_use_PrivateKey_file(server_ctx, getenv("CERTIFICATE"), 1);
	for (int i = 0; i < count; i++) {
		begin(&server, &client, server_ctx);
		begin(&client, &server, client_ctx);
		SSL_set_accept_state(server.ssl);
		SSL_set_connect_state(client.ssl);
		for (int round = 0; round < 10; round++) {
			SSL_do_handshake(client.ssl);
			SSL_do_handshake(server.ssl);
		}
		done += SSL_is_init_finished(server.ssl) && SSL_is_init_finished(client.ssl);
		SSL_free(server.ssl);
		SSL_free(client.ssl);
	}
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
	return done;
}

static int objects(void)
{
	void *server = SSL_CTX_new(OSSL_QUIC_server_method());
	void *client = SSL_CTX_new(OSSL_QUIC_client_method());
	void *listener = SSL_new_listener(server, 0), *connection = SSL_new(client);
	int made = (listener != NULL) + (connection != NULL);

	SSL_free(listener);
	SSL_free(connection);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	return made;
}

int main(int argc, char **argv)
{
	const char *after = getenv("AFTER");

	printf("done=%d\n", argc > 2 ? over_own_transport(atoi(argv[2])) : objects());
	fflush(stdout);
	return after != NULL && system(after) != 0;
}
