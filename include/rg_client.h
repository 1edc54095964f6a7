/*
 * Addresses, networks and clients. An address is where a connection comes from. A client is what
 * the policy calls one: an address cut to a prefix. They are two types, so that an address that was
 * not cut cannot be counted under. IPv4-mapped IPv6 addresses are IPv4 addresses. A peer that
 * cannot be told has the family RG_UNKNOWN. Pure: no system calls, no state.
 */
#ifndef RG_CLIENT_H
#define RG_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RG_ADDRESS_TEXT_BYTES 46 /* INET6_ADDRSTRLEN */

enum rg_family { RG_UNKNOWN = 0, RG_IPV4 = 4, RG_IPV6 = 6 };

/* In network byte order. An IPv4 address is in the first four bytes, the rest is zero. */
struct rg_address {
	uint8_t bytes[16];
	uint8_t family; /* enum rg_family */
};

struct rg_network {
	struct rg_address base;
	uint8_t prefix_bits;
};

/* Made by rg_policy_client. */
struct rg_client {
	struct rg_address base; /* zero behind the prefix */
};

/* An address from raw bytes; an IPv4-mapped IPv6 address becomes IPv4. */
struct rg_address rg_address_ipv4(const uint8_t bytes[4]);
struct rg_address rg_address_ipv6(const uint8_t bytes[16]);

/* ADDRESS with everything behind its first PREFIX_BITS bits zeroed. */
struct rg_address rg_address_cut(struct rg_address address, unsigned prefix_bits);

bool rg_network_contains(const struct rg_network *network, const struct rg_address *address);

/* Parse "192.0.2.0/24", "2001:db8::/32" or a single address of LENGTH characters. 0, or -1 and
 * *NETWORK is untouched. */
int rg_network_parse(struct rg_network *network, const char *text, size_t length);

/* The address as text, "unknown" if there is none, into TEXT. */
void rg_address_text(const struct rg_address *address, char text[RG_ADDRESS_TEXT_BYTES]);

#endif
