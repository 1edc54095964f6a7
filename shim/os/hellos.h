/*
 * The ClientHellos that came off this process's descriptors. The read hooks hand over what was
 * read. If it begins like a ClientHello, its random is kept with the sender's address. When libssl
 * reports a hello, its random tells whose it is, however the program got the bytes to libssl.
 *
 * Each descriptor has an entry of its own, so that no client can push another's out. Entries are
 * mapped when they are first needed; without memory there are none. Any thread or signal handler
 * may call anything here. Nothing waits, nothing fails, errno stays as it was.
 */
#ifndef RG_HELLOS_H
#define RG_HELLOS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "os/socket.h"
#include "rg_hello_random.h"

/* What a call has read. */
struct rg_read {
	int fd;
	const struct iovec *parts;
	size_t bytes;	    /* in all parts; at least 1 */
	const void *sender; /* the address the call gave, or NULL */
	size_t sender_bytes;
	bool only_datagram; /* if FD is a stream, the bytes in `parts` are not what was read */
};

#pragma GCC visibility push(hidden)
/* How many descriptors have the beginning of a hello, and not yet its random. */
extern _Atomic int rg_hellos_begun;
#pragma GCC visibility pop

/* Can a read that begins with the byte at DATA tell anything? No for nearly all that is not TLS. */
static inline bool rg_hellos_cares(const uint8_t *data)
{
	return __builtin_expect((rg_hello_may_begin[data[0]] |
				 atomic_load_explicit(&rg_hellos_begun, memory_order_relaxed)) != 0,
				0);
}

/* Keep what READ tells. */
void rg_hellos_note(const struct rg_read *read);

/* Who sent the hello with this RANDOM, if it came from FD: into *SENDER, unknown if FD is no
 * Internet socket. False if it did not. */
bool rg_hellos_find_on(int fd, const uint8_t random[RG_RANDOM_BYTES], struct rg_peer_name *sender);

/* The same, whichever descriptor it came from. If it came from several (a program that is its own
 * proxy), the last one counts. */
bool rg_hellos_find(const uint8_t random[RG_RANDOM_BYTES], struct rg_peer_name *sender);

#endif
