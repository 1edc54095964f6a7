#include "os/hellos.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "os/process.h"

/* --- records: written by one thread, read by any --- */

struct hello {
	uint8_t random[RG_RANDOM_BYTES];
	uint32_t known; /* RG_RANDOM_KNOWN, or less while fragments are missing */
	uint32_t order; /* the more recent, the higher */
	struct rg_peer_name sender;
};
#define HELLO_WORDS (sizeof(struct hello) / sizeof(uint32_t))
_Static_assert(sizeof(struct hello) % sizeof(uint32_t) == 0, "it is copied by words");

/*
 * A sequence lock without a lock: `version` is odd while the words are being written, and 0 before
 * they ever were. Two threads do not read one descriptor at the same time, except datagrams, which
 * get a record each. If they do, the record is garbled and matches nothing.
 */
struct record {
	_Atomic uint32_t version;
	_Atomic uint32_t words[HELLO_WORDS];
};

static void copy_in(_Atomic uint32_t *to, const void *from, size_t words)
{
	uint32_t word;

	for (size_t i = 0; i < words; i++) {
		memcpy(&word, (const uint8_t *)from + i * sizeof word, sizeof word);
		atomic_store_explicit(&to[i], word, memory_order_release);
	}
}

static void copy_out(void *to, _Atomic uint32_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++) {
		uint32_t word = atomic_load_explicit(&from[i], memory_order_acquire);

		memcpy((uint8_t *)to + i * sizeof word, &word, sizeof word);
	}
}

static void write_record(struct record *record, struct hello *hello)
{
	static _Atomic uint32_t order;
	uint32_t version = atomic_load_explicit(&record->version, memory_order_relaxed) | 1;

	hello->order = atomic_fetch_add_explicit(&order, 1, memory_order_relaxed);
	atomic_store_explicit(&record->version, version, memory_order_relaxed);
	copy_in(record->words, hello, HELLO_WORDS);
	atomic_store_explicit(&record->version, version + 1, memory_order_release);
}

static bool read_record(struct record *record, struct hello *hello)
{
	uint32_t version = atomic_load_explicit(&record->version, memory_order_acquire);

	if (version == 0 || (version & 1) != 0)
		return false;
	copy_out(hello, record->words, HELLO_WORDS);
	return atomic_load_explicit(&record->version, memory_order_relaxed) == version;
}

static bool is_same(const struct rg_peer_name *a, const struct rg_peer_name *b)
{
	return a->port == b->port && a->address.family == b->address.family &&
	       a->address.scope == b->address.scope &&
	       memcmp(a->address.bytes, b->address.bytes, sizeof a->address.bytes) == 0;
}

/* --- entries, one for each descriptor --- */

#define CHUNK_ENTRIES	    1024
#define CHUNKS		    1024
#define STREAMS_KEPT	    2
#define HELLOS_KEPT	    2
#define SENDERS_KEPT	    256
#define DATAGRAM_PIECES_MAX 8
#define DATAGRAM_MAX_BYTES  2048 /* of one that was read in several parts */

#define STREAM_WORDS (sizeof(struct rg_hello_stream) / sizeof(uint32_t))
_Static_assert(sizeof(struct rg_hello_stream) % sizeof(uint32_t) == 0, "it is copied by words");

/* The hellos of an unconnected datagram socket, which has many senders: the last SENDERS_KEPT. */
struct senders {
	struct senders *next;
	_Atomic uint32_t count;
	struct record hellos[SENDERS_KEPT];
};

struct entry {
	/* Hellos that have begun: the oldest, and the newest. A read may be the continuation of
	 * one or begin another; both are followed until one of them is no hello. */
	_Atomic uint32_t begun; /* how many */
	_Atomic uint32_t streams[STREAMS_KEPT][STREAM_WORDS];
	/* rg_socket_number of the socket they came from; 0: not asked. */
	_Atomic uint32_t socket[2];
	/* Of a stream the first and the last hello of the connection: what a client sends behind
	 * its hello cannot hide it. Of a connected datagram socket the last two. */
	struct record hellos[HELLOS_KEPT];
	_Atomic uint32_t count;
	struct senders *_Atomic senders;
};

/* The tags of all entries lie side by side, so that a search passes 1,000 of them in a fifth of
 * a microsecond. A tag has 16 bits of each hello's random; 0: no hello. */
struct chunk {
	_Atomic uint32_t tags[CHUNK_ENTRIES];
	struct entry entries[CHUNK_ENTRIES];
};

static struct chunk *_Atomic chunks[CHUNKS];
static _Atomic int chunks_used; /* the highest index ever used, plus one */
static struct senders *_Atomic all_senders;
_Atomic int rg_hellos_begun;

