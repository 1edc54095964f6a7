/*
 * Turns what happened into a line of the contract, under the log's rate. Any thread may call it.
 */
#ifndef RG_REPORT_H
#define RG_REPORT_H

#include <stdint.h>

#include "libssl/functions.h"
#include "os/process.h"
#include "rg_client.h"
#include "rg_event.h"
#include "rg_ledger.h"

/* ACTION was taken about EVENT of the client at PEER. TLS: the version's name, or "". */
void rg_report_event(const struct rg_libssl *lib, enum rg_event event, enum rg_action action,
		     const struct rg_address *peer, uint16_t port, const struct rg_result *result,
		     const char *tls);

/* Once for each process tree: what is guarded. */
void rg_report_active(const struct rg_libssl *lib);

/* Once for each process: LIB can not be guarded. */
void rg_report_unguarded(const struct rg_libssl *lib);

/* MODULE, a path, calls a libssl past all hooks. */
void rg_report_deepbind(const char *module);

/* BAD is wrong with the policy; the rate does not hold it back. */
void rg_report_bad_variable(const struct rg_bad_variable *bad);

#endif
