/* The connections that the recorder records (record.h). Each is named after its corpus file. */
#include "record.h"

#include <string.h>

static void full(struct stage stage, struct tape *server, struct tape *client)
{
	struct link link = record_connect(&stage, server, client, false);

	record_must(!SSL_session_reused(link.server), "resumed");
	record_end(&stage, &link);
}

static void resumed(struct stage stage, struct tape *server, struct tape *client, bool early)
{
	struct link link = record_connect(&stage, NULL, NULL, false);

	record_hang_up(&link);
	link = record_connect(&stage, server, client, early);
	record_must(SSL_session_reused(link.server) == 1, "not resumed");
	record_end(&stage, &link);
}

static void tls12_full(struct tape *server, struct tape *client)
{
	full(record_stage(TLS1_2_VERSION), server, client);
}

static void tls12_id(struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(TLS1_2_VERSION);

	SSL_CTX_set_options(stage.server, SSL_OP_NO_TICKET);
	SSL_CTX_set_options(stage.client, SSL_OP_NO_TICKET);
	resumed(stage, server, client, false);
}

static void tls12_ticket(struct tape *server, struct tape *client)
{
	resumed(record_stage(TLS1_2_VERSION), server, client, false);
}

/* The ticket is from another server, so this one declines it. */
static void ticket_declined(int version, struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(version);
	struct link link = record_connect(&stage, NULL, NULL, false);

	record_hang_up(&link);
	SSL_CTX_free(stage.server);
	stage.server = record_context(TLS_server_method(), version);
	link = record_connect(&stage, server, client, false);
	record_must(!SSL_session_reused(link.server), "resumed");
	record_end(&stage, &link);
}

static void tls12_ticket_declined(struct tape *server, struct tape *client)
{
	ticket_declined(TLS1_2_VERSION, server, client);
}

static void tls13_psk_declined(struct tape *server, struct tape *client)
{
	ticket_declined(TLS1_3_VERSION, server, client);
}

static void tls13_full(struct tape *server, struct tape *client)
{
	full(record_stage(TLS1_3_VERSION), server, client);
}

static void tls13_psk(struct tape *server, struct tape *client)
{
	resumed(record_stage(TLS1_3_VERSION), server, client, false);
}

static void tls13_early(struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(TLS1_3_VERSION);

	SSL_CTX_set_max_early_data(stage.server, 1024);
	resumed(stage, server, client, true);
}

static struct stage stage_retry(void)
{
	struct stage stage = record_stage(TLS1_3_VERSION);

	SSL_CTX_set1_groups_list(stage.server, "P-256");
	SSL_CTX_set1_groups_list(stage.client, "X25519:P-256");
	return stage;
}

static void tls13_retry(struct tape *server, struct tape *client)
{
	full(stage_retry(), server, client);
}

static void tls13_psk_retry(struct tape *server, struct tape *client)
{
	resumed(stage_retry(), server, client, false);
}

