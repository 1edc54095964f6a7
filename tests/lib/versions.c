#define OPENSSL_SUPPRESS_DEPRECATED // what old versions have, and need
#include "versions.h"

#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { V_1_1_0 = 0x10100000, V_1_1_1 = 0x10101000, V_3_0 = 0x30000000 };

// --- before 1.1.0 ---

#define MAYBE __attribute__((weak))
int MAYBE old_library_init(void) __asm__("SSL_library_init");
void MAYBE old_load_error_strings(void) __asm__("SSL_load_error_strings");
unsigned long MAYBE old_version(void) __asm__("SSLeay");
const SSL_METHOD *MAYBE old_client_method(void) __asm__("SSLv23_client_method");
const SSL_METHOD *MAYBE old_server_method(void) __asm__("SSLv23_server_method");
int MAYBE old_state(const SSL *) __asm__("SSL_state");
int MAYBE old_new_index(long, void *, void *, void *, void *) __asm__("SSL_get_ex_new_index");
int MAYBE old_num_locks(void) __asm__("CRYPTO_num_locks");
void MAYBE old_set_locking(void (*)(int, int, const char *,
				    int)) __asm__("CRYPTO_set_locking_callback");

// --- before and after 3.0 ---

void MAYBE old_put_error(int, int, int, const char *, int) __asm__("ERR_put_error");
void MAYBE newer_error(void) __asm__("ERR_new");
void MAYBE newer_set_error(int, int, const char *, ...) __asm__("ERR_set_error");

enum {
	OLD_STATE_OK = 3,
	OLD_CTRL_SET_TMP_ECDH = 4,
	OLD_CTRL_SESSION_REUSED = 8,
	OLD_CTRL_OPTIONS = 32,
	OLD_CTRL_DTLS_LISTEN = 75,
	OLD_LOCK = 1,
	NID_P256 = 415
};

struct old_method {
	int type;
	const char *name;
	int (*write)(BIO *, const char *, int);
	int (*read)(BIO *, char *, int);
	int (*puts)(BIO *, const char *);
	int (*gets)(BIO *, char *, int);
	long (*control)(BIO *, int, long, void *);
	int (*create)(BIO *);
	int (*destroy)(BIO *);
	long (*callback_control)(BIO *, int, void *);
};

struct old_bio {
	const struct old_method *method;
	void *callback;
	char *callback_arg;
	int init, shutdown, flags, retry_reason, number;
	void *data;
};

static pthread_mutex_t *locks;

static void lock(int mode, int which, const char *file, int line)
{
	(void)file, (void)line;
	if ((mode & OLD_LOCK) != 0)
		pthread_mutex_lock(&locks[which]);
	else
		pthread_mutex_unlock(&locks[which]);
}

void libssl_start(void)
{
	int count;

	if (!libssl_is_old())
		return;
	old_library_init();
	old_load_error_strings();
	count = old_num_locks();
	locks = calloc((size_t)count, sizeof *locks);
	for (int i = 0; i < count; i++)
		pthread_mutex_init(&locks[i], NULL);
	old_set_locking(lock);
}

// --- what it can do ---

static unsigned long version(void)
{
	return OpenSSL_version_num != NULL ? OpenSSL_version_num() : old_version();
}

bool libssl_is_old(void)
{
	return version() < V_1_1_0;
}

bool libssl_speaks_tls13(void)
{
	return version() >= V_1_1_1;
}

bool libssl_clears_tls13(void)
{
	return version() >= V_3_0;
}

int libssl_newest_dtls(void)
{
	return libssl_is_old() ? DTLS1_VERSION : DTLS1_2_VERSION;
}

// --- contexts ---

static const SSL_METHOD *method_of(bool server, bool dtls)
{
	if (libssl_is_old() && dtls)
		return server ? DTLSv1_server_method() : DTLSv1_client_method();
	if (libssl_is_old())
		return server ? old_server_method() : old_client_method();
	if (dtls)
		return server ? DTLS_server_method() : DTLS_client_method();
	return server ? TLS_server_method() : TLS_client_method();
}

SSL_CTX *any_context(bool server, bool dtls, int min, int max)
{
	SSL_CTX *ctx = SSL_CTX_new(method_of(server, dtls));
	EC_KEY *key;

	if (!libssl_is_old()) {
		SSL_CTX_set_min_proto_version(ctx, min);
		SSL_CTX_set_max_proto_version(ctx, max);
		SSL_CTX_set_cipher_list(ctx,
					server ? "DEFAULT:PSK:@SECLEVEL=0" : "DEFAULT:@SECLEVEL=0");
		SSL_CTX_set1_groups_list(ctx, "P-256");
		return ctx;
	}
	SSL_CTX_set_cipher_list(ctx, server ? "DEFAULT:PSK" : "DEFAULT");
	if (!dtls)
		any_ctx_set_options(
		    ctx,
		    SSL_OP_NO_SSLv3 | 0x01000000 /* SSL_OP_NO_SSLv2 */ |
			(min > TLS1_VERSION ? SSL_OP_NO_TLSv1 : 0) |
			(min > TLS1_1_VERSION || (max != 0 && max < TLS1_1_VERSION) ? SSL_OP_NO_TLSv1_1 : 0) |
			(max != 0 && max < TLS1_2_VERSION ? SSL_OP_NO_TLSv1_2 : 0));
	key = EC_KEY_new_by_curve_name(NID_P256);
	SSL_CTX_ctrl(ctx, OLD_CTRL_SET_TMP_ECDH, 0, key);
	EC_KEY_free(key);
	return ctx;
}

