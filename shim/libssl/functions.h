/*
 * The functions of libssl and libcrypto that this library uses, in four tables, and a struct for
 * one libssl with a pointer to each of them. No OpenSSL header is used: one binary serves every
 * libssl. Only types and tables; libssl/find.h fills the struct.
 */
#ifndef RG_FUNCTIONS_H
#define RG_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st;
struct ssl_ctx_st;
struct ssl_method_st;
struct bio_st;
struct crypto_ex_data_st;

/* A callback of the program that is only passed on. */
typedef void rg_callback(void);

typedef void rg_msg_callback(int written, int version, int content_type, const void *message,
			     size_t bytes, struct ssl_st *ssl, void *arg);

/* X(returns, name, arguments). Functions that we hook and that every version has. A library that
 * lacks one is not guarded. */
#define RG_LIBSSL_HOOKS_REQUIRED(X)                                                                \
	X(int, SSL_read, (struct ssl_st *, void *, int))                                           \
	X(int, SSL_write, (struct ssl_st *, const void *, int))                                    \
	X(int, SSL_peek, (struct ssl_st *, void *, int))                                           \
	X(int, SSL_do_handshake, (struct ssl_st *))                                                \
	X(int, SSL_accept, (struct ssl_st *))                                                      \
	X(int, SSL_connect, (struct ssl_st *))                                                     \
	X(struct ssl_st *, SSL_new, (struct ssl_ctx_st *))                                         \
	X(struct ssl_ctx_st *, SSL_CTX_new, (const struct ssl_method_st *))                        \
	X(struct ssl_st *, SSL_dup, (struct ssl_st *))                                             \
	X(int, SSL_clear, (struct ssl_st *))                                                       \
	X(void, SSL_set_accept_state, (struct ssl_st *))                                           \
	X(void, SSL_set_connect_state, (struct ssl_st *))                                          \
	X(int, SSL_set_session_id_context, (struct ssl_st *, const unsigned char *, unsigned))     \
	X(int, SSL_CTX_set_session_id_context,                                                     \
	  (struct ssl_ctx_st *, const unsigned char *, unsigned))                                  \
	X(void, SSL_set_bio, (struct ssl_st *, struct bio_st *, struct bio_st *))                  \
	X(void, SSL_set_msg_callback, (struct ssl_st *, rg_msg_callback *))                        \
	X(void, SSL_CTX_set_msg_callback, (struct ssl_ctx_st *, rg_msg_callback *))                \
	X(long, SSL_callback_ctrl, (struct ssl_st *, int, void (*)(void)))                         \
	X(long, SSL_CTX_callback_ctrl, (struct ssl_ctx_st *, int, void (*)(void)))

/* Functions that we hook, but that some versions lack. The pointer is NULL then. */
#define RG_LIBSSL_HOOKS_OPTIONAL(X)                                                                \
	X(int, SSL_read_ex, (struct ssl_st *, void *, size_t, size_t *))                           \
	X(int, SSL_peek_ex, (struct ssl_st *, void *, size_t, size_t *))                           \
	X(int, SSL_write_ex, (struct ssl_st *, const void *, size_t, size_t *))                    \
	X(int, SSL_write_ex2, (struct ssl_st *, const void *, size_t, uint64_t, size_t *))         \
	X(int, SSL_read_early_data, (struct ssl_st *, void *, size_t, size_t *))                   \
	X(int, SSL_write_early_data, (struct ssl_st *, const void *, size_t, size_t *))            \
	X(ssize_t, SSL_sendfile, (struct ssl_st *, int, off_t, size_t, int))                       \
	X(void, SSL_set0_rbio, (struct ssl_st *, struct bio_st *))                                 \
	X(int, DTLSv1_listen, (struct ssl_st *, void *))                                           \
	X(int, SSL_stateless, (struct ssl_st *))                                                   \
	X(void, SSL_set_psk_server_callback, (struct ssl_st *, rg_callback *))                     \
	X(void, SSL_CTX_set_psk_server_callback, (struct ssl_ctx_st *, rg_callback *))             \
	X(void, SSL_set_psk_find_session_callback, (struct ssl_st *, rg_callback *))               \
	X(void, SSL_CTX_set_psk_find_session_callback, (struct ssl_ctx_st *, rg_callback *))       \
	X(struct ssl_ctx_st *, SSL_CTX_new_ex, (void *, const char *, const struct ssl_method_st *))

#define RG_LIBSSL_HOOKS(X) RG_LIBSSL_HOOKS_REQUIRED(X) RG_LIBSSL_HOOKS_OPTIONAL(X)

/* Functions that we only call, and that every version has. */
#define RG_LIBSSL_CALLED_REQUIRED(X)                                                               \
	X(long, SSL_ctrl, (struct ssl_st *, int, long, void *))                                    \
	X(struct ssl_ctx_st *, SSL_get_SSL_CTX, (const struct ssl_st *))                           \
	X(int, SSL_CTX_set_ex_data, (struct ssl_ctx_st *, int, void *))                            \
	X(void *, SSL_CTX_get_ex_data, (const struct ssl_ctx_st *, int))                           \
	X(struct bio_st *, SSL_get_rbio, (const struct ssl_st *))                                  \
	X(struct bio_st *, SSL_get_wbio, (const struct ssl_st *))                                  \
	X(int, SSL_get_rfd, (const struct ssl_st *))                                               \
	X(int, SSL_get_wfd, (const struct ssl_st *))                                               \
	X(int, SSL_want, (const struct ssl_st *))                                                  \
	X(int, SSL_version, (const struct ssl_st *))                                               \
	X(unsigned long, BIO_number_read, (struct bio_st *))                                       \
	X(int, BIO_test_flags, (const struct bio_st *, int))                                       \
	X(void, SSL_set_shutdown, (struct ssl_st *, int))                                          \
	X(const char *, SSL_get_version, (const struct ssl_st *))                                  \
	X(int, SSL_set_cipher_list, (struct ssl_st *, const char *))                               \
	X(size_t, SSL_get_finished, (const struct ssl_st *, void *, size_t))                       \
	X(size_t, SSL_get_peer_finished, (const struct ssl_st *, void *, size_t))                  \
	X(unsigned long, ERR_peek_error, (void))                                                   \
	X(unsigned long, ERR_peek_last_error, (void))                                              \
	X(int, ERR_set_mark, (void))                                                               \
	X(int, ERR_pop_to_mark, (void))

