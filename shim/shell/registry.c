#include "registry.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define WAYS	    8
#define FIRST_BITS  6 /* 64 buckets, 512 places */
#define GROWTH_BITS 3
#define BUSY	    ((uintptr_t)1) /* a place that is being filled; no key, for keys are aligned */

struct bucket {
	_Atomic uintptr_t keys[WAYS];
	void *values[WAYS];
};

struct level {
	struct bucket *buckets;
	unsigned bits;
	struct level *_Atomic next;
};

static struct bucket first_buckets[1 << FIRST_BITS];
static struct level first = {first_buckets, FIRST_BITS, NULL};

static struct bucket *bucket_of(const struct level *level, uintptr_t key)
{
	return &level->buckets[(uint64_t)key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - level->bits)];
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

bool rg_registry_put(const void *key, void *value)
{
	for (struct level *level = &first; level != NULL; level = grown(level)) {
		struct bucket *bucket = bucket_of(level, (uintptr_t)key);

		for (unsigned i = 0; i < WAYS; i++) {
			uintptr_t free_place = 0;

			if (!atomic_compare_exchange_strong(&bucket->keys[i], &free_place, BUSY))
				continue;
			bucket->values[i] = value;
			atomic_store_explicit(&bucket->keys[i], (uintptr_t)key,
					      memory_order_release);
			return true;
		}
	}
	return false;
}

/* Where KEY is: its bucket, and its place there in *WAY; NULL where it is not. */
static struct bucket *find(const void *key, unsigned *way)
{
	for (struct level *level = &first; level != NULL;
	     level = atomic_load_explicit(&level->next, memory_order_acquire)) {
		struct bucket *bucket = bucket_of(level, (uintptr_t)key);

		for (*way = 0; *way < WAYS; ++*way)
			if (atomic_load_explicit(&bucket->keys[*way], memory_order_acquire) ==
			    (uintptr_t)key)
				return bucket;
	}
	return NULL;
}

void *rg_registry_get(const void *key)
{
	unsigned way;
	const struct bucket *bucket = find(key, &way);

	return bucket != NULL ? bucket->values[way] : NULL;
}

void *rg_registry_take(const void *key)
{
	unsigned way;
	struct bucket *bucket = find(key, &way);
	void *value;

	if (bucket == NULL)
		return NULL;
	value = bucket->values[way];
	atomic_store_explicit(&bucket->keys[way], 0, memory_order_release);
	return value;
}
