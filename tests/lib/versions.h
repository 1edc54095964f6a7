// What differs between the versions of libssl that a test program is linked to, from 1.0.1 to 4.0. It is
// compiled with this system's headers (3.0, or 1.1.1) for all of them. A function that some version
// lacks is weak, and NULL there; the any_ functions call what exists at run time.
#ifndef TESTS_LIB_VERSIONS_H
#define TESTS_LIB_VERSIONS_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#ifndef SSL_OP_ALLOW_CLIENT_RENEGOTIATION // with the headers of 1.1.1
#define SSL_OP_ALLOW_CLIENT_RENEGOTIATION 0x100U
#endif

// To be called first.
void libssl_start(void);

// What this libssl can do.
bool libssl_speaks_tls13(void); // and its stateless cookies, its PSKs, early data
bool libssl_clears_tls13(void); // SSL_clear after TLS 1.3: not before 3.0
bool libssl_is_old(void);	// before 1.1.0
int libssl_newest_dtls(void);

#pragma weak ASYNC_get_current_job
#pragma weak ASYNC_pause_job
#pragma weak BIO_ADDR_free
#pragma weak BIO_ADDR_new
#pragma weak BIO_get_data
#pragma weak BIO_get_new_index
#pragma weak BIO_meth_new
#pragma weak BIO_meth_set_ctrl
#pragma weak BIO_meth_set_destroy
#pragma weak BIO_meth_set_read
#pragma weak BIO_meth_set_write
#pragma weak BIO_set_data
#pragma weak BIO_set_init
#pragma weak BIO_up_ref
#pragma weak CRYPTO_get_ex_new_index
#pragma weak DTLS_client_method
#pragma weak DTLS_server_method
#pragma weak DTLSv1_client_method
#pragma weak DTLSv1_listen
#pragma weak DTLSv1_server_method
#pragma weak EC_KEY_free
#pragma weak EC_KEY_new_by_curve_name
#pragma weak OpenSSL_version_num
#pragma weak SSL_CIPHER_find
#pragma weak SSL_CTX_set_client_hello_cb
#pragma weak SSL_CTX_set_max_early_data
#pragma weak SSL_CTX_set_options
#pragma weak SSL_CTX_set_psk_find_session_callback
#pragma weak SSL_CTX_set_psk_use_session_callback
#pragma weak SSL_CTX_set_stateless_cookie_generate_cb
#pragma weak SSL_CTX_set_stateless_cookie_verify_cb
#pragma weak SSL_SESSION_dup
#pragma weak SSL_SESSION_set1_master_key
#pragma weak SSL_SESSION_set_cipher
#pragma weak SSL_SESSION_set_protocol_version
#pragma weak SSL_clear_options
#pragma weak SSL_get_options
#pragma weak SSL_is_init_finished
#pragma weak SSL_key_update
#pragma weak SSL_read_early_data
#pragma weak SSL_read_ex
#pragma weak SSL_session_reused
#pragma weak SSL_set_options
#pragma weak SSL_set_post_handshake_auth
#pragma weak SSL_stateless
#pragma weak SSL_verify_client_post_handshake
#pragma weak SSL_write_early_data
#pragma weak TLS_client_method
#pragma weak TLS_server_method

// A MAX of 0 is the newest version there is.
SSL_CTX *any_context(bool server, bool dtls, int min, int max);
void any_ctx_set_options(SSL_CTX *ctx, uint64_t bits);
void any_set_options(SSL *ssl, uint64_t bits);
uint64_t any_options(SSL *ssl);
bool any_is_init_finished(SSL *ssl);
bool any_session_reused(SSL *ssl);
SSL_SESSION *any_session_copy(SSL_SESSION *session);
void any_offer_nothing(SSL *ssl);
int any_new_index(void);
int any_listen(SSL *ssl);
void any_put_error(int library, int reason);

// A kind of BIO of the program's own. MADE is libssl's object for it, once there is one.
struct bio_kind {
	const char *name;
	int (*read)(BIO *bio, char *bytes, int room);
	int (*write)(BIO *bio, const char *bytes, int count);
	long (*control)(BIO *bio, int command, long number, void *pointer);
	void *made;
};
BIO *any_bio(struct bio_kind *kind, void *data);
void *any_bio_data(BIO *bio);

#endif
