/*
 * Addresses, networks and clients. An address is where a connection comes from. A client is what
 * the policy counts: an address cut to a prefix. They are separate types, so code that counts an
 * uncut address does not compile. An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) becomes the IPv4
 * address. A peer whose address is not known has the family RG_UNKNOWN. Pure: no system calls, no
 * state; any thread may call these functions.
 */
#ifndef RG_CLIENT_H
#define RG_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RG_ADDRESS_TEXT_BYTES (46 + 11) /* INET6_ADDRSTRLEN, and "%" with an interface */

enum rg_family { RG_UNKNOWN = 0, RG_IPV4 = 4, RG_IPV6 = 6 };

/* In network byte order. An IPv4 address is in the first four bytes; the rest is zero. */
struct rg_address {
	uint8_t bytes[16];
	uint8_t family; /* enum rg_family */
	uint32_t scope; /* the interface's index of a link-local IPv6 address; else 0 */
};

struct rg_network {
	struct rg_address base;
	uint8_t prefix_bits;
};

/* Made by rg_policy_client. */
struct rg_client {
	struct rg_address base; /* all bits after the prefix are zero */
	bool exempt; /* an exempt address; its account is its own, never that of its neighbours */
};

/*
 * Make an address from BYTES in network byte order. An IPv6 address that stands for an IPv4 one
 * becomes that: IPv4-mapped (RFC 4291 2.5.5.2) and NAT64 (RFC 6052 2.1, RFC 8215).
 */
struct rg_address rg_address_ipv4(const uint8_t bytes[4]);
struct rg_address rg_address_ipv6(const uint8_t bytes[16]);

/* Returns ADDRESS as it is on INTERFACE, an index (sin6_scope_id): it matters for link-local
 * addresses alone (RFC 4007 6). */
struct rg_address rg_address_on(struct rg_address address, uint32_t interface);

bool rg_address_is_link_local(const struct rg_address *address);
bool rg_address_is_teredo(const struct rg_address *address);

/* Returns ADDRESS with all bits after the first PREFIX_BITS set to zero. */
struct rg_address rg_address_cut(struct rg_address address, unsigned prefix_bits);

bool rg_network_contains(const struct rg_network *network, const struct rg_address *address);

/*
 * Parse the LENGTH characters at TEXT: "192.0.2.0/24", "2001:db8::/32" or a single address.
 * Returns 0, or -1 if they are malformed; *NETWORK is then unchanged.
 */
int rg_network_parse(struct rg_network *network, const char *text, size_t length);

/* Write ADDRESS to TEXT; "unknown" if its family is RG_UNKNOWN. */
void rg_address_text(const struct rg_address *address, char text[RG_ADDRESS_TEXT_BYTES]);

#endif