static void *map(size_t bytes)
{
	void *memory =
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

static struct chunk *chunk_of(int fd)
{
	int index = fd / CHUNK_ENTRIES;

	return fd >= 0 && index < CHUNKS
		   ? atomic_load_explicit(&chunks[index], memory_order_acquire)
		   : NULL;
}

static struct entry *entry_of(int fd)
{
	struct chunk *chunk = chunk_of(fd);

	return chunk != NULL ? &chunk->entries[fd % CHUNK_ENTRIES] : NULL;
}

/* The same; an entry is made if there is none. NULL if there is no memory, or no place. */
static struct entry *make_entry(int fd)
{
	int index = fd / CHUNK_ENTRIES;
	struct chunk *made, *other = NULL;
	int used = atomic_load_explicit(&chunks_used, memory_order_relaxed);

	if (index >= CHUNKS || (made = map(sizeof *made)) == NULL)
		return NULL;
	if (!atomic_compare_exchange_strong(&chunks[index], &other, made))
		munmap(made, sizeof *made);
	else
		while (used <= index &&
		       !atomic_compare_exchange_weak(&chunks_used, &used, index + 1))
			;
	return entry_of(fd);
}

static uint32_t tag_of(const uint8_t random[RG_RANDOM_BYTES])
{
	uint32_t tag = (uint32_t)random[0] << 8 | random[1];

	return tag != 0 ? tag : 1;
}

static void set_tag(int fd, struct entry *entry)
{
	uint32_t tag = 0;
	struct hello hello;

	for (int i = 0; i < HELLOS_KEPT; i++)
		tag =
		    tag << 16 | (read_record(&entry->hellos[i], &hello) ? tag_of(hello.random) : 0);
	atomic_store_explicit(&chunk_of(fd)->tags[fd % CHUNK_ENTRIES], tag, memory_order_release);
}

/* --- streams --- */

/* Only so much of a stream is copied as it has of its prefix. */
static size_t words_of(const struct rg_hello_stream *stream)
{
	return (offsetof(struct rg_hello_stream, prefix) + stream->filled + sizeof(uint32_t) - 1) /
	       sizeof(uint32_t);
}

static void load_stream(struct rg_hello_stream *stream, _Atomic uint32_t *words)
{
	copy_out(stream, words, words_of(stream));
	copy_out(stream, words, words_of(stream));
}

/* The first hello of a connection stays; the others take each other's place. */
static void keep_stream_hello(struct entry *entry, int fd, const uint8_t *random)
{
	struct hello hello = {.known = RG_RANDOM_KNOWN}, first;
	bool is_first;

	memcpy(hello.random, random, sizeof hello.random);
	(void)rg_socket_peer(fd, &hello.sender);
	is_first =
	    !read_record(&entry->hellos[0], &first) || !is_same(&first.sender, &hello.sender);
	write_record(&entry->hellos[is_first ? 0 : 1], &hello);
	set_tag(fd, entry);
}

static enum rg_hello_found feed(struct rg_hello_stream *stream, const struct rg_read *read)
{
	enum rg_hello_found found = RG_HELLO_PARTIAL;
	size_t left = read->bytes;

	for (const struct iovec *part = read->parts; left != 0; part++) {
		size_t bytes = part->iov_len < left ? part->iov_len : left;

		if (bytes == 0)
			continue;
		found = rg_hello_stream_feed(stream, part->iov_base, bytes);
		if (found == RG_HELLO_WHOLE)
			return found;
		/* NONE between two parts means that the next part begins anew. */
		if (found == RG_HELLO_NONE)
			memset(stream, 0, sizeof *stream);
		left -= bytes;
	}
	return found;
}

static void set_begun(struct entry *entry, uint32_t before, uint32_t begun)
{
	if (begun == before)
		return;
	atomic_store_explicit(&entry->begun, begun, memory_order_relaxed);
	if ((begun != 0) != (before != 0))
		atomic_fetch_add_explicit(&rg_hellos_begun, begun != 0 ? 1 : -1,
					  memory_order_relaxed);
}

/*
 * Feed what was read to the hellos that have begun on this descriptor, and to a new one. The
 * program may have closed the descriptor since, and its number may be another socket's now: then
 * what had begun is forgotten. A hello of which only a record header is known needs no such
 * question: see rg_hello_stream_is_header.
 */
static void note_stream(struct entry *entry, const struct rg_read *read, bool may_begin)
{
	uint32_t before = atomic_load_explicit(&entry->begun, memory_order_relaxed);
	uint32_t continued = before, begun = 0;
	uint64_t socket = 0, now = 0;
	bool has_socket = false;

	copy_out(&socket, entry->socket, 2);
	if (before != 0 && socket != 0 && (now = rg_socket_number(read->fd)) != socket)
		continued = 0;
	for (uint32_t i = 0; i < continued + may_begin; i++) {
		struct rg_hello_stream stream = {0};
		enum rg_hello_found found;

		if (i < continued)
			load_stream(&stream, entry->streams[i]);
		found = feed(&stream, read);
		if (found == RG_HELLO_WHOLE)
			keep_stream_hello(entry, read->fd, rg_hello_stream_random(&stream));
		if (found != RG_HELLO_PARTIAL)
			continue;
		begun -= begun == STREAMS_KEPT; /* the newest takes the last place */
		copy_in(entry->streams[begun++], &stream, words_of(&stream));
		has_socket |= !rg_hello_stream_is_header(&stream);
	}
	if (has_socket && now == 0)
		now = rg_socket_number(read->fd);
	now = has_socket ? now : 0;
	if (begun != 0)
		copy_in(entry->socket, &now, 2);
	set_begun(entry, before, begun);
}

/* --- datagrams --- */

static struct senders *senders_of(struct entry *entry)
{
	struct senders *senders = atomic_load_explicit(&entry->senders, memory_order_acquire);
	struct senders *made;

	if (senders != NULL || (made = map(sizeof *made)) == NULL)
		return senders;
	if (!atomic_compare_exchange_strong(&entry->senders, &senders, made)) {
		munmap(made, sizeof *made);
		return senders;
	}
	made->next = atomic_load(&all_senders);
	while (!atomic_compare_exchange_weak(&all_senders, &made->next, made))
		;
	return made;
}

/* Find an unfinished hello of the sender of HELLO among the RECORDS, and add it to *HELLO. */
static struct record *find_rest(struct record *records, uint32_t count, struct hello *hello)
{
	struct hello rest;

	for (uint32_t i = 0; i < count; i++) {
		if (!read_record(&records[i], &rest) || rest.known == RG_RANDOM_KNOWN ||
		    !is_same(&rest.sender, &hello->sender))
			continue;
		for (uint32_t byte = 0; byte < RG_RANDOM_BYTES; byte++)
			if ((hello->known >> byte & 1) == 0)
				hello->random[byte] = rest.random[byte];
		hello->known |= rest.known;
		return &records[i];
	}
	return NULL;
}

static void keep_piece(struct record *records, uint32_t kept, _Atomic uint32_t *count,
		       const struct rg_hello_piece *piece, const struct rg_peer_name *sender)
{
	struct hello hello = {.known = piece->known, .sender = *sender};
	struct record *record = NULL;

	memcpy(hello.random, piece->random, sizeof hello.random);
	if (hello.known != RG_RANDOM_KNOWN)
		record = find_rest(records, kept, &hello);
	if (record == NULL)
		record = &records[atomic_fetch_add_explicit(count, 1, memory_order_relaxed) % kept];
	write_record(record, &hello);
}

static void note_datagram(struct entry *entry, const struct rg_read *read, const uint8_t *data,
			  size_t bytes)
{
	struct rg_hello_datagram datagram = {.data = data, .bytes = bytes};
	struct rg_hello_piece piece;
	struct rg_peer_name sender;
	struct senders *senders;
	bool connected;
	int pieces = 0;

	if (!rg_hello_is_dtls(data, bytes) || !rg_hello_datagram_next(&datagram, &piece))
		return;
	connected = rg_socket_peer(read->fd, &sender) == RG_SOCKET_CONNECTED;
	senders = connected ? NULL : senders_of(entry);
	if (!connected && senders == NULL)
		return;
	if (!connected)
		sender = rg_socket_peer_name(read->sender, read->sender_bytes);
	do {
		if (connected)
			keep_piece(entry->hellos, HELLOS_KEPT, &entry->count, &piece, &sender);
		else
			keep_piece(senders->hellos, SENDERS_KEPT, &senders->count, &piece, &sender);
	} while (++pieces < DATAGRAM_PIECES_MAX && rg_hello_datagram_next(&datagram, &piece));
	if (connected)
		set_tag(read->fd, entry);
}

/* Datagrams are read as a whole, mostly into one part. */
static void note_datagram_parts(struct entry *entry, const struct rg_read *read)
{
	uint8_t whole[DATAGRAM_MAX_BYTES];
	size_t filled = 0;

	if (read->parts->iov_len >= read->bytes) {
		note_datagram(entry, read, read->parts->iov_base, read->bytes);
		return;
	}
	for (const struct iovec *part = read->parts; filled < read->bytes && filled < sizeof whole;
	     part++) {
		size_t bytes = part->iov_len, room = sizeof whole - filled;

		bytes = bytes < read->bytes - filled ? bytes : read->bytes - filled;
		bytes = bytes < room ? bytes : room;
		memcpy(whole + filled, part->iov_base, bytes);
		filled += bytes;
	}
	note_datagram(entry, read, whole, filled);
}

void rg_hellos_note(const struct rg_read *read)
{
	const uint8_t *data = read->parts->iov_base;
	bool may_begin = rg_hello_may_begin[data[0]] != 0;
	struct entry *entry = entry_of(read->fd);
	int saved = errno;

	/* Without a ledger nothing is guarded, and no hello will be looked for. */
	if (rg_process_ledger() == NULL)
		return;
	if (entry == NULL && may_begin)
		entry = make_entry(read->fd);
	if (entry != NULL && !read->only_datagram &&
	    (may_begin || atomic_load_explicit(&entry->begun, memory_order_relaxed) != 0))
		note_stream(entry, read, may_begin);
	if (entry != NULL && may_begin &&
	    (read->parts->iov_len == 1 || rg_hello_is_dtls(data, read->parts->iov_len)))
		note_datagram_parts(entry, read);
	errno = saved;
}

/* --- searches --- */

struct match {
	struct hello hello;
	bool found;
};

/* Keep the most recent hello among the RECORDS that has this RANDOM. */
static void match_records(struct record *records, size_t count, const uint8_t *random,
			  struct match *match)
{
	struct hello hello;

	for (size_t i = 0; i < count; i++)
		if (read_record(&records[i], &hello) && hello.known == RG_RANDOM_KNOWN &&
		    memcmp(hello.random, random, RG_RANDOM_BYTES) == 0 &&
		    (!match->found || (int32_t)(hello.order - match->hello.order) > 0)) {
			match->hello = hello;
			match->found = true;
		}
}

static bool result_of(const struct match *match, struct rg_peer_name *sender)
{
	if (match->found)
		*sender = match->hello.sender;
	return match->found;
}

bool rg_hellos_find_on(int fd, const uint8_t random[RG_RANDOM_BYTES], struct rg_peer_name *sender)
{
	struct entry *entry = entry_of(fd);
	struct match match = {.found = false};
	struct senders *senders;

	if (entry == NULL)
		return false;
	match_records(entry->hellos, HELLOS_KEPT, random, &match);
	senders = atomic_load_explicit(&entry->senders, memory_order_acquire);
	if (senders != NULL)
		match_records(senders->hellos, SENDERS_KEPT, random, &match);
	return result_of(&match, sender);
}

#define BLOCK_TAGS 32

/* Eight tags at once. */
typedef uint16_t tags_vector __attribute__((vector_size(16), may_alias));

/*
 * Has one of the BLOCK_TAGS entries at TAGS this TAG? They are read without regard to who writes
 * them, which the vector units can; an entry that has the tag is read again.
 */
static __attribute__((no_sanitize("thread"))) bool has_tag(const void *tags, uint16_t tag)
{
	const tags_vector *vectors = tags;
	tags_vector found = {0};
	uint64_t any[2];

	for (size_t i = 0; i < BLOCK_TAGS * sizeof(uint32_t) / sizeof *vectors; i++)
		found |= (tags_vector)(vectors[i] == tag);
	memcpy(any, &found, sizeof any);
	return (any[0] | any[1]) != 0;
}

static void match_chunk(struct chunk *chunk, const uint8_t *random, struct match *match)
{
	uint16_t tag = (uint16_t)tag_of(random);

	for (size_t block = 0; block < CHUNK_ENTRIES; block += BLOCK_TAGS) {
		if (!has_tag(&chunk->tags[block], tag))
			continue;
		for (size_t i = block; i < block + BLOCK_TAGS; i++) {
			uint32_t tags = atomic_load_explicit(&chunk->tags[i], memory_order_acquire);

			if (tags >> 16 == tag || (uint16_t)tags == tag)
				match_records(chunk->entries[i].hellos, HELLOS_KEPT, random, match);
		}
	}
}

bool rg_hellos_find(const uint8_t random[RG_RANDOM_BYTES], struct rg_peer_name *sender)
{
	int used = atomic_load_explicit(&chunks_used, memory_order_acquire);
	struct match match = {.found = false};
	struct senders *senders = atomic_load_explicit(&all_senders, memory_order_acquire);

	for (int i = 0; i < used; i++) {
		struct chunk *chunk = atomic_load_explicit(&chunks[i], memory_order_acquire);

		if (chunk != NULL)
			match_chunk(chunk, random, &match);
	}
	for (; senders != NULL; senders = senders->next)
		match_records(senders->hellos, SENDERS_KEPT, random, &match);
	return result_of(&match, sender);
}
