#include "rg_client.h"

#include <arpa/inet.h>
#include <string.h>

#define IPV4_BYTES  4
#define IPV6_BYTES  16
#define MAPPED_BITS 96 /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */

struct rg_address rg_address_ipv4(const uint8_t bytes[4])
{
	struct rg_address address = {.family = RG_IPV4};

	memcpy(address.bytes, bytes, IPV4_BYTES);
	return address;
}

struct rg_address rg_address_ipv6(const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct rg_address address = {.family = RG_IPV6};

	if (memcmp(bytes, mapped, sizeof mapped) == 0)
		return rg_address_ipv4(bytes + sizeof mapped);
	memcpy(address.bytes, bytes, IPV6_BYTES);
	return address;
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

	if (address->family == RG_UNKNOWN ||
	    inet_ntop(family, address->bytes, text, RG_ADDRESS_TEXT_BYTES) == NULL)
		strcpy(text, "unknown");
}
