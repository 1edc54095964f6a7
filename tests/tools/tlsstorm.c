// tlsstorm [OPTION]... HOST PORT N: a client that goes on after no_renegotiation. libssl's own
// client gives up at that warning. This one makes the first handshake with libssl (TLS 1.2,
// AES-128-GCM), then encrypts its records itself. It makes a request, sends N renegotiation
// ClientHellos on the same connection, makes the request again, and prints one line:
//
//   sent= warnings= hellos= served= end=
//
// hellos counts the ServerHellos that came back; the storm stops at the first.
//
//   --pipeline        do not wait for answers to the ClientHellos
//   --fragment BYTES  cut each ClientHello into records of that many bytes
//   --from ADDR       the source address
//   --line            the request is a line, not HTTP
//   --hex BYTES       the request is these bytes
//   --eager           no request before the storm, for a server that closes after its answer
//   --idle SECONDS    wait that long before the first attempt
//   HOST fd:N         use the connection that was inherited as descriptor N
#include "netutil.h"
#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>

enum {
	TIMEOUT_MS = 5000,
	RECORD_BYTES = 16384 + 256,
	HEADER = 5,
	NONCE = 8,
	TAG = 16,
	KEY = 16,
	SALT = 4
};

// One direction of a TLS 1.2 AES-128-GCM connection.
struct half {
	unsigned char key[KEY], salt[SALT];
	uint64_t sequence;
};

static struct half ours, theirs;
static int fd;
static bool eager;
static unsigned idle_s;

static void put(unsigned char *to, uint64_t value, int bytes)
{
	while (bytes--) {
		to[bytes] = (unsigned char)value;
		value >>= 8;
	}
}

// Derives the keys of the connection from libssl's handshake (RFC 5246 6.3).
static void derive(SSL *ssl)
{
	unsigned char master[48], seed[13 + 64], block[2 * (KEY + SALT)];
	EVP_PKEY_CTX *prf = EVP_PKEY_CTX_new_id(EVP_PKEY_TLS1_PRF, NULL);
	size_t length = sizeof(block);

	SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
	memcpy(seed, "key expansion", 13);
	SSL_get_server_random(ssl, seed + 13, 32);
	SSL_get_client_random(ssl, seed + 45, 32);
	if (EVP_PKEY_derive_init(prf) != 1 ||
	    EVP_PKEY_CTX_set_tls1_prf_md(prf, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set1_tls1_prf_secret(prf, master, sizeof(master)) != 1 ||
	    EVP_PKEY_CTX_add1_tls1_prf_seed(prf, seed, sizeof(seed)) != 1 ||
	    EVP_PKEY_derive(prf, block, &length) != 1)
		net_die("key derivation");
	memcpy(ours.key, block, KEY);
	memcpy(theirs.key, block + KEY, KEY);
	memcpy(ours.salt, block + 2 * KEY, SALT);
	memcpy(theirs.salt, block + 2 * KEY + SALT, SALT);
	ours.sequence = 1; // 0 was the Finished
	EVP_PKEY_CTX_free(prf);
}

// Encrypts, or decrypts, the payload of one record. The explicit nonce is the sequence number, or
// the one received.
static bool gcm(struct half *half, bool encrypt, int type, const unsigned char *nonce,
		const unsigned char *in, int length, unsigned char *out, unsigned char *tag)
{
	unsigned char iv[SALT + NONCE], aad[13];
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int n;
	bool good;

	memcpy(iv, half->salt, SALT);
	memcpy(iv + SALT, nonce, NONCE);
	put(aad, half->sequence++, 8);
	put(aad + 8, (uint64_t)type << 32 | 0x0303u << 16 | (uint64_t)length, 5);
	good = EVP_CipherInit_ex(cipher, EVP_aes_128_gcm(), NULL, half->key, iv, encrypt) &&
	       (encrypt || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG, tag)) &&
	       EVP_CipherUpdate(cipher, NULL, &n, aad, sizeof(aad)) &&
	       EVP_CipherUpdate(cipher, out, &n, in, length) &&
	       EVP_CipherFinal_ex(cipher, out + n, &n) > 0 &&
	       (!encrypt || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG, tag));
	EVP_CIPHER_CTX_free(cipher);
	return good;
}

