/*
 * How versions of libssl differ: indices, option words, and what a connection can be asked. A fact
 * about a version is named where it is used; no other file but refuse.c and errors.c knows any.
 */
#ifndef RG_VERSIONS_H
#define RG_VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "libssl/functions.h"

/* OPENSSL_VERSION_NUMBER of the releases at which something changed. */
#define RG_OPENSSL_1_1_1 0x10101000UL
#define RG_OPENSSL_3_0	 0x30000000UL
#define RG_OPENSSL_3_2	 0x30200000UL

/* A function of ours that libssl calls when an SSL or a context is freed
 * (CRYPTO_get_ex_new_index(3)). */
typedef void rg_ex_free(void *parent, void *data, struct crypto_ex_data_st *ad, int index,
			long argl, void *argp);

/* Take our index of contexts, for RELEASE_CONTEXT too, and one of connections for RELEASE. 0, or
 * -1: the library cannot be guarded. */
int rg_libssl_take_indices(struct rg_libssl *lib, rg_ex_free *release, rg_ex_free *release_context);

/* Set and clear BITS of SSL's option word, and read it. All bits in use here fit in 32. */
void rg_libssl_set_options(const struct rg_libssl *lib, struct ssl_st *ssl, uint32_t bits);
void rg_libssl_clear_options(const struct rg_libssl *lib, struct ssl_st *ssl, uint32_t bits);
uint64_t rg_libssl_options(const struct rg_libssl *lib, struct ssl_st *ssl);

/* Can the server side of SSL negotiate TLS 1.3? */
bool rg_libssl_speaks_tls13(const struct rg_libssl *lib, struct ssl_st *ssl);

/* Has no handshake been finished on SSL since it was made or cleared? */
bool rg_libssl_is_pristine(const struct rg_libssl *lib, const struct ssl_st *ssl);

/* How many bytes libssl had read from which BIO. All zero: none yet. */
struct rg_bytes_read {
	const struct bio_st *bio;
	unsigned long bytes;
};

/* Note what has been read on SSL by now. */
void rg_libssl_note_bytes_read(const struct rg_libssl *lib, struct ssl_st *ssl,
			       struct rg_bytes_read *read);

/* Has anything been read since BEFORE, on a stream? Never on DTLS: until a ClientHello has its
 * cookie, a datagram may be anybody's. */
bool rg_libssl_has_read(const struct rg_libssl *lib, struct ssl_st *ssl,
			const struct rg_bytes_read *before);

/* The call before did not succeed: for good? False while SSL waits for its peer or the program. */
bool rg_libssl_has_failed(const struct rg_libssl *lib, struct ssl_st *ssl);

/* May an SSL be asked in the function of rg_libssl_take_indices? 3.2 and later free its parts
 * first. */
bool rg_libssl_is_whole_when_freed(const struct rg_libssl *lib);

#endif
