/*
 * Makes libssl itself refuse a handshake, by public calls from the message callback, before any key
 * operation. Which call that takes depends on the version. Called by the thread that drives the
 * SSL. Nothing is returned: the hooks fail the calls on a refused SSL even if libssl does not
 * refuse.
 */
#ifndef RG_REFUSE_H
#define RG_REFUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "libssl/functions.h"

/* Call from the message callback at a ClientHello. The handshake will be a full one, even if the
 * client offers to resume a session. */
void rg_libssl_decline(const struct rg_libssl *lib, struct ssl_st *ssl);

/* What a refusal changed on an SSL, to be restored if the program reuses it. All zero: nothing. */
struct rg_refusal {
	uint32_t options;   /* bits that the refusal set */
	char *ciphers;	    /* the former cipher list, allocated by libssl; NULL: not changed */
	char *ciphersuites; /* the same of TLS 1.3 */
	/* rg_libssl_decline was used; what the session id context was is the caller's to know. */
	bool session_context;
};

/*
 * Call from the message callback at a ClientHello or HelloRequest. Makes libssl refuse the
 * handshake that it is about to begin, and notes in REFUSAL what was changed on SSL.
 *
 * From 1.1.1 on, a renegotiation is refused by SSL_OP_NO_RENEGOTIATION, which
 * tls_process_client_hello checks after the callback. A first handshake is refused by leaving no
 * version to share; RETRIED, after a HelloRetryRequest, by leaving no TLS 1.3 cipher. Before 1.1.1,
 * both are refused by leaving no cipher to share.
 */
void rg_libssl_refuse_renegotiation(const struct rg_libssl *lib, struct ssl_st *ssl,
				    struct rg_refusal *refusal);
void rg_libssl_refuse_handshake(const struct rg_libssl *lib, struct ssl_st *ssl, bool retried,
				struct rg_refusal *refusal);

/* The same for a ClientHello of DTLS that brings a cookie, if libssl is to check the cookie first:
 * by leaving no cipher to share. (3.2 and later choose the version before that.) */
void rg_libssl_refuse_after_cookie(const struct rg_libssl *lib, struct ssl_st *ssl,
				   struct rg_refusal *refusal);

/* Undo what the functions above changed on SSL, and free what REFUSAL holds. */
void rg_libssl_restore(const struct rg_libssl *lib, struct ssl_st *ssl, struct rg_refusal *refusal);

/* The SSL is being freed: only free what REFUSAL holds. */
void rg_libssl_drop_refusal(const struct rg_libssl *lib, struct rg_refusal *refusal);

#endif
