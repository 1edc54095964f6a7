/*
 * How a place or a seat changes hands without a lock. Its `id` is 0 where it is free, odd (the hash
 * of its client) where it is taken, and even while somebody claims it: the upper 48 bits of his
 * client's hash, then the time of the claim.
 *
 * A claim lasts as long as writing a few words does. One that is older belongs to a process that
 * was killed, and anyone may take it over.
 */
#ifndef RG_CLAIM_H
#define RG_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#define RG_CLAIM_UNIT_SHIFT  27 /* 134 ms */
#define RG_CLAIM_STALE_UNITS 8

/* What marks a client's words of rg_limit. */
static inline uint16_t rg_tag(uint64_t id)
{
	return (uint16_t)(id >> 52);
}

static inline uint64_t rg_claim_word(uint64_t id, uint64_t now_ns)
{
	return (id & ~UINT64_C(0xffff)) | (now_ns >> RG_CLAIM_UNIT_SHIFT & 0x7fff) << 1;
}

static inline bool rg_is_claim(uint64_t id)
{
	return id != 0 && (id & 1) == 0;
}

/* A claim from the future was made by someone whose clock was read after ours. */
static inline bool rg_claim_is_stale(uint64_t claim, uint64_t now_ns)
{
	uint64_t age = ((now_ns >> RG_CLAIM_UNIT_SHIFT) - (claim >> 1)) & 0x7fff;

	return age > RG_CLAIM_STALE_UNITS && age < 0x8000 - RG_CLAIM_STALE_UNITS;
}

static inline bool rg_claims_same(uint64_t claim, uint64_t id)
{
	return rg_is_claim(claim) && claim >> 16 == id >> 16;
}

#endif
