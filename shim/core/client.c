#include "rg_client.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define IPV4_BYTES  4
#define IPV6_BYTES  16
#define MAPPED_BITS 96 /* ::ffff:0:0/96 (RFC 4291 2.5.5.2) and 64:ff9b::/96 (RFC 6052 2.1) */

struct rg_address rg_address_ipv4(const uint8_t bytes[4])
{
	struct rg_address address = {.family = RG_IPV4};

	memcpy(address.bytes, bytes, IPV4_BYTES);
	return address;
}

/*
 * An address in 64:ff9b:1::/48, which an operator may divide as he likes (RFC 8215). Most use a
 * /96: the IPv4 address comes last. One that uses the whole /48 has it in bytes 6, 7, 9 and 10, and
 * zeros after it (RFC 6052 2.2).
 */
static struct rg_address local_nat64_address(const uint8_t bytes[16])
{
	static const uint8_t zeros[5];
	const uint8_t parts[IPV4_BYTES] = {bytes[6], bytes[7], bytes[9], bytes[10]};
	bool whole = bytes[8] == 0 && memcmp(bytes + 11, zeros, sizeof zeros) == 0;

	return rg_address_ipv4(whole ? parts : bytes + IPV6_BYTES - IPV4_BYTES);
}

struct rg_address rg_address_ipv6(const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	static const uint8_t local_nat64[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
	struct rg_address address = {.family = RG_IPV6};

	if (memcmp(bytes, mapped, sizeof mapped) == 0 || memcmp(bytes, nat64, sizeof nat64) == 0)
		return rg_address_ipv4(bytes + sizeof mapped);
	if (memcmp(bytes, local_nat64, sizeof local_nat64) == 0)
		return local_nat64_address(bytes);
	memcpy(address.bytes, bytes, IPV6_BYTES);
	return address;
}

struct rg_address rg_address_on(struct rg_address address, uint32_t interface)
{
	if (rg_address_is_link_local(&address))
		address.scope = interface;
	return address;
}

bool rg_address_is_link_local(const struct rg_address *address)
{
	return address->family == RG_IPV6 && address->bytes[0] == 0xfe &&
	       (address->bytes[1] & 0xc0) == 0x80;
}

/* 2001::/32, RFC 4380: what follows is the relay's address and the client's. */
bool rg_address_is_teredo(const struct rg_address *address)
{
	static const uint8_t teredo[4] = {0x20, 0x01};

	return address->family == RG_IPV6 && memcmp(address->bytes, teredo, sizeof teredo) == 0;
}

static unsigned address_bits(const struct rg_address *address)
{
	return address->family == RG_IPV4   ? 8 * IPV4_BYTES
	       : address->family == RG_IPV6 ? 8 * IPV6_BYTES
					    : 0;
}

struct rg_address rg_address_cut(struct rg_address address, unsigned prefix_bits)
{
	unsigned whole = prefix_bits / 8;

	if (prefix_bits >= address_bits(&address))
		return address;
	address.bytes[whole] &= (uint8_t)(0xff00U >> (prefix_bits % 8));
	memset(address.bytes + whole + 1, 0, sizeof address.bytes - whole - 1);
	return address;
}

bool rg_network_contains(const struct rg_network *network, const struct rg_address *address)
{
	struct rg_address cut = rg_address_cut(*address, network->prefix_bits);

	return address->family == network->base.family &&
	       memcmp(cut.bytes, network->base.bytes, sizeof cut.bytes) == 0;
}

/* Read a number of one to three digits. Returns -1 if it is malformed or greater than MAX. */
static int prefix_parse(const char *text, size_t length, unsigned max)
{
	unsigned value = 0;

	if (length < 1 || length > 3 || (length > 1 && text[0] == '0'))
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = 10 * value + (unsigned)(text[i] - '0');
	}
	return value <= max ? (int)value : -1;
}

int rg_network_parse(struct rg_network *network, const char *text, size_t length)
{
	const char *slash = memchr(text, '/', length);
	size_t address_length = slash != NULL ? (size_t)(slash - text) : length;
	char host[RG_ADDRESS_TEXT_BYTES];
	uint8_t raw[IPV6_BYTES];
	struct rg_address address;
	bool mapped = false;
	int prefix;

	if (address_length == 0 || address_length >= sizeof host)
		return -1;
	memcpy(host, text, address_length);
	host[address_length] = '\0';
	if (inet_pton(AF_INET, host, raw) == 1) {
		address = rg_address_ipv4(raw);
	} else if (inet_pton(AF_INET6, host, raw) == 1) {
		address = rg_address_ipv6(raw);
		mapped = address.family == RG_IPV4;
	} else {
		return -1;
	}
	prefix = (int)address_bits(&address);
	if (slash != NULL)
		prefix = prefix_parse(slash + 1, length - address_length - 1,
				      address_bits(&address) + (mapped ? MAPPED_BITS : 0));
	if (slash != NULL && mapped)
		prefix -= MAPPED_BITS;
	if (prefix < 0)
		return -1;
	network->base = rg_address_cut(address, (unsigned)prefix);
	network->prefix_bits = (uint8_t)prefix;
	return 0;
}

void rg_address_text(const struct rg_address *address, char text[RG_ADDRESS_TEXT_BYTES])
{
	int family = address->family == RG_IPV4 ? AF_INET : AF_INET6;
	size_t used;

	if (address->family == RG_UNKNOWN ||
	    inet_ntop(family, address->bytes, text, RG_ADDRESS_TEXT_BYTES) == NULL)
		strcpy(text, "unknown");
	used = strlen(text);
	if (address->scope != 0) /* RFC 4007 11.2 */
		snprintf(text + used, RG_ADDRESS_TEXT_BYTES - used, "%%%" PRIu32, address->scope);
}
