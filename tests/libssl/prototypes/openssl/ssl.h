// What tlsserver.c calls, declared so that one compilation fits every libssl from 1.0.1 on. A
// function that some version lacks is weak, and NULL there. Some functions were macros over
// SSL_ctrl before 1.1.0; the any_ functions below call whichever exists at run time.
#ifndef PROTOTYPES_OPENSSL_SSL_H
#define PROTOTYPES_OPENSSL_SSL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MAYBE __attribute__((weak))

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_method_st SSL_METHOD;
typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;
typedef struct x509_st X509;
typedef struct x509_store_ctx_st X509_STORE_CTX;
typedef int verify_callback(int, X509_STORE_CTX *);
typedef void info_callback(const SSL *, int, int);
typedef void message_callback(int, int, int, const void *, size_t, SSL *, void *);

enum {
	SSL_CB_HANDSHAKE_START = 0x10,
	SSL_CB_HANDSHAKE_DONE = 0x20,
	SSL_ERROR_WANT_READ = 2,
	SSL_ERROR_WANT_WRITE = 3,
	SSL_FILETYPE_PEM = 1,
	SSL_VERIFY_NONE = 0,
	SSL_VERIFY_PEER = 1,
	SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2,
	SSL_READ_EARLY_DATA_SUCCESS = 1,
	SSL_READ_EARLY_DATA_FINISH = 2,
	SSL3_RT_HANDSHAKE = 22,
	SSL3_MT_SERVER_HELLO = 2,
	SSL_OP_NO_SSLv3 = 0x02000000,
	SSL_OP_NO_TLSv1 = 0x04000000,
	SSL_OP_NO_RENEGOTIATION = 0x40000000,
	SSL_OP_ALLOW_CLIENT_RENEGOTIATION = 0x100, // 3.0; without effect before
	SSL_OP_ALL = 0x50,
	SSL_MODE_AUTO_RETRY = 4,
	BIO_NOCLOSE = 0,
	BIO_CLOSE = 1
};

int MAYBE SSL_library_init(void);
int MAYBE OPENSSL_init_ssl(uint64_t, const void *);
void MAYBE SSL_load_error_strings(void);
const SSL_METHOD *MAYBE SSLv23_server_method(void);
const SSL_METHOD *MAYBE TLS_server_method(void);
int MAYBE SSL_is_init_finished(const SSL *);
int MAYBE SSL_state(const SSL *);
X509 *MAYBE SSL_get_peer_certificate(const SSL *);
X509 *MAYBE SSL_get0_peer_certificate(const SSL *);
void MAYBE X509_free(X509 *);
int MAYBE SSL_read_ex(SSL *, void *, size_t, size_t *);
int MAYBE SSL_read_early_data(SSL *, void *, size_t, size_t *);
int MAYBE SSL_CTX_set_max_early_data(SSL_CTX *, uint32_t);
int MAYBE SSL_verify_client_post_handshake(SSL *);
uint64_t MAYBE SSL_CTX_set_options(SSL_CTX *, uint64_t);
uint64_t MAYBE SSL_set_options(SSL *, uint64_t);
uint64_t MAYBE SSL_clear_options(SSL *, uint64_t);
uint64_t MAYBE SSL_get_options(const SSL *);

SSL_CTX *SSL_CTX_new(const SSL_METHOD *);
void SSL_CTX_free(SSL_CTX *);
long SSL_CTX_ctrl(SSL_CTX *, int, long, void *);
int SSL_CTX_use_certificate_chain_file(SSL_CTX *, const char *);
int SSL_CTX_use_PrivateKey_file(SSL_CTX *, const char *, int);
int SSL_CTX_set_session_id_context(SSL_CTX *, const unsigned char *, unsigned);
void SSL_CTX_set_info_callback(SSL_CTX *, info_callback *);
info_callback *SSL_CTX_get_info_callback(SSL_CTX *);
void SSL_CTX_set_msg_callback(SSL_CTX *, message_callback *);
int SSL_CTX_set_ex_data(SSL_CTX *, int, void *);
void *SSL_CTX_get_ex_data(const SSL_CTX *, int);
SSL *SSL_new(SSL_CTX *);
SSL *SSL_dup(SSL *);
void SSL_free(SSL *);
int SSL_clear(SSL *);
long SSL_ctrl(SSL *, int, long, void *);
int SSL_set_fd(SSL *, int);
void SSL_set_bio(SSL *, BIO *, BIO *);
BIO *SSL_get_rbio(const SSL *);
BIO *SSL_get_wbio(const SSL *);
SSL_CTX *SSL_get_SSL_CTX(const SSL *);
void SSL_set_info_callback(SSL *, info_callback *);
info_callback *SSL_get_info_callback(const SSL *);
void SSL_set_msg_callback(SSL *, message_callback *);
int SSL_set_ex_data(SSL *, int, void *);
void *SSL_get_ex_data(const SSL *, int);
int SSL_set_session_id_context(SSL *, const unsigned char *, unsigned);
void SSL_set_verify(SSL *, int, verify_callback *);
void SSL_set_accept_state(SSL *);
int SSL_accept(SSL *);
int SSL_do_handshake(SSL *);
int SSL_read(SSL *, void *, int);
int SSL_peek(SSL *, void *, int);
int SSL_write(SSL *, const void *, int);
int SSL_renegotiate(SSL *);
int SSL_shutdown(SSL *);
int SSL_get_error(const SSL *, int);

