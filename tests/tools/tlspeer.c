// tlspeer: the TLS client of the tests, for ordinary traffic and for attacks. `tlspeer --help`
// prints the usage. It prints one line of key=value pairs per connection, and a `summary` line at
// the end. Every wait is bounded.
#include "tlspeer.h"
#include <getopt.h>
#include <signal.h>

static const char usage[] =
    "usage: tlspeer [OPTION]... HOST PORT COMMAND [N]    (HOST may be unix:PATH, PORT is then "
    "ignored)\n"
    "  get [N]          N connections, one exchange each\n"
    "  renegotiate [N]  one connection: exchange, N renegotiations, exchange\n"
    "  resume [N]       one full handshake, then N offers to resume\n"
    "  keyupdate [N]    one TLS 1.3 connection: N requested key updates with an exchange after "
    "each\n"
    "  early-data [N]   one full handshake, then N resumptions with 0-RTT data\n"
    "  incomplete [N]   N connections that end once the ClientHello has been answered\n"
    "  hold [N]         N connections, kept open after the handshake until standard input ends\n"
    "options: --from ADDR  --tls 1.2|1.3  --sni NAME  --path PATH  --line (one line instead of "
    "HTTP)\n"
    "  --sip (OPTIONS)  --none (no exchange)  --how id|ticket  --groups LIST  --ciphers LIST  --cert PEM\n"
    "  --same-session (offers the first session each time)  --pause-ms N (between connections)  "
    "--timeout-ms N\n";

// Makes one connection with one exchange and prints its line. Returns what it was: "full", "reused"
// or "refused".
static const char *visit(SSL_CTX *ctx, int n, bool offer)
{
	struct peer peer;
	const char *result = "refused", *end;
	bool done = peer_connect(&peer, ctx, offer), served = false;
	char version[16] = "-";

	if (done) {
		snprintf(version, sizeof(version), "%s", SSL_get_version(peer.ssl));
		served = exchange(&peer);
		result = served ? (SSL_session_reused(peer.ssl) ? "reused" : "full") : "refused";
	}
	end = served ? "-" : ending(&peer);
	printf("n=%d result=%s served=%d status=%d client_hellos=%d tls=%s end=%s\n", n, result,
	       served, peer.status, peer.client_hellos, version, end);
	peer_close(&peer);
	if (opt.pause_ms)
		usleep((useconds_t)opt.pause_ms * 1000);
	return result;
}

static int get(SSL_CTX *ctx, int count, bool resume)
{
	int full = 0, reused = 0, refused = 0;

	for (int n = resume ? 0 : 1; n <= count; n++) {
		const char *result = visit(ctx, n, resume);

		full += !strcmp(result, "full");
		reused += !strcmp(result, "reused");
		refused += !strcmp(result, "refused");
	}
	printf("summary full=%d reused=%d refused=%d\n", full, reused, refused);
	return refused ? 1 : 0;
}

static int renegotiate(SSL_CTX *ctx, int count)
{
	struct peer peer;
	int honoured = 0;
	bool alive = peer_connect(&peer, ctx, false) && exchange(&peer), start = alive;

	for (int n = 1; alive && n <= count; n++) {
		errno = 0;
		alive = SSL_renegotiate(peer.ssl) == 1 && SSL_do_handshake(peer.ssl) == 1 &&
			!SSL_renegotiate_pending(peer.ssl);
		honoured += alive;
		printf("n=%d result=%s end=%s\n", n, alive ? "honoured" : "refused",
		       alive ? "-" : ending(&peer));
	}
	alive = alive && exchange(&peer);
	printf("summary started=%d honoured=%d served=%d end=%s\n", start, honoured, alive,
	       alive ? "-" : ending(&peer));
	peer_close(&peer);
	return alive ? 0 : 1;
}

static int key_update(SSL_CTX *ctx, int count)
{
	struct peer peer;
	bool alive = peer_connect(&peer, ctx, false) && exchange(&peer);
	int served = 0;

	for (int n = 1; alive && n <= count; n++) {
		alive = SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
			SSL_do_handshake(peer.ssl) == 1 && exchange(&peer);
		served += alive;
	}
	printf("summary updates=%d served=%d end=%s\n", served, alive, alive ? "-" : ending(&peer));
	peer_close(&peer);
	return alive ? 0 : 1;
}

static int early_data(SSL_CTX *ctx, int count)
{
	static const char *const status_name[] = {"not_sent", "rejected", "accepted"};
	int accepted = 0;

	visit(ctx, 0, false);
	for (int n = 1; n <= count; n++) {
		struct peer peer;
		char text[1024];
		size_t written;
		bool served = false;

		if (peer_open(&peer, ctx, true)) {
			bool sent =
			    SSL_SESSION_get_max_early_data(session) > 0 &&
			    SSL_write_early_data(peer.ssl, text,
						 (size_t)request(text, sizeof(text)), &written);
			served = SSL_connect(peer.ssl) == 1;
			sent =
			    sent && SSL_get_early_data_status(peer.ssl) == SSL_EARLY_DATA_ACCEPTED;
			served = served && (sent ? read_response(&peer) : exchange(&peer));
			accepted += sent;
			printf("n=%d early=%s reused=%d served=%d status=%d end=%s\n", n,
			       status_name[SSL_get_early_data_status(peer.ssl)],
			       SSL_session_reused(peer.ssl), served, peer.status,
			       served ? "-" : ending(&peer));
		}
		peer_close(&peer);
	}
	printf("summary accepted=%d\n", accepted);
	return 0;
}

