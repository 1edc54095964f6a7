/*
 * Maps each SSL, and each SSL_CTX, to our state for it, in this process. An entry is taken when the
 * SSL is made and released when it is freed, so a reused pointer never finds old state. Any thread
 * may call anything here, with a key that its own thread drives.
 *
 * The map is lock-free, and so usable in a child forked at any moment. A bucket has four entries
 * and fills a cache line. If a bucket is full, the next, larger level holds the entry. Levels are
 * never freed; they take 16 bytes for each entry. A few released states are kept for the next SSLs.
 * That spares a calloc(3) and a free(3): 300 instructions. The other states are freed.
 */
#ifndef RG_SSL_MAP_H
#define RG_SSL_MAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RG_SSL_MAP_WAYS 4
#define RG_SSL_MAP_BITS 7 /* of the first level: 128 buckets */

/* What stands in an entry that is no key's. NULL is no key either: libssl may report an object that
 * does not exist (SSL_new(NULL); LibreSSL's CRYPTO_dup_ex_data). */
#define RG_SSL_MAP_FREE ((uintptr_t)0)
#define RG_SSL_MAP_BUSY ((uintptr_t)1) /* being taken; never a key: those are aligned */

struct rg_ssl_entry {
	_Atomic uintptr_t key; /* the SSL, or one of the two above */
	void *state;	       /* NULL while the entry is free */
};

struct rg_ssl_bucket {
	struct rg_ssl_entry ways[RG_SSL_MAP_WAYS];
};

#pragma GCC visibility push(hidden)
extern struct rg_ssl_bucket rg_ssl_map_first[1 << RG_SSL_MAP_BITS];
#pragma GCC visibility pop

/* Which of 2^BITS buckets KEY belongs to. */
static inline size_t rg_ssl_map_hash(const void *key, unsigned bits)
{
	return (size_t)((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

/* The entry of KEY, which is a possible key, in any level; NULL if it has none. */
struct rg_ssl_entry *rg_ssl_map_search(const void *key);

/* The same for any KEY, even NULL. Most keys are the first of their bucket, and are found in eleven
 * instructions. */
static inline struct rg_ssl_entry *rg_ssl_map_find(const void *key)
{
	struct rg_ssl_entry *entry = rg_ssl_map_first[rg_ssl_map_hash(key, RG_SSL_MAP_BITS)].ways;

	if (__builtin_expect((uintptr_t)key <= RG_SSL_MAP_BUSY, 0))
		return NULL;
	if (__builtin_expect(
		atomic_load_explicit(&entry->key, memory_order_acquire) == (uintptr_t)key, 1))
		return entry;
	return rg_ssl_map_search(key);
}

/* The state of KEY; NULL if it has no entry. */
static inline void *rg_ssl_map_get(const void *key)
{
	const struct rg_ssl_entry *entry = rg_ssl_map_find(key);

	return entry != NULL ? entry->state : NULL;
}

/*
 * Make an entry for KEY, which must have none yet. Returns its state: BYTES of zeroed memory, the
 * same number in every call. NULL if there is no memory, or if KEY is NULL.
 */
void *rg_ssl_map_take(const void *key, size_t bytes);

/* Free ENTRY for another key. Its state must not be used any more. */
void rg_ssl_map_release(struct rg_ssl_entry *entry);

#endif