static bool send_record(int type, const void *data, int length)
{
	unsigned char record[RECORD_BYTES];
	int total = HEADER + NONCE + length + TAG;

	put(record, (uint64_t)type << 32 | 0x0303u << 16 | (uint64_t)(NONCE + length + TAG),
	    HEADER);
	put(record + HEADER, ours.sequence, NONCE);
	return gcm(&ours, true, type, record + HEADER, data, length, record + HEADER + NONCE,
		   record + HEADER + NONCE + length) &&
	       write(fd, record, (size_t)total) == total;
}

// Reads one record. Returns its type, or -1 if the connection is over; errno is 0 at end of file.
static int read_record(unsigned char *plain, int *length)
{
	unsigned char record[RECORD_BYTES];
	int want = HEADER, have = 0;

	while (have < want) {
		ssize_t got = (errno = 0, read(fd, record + have, (size_t)(want - have)));

		if (got <= 0)
			return -1;
		have += (int)got;
		if (have == HEADER)
			want += record[3] << 8 | record[4];
		if (want > RECORD_BYTES)
			return -1;
	}
	*length = want - HEADER - NONCE - TAG;
	if (*length < 0 || !gcm(&theirs, false, record[0], record + HEADER, record + HEADER + NONCE,
				*length, plain, record + want - TAG))
		return -1;
	return record[0];
}

// Makes a ClientHello that a libssl which allows renegotiation accepts: renegotiation_info has our
// Finished. Returns its length.
static int client_hello(SSL *ssl, unsigned char *hello)
{
	static const unsigned char fixed[] = {0,    4,	  0xc0, 0x2b,
					      0xc0, 0x2f, 1,	0};	 // suites, no compression
	static const unsigned char common[] = {0, 10, 0, 4, 0, 2, 0, 23, // groups: P-256
					       0, 13, 0, 8, 0, 6, 4, 3,
					       4, 1,  8, 4,  // ECDSA and RSA with SHA-256
					       0, 23, 0, 0}; // extended master secret
	unsigned char *p = hello + 4, *extensions;

	*p++ = 3, *p++ = 3;
	RAND_bytes(p, 32);
	p += 32;
	*p++ = 0; // no session id
	memcpy(p, fixed, sizeof(fixed));
	extensions = p += sizeof(fixed);
	p += 2;
	memcpy(p, common, sizeof(common));
	p += sizeof(common);
	put(p, 0xff01, 2);
	put(p + 2, 13, 2);
	p[4] = 12;
	SSL_get_finished(ssl, p + 5, 12);
	p += 17;
	put(extensions, (uint64_t)(p - extensions - 2), 2);
	put(hello, 1u << 24 | (uint64_t)(p - hello - 4), 4);
	return (int)(p - hello);
}

static bool send_hello(const unsigned char *hello, int length, int fragment)
{
	for (int sent = 0; sent < length; sent += fragment)
		if (!send_record(SSL3_RT_HANDSHAKE, hello + sent,
				 length - sent < fragment ? length - sent : fragment))
			return false;
	return true;
}

static struct {
	int warnings, hellos, data;
	char end[64];
} seen = {.end = "-"};

