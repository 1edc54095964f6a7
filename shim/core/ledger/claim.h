/*
 * How a slot or an overflow record changes hands without a lock. Its `id` is 0 while it is free. It
 * is odd while the slot is taken: the hash of its client. Any other even number is a claim by a
 * thread that is about to take it: the upper 48 bits of its client's hash, then the time.
 *
 * A claim lasts only while a few integers are written. An older one belongs to a process that was
 * killed; it is stale, and anyone may take it over. Private to the ledger's own files.
 */
#ifndef RG_CLAIM_H
#define RG_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#define RG_CLAIM_UNIT_SHIFT  27 /* 134 ms */
#define RG_CLAIM_STALE_UNITS 8

/* The tag of a client's limit states. */
static inline uint16_t rg_tag(uint64_t id)
{
	return (uint16_t)(id >> 52);
}

/* The claim on a slot for client ID at NOW_NS. */
static inline uint64_t rg_claim_word(uint64_t id, uint64_t now_ns)
{
	return (id & ~UINT64_C(0xffff)) | (now_ns >> RG_CLAIM_UNIT_SHIFT & 0x7fff) << 1;
}

static inline bool rg_is_claim(uint64_t id)
{
	return id != 0 && (id & 1) == 0;
}

/* A claim may be newer than NOW_NS if another thread read the clock after us; it is not stale. */
static inline bool rg_claim_is_stale(uint64_t claim, uint64_t now_ns)
{
	uint64_t age = ((now_ns >> RG_CLAIM_UNIT_SHIFT) - (claim >> 1)) & 0x7fff;

	return age > RG_CLAIM_STALE_UNITS && age < 0x8000 - RG_CLAIM_STALE_UNITS;
}

/* Is CLAIM a claim for client ID? */
static inline bool rg_claims_same(uint64_t claim, uint64_t id)
{
	return rg_is_claim(claim) && claim >> 16 == id >> 16;
}

#endif
