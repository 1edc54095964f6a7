/*
 * Who one client is: an address, cut to the prefix that the policy calls one client. IPv4-mapped
 * IPv6 addresses are IPv4 clients. A peer that can not be told is the client `unknown`.
 * Pure: no system calls, no state.
 */
#ifndef RG_CLIENT_H
#define RG_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RG_CLIENT_TEXT_BYTES 46 /* INET6_ADDRSTRLEN */

enum rg_family { RG_UNKNOWN = 0, RG_IPV4 = 4, RG_IPV6 = 6 };

/* An address in network byte order; an IPv4 address is in the first four bytes, the rest is zero.
 */
struct rg_client {
	uint8_t address[16];
	uint8_t family; /* enum rg_family */
};

struct rg_network {
	struct rg_client base;
	uint8_t prefix_bits;
};

/* CLIENT from raw bytes; an IPv4-mapped IPv6 address becomes IPv4. */
struct rg_client rg_client_ipv4(const uint8_t address[4]);
struct rg_client rg_client_ipv6(const uint8_t address[16]);

/* The client with everything behind the first PREFIX_BITS bits of its address zeroed. */
struct rg_client rg_client_masked(struct rg_client client, unsigned prefix_bits);

bool rg_network_contains(const struct rg_network *network, const struct rg_client *client);

/* Parse "192.0.2.0/24", "2001:db8::/32" or a single address of LENGTH characters. 0, or -1 and
 * *NETWORK is untouched. */
int rg_network_parse(struct rg_network *network, const char *text, size_t length);

/* The address as text ("unknown" where there is none) into TEXT. */
void rg_client_text(const struct rg_client *client, char text[RG_CLIENT_TEXT_BYTES]);

#endif