static void tls13_no_compat(struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(TLS1_3_VERSION);

	SSL_CTX_clear_options(stage.client, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	full(stage, server, client);
}

static void tls13_key_update(struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(TLS1_3_VERSION);
	struct link link = record_connect(&stage, server, client, false);

	SSL_key_update(link.client, SSL_KEY_UPDATE_REQUESTED);
	record_pump(&link);
	record_end(&stage, &link);
}

static void tls13_post_handshake_auth(struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(TLS1_3_VERSION);
	struct link link;

	SSL_CTX_set_post_handshake_auth(stage.client, 1);
	link = record_connect(&stage, server, client, false);
	SSL_set_verify(link.server, SSL_VERIFY_PEER, SSL_get_verify_callback(link.server));
	record_must(SSL_verify_client_post_handshake(link.server) == 1,
		    "post-handshake authentication");
	record_pump(&link);
	record_must(SSL_get0_peer_certificate(link.server) != NULL, "no certificate");
	record_end(&stage, &link);
}

/* The client speaks both versions, the server only TLS 1.2: the session ids are ambiguous. */
static struct stage stage_mixed(bool tickets)
{
	struct stage stage = {record_context(TLS_server_method(), TLS1_2_VERSION),
			      record_context(TLS_client_method(), 0), NULL};

	if (!tickets)
		SSL_CTX_set_options(stage.server, SSL_OP_NO_TICKET);
	return stage;
}

static void mixed_full(struct tape *server, struct tape *client)
{
	full(stage_mixed(false), server, client);
}

static void mixed_id(struct tape *server, struct tape *client)
{
	resumed(stage_mixed(false), server, client, false);
}

static void mixed_ticket(struct tape *server, struct tape *client)
{
	resumed(stage_mixed(true), server, client, false);
}

/* The client starts COUNT new handshakes. OPTION is set on the server. */
static void renegotiate(uint64_t option, unsigned count, struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(TLS1_2_VERSION);
	struct link link;

	SSL_CTX_set_options(stage.server, option);
	link = record_connect(&stage, server, client, false);
	while (count-- != 0) {
		record_must(SSL_renegotiate(link.client) == 1, "renegotiate");
		record_pump(&link);
	}
	record_end(&stage, &link);
}

static void tls12_renegotiation_honoured(struct tape *server, struct tape *client)
{
	renegotiate(SSL_OP_ALLOW_CLIENT_RENEGOTIATION, 2, server, client);
}

static void tls12_renegotiation_refused(struct tape *server, struct tape *client)
{
	renegotiate(0, 1, server, client);
}

/* The server asks for a new handshake; then the client starts one by itself. */
static void tls12_hello_request(struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(TLS1_2_VERSION);
	struct link link;

	SSL_CTX_set_options(stage.server, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	link = record_connect(&stage, server, client, false);
	record_must(SSL_renegotiate(link.server) == 1, "renegotiate");
	record_pump(&link);
	record_must(SSL_renegotiate(link.client) == 1, "renegotiate");
	record_pump(&link);
	record_end(&stage, &link);
}

/* Two connections on one pair of SSL objects. */
static void tls12_cleared(struct tape *server, struct tape *client)
{
	struct stage stage = record_stage(TLS1_2_VERSION);
	struct link link = record_connect(&stage, server, client, false);

	SSL_set_session(link.client, NULL);
	record_must(SSL_clear(link.server) == 1 && SSL_clear(link.client) == 1, "clear");
	SSL_set_connect_state(link.client);
	SSL_set_accept_state(link.server);
	record_pump(&link);
	record_end(&stage, &link);
}

static void dtls12_cookie(struct tape *server, struct tape *client)
{
	struct stage stage = record_stage_dtls();

	SSL_CTX_set_options(stage.server, SSL_OP_COOKIE_EXCHANGE);
	full(stage, server, client);
}

static void dtls12_ticket(struct tape *server, struct tape *client)
{
	resumed(record_stage_dtls(), server, client, false);
}

/* An SSLv2 record with a hello for TLS 1.2 and two cipher suites, one of them the renegotiation
 * signal (RFC 5246 E.2). */
static void sslv2_hello(struct tape *server, struct tape *client)
{
	static const uint8_t record[] = {0x80, 9 + 6 + 16, 1,	 3, 3,	0,    6,  0,  0,  0,  16,
					 0,    0,	   0x34, 0, 0,	0xff, 1,  2,  3,  4,  5,
					 6,    7,	   8,	 9, 10, 11,   12, 13, 14, 15, 16};
	struct stage stage = record_stage(TLS1_2_VERSION);
	struct link link = record_link(stage.server, stage.client);

	(void)client;
	record_must(SSL_set_cipher_list(link.server, "ADH-AES128-SHA:@SECLEVEL=0") == 1 &&
			SSL_set_dh_auto(link.server, 1) == 1,
		    "ciphers");
	record_ssl(link.server, server);
	BIO_write(SSL_get_rbio(link.server), record, sizeof record);
	(void)SSL_do_handshake(link.server);
	record_must(server->used != 0, "no message");
	record_end(&stage, &link);
}

/* A hello as SSLv3 sends it: that of tls12-id, ending after its compression methods. */
static void no_extensions(struct tape *server, struct tape *client)
{
	struct tape whole = {.used = 0};
	const uint8_t *body = whole.bytes + TAPE_HEADER_BYTES + 4;
	size_t at = 2 + 32;

	(void)server, (void)client;
	tls12_id(&whole, NULL);
	at += 1U + body[at];
	at += 2U + (size_t)(body[at] << 8 | body[at + 1]);
	at += 1U + body[at];
	record_raw_hello(body, at);
}

const struct scenario record_scenarios[] = {
    {"tls12-full", tls12_full},
    {"tls12-id", tls12_id},
    {"tls12-ticket", tls12_ticket},
    {"tls12-ticket-declined", tls12_ticket_declined},
    {"tls12-renegotiation-honoured", tls12_renegotiation_honoured},
    {"tls12-renegotiation-refused", tls12_renegotiation_refused},
    {"tls12-hello-request", tls12_hello_request},
    {"tls12-cleared", tls12_cleared},
    {"tls13-full", tls13_full},
    {"tls13-no-compat", tls13_no_compat},
    {"tls13-psk", tls13_psk},
    {"tls13-psk-declined", tls13_psk_declined},
    {"tls13-early", tls13_early},
    {"tls13-retry", tls13_retry},
    {"tls13-psk-retry", tls13_psk_retry},
    {"tls13-key-update", tls13_key_update},
    {"tls13-post-handshake-auth", tls13_post_handshake_auth},
    {"mixed-full", mixed_full},
    {"mixed-id", mixed_id},
    {"mixed-ticket", mixed_ticket},
    {"dtls12-cookie", dtls12_cookie},
    {"dtls12-ticket", dtls12_ticket},
    {"sslv2-hello", sslv2_hello},
    {"no-extensions-id", no_extensions},
    {NULL, NULL},
};
