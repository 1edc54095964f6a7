/*
 * Makes every read from the BIO of a refused connection fail, by the BIO's callback
 * (BIO_set_callback(3)), and gives the BIO back as it was: it may outlive the SSL. A callback that
 * the program has set goes on being called, but for reads. Called by the thread that drives the
 * SSL. Nothing here fails.
 */
#ifndef RG_DEAFEN_H
#define RG_DEAFEN_H

#include "libssl/functions.h"

/* Make every later read of SSL from its peer fail at once, even on a blocking socket. The socket
 * itself is not touched. *DEAF is the BIO, with a reference of ours; NULL if it was deaf already.
 */
void rg_libssl_deafen(const struct rg_libssl *lib, struct ssl_st *ssl, struct bio_st **deaf);

/* Undo that, and set *DEAF to NULL. Call it before SSL gets another BIO, and when it is freed. If
 * the program has set another callback meanwhile, that one stays. */
void rg_libssl_undeafen(const struct rg_libssl *lib, const struct ssl_st *ssl,
			struct bio_st **deaf);

#endif