// Sends a ClientHello, made through a memory BIO, waits for the first bytes of the answer, and
// leaves.
static int incomplete(SSL_CTX *ctx, int count)
{
	for (int n = 1; n <= count; n++) {
		struct peer peer;
		char bytes[4096];
		BIO *out = BIO_new(BIO_s_mem());
		ssize_t got = -1;

		if (peer_open(&peer, ctx, true)) {
			SSL_set_bio(peer.ssl, BIO_new(BIO_s_mem()), out);
			SSL_connect(peer.ssl);
			ssize_t length = BIO_read(out, bytes, sizeof(bytes));
			if (length > 0 && write(peer.fd, bytes, (size_t)length) == length)
				got = read(peer.fd, bytes, sizeof(bytes));
		}
		printf("n=%d result=%s\n", n,
		       got > 0 && bytes[0] == SSL3_RT_ALERT ? "alert"
		       : got > 0			    ? "left"
							    : "refused");
		peer_close(&peer);
	}
	return 0;
}

static int hold(SSL_CTX *ctx, int count)
{
	struct peer *peers = calloc((size_t)count, sizeof(*peers));
	int open = 0;
	char c;

	for (int n = 0; n < count; n++)
		open += peer_connect(&peers[n], ctx, false);
	printf("summary open=%d\n", open);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	for (int n = 0; n < count; n++)
		peer_close(&peers[n]);
	free(peers);
	return 0;
}

static SSL_CTX *parse(int argc, char **argv)
{
	static const struct option names[] = {
	    {"from", 1, 0, 'f'},       {"tls", 1, 0, 't'},	    {"sni", 1, 0, 's'},
	    {"path", 1, 0, 'p'},       {"line", 0, 0, 'l'},	    {"none", 0, 0, 'n'},
	    {"how", 1, 0, 'h'},	       {"groups", 1, 0, 'g'},	    {"ciphers", 1, 0, 'c'},
	    {"cert", 1, 0, 'e'},       {"same-session", 0, 0, 'k'}, {"pause-ms", 1, 0, 'w'},
	    {"timeout-ms", 1, 0, 'm'}, {"sip", 0, 0, 'o'},	    {"help", 0, 0, '?'},
	    {0, 0, 0, 0}};
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int o;

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	SSL_CTX_set_info_callback(ctx, on_info);
	SSL_CTX_set_msg_callback(ctx, on_message);
	// For the tests a server may end a connection without a close_notify.
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	while ((o = getopt_long(argc, argv, "+", names, NULL)) != -1) {
		int good = 1, version;

		switch (o) {
		case 'f':
			opt.from = optarg;
			break;
		case 't':
			version = strcmp(optarg, "1.3") ? TLS1_2_VERSION : TLS1_3_VERSION;
			good = SSL_CTX_set_min_proto_version(ctx, version) &&
			       SSL_CTX_set_max_proto_version(ctx, version);
			break;
		case 's':
			opt.sni = optarg;
			break;
		case 'p':
			opt.path = optarg;
			break;
		case 'l':
			opt.exchange = LINE;
			break;
		case 'o':
			opt.exchange = SIP;
			break;
		case 'n':
			opt.exchange = NONE;
			break;
		case 'h':
			if (strcmp(optarg, "id") == 0)
				SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
			break;
		case 'g':
			good = SSL_CTX_set1_groups_list(ctx, optarg);
			break;
		case 'c':
			good = SSL_CTX_set_cipher_list(ctx, optarg);
			break;
		case 'e':
			good = SSL_CTX_use_certificate_chain_file(ctx, optarg) == 1 &&
			       SSL_CTX_use_PrivateKey_file(ctx, optarg, SSL_FILETYPE_PEM) == 1;
			SSL_CTX_set_post_handshake_auth(ctx, 1);
			break;
		case 'k':
			opt.same_session = true;
			break;
		case 'w':
			opt.pause_ms = atoi(optarg);
			break;
		case 'm':
			opt.timeout_ms = atoi(optarg);
			break;
		default:
			good = 0;
		}
		if (!good) {
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (argc - optind < 3) {
		fputs(usage, stderr);
		exit(2);
	}
	return ctx;
}

int main(int argc, char **argv)
{
	SSL_CTX *ctx = parse(argc, argv);
	const char *command = argv[optind + 2];
	int count = argc - optind > 3 ? atoi(argv[optind + 3]) : 1;

	opt.host = argv[optind];
	opt.port = atoi(argv[optind + 1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(command, "get"))
		return get(ctx, count, false);
	if (!strcmp(command, "resume"))
		return get(ctx, count, true);
	if (!strcmp(command, "renegotiate"))
		return renegotiate(ctx, count);
	if (!strcmp(command, "keyupdate"))
		return key_update(ctx, count);
	if (!strcmp(command, "early-data"))
		return early_data(ctx, count);
	if (!strcmp(command, "incomplete"))
		return incomplete(ctx, count);
	if (!strcmp(command, "hold"))
		return hold(ctx, count);
	fputs(usage, stderr);
	return 2;
}
