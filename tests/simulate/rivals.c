#include "rivals.h"

#include <stdlib.h>

#define COUNT	  120
#define PERIOD_MS 60000
#define NONE	  UINT32_MAX

struct entry {
	uint32_t client;
	uint32_t chain;	       /* the next in its bucket, or the next free one */
	uint32_t newer, older; /* in order of use */
	uint64_t used_ms;
	uint64_t excess; /* nginx: thousandths of a request */
	uint64_t window; /* HAProxy: when the current window began */
	uint32_t current, previous;
};

struct rivals {
	enum rival kind;
	uint32_t size, used, free;
	uint32_t newest, oldest;
	uint64_t lost;
	uint32_t buckets; /* a power of two */
	uint32_t *heads;
	struct entry *entries;
};

struct rivals *rivals_make(enum rival kind, uint64_t memory_bytes)
{
	struct rivals *r = calloc(1, sizeof *r);

	if (r == NULL)
		abort();
	*r = (struct rivals){.kind = kind, .free = NONE, .newest = NONE, .oldest = NONE};
	r->size = (uint32_t)(memory_bytes / RIVAL_ENTRY_BYTES);
	for (r->buckets = 1; r->buckets < r->size; r->buckets *= 2)
		;
	r->heads = malloc(r->buckets * sizeof *r->heads);
	r->entries = calloc(r->size, sizeof *r->entries);
	if (r->heads == NULL || r->entries == NULL)
		abort();
	for (uint32_t i = 0; i < r->buckets; i++)
		r->heads[i] = NONE;
	return r;
}

void rivals_free(struct rivals *r)
{
	free(r->heads);
	free(r->entries);
	free(r);
}

uint64_t rivals_lost(const struct rivals *r)
{
	return r->lost;
}

static uint32_t *head_of(struct rivals *r, uint32_t client)
{
	return &r->heads[(uint32_t)(client * UINT64_C(0x9e3779b97f4a7c15) >> 32) &
			 (r->buckets - 1)];
}

static void unlink_entry(struct rivals *r, uint32_t i)
{
	struct entry *entry = &r->entries[i];

	*(entry->newer != NONE ? &r->entries[entry->newer].older : &r->newest) = entry->older;
	*(entry->older != NONE ? &r->entries[entry->older].newer : &r->oldest) = entry->newer;
}

static void link_newest(struct rivals *r, uint32_t i)
{
	r->entries[i].newer = NONE;
	r->entries[i].older = r->newest;
	*(r->newest != NONE ? &r->entries[r->newest].newer : &r->oldest) = i;
	r->newest = i;
}

static void drop_oldest(struct rivals *r)
{
	uint32_t i = r->oldest, *at = head_of(r, r->entries[i].client);

	while (*at != i)
		at = &r->entries[*at].chain;
	*at = r->entries[i].chain;
	unlink_entry(r, i);
	r->entries[i].chain = r->free;
	r->free = i;
}

static bool oldest_expired(const struct rivals *r, uint64_t now_ms)
{
	return r->oldest != NONE && now_ms - r->entries[r->oldest].used_ms >= PERIOD_MS;
}

/* A new entry for CLIENT. NULL if the table is full and does not purge. */
static struct entry *make(struct rivals *r, uint32_t client, uint64_t now_ms)
{
	unsigned expired = r->kind == RIVAL_NGINX ? 2 : 100;
	uint32_t i, *head = head_of(r, client);

	while (expired-- != 0 && oldest_expired(r, now_ms))
		drop_oldest(r);
	if (r->free == NONE && r->used == r->size) {
		r->lost++;
		if (r->kind == RIVAL_HAPROXY_NOPURGE)
			return NULL;
		drop_oldest(r);
	}
	i = r->free;
	if (i != NONE)
		r->free = r->entries[i].chain;
	else
		i = r->used++;
	r->entries[i] = (struct entry){.client = client, .chain = *head, .used_ms = now_ms};
	*head = i;
	link_newest(r, i);
	return &r->entries[i];
}

static bool nginx_event(struct entry *entry, uint64_t now_ms)
{
	uint64_t drained = (now_ms - entry->used_ms) * COUNT * 1000 / PERIOD_MS;
	uint64_t excess = (entry->excess > drained ? entry->excess - drained : 0) + 1000;

	entry->used_ms = now_ms;
	if (excess > COUNT * 1000)
		return true;
	entry->excess = excess;
	return false;
}

static bool haproxy_event(struct entry *entry, uint64_t now_ms)
{
	uint64_t window = now_ms / PERIOD_MS, left = PERIOD_MS - now_ms % PERIOD_MS;

	if (window != entry->window) {
		entry->previous = window == entry->window + 1 ? entry->current : 0;
		entry->current = 0;
		entry->window = window;
	}
	entry->current++;
	entry->used_ms = now_ms;
	return entry->current + entry->previous * left / PERIOD_MS > COUNT;
}

bool rivals_event(struct rivals *r, uint32_t client, uint64_t now_ns)
{
	uint64_t now_ms = now_ns / 1000000;
	uint32_t i = *head_of(r, client);
	struct entry *entry;

	while (i != NONE && r->entries[i].client != client)
		i = r->entries[i].chain;
	if (i != NONE) {
		unlink_entry(r, i);
		link_newest(r, i);
		entry = &r->entries[i];
	} else {
		entry = make(r, client, now_ms);
	}
	if (entry == NULL)
		return false;
	return r->kind == RIVAL_NGINX ? nginx_event(entry, now_ms) : haproxy_event(entry, now_ms);
}
