/*
 * The program's OpenSSL error queue (ERR_get_error(3)): entries of ours, in whatever way a version
 * adds them. Called by the thread whose queue it is.
 */
#ifndef RG_ERRORS_H
#define RG_ERRORS_H

#include <stdbool.h>

#include "libssl/functions.h"

#define RG_REASON_NO_RENEGOTIATION 339	/* SSL_R_NO_RENEGOTIATION */
#define RG_REASON_SESSION_ATTACK   3999 /* ours; its string is ERR_TLS_SESSION_ATTACK */

/* Add ERR_LIB_SSL, REASON with TEXT as its data. */
void rg_libssl_raise(const struct rg_libssl *lib, int reason, const char *text);

/* Is the oldest or the newest entry ERR_LIB_SSL, REASON? */
bool rg_libssl_raised(const struct rg_libssl *lib, int reason);

#endif
