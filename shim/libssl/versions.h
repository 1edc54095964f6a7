/*
 * How versions of libssl differ: ex_data indices, option words, and the questions a connection can
 * be asked. Only this module, refuse.c and errors.c know facts about versions. Called by the thread
 * that drives the SSL; rg_libssl_take_indices by one thread at a time.
 */
#ifndef RG_VERSIONS_H
#define RG_VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "libssl/functions.h"

/* OPENSSL_VERSION_NUMBER of the releases in which something changed for us. */
#define RG_OPENSSL_1_1_0 0x10100000UL
#define RG_OPENSSL_1_1_1 0x10101000UL
#define RG_OPENSSL_3_0	 0x30000000UL
#define RG_OPENSSL_3_2	 0x30200000UL

/* Our function that libssl calls when an SSL or a context is freed (CRYPTO_get_ex_new_index(3)). */
typedef void rg_ex_free(void *parent, void *data, struct crypto_ex_data_st *ad, int index,
			long argl, void *argp);

/*
 * Have libssl call RELEASE when an SSL is freed, and RELEASE_CONTEXT when an SSL_CTX is. Sets the
 * indices in LIB. Returns 0, or -1 if LIB has no index left: it cannot be guarded then. SSL_dup
 * does not copy what is under LIB->state_index.
 */
int rg_libssl_take_indices(struct rg_libssl *lib, rg_ex_free *release, rg_ex_free *release_context);

/* Has the program replaced the allocator of LIB's libcrypto? Ask before LIB allocates anything:
 * afterwards the answer stays. False for LibreSSL, whose allocator cannot be replaced. */
bool rg_libssl_has_foreign_allocator(const struct rg_libssl *lib);

/* Memory from LIB's own allocator, which the program may have replaced; NULL if there is none. */
void *rg_libssl_allocate(const struct rg_libssl *lib, size_t bytes);
void rg_libssl_free(const struct rg_libssl *lib, void *memory);

/* Set or clear BITS of SSL's options, or read them all. Before 1.1.0 the first two do nothing and
 * the third returns 0. */
void rg_libssl_set_options(const struct rg_libssl *lib, struct ssl_st *ssl, uint32_t bits);
void rg_libssl_clear_options(const struct rg_libssl *lib, struct ssl_st *ssl, uint32_t bits);
uint64_t rg_libssl_options(const struct rg_libssl *lib, struct ssl_st *ssl);

/* Does the server ask DTLS clients for a cookie (SSL_OP_COOKIE_EXCHANGE)? */
bool rg_libssl_wants_cookies(const struct rg_libssl *lib, struct ssl_st *ssl);

/* The descriptors that SSL reads from and writes to; -1 if it has no BIO, or none with a
 * descriptor. (Asked without a BIO, libssl 3.0 and 3.1 leave an error on the program's queue.) */
int rg_libssl_rfd(const struct rg_libssl *lib, const struct ssl_st *ssl);
int rg_libssl_wfd(const struct rg_libssl *lib, const struct ssl_st *ssl);

/* Is SSL a DTLS connection, or will it be one? */
bool rg_libssl_is_dtls(const struct rg_libssl *lib, const struct ssl_st *ssl);

/* Can the server decrypt an encrypted ClientHello (4.0 and later, with keys)? */
bool rg_libssl_decrypts_hellos(const struct rg_libssl *lib, struct ssl_st *ssl);

/* Can the server side of SSL negotiate TLS 1.3? */
bool rg_libssl_speaks_tls13(const struct rg_libssl *lib, struct ssl_st *ssl);

/* True if no handshake has been finished on SSL since it was made or cleared. */
bool rg_libssl_is_pristine(const struct rg_libssl *lib, const struct ssl_st *ssl);

/* How many bytes libssl has read, and from which BIO. All zero: none yet. */
struct rg_bytes_read {
	const struct bio_st *bio;
	unsigned long bytes;
};

/* Store in NOW what libssl has read on SSL by now. */
void rg_libssl_note_bytes_read(const struct rg_libssl *lib, struct ssl_st *ssl,
			       struct rg_bytes_read *now);

/* Has libssl read anything on SSL since BEFORE? Always false for DTLS: until a ClientHello has its
 * cookie, a datagram may come from anybody. */
bool rg_libssl_has_read(const struct rg_libssl *lib, struct ssl_st *ssl,
			const struct rg_bytes_read *before);

/* After a call on SSL that did not succeed: has it failed for good? False if SSL only waits for its
 * peer or the program. */
bool rg_libssl_has_failed(const struct rg_libssl *lib, struct ssl_st *ssl);

/* May RELEASE, above, still ask SSL anything? False from 3.2 on, which frees the parts of an SSL
 * first. */
bool rg_libssl_is_whole_when_freed(const struct rg_libssl *lib);

/* Has libssl been told to begin a handshake on SSL? If not, what was read from its BIO was read by
 * the program. */
bool rg_libssl_has_begun(const struct rg_libssl *lib, const struct ssl_st *ssl);

/* Is METHOD that of clients only, as far as libssl tells? Is it a method of libssl's own QUIC? */
bool rg_libssl_is_client_method(const struct rg_libssl *lib, const struct ssl_method_st *method);
bool rg_libssl_is_quic_method(const struct rg_libssl *lib, const struct ssl_method_st *method);

#endif
