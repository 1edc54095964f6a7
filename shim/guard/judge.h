/*
 * Judges the first handshakes of a connection: which event one is, full or an offer to resume, and
 * when that may be recorded. One handshake is one event. What the last ClientHello before the
 * server's answer says is what counts; if the answer shows that it was something else, the event is
 * taken back and the right one recorded. Called by the thread that drives the connection, from
 * libssl's message callback. Nothing here fails.
 */
#ifndef RG_JUDGE_H
#define RG_JUDGE_H

#include "guard/connection.h"

/* The program can use external PSKs: it set a callback for them, on any SSL or context. Until then
 * every PSK that a client offers is a session's. */
void rg_judge_external_psks(void);

/* A ClientHello of a first handshake was read. NEXT: it replaces the one before, after
 * HelloRetryRequest or HelloVerifyRequest. IS_DTLS: by the version of the message. */
void rg_judge_hello(struct rg_connection *connection, struct ssl_st *ssl, bool next, bool is_dtls);

/* libssl has answered with something other than HelloRetryRequest and HelloVerifyRequest. */
void rg_judge_answer(struct rg_connection *connection, struct ssl_st *ssl);

/* An alert was written. */
void rg_judge_alert(struct rg_connection *connection, struct ssl_st *ssl);

/* The handshake is over, or SSL is used for another; SSL is NULL if it is being freed. */
void rg_judge_end(struct rg_connection *connection, struct ssl_st *ssl);

#endif
