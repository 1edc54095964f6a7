/*
 * How libssl itself is made to refuse: by public calls, from the message callback at a ClientHello,
 * before any key operation. Which call it takes depends on the version.
 */
#ifndef RG_REFUSE_H
#define RG_REFUSE_H

#include <stdint.h>

#include "libssl/functions.h"

/* From the message callback at a ClientHello: a full handshake, whatever the client offers to
 * resume. */
void rg_libssl_decline(const struct rg_libssl *lib, struct ssl_st *ssl);

/* What a refusal changed on an SSL, for a program that uses the object again. All zero: nothing. */
struct rg_refusal {
	uint32_t options; /* bits that were not set before */
	char *ciphers;	  /* what the cipher list was, on the heap; NULL: it was not touched */
};

/*
 * From the message callback at a ClientHello or HelloRequest: make libssl refuse what it is about
 * to begin. What was changed is noted in REFUSAL.
 *
 * A renegotiation: from 1.1.1 on by SSL_OP_NO_RENEGOTIATION, which tls_process_client_hello checks
 * after the callback; before, by leaving no cipher to share. A first handshake: from 1.1.1 on by
 * leaving no version to share, before by leaving no cipher.
 */
void rg_libssl_refuse_renegotiation(const struct rg_libssl *lib, struct ssl_st *ssl,
				    struct rg_refusal *refusal);
void rg_libssl_refuse_handshake(const struct rg_libssl *lib, struct ssl_st *ssl,
				struct rg_refusal *refusal);

/* Make every later read from the peer fail at once, on a blocking socket too, without touching the
 * socket. */
void rg_libssl_block_reads(const struct rg_libssl *lib, struct ssl_st *ssl);

/* Give back what the three above changed. */
void rg_libssl_restore(const struct rg_libssl *lib, struct ssl_st *ssl, struct rg_refusal *refusal);

/* The SSL is being freed: there is nothing to give back. */
void rg_libssl_drop_refusal(struct rg_refusal *refusal);

#endif