/* Functions that we only call, and that some versions lack. */
#define RG_LIBSSL_CALLED_OPTIONAL(X)                                                               \
	X(const struct ssl_method_st *, TLS_client_method, (void))                                 \
	X(const struct ssl_method_st *, OSSL_QUIC_client_method, (void))                           \
	X(const struct ssl_method_st *, OSSL_QUIC_client_thread_method, (void))                    \
	X(const struct ssl_method_st *, OSSL_QUIC_server_method, (void))                           \
	X(int, SSL_is_server, (struct ssl_st *))                                                   \
	X(int, SSL_in_before, (const struct ssl_st *))                                             \
	X(int, SSL_state, (const struct ssl_st *))                                                 \
	X(const char *, SSL_get_cipher_list, (const struct ssl_st *, int))                         \
	X(int, SSL_set_ciphersuites, (struct ssl_st *, const char *))                              \
	X(int, SSL_is_quic, (const struct ssl_st *))                                               \
	X(void *, SSL_get1_echstore, (const struct ssl_st *))                                      \
	X(void, OSSL_ECHSTORE_free, (void *))                                                      \
	X(long, BIO_ctrl, (struct bio_st *, int, long, void *))                                    \
	X(void, BIO_set_callback, (struct bio_st *, void *))                                       \
	X(void, BIO_set_callback_ex, (struct bio_st *, void *))                                    \
	X(void *, BIO_get_callback, (const struct bio_st *))                                       \
	X(void *, BIO_get_callback_ex, (const struct bio_st *))                                    \
	X(int, BIO_up_ref, (struct bio_st *))                                                      \
	X(int, BIO_free, (struct bio_st *))                                                        \
	X(uint64_t, SSL_get_options, (const struct ssl_st *))                                      \
	X(uint64_t, SSL_set_options, (struct ssl_st *, uint64_t))                                  \
	X(uint64_t, SSL_clear_options, (struct ssl_st *, uint64_t))                                \
	X(void, ERR_clear_error, (void))                                                           \
	X(void, ERR_new, (void))                                                                   \
	X(void, ERR_set_debug, (const char *, int, const char *))                                  \
	X(void, ERR_set_error, (int, int, const char *, ...))                                      \
	X(void, ERR_put_error, (int, int, int, const char *, int))                                 \
	X(void, ERR_add_error_data, (int, ...))                                                    \
	X(int, SSL_set_ex_data, (struct ssl_st *, int, void *))                                    \
	X(void *, SSL_get_ex_data, (const struct ssl_st *, int))                                   \
	X(void, CRYPTO_get_mem_functions, (void **, void **, void **))                             \
	X(void *, CRYPTO_malloc, (size_t, const char *, int))                                      \
	X(void, CRYPTO_free, (void *, const char *, int))                                          \
	X(void *, CRYPTO_get_ex_data, (const struct crypto_ex_data_st *, int))                     \
	X(int, CRYPTO_get_ex_new_index, (int, long, void *, void *, void *, void *))               \
	X(int, SSL_get_ex_new_index, (long, void *, void *, void *, void *))                       \
	X(int, SSL_CTX_get_ex_new_index, (long, void *, void *, void *, void *))                   \
	X(unsigned long, OpenSSL_version_num, (void))                                              \
	X(const char *, OpenSSL_version, (int))                                                    \
	X(unsigned long, SSLeay, (void))                                                           \
	X(const char *, SSLeay_version, (int))

#define RG_LIBSSL_REQUIRED(X) RG_LIBSSL_HOOKS_REQUIRED(X) RG_LIBSSL_CALLED_REQUIRED(X)
#define RG_LIBSSL_OPTIONAL(X) RG_LIBSSL_HOOKS_OPTIONAL(X) RG_LIBSSL_CALLED_OPTIONAL(X)

/* A command of OpenSSL that more than one file needs. */
#define RG_CTRL_SET_MSG_CALLBACK 15 /* SSL_CTRL_SET_MSG_CALLBACK */

#define RG_LIBSSL_VERSION_BYTES 24
#define RG_LIBSSL_MAX		16 /* libraries in one process */

struct rg_libssl {
#define X(returns, name, arguments) returns(*name) arguments;
	RG_LIBSSL_REQUIRED(X)
	RG_LIBSSL_OPTIONAL(X)
#undef X
	void *ssl_new;	      /* the SSL_new in the library itself, not another preload's hook */
	unsigned slot;	      /* 0 to RG_LIBSSL_MAX - 1; RG_LIBSSL_MAX: one too many (find.h) */
	unsigned long number; /* as in OPENSSL_VERSION_NUMBER: 0x30000130 is 3.0.19 */
	char version[RG_LIBSSL_VERSION_BYTES];
	bool guardable;	    /* it has every required function */
	int callback_index; /* ex_data index: the program's callback on an SSL_CTX */
	int state_index;    /* ex_data index: our state on an SSL, if shared (guard/states.h) */
};

#endif
