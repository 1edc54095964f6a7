/*
 * How a slot or an overflow record changes hands without a lock. Its `id` is 0 while it is free. It
 * is odd while it is taken: the hash of its client. Any other even number is a claim by a thread
 * that is about to take it: the upper 48 bits of the id that it will have, then the time.
 *
 * A claim lasts only while a few integers are written. An older one belongs to a process that was
 * killed; it is stale, and anyone may take it over. Private to the ledger's own files.
 */
#ifndef RG_CLAIM_H
#define RG_CLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RG_CLAIM_UNIT_SHIFT  27 /* 134 ms */
#define RG_CLAIM_STALE_UNITS 8

/* How often a thread retries while another thread's claim is in its way. */
#define RG_CLAIM_TRIES 2000

/* Ids whose claims are compared stand side by side. */
#define RG_CLAIM_IDS 8

/* The claim for ID at NOW_NS. */
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

/*
 * May the claim for ID on IDS[MINE] be published? Several threads may have claims for the same ID
 * at once, and only one may publish. The one with the higher place gives its claim up, and the
 * other waits for that. If it waits in vain, it revokes the higher claim: it replaces it by a claim
 * for nobody. The owner may be stopped between any two instructions; it then cannot publish any
 * more. And nobody else takes that place, in which the owner may still write, until the new claim
 * is stale. A caller that has given way often enough sets REVOKE_LOWER and revokes lower claims
 * too.
 */
bool rg_claim_may_publish(_Atomic uint64_t ids[RG_CLAIM_IDS], unsigned mine, uint64_t id,
			  bool revoke_lower, uint64_t now_ns);

/* Wait until ID is published or no claim for it is left; a claim that lasts is revoked. */
void rg_claim_settle(_Atomic uint64_t ids[RG_CLAIM_IDS], uint64_t id, uint64_t now_ns);

#endif
