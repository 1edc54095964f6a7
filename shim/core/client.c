#include "rg_client.h"

#include <arpa/inet.h>
#include <string.h>

#define IPV4_BYTES  4
#define IPV6_BYTES  16
#define MAPPED_BITS 96 /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */

struct rg_client rg_client_ipv4(const uint8_t address[4])
{
	struct rg_client client = {.family = RG_IPV4};

	memcpy(client.address, address, IPV4_BYTES);
	return client;
}

struct rg_client rg_client_ipv6(const uint8_t address[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct rg_client client = {.family = RG_IPV6};

	if (memcmp(address, mapped, sizeof mapped) == 0)
		return rg_client_ipv4(address + sizeof mapped);
	memcpy(client.address, address, IPV6_BYTES);
	return client;
}

static unsigned address_bits(const struct rg_client *client)
{
	return client->family == RG_IPV4   ? 8 * IPV4_BYTES
	       : client->family == RG_IPV6 ? 8 * IPV6_BYTES
					   : 0;
}

struct rg_client rg_client_masked(struct rg_client client, unsigned prefix_bits)
{
	unsigned whole = prefix_bits / 8;

	if (prefix_bits >= address_bits(&client))
		return client;
	client.address[whole] &= (uint8_t)(0xff00U >> (prefix_bits % 8));
	memset(client.address + whole + 1, 0, sizeof client.address - whole - 1);
	return client;
}

bool rg_network_contains(const struct rg_network *network, const struct rg_client *client)
{
	struct rg_client cut = rg_client_masked(*client, network->prefix_bits);

	return client->family == network->base.family &&
	       memcmp(cut.address, network->base.address, sizeof cut.address) == 0;
}

/* A number of one to three digits that is at most MAX, or -1. */
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
	char address[RG_CLIENT_TEXT_BYTES];
	uint8_t raw[IPV6_BYTES];
	struct rg_client client;
	bool mapped = false;
	int prefix;

	if (address_length == 0 || address_length >= sizeof address)
		return -1;
	memcpy(address, text, address_length);
	address[address_length] = '\0';
	if (inet_pton(AF_INET, address, raw) == 1) {
		client = rg_client_ipv4(raw);
	} else if (inet_pton(AF_INET6, address, raw) == 1) {
		client = rg_client_ipv6(raw);
		mapped = client.family == RG_IPV4;
	} else {
		return -1;
	}
	prefix = (int)address_bits(&client);
	if (slash != NULL)
		prefix = prefix_parse(slash + 1, length - address_length - 1,
				      address_bits(&client) + (mapped ? MAPPED_BITS : 0));
	if (slash != NULL && mapped)
		prefix -= MAPPED_BITS;
	if (prefix < 0)
		return -1;
	network->base = rg_client_masked(client, (unsigned)prefix);
	network->prefix_bits = (uint8_t)prefix;
	return 0;
}

void rg_client_text(const struct rg_client *client, char text[RG_CLIENT_TEXT_BYTES])
{
	int family = client->family == RG_IPV4 ? AF_INET : AF_INET6;

	if (client->family == RG_UNKNOWN ||
	    inet_ntop(family, client->address, text, RG_CLIENT_TEXT_BYTES) == NULL)
		strcpy(text, "unknown");
}
