/*
 * Which state belongs to which SSL: a map from pointers to memory for this process. A place is
 * taken when the SSL is made and released when it is freed, so a pointer that is used again never
 * finds another's state. Lock-free, and so usable in a child forked at any moment: a bucket of four
 * places (a cache line) is searched as a whole, and where it is full the next, larger level has the
 * place. Levels are never freed; they take 16 bytes for each place. The states that
 * were released last, a handful for the process, are kept for the SSLs that come next, which spares
 * these calloc(3) and free(3): 300 instructions. What a burst of connections took is given back.
 */
#ifndef RG_REGISTRY_H
#define RG_REGISTRY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RG_REGISTRY_WAYS 4
#define RG_REGISTRY_BITS 7 /* of the first level: 128 buckets */

struct rg_place {
	_Atomic uintptr_t key; /* the SSL; 0: free; 1: being taken */
	void *state;
};

struct rg_bucket {
	struct rg_place ways[RG_REGISTRY_WAYS];
};

#pragma GCC visibility push(hidden)
extern struct rg_bucket rg_registry_first[1 << RG_REGISTRY_BITS];
#pragma GCC visibility pop

/* Which of 2^BITS buckets KEY belongs to. */
static inline size_t rg_registry_hash(const void *key, unsigned bits)
{
	return (size_t)((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

/* The place of KEY, wherever it is; NULL where it has none. */
struct rg_place *rg_registry_search(const void *key);

/* The same; most are the first of their bucket, and found in nine instructions. */
static inline struct rg_place *rg_registry_find(const void *key)
{
	struct rg_place *place = rg_registry_first[rg_registry_hash(key, RG_REGISTRY_BITS)].ways;

	if (__builtin_expect(
		atomic_load_explicit(&place->key, memory_order_acquire) == (uintptr_t)key, 1))
		return place;
	return rg_registry_search(key);
}

/* The state of KEY, or NULL. */
static inline void *rg_registry_get(const void *key)
{
	const struct rg_place *place = rg_registry_find(key);

	return place != NULL ? place->state : NULL;
}

/* A place for KEY, which must have none yet: its state, BYTES of zeroed memory (the same number in
 * every call). NULL where there is no memory. */
void *rg_registry_take(const void *key, size_t bytes);

/* PLACE is free for another key; its state must not be used any more. */
void rg_registry_release(struct rg_place *place);

#endif
