/*
 * What others do with the same memory, in as far as it decides who is remembered: a table of
 * entries of 128 bytes in order of use. tests/daemons/rivals.sh holds these models against the
 * programs.
 *
 * nginx limit_req (ngx_http_limit_req_module.c, 1.22): a state is 128 bytes ("one megabyte can keep
 * about 8 thousand 128-byte states"); each request of an unknown address first drops up to two
 * states that were not used for a minute, and where the zone is full the least recently used one,
 * whatever it holds; the excess is a leaky bucket in thousandths of a request.
 *
 * HAProxy stick table (stick_table.c, 2.6), conn_rate(60s): an entry that was not used for `expire`
 * is dropped; where the table is full, the one that expires first, or with `nopurge` the new entry
 * is not made and the connection is not counted; the rate is that of two fixed windows, the elder
 * taken in proportion (read_freq_ctr_period).
 */
#ifndef RIVALS_H
#define RIVALS_H

#include <stdbool.h>
#include <stdint.h>

enum rival { RIVAL_NGINX, RIVAL_HAPROXY, RIVAL_HAPROXY_NOPURGE };

struct rivals;

#define RIVAL_ENTRY_BYTES 128

struct rivals *rivals_make(enum rival kind, uint64_t memory_bytes);
void rivals_free(struct rivals *rivals);

/* One event of CLIENT at NOW_NS: is it acted upon under 120/60s? */
bool rivals_event(struct rivals *rivals, uint32_t client, uint64_t now_ns);

/* Entries that had to go, or were not made. */
uint64_t rivals_lost(const struct rivals *rivals);

#endif
