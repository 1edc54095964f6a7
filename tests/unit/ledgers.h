/*
 * Ledgers for the tests. Their memory lies between two inaccessible pages and ends right before the
 * second, so an access outside crashes. Forked processes share it.
 */
#ifndef LEDGERS_H
#define LEDGERS_H

#include <sys/mman.h>
#include <unistd.h>

#include "rg_ledger.h"
#include "unit.h"

/* A ledger for CLIENTS clients. It is never freed: each test is a process of its own. */
static inline struct rg_ledger *ledger_for(uint32_t clients)
{
	static const uint8_t seed[16] = "a seed of 16 byt";
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = rg_ledger_bytes(clients);
	size_t pages = (bytes + page - 1) / page * page;
	uint8_t *memory =
	    mmap(NULL, pages + 2 * page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	struct rg_ledger *ledger = calloc(1, sizeof *ledger);

	ck_assert(memory != MAP_FAILED && ledger != NULL);
	ck_assert_int_eq(mprotect(memory + page, pages, PROT_READ | PROT_WRITE), 0);
	rg_ledger_make(ledger, memory + page + pages - bytes, clients, seed, 0);
	return ledger;
}

/* The client with the address 10.x.x.x, x.x.x being NUMBER. */
static inline struct rg_client client_number(uint32_t number)
{
	uint8_t address[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};

	return (struct rg_client){.base = rg_address_ipv4(address)};
}

static inline struct rg_key key_number(const struct rg_ledger *ledger, uint32_t number)
{
	struct rg_client client = client_number(number);

	return rg_ledger_key(ledger, &client);
}

/* Record a resumption, which leaves no trace if it is over LIMIT. */
static inline struct rg_result record(struct rg_ledger *ledger, struct rg_key *key,
				      const struct rg_limit *limit, uint64_t now_ns)
{
	return rg_ledger_record(ledger, key, RG_RESUMPTION, limit, false, now_ns);
}

static inline bool same_client(const struct rg_client *a, const struct rg_client *b)
{
	return memcmp(a->base.bytes, b->base.bytes, sizeof a->base.bytes) == 0 &&
	       a->base.family == b->base.family && a->base.scope == b->base.scope &&
	       a->exempt == b->exempt;
}

/* How many slots CLIENT has. ACCOUNT, unless NULL, gets the account in the last of them. */
static inline unsigned slots_of(const struct rg_ledger *ledger, struct rg_client client,
				struct rg_account *account)
{
	struct rg_account found;
	unsigned count = 0;

	for (uint32_t slot = 0; slot < rg_ledger_slots(ledger); slot++)
		if (rg_ledger_account(ledger, slot, &found) &&
		    same_client(&found.client, &client)) {
			if (account != NULL)
				*account = found;
			count++;
		}
	return count;
}

static inline unsigned slots_taken(const struct rg_ledger *ledger)
{
	struct rg_account account;
	unsigned count = 0;

	for (uint32_t slot = 0; slot < rg_ledger_slots(ledger); slot++)
		count += rg_ledger_account(ledger, slot, &account);
	return count;
}

#endif
