#include "core/ledger/claim.h"

/* Is CLAIM a claim for ID? */
static bool claims_same(uint64_t claim, uint64_t id)
{
	return rg_is_claim(claim) && claim >> 16 == id >> 16;
}

bool rg_claim_may_publish(_Atomic uint64_t ids[RG_CLAIM_IDS], unsigned mine, uint64_t id,
			  bool revoke_lower, uint64_t now_ns)
{
	for (unsigned i = 0; i < RG_CLAIM_IDS; i++) {
		for (unsigned tries = 0; i != mine; tries++) {
			uint64_t other = atomic_load(&ids[i]);

			if (other == id || (claims_same(other, id) && i < mine && !revoke_lower))
				return false;
			if (!claims_same(other, id) ||
			    (tries >= RG_CLAIM_TRIES &&
			     atomic_compare_exchange_strong(&ids[i], &other,
							    rg_claim_word(~id, now_ns))))
				break;
		}
	}
	return true;
}

void rg_claim_settle(_Atomic uint64_t ids[RG_CLAIM_IDS], uint64_t id, uint64_t now_ns)
{
	(void)rg_claim_may_publish(ids, RG_CLAIM_IDS, id, true, now_ns);
}