void any_ctx_set_options(SSL_CTX *ctx, uint64_t bits)
{
	if (SSL_CTX_set_options != NULL)
		SSL_CTX_set_options(ctx, bits);
	else
		SSL_CTX_ctrl(ctx, OLD_CTRL_OPTIONS, (long)bits, NULL);
}

// --- connections ---

void any_set_options(SSL *ssl, uint64_t bits)
{
	if (SSL_set_options != NULL)
		SSL_set_options(ssl, bits);
	else
		SSL_ctrl(ssl, OLD_CTRL_OPTIONS, (long)bits, NULL);
}

uint64_t any_options(SSL *ssl)
{
	return SSL_get_options != NULL ? SSL_get_options(ssl)
				       : (uint64_t)SSL_ctrl(ssl, OLD_CTRL_OPTIONS, 0, NULL);
}

bool any_is_init_finished(SSL *ssl)
{
	return SSL_is_init_finished != NULL ? SSL_is_init_finished(ssl)
					    : old_state(ssl) == OLD_STATE_OK;
}

bool any_session_reused(SSL *ssl)
{
	return SSL_session_reused != NULL ? SSL_session_reused(ssl)
					  : SSL_ctrl(ssl, OLD_CTRL_SESSION_REUSED, 0, NULL) != 0;
}

SSL_SESSION *any_session_copy(SSL_SESSION *session)
{
	unsigned char bytes[16384], *end = bytes;
	const unsigned char *from = bytes;

	if (SSL_SESSION_dup != NULL)
		return SSL_SESSION_dup(session);
	if (i2d_SSL_SESSION(session, NULL) > (int)sizeof bytes)
		abort();
	return d2i_SSL_SESSION(NULL, &from, i2d_SSL_SESSION(session, &end));
}

// An empty session that the state machine takes for one of this version: it offers nothing.
void any_offer_nothing(SSL *ssl)
{
	SSL_SESSION *empty = NULL;

	if (!libssl_is_old()) {
		empty = SSL_SESSION_new();
		SSL_SESSION_set_protocol_version(empty, SSL_version(ssl));
	}
	SSL_set_session(ssl, empty);
	SSL_SESSION_free(empty);
}

int any_new_index(void)
{
	return libssl_is_old() ? old_new_index(0, NULL, NULL, NULL, NULL)
			       : SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

int any_listen(SSL *ssl)
{
	struct sockaddr_storage sender; // what libssl writes there depends on the version
	BIO_ADDR *peer;
	int result;

	if (libssl_is_old())
		return (int)SSL_ctrl(ssl, OLD_CTRL_DTLS_LISTEN, 0, &sender);
	peer = BIO_ADDR_new();
	result = DTLSv1_listen(ssl, peer);
	BIO_ADDR_free(peer);
	return result;
}

void any_put_error(int library, int reason)
{
	if (old_put_error != NULL) {
		old_put_error(library, 0, reason, "", 0);
		return;
	}
	newer_error();
	newer_set_error(library, reason, NULL);
}

// --- BIOs of the program's own ---

static int old_destroy(BIO *bio)
{
	(void)bio;
	return 1;
}

static void *make_method(const struct bio_kind *kind)
{
	struct old_method *old;
	BIO_METHOD *method;

	if (libssl_is_old()) {
		old = calloc(1, sizeof *old);
		*old = (struct old_method){.type = 100 | BIO_TYPE_SOURCE_SINK,
					   .name = kind->name,
					   .write = kind->write,
					   .read = kind->read,
					   .control = kind->control,
					   .destroy = old_destroy};
		return old;
	}
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, kind->name);
	BIO_meth_set_write(method, kind->write);
	BIO_meth_set_read(method, kind->read);
	BIO_meth_set_ctrl(method, kind->control);
	return method;
}

BIO *any_bio(struct bio_kind *kind, void *data)
{
	BIO *bio;

	if (kind->made == NULL)
		kind->made = make_method(kind);
	bio = BIO_new(kind->made);
	if (libssl_is_old()) {
		((struct old_bio *)bio)->data = data;
		((struct old_bio *)bio)->init = 1;
	} else {
		BIO_set_data(bio, data);
		BIO_set_init(bio, 1);
	}
	return bio;
}

void *any_bio_data(BIO *bio)
{
	return libssl_is_old() ? ((struct old_bio *)bio)->data : BIO_get_data(bio);
}