BIO *BIO_new(const BIO_METHOD *);
const BIO_METHOD *BIO_s_mem(void);
const BIO_METHOD *BIO_f_ssl(void);
int BIO_read(BIO *, void *, int);
int BIO_write(BIO *, const void *, int);
void BIO_free_all(BIO *);
long BIO_ctrl(BIO *, int, long, void *);

#define BIO_set_ssl(bio, ssl, close)	       BIO_ctrl(bio, 109, close, ssl)
#define SSL_CTX_set_msg_callback_arg(ctx, arg) SSL_CTX_ctrl(ctx, 16, 0, arg)
#define SSL_set_msg_callback_arg(ssl, arg)     SSL_ctrl(ssl, 16, 0, arg)
#define SSL_CTX_set_mode(ctx, mode)	       SSL_CTX_ctrl(ctx, 33, mode, NULL)
#define SSL_clear_mode(ssl, mode)	       SSL_ctrl(ssl, 78, mode, NULL)
#define SSL_CTX_set_app_data(ctx, data)	       SSL_CTX_set_ex_data(ctx, 0, data)
#define SSL_CTX_get_app_data(ctx)	       SSL_CTX_get_ex_data(ctx, 0)
#define SSL_set_app_data(ssl, data)	       SSL_set_ex_data(ssl, 0, data)
#define SSL_get_app_data(ssl)		       SSL_get_ex_data(ssl, 0)

static inline const SSL_METHOD *any_server_method(void)
{
	if (SSL_library_init) {
		SSL_library_init();
		SSL_load_error_strings();
	}
	return TLS_server_method ? TLS_server_method() : SSLv23_server_method();
}

static inline int any_is_init_finished(const SSL *ssl)
{
	return SSL_is_init_finished ? SSL_is_init_finished(ssl) : SSL_state(ssl) == 3;
}

static inline X509 *any_peer_certificate(const SSL *ssl)
{
	X509 *certificate;

	if (SSL_get0_peer_certificate)
		return SSL_get0_peer_certificate(ssl);
	certificate = SSL_get_peer_certificate(ssl);
	X509_free(certificate);
	return certificate;
}

static inline void any_ctx_set_options(SSL_CTX *ctx, long bits)
{
	if (SSL_CTX_set_options)
		SSL_CTX_set_options(ctx, (uint64_t)bits);
	else
		SSL_CTX_ctrl(ctx, 32, bits, NULL);
}

static inline void any_set_options(SSL *ssl, long bits)
{
	if (SSL_set_options)
		SSL_set_options(ssl, (uint64_t)bits);
	else
		SSL_ctrl(ssl, 32, bits, NULL);
}

static inline void any_clear_options(SSL *ssl, long bits)
{
	if (SSL_clear_options)
		SSL_clear_options(ssl, (uint64_t)bits);
	else
		SSL_ctrl(ssl, 77, bits, NULL);
}

static inline uint64_t any_options(SSL *ssl)
{
	return SSL_get_options ? SSL_get_options(ssl) : (unsigned long)SSL_ctrl(ssl, 32, 0, NULL);
}

#define TLS_server_method	  any_server_method
#define SSL_is_init_finished	  any_is_init_finished
#define SSL_get0_peer_certificate any_peer_certificate
#define SSL_CTX_set_options	  any_ctx_set_options
#define SSL_set_options		  any_set_options
#define SSL_clear_options	  any_clear_options
#define SSL_get_options		  any_options

#endif
