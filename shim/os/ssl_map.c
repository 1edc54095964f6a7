#include "os/ssl_map.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GROWTH_BITS 2
#define BUSY	    ((uintptr_t)1) /* a place that is being taken; no key, for keys are aligned */

#define SPARES 4

struct level {
	struct rg_bucket *buckets;
	unsigned bits;
	struct level *_Atomic next;
};

_Alignas(sizeof(struct rg_bucket)) struct rg_bucket rg_registry_first[1 << RG_REGISTRY_BITS];
static struct level first = {rg_registry_first, RG_REGISTRY_BITS, NULL};

static void *_Atomic spares[SPARES]; /* released states, or NULL; whoever swaps one out owns it */

static struct rg_place *bucket_of(const struct level *level, const void *key)
{
	return level->buckets[rg_registry_hash(key, level->bits)].ways;
}

static struct level *grown(struct level *level)
{
	struct level *next = atomic_load_explicit(&level->next, memory_order_acquire), *made;

	if (next != NULL)
		return next;
	made = calloc(1, sizeof *made);
	if (made == NULL)
		return NULL;
	made->bits = level->bits + GROWTH_BITS;
	made->buckets = calloc((size_t)1 << made->bits, sizeof *made->buckets);
	if (made->buckets != NULL && atomic_compare_exchange_strong(&level->next, &next, made))
		return made;
	free(made->buckets);
	free(made);
	return next; /* another thread's, or NULL */
}

static void *zeroed(size_t bytes)
{
	for (unsigned i = 0; i < SPARES; i++) {
		void *state = atomic_load_explicit(&spares[i], memory_order_relaxed);

		if (state != NULL && (state = atomic_exchange(&spares[i], NULL)) != NULL)
			return memset(state, 0, bytes);
	}
	return calloc(1, bytes);
}

static void give_back(void *state)
{
	for (unsigned i = 0; i < SPARES; i++) {
		void *none = NULL;

		if (atomic_load_explicit(&spares[i], memory_order_relaxed) == NULL &&
		    atomic_compare_exchange_strong(&spares[i], &none, state))
			return;
	}
	free(state);
}

/* Make the state of PLACE, which is BUSY and so ours alone, and let KEY have it. */
static void *settle(struct rg_place *place, const void *key, size_t bytes)
{
	void *state = zeroed(bytes);

	place->state = state;
	atomic_store_explicit(&place->key, state != NULL ? (uintptr_t)key : 0,
			      memory_order_release);
	return state;
}

void *rg_registry_take(const void *key, size_t bytes)
{
	for (struct level *level = &first; level != NULL; level = grown(level)) {
		struct rg_place *place = bucket_of(level, key);

		for (unsigned i = 0; i < RG_REGISTRY_WAYS; i++, place++) {
			uintptr_t free_place = 0;

			if (atomic_load_explicit(&place->key, memory_order_relaxed) == 0 &&
			    atomic_compare_exchange_strong(&place->key, &free_place, BUSY))
				return settle(place, key, bytes);
		}
	}
	return NULL;
}

static inline struct rg_place *search_bucket(struct rg_place *place, const void *key)
{
#pragma GCC unroll 4
	for (unsigned i = 0; i < RG_REGISTRY_WAYS; i++)
		if (atomic_load_explicit(&place[i].key, memory_order_acquire) == (uintptr_t)key)
			return &place[i];
	return NULL;
}

struct rg_place *rg_registry_search(const void *key)
{
	size_t bucket = rg_registry_hash(key, RG_REGISTRY_BITS);
	struct rg_place *place = search_bucket(rg_registry_first[bucket].ways, key);
	const struct level *level = &first;

	while (place == NULL &&
	       (level = atomic_load_explicit(&level->next, memory_order_acquire)) != NULL)
		place = search_bucket(bucket_of(level, key), key);
	return place;
}

void rg_registry_release(struct rg_place *place)
{
	void *state = place->state;

	atomic_store_explicit(&place->key, 0, memory_order_release);
	give_back(state);
}
