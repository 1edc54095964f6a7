/*
 * Our entries on OpenSSL's error queue (ERR_get_error(3)), added in the way each version offers.
 * Each thread has a queue of its own; called by the thread that drives the connection.
 */
#ifndef RG_ERRORS_H
#define RG_ERRORS_H

#include <stdbool.h>

#include "libssl/functions.h"

/*
 * libssl reports alerts of the peer by these. A daemon takes them for the client's fault, and logs
 * it as it logs other clients' faults: nginx at `info`, and what it does not know at `crit`
 * (ngx_ssl_connection_error).
 */
#define RG_REASON_NO_RENEGOTIATION 1100 /* SSL_R_TLSV1_ALERT_NO_RENEGOTIATION */
#define RG_REASON_ACCESS_DENIED	   1049 /* SSL_R_TLSV1_ALERT_ACCESS_DENIED */

/* Add an entry of ERR_LIB_SSL with REASON and TEXT as its data. A libssl without any of the
 * functions for this gets no entry. */
void rg_libssl_raise(const struct rg_libssl *lib, int reason, const char *text);

/* Is the oldest or the newest entry one of ERR_LIB_SSL with REASON? Changes nothing. */
bool rg_libssl_raised(const struct rg_libssl *lib, int reason);

/* Is the newest entry libssl's own complaint that no cipher is shared? */
bool rg_libssl_lacks_cipher(const struct rg_libssl *lib);

/* Empty the queue if an entry of ours is on it, oldest or newest. */
void rg_libssl_clear_raised(const struct rg_libssl *lib);

#endif
