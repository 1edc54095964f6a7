/*
 * Models of what other programs do with the same memory, as far as it decides which clients are
 * remembered. Each is a table of 128-byte entries in order of use. tests/daemons/rivals.sh compares
 * the models with the real programs. Memory that cannot be allocated ends the program.
 *
 * nginx limit_req (ngx_http_limit_req_module.c, 1.22): a state is 128 bytes ("one megabyte can keep
 * about 8 thousand 128-byte states"). Each request of an unknown address first drops up to two
 * states that were not used for a minute. If the zone is full, it drops the least recently used
 * state, whatever that holds. The excess is a leaky bucket in thousandths of a request.
 *
 * HAProxy stick table (stick_table.c, 2.6), conn_rate(60s): an entry that was not used for `expire`
 * is dropped. If the table is full, the entry that expires first is dropped. With `nopurge` the new
 * entry is not made instead, and the connection is not counted. The rate comes from two fixed
 * windows, of which the elder is taken in proportion (read_freq_ctr_period).
 */
#ifndef RIVALS_H
#define RIVALS_H

#include <stdbool.h>
#include <stdint.h>

enum rival { RIVAL_NGINX, RIVAL_HAPROXY, RIVAL_HAPROXY_NOPURGE };

struct rivals;

#define RIVAL_ENTRY_BYTES 128

/* A table that fills MEMORY_BYTES. */
struct rivals *rivals_make(enum rival kind, uint64_t memory_bytes);
void rivals_free(struct rivals *rivals);

/* Record one event of CLIENT at NOW_NS. Is it acted upon under 120/60s? */
bool rivals_event(struct rivals *rivals, uint32_t client, uint64_t now_ns);

/* How many entries were dropped because the table was full, or were not made. */
uint64_t rivals_lost(const struct rivals *rivals);

#endif
