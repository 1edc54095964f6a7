/*
 * One guarded connection. This module finds the events in its messages, has them recorded in the
 * ledger and has the verdict enforced. One thread at a time drives a connection, as libssl itself
 * demands for its SSL. Nothing here fails.
 */
#ifndef RG_CONNECTION_H
#define RG_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libssl/functions.h"
#include "libssl/refuse.h"
#include "libssl/versions.h"
#include "rg_handshake.h"
#include "rg_ledger.h"

/* The call of libssl that handles hellos whose sender has not proved its address. */
enum rg_inside { RG_INSIDE_NOTHING, RG_INSIDE_LISTEN, RG_INSIDE_STATELESS };

#define RG_SESSION_CONTEXT_MAX 32 /* SSL_MAX_SID_CTX_LENGTH */

/* A session id context, as SSL_set_session_id_context(3) takes it. */
struct rg_session_context {
	uint8_t length;
	uint8_t bytes[RG_SESSION_CONTEXT_MAX];
};

/* Kept from SSL_new to SSL_free (guard/states.h). All zero at first. */
struct rg_connection {
	const struct rg_libssl *lib;
	/* What the program set on the SSL or its context, or NULL. Our callback calls it. */
	rg_msg_callback *program_callback;
	struct rg_handshake handshake;
	struct rg_key key; /* valid if `identified`, like the next two */
	struct rg_address peer;
	uint16_t port;	    /* in host byte order; 0: unknown */
	bool needs_reset;   /* `handshake` or a field below may have changed since the last reset */
	bool called;	    /* for a handshake, by a function that never does anything else */
	bool peer_has_sent; /* anything at all, perhaps less than a ClientHello */
	struct rg_bytes_read bytes_before; /* read before this handshake */
	bool identified;		   /* key, peer, port and exempt are valid */
	bool exempt;			   /* counted, but never acted upon */
	bool restarted;	     /* reused after a handshake: the next ClientHello is a first one */
	bool block_checked;  /* this handshake has been checked against the block rules */
	uint8_t recorded;    /* enum rg_event of this first handshake, plus one; 0: none yet */
	bool recorded_over;  /* it was over its limit, */
	bool recorded_acted; /* and acted upon */
	bool incomplete_recorded;
	bool retried;	     /* this ClientHello is not the first of the handshake */
	bool unproven;	     /* the client's address may be forged: nothing is recorded yet */
	uint8_t inside;	     /* enum rg_inside */
	bool is_blocked;     /* `provisional` is the event by whose rule the client is blocked */
	uint8_t provisional; /* enum rg_event, plus one: refused before its address was proved */
	bool declined;	     /* a session id context of ours is on the SSL */
	struct rg_session_context session_context; /* the program's; of a context's entry, too */
	const struct ssl_ctx_st *context;	   /* from which the SSL has it */
	bool refused;				   /* every further call on the SSL fails */
	struct rg_refusal refusal;		   /* what the refusal changed on the SSL */
	struct bio_st *deaf;			   /* the BIO whose reads fail; NULL: none */
	uint8_t refused_event;			   /* enum rg_event: the reason */
	bool entry_is_marked; /* our entry on the error queue, raised in the call that goes on */
};

/*
 * Handle a message on SSL before libssl acts on it. The arguments are those of libssl's message
 * callback, in the same order, so that the callback can jump here. Does nothing if SSL has no
 * state.
 */
void rg_connection_message(bool written, int version, int content_type, const uint8_t *message,
			   size_t bytes, struct ssl_st *ssl);

/*
 * The program is about to call a function that may begin a handshake. Refuse the handshake now if
 * its client is blocked.
 */
void rg_connection_begin(struct rg_connection *connection, struct ssl_st *ssl);

/*
 * Call this after a call on SSL that did not succeed, while no handshake has been finished. libssl
 * does not report anything shorter than a whole ClientHello. So if the peer has sent anything, it
 * is identified here. If the call failed for good, its handshake is recorded as RG_INCOMPLETE.
 */
void rg_connection_check(struct rg_connection *connection, struct ssl_st *ssl);

/* SSL is reused or being FREED: record an unfinished handshake and undo a refusal. */
void rg_connection_end(struct rg_connection *connection, struct ssl_st *ssl, bool freed);

#endif
