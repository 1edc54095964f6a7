/*
 * Writes the log lines of the contract (INTERFACE "Log lines"). The log's rate may hold a line
 * back; it is then counted as suppressed, and so is a line that cannot be delivered. Any thread may
 * call anything here, once the ledger exists. Nothing is returned.
 */
#ifndef RG_REPORT_H
#define RG_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "libssl/functions.h"
#include "os/process.h"
#include "rg_client.h"
#include "rg_event.h"
#include "rg_ledger.h"

/* Is a line due about the client KEY and EVENT, and does the rate allow it at
 * NOW_NS (rg_ledger_line_allowed)? */
bool rg_report_is_due(struct rg_key *key, enum rg_event event, uint64_t now_ns,
		      uint32_t *suppressed);

/* That line: ACTION was taken because of EVENT, the COUNTth, of the peer at PEER and PORT (0:
 * unknown). TLS: the version's name, or "". */
void rg_report_event(const struct rg_libssl *lib, enum rg_event event, enum rg_action action,
		     const struct rg_address *peer, uint16_t port, uint32_t count,
		     uint32_t suppressed, const char *tls);

/* Say what is guarded. Written once for each process tree (rg_process_tree). */
void rg_report_active(const struct rg_libssl *lib);

/* Say that LIB cannot be guarded. Written once for each process tree as well. */
void rg_report_unguarded(const struct rg_libssl *lib);

/* Count a connection of LIB that is not guarded, because there was no memory for its state, and
 * say so. Once for each process tree. */
void rg_report_no_memory(const struct rg_libssl *lib);

/* Say that this process may not ask who its clients are. Once for each process tree. */
void rg_report_hidden_clients(const struct rg_libssl *lib);

/* Say that the module at the path MODULE calls a libssl past all hooks. */
void rg_report_deepbind(const char *module);

/* Say what is BAD in the policy. Needs no ledger: the rate does not hold this line back. */
void rg_report_bad_variable(const struct rg_bad_variable *bad);

#endif
