#include "os/ssl_map.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GROWTH_BITS 2

#define SPARES 4

struct level {
	struct rg_ssl_bucket *buckets;
	unsigned bits;
	struct level *_Atomic next;
};

_Alignas(sizeof(struct rg_ssl_bucket)) struct rg_ssl_bucket rg_ssl_map_first[1 << RG_SSL_MAP_BITS];
static struct level first = {rg_ssl_map_first, RG_SSL_MAP_BITS, NULL};

/* Released states, or NULL. The thread that swaps one out owns it. */
static void *_Atomic spares[SPARES];

static struct rg_ssl_entry *bucket_of(const struct level *level, const void *key)
{
	return level->buckets[rg_ssl_map_hash(key, level->bits)].ways;
}

static struct level *next_level(struct level *level)
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

static void *new_state(size_t bytes)
{
	for (unsigned i = 0; i < SPARES; i++) {
		void *state = atomic_load_explicit(&spares[i], memory_order_relaxed);

		if (state != NULL && (state = atomic_exchange(&spares[i], NULL)) != NULL)
			return memset(state, 0, bytes);
	}
	return calloc(1, bytes);
}

static void keep_or_free(void *state)
{
	for (unsigned i = 0; i < SPARES; i++) {
		void *empty = NULL;

		if (atomic_load_explicit(&spares[i], memory_order_relaxed) == NULL &&
		    atomic_compare_exchange_strong(&spares[i], &empty, state))
			return;
	}
	free(state);
}

/* Give ENTRY, which is BUSY and so ours alone, a new state and then its KEY. */
static void *fill_entry(struct rg_ssl_entry *entry, const void *key, size_t bytes)
{
	void *state = new_state(bytes);

	entry->state = state;
	atomic_store_explicit(&entry->key, state != NULL ? (uintptr_t)key : RG_SSL_MAP_FREE,
			      memory_order_release);
	return state;
}

void *rg_ssl_map_take(const void *key, size_t bytes)
{
	if ((uintptr_t)key <= RG_SSL_MAP_BUSY)
		return NULL;
	for (struct level *level = &first; level != NULL; level = next_level(level)) {
		struct rg_ssl_entry *entry = bucket_of(level, key);

		for (unsigned i = 0; i < RG_SSL_MAP_WAYS; i++, entry++) {
			uintptr_t free_entry = RG_SSL_MAP_FREE;

			if (atomic_load_explicit(&entry->key, memory_order_relaxed) == free_entry &&
			    atomic_compare_exchange_strong(&entry->key, &free_entry,
							   RG_SSL_MAP_BUSY))
				return fill_entry(entry, key, bytes);
		}
	}
	return NULL;
}

static inline struct rg_ssl_entry *search_bucket(struct rg_ssl_entry *entry, const void *key)
{
#pragma GCC unroll 4
	for (unsigned i = 0; i < RG_SSL_MAP_WAYS; i++)
		if (atomic_load_explicit(&entry[i].key, memory_order_acquire) == (uintptr_t)key)
			return &entry[i];
	return NULL;
}

struct rg_ssl_entry *rg_ssl_map_search(const void *key)
{
	size_t bucket = rg_ssl_map_hash(key, RG_SSL_MAP_BITS);
	struct rg_ssl_entry *entry = search_bucket(rg_ssl_map_first[bucket].ways, key);
	const struct level *level = &first;

	while (entry == NULL &&
	       (level = atomic_load_explicit(&level->next, memory_order_acquire)) != NULL)
		entry = search_bucket(bucket_of(level, key), key);
	return entry;
}

void rg_ssl_map_release(struct rg_ssl_entry *entry)
{
	void *state = entry->state;

	entry->state = NULL;
	atomic_store_explicit(&entry->key, RG_SSL_MAP_FREE, memory_order_release);
	keep_or_free(state);
}