// Reads until a record of `type` comes. A handshake record also ends the wait for an alert. False
// if the connection ended.
static bool await(int type)
{
	unsigned char plain[RECORD_BYTES];

	for (;;) {
		int length = 0, got = read_record(plain, &length);

		seen.hellos +=
		    got == SSL3_RT_HANDSHAKE && length && plain[0] == SSL3_MT_SERVER_HELLO;
		seen.data += got == SSL3_RT_APPLICATION_DATA;
		if (got == SSL3_RT_ALERT && plain[0] == SSL3_AL_WARNING &&
		    plain[1] == SSL_AD_NO_RENEGOTIATION)
			seen.warnings++;
		else if (got == SSL3_RT_ALERT)
			snprintf(seen.end, sizeof(seen.end), "%s:%d",
				 SSL_alert_type_string_long(plain[0] << 8), plain[1]);
		else if (got < 0 && !strcmp(seen.end, "-"))
			snprintf(seen.end, sizeof(seen.end), "%s",
				 errno == EAGAIN ? "timeout"
				 : errno	 ? "reset"
						 : "closed");
		if (got < 0 || got == type || (got == SSL3_RT_HANDSHAKE && type == SSL3_RT_ALERT))
			return got >= 0 && !strcmp(seen.end, "-");
	}
}

struct request {
	unsigned char bytes[1024];
	int length;
};

static struct request request_of(const char *text, bool hex)
{
	struct request request = {.length = (int)strlen(text) / (hex ? 2 : 1)};

	if (request.length > (int)sizeof(request.bytes))
		exit(2);
	for (int i = 0; i < request.length; i++) {
		unsigned value = (unsigned char)text[i];

		if (hex && sscanf(text + 2 * i, "%2x", &value) != 1)
			exit(2);
		request.bytes[i] = (unsigned char)value;
	}
	return request;
}

static bool ask(const struct request *request)
{
	return send_record(SSL3_RT_APPLICATION_DATA, request->bytes, request->length);
}

static int storm(SSL *ssl, int total, bool pipeline, int fragment, const struct request *request)
{
	unsigned char hello[512];
	int sent = 0;
	bool alive = eager || (ask(request) && await(SSL3_RT_APPLICATION_DATA));

	sleep(idle_s);
	while (alive && sent < total && !seen.hellos) {
		int length = client_hello(ssl, hello);

		alive = send_hello(hello, length, fragment ? fragment : length) &&
			(pipeline || await(SSL3_RT_ALERT));
		sent++;
	}
	seen.data = 0;
	// Read on even if the write fails: the reason may still wait to be read.
	alive = ask(request) && alive;
	alive = !seen.hellos && await(SSL3_RT_APPLICATION_DATA) && alive;
	printf("sent=%d warnings=%d hellos=%d served=%d end=%s\n", sent, seen.warnings, seen.hellos,
	       alive, seen.end);
	return alive ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {{"pipeline", 0, 0, 'p'},
					      {"fragment", 1, 0, 'f'},
					      {"from", 1, 0, 's'},
					      {"line", 0, 0, 'l'},
					      {"hex", 1, 0, 'x'},
					      {"eager", 0, 0, 'e'},
					      {"idle", 1, 0, 'i'},
					      {0, 0, 0, 0}};
	struct request request = request_of("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", false);
	const char *from = NULL;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int option, fragment = 0;
	bool pipeline = false;
	SSL *ssl;

	while ((option = getopt_long(argc, argv, "+", names, NULL)) != -1)
		switch (option) {
		case 'p':
			pipeline = true;
			break;
		case 'f':
			fragment = atoi(optarg);
			break;
		case 's':
			from = optarg;
			break;
		case 'l':
			request = request_of("ping\n", false);
			break;
		case 'e':
			eager = true;
			break;
		case 'i':
			idle_s = (unsigned)atoi(optarg);
			break;
		case 'x':
			request = request_of(optarg, true);
			break;
		default:
			return 2;
		}
	if (argc - optind < 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	fd = net_connect(argv[optind], atoi(argv[optind + 1]), from, TIMEOUT_MS);
	if (fd < 0)
		net_die("connect");
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1) {
		puts("sent=0 warnings=0 hellos=0 served=0 end=handshake");
		return 1;
	}
	derive(ssl);
	theirs.sequence = 1;
	return storm(ssl, atoi(argv[optind + 2]), pipeline, fragment, &request);
}
