/* Addresses, prefixes and networks; and SipHash, the keyed hash that finds a client's slot. */
#include "rg_client.h"

#include "core/siphash.h"
#include "unit.h"

static const char *const bad_networks[] = {
    "",
    " ",
    "/",
    "/24",
    "192.0.2.0/",
    "192.0.2.0/33",
    "192.0.2.0/-1",
    "192.0.2.0/+8",
    "192.0.2.0/ 8",
    "192.0.2.0/8 ",
    "192.0.2.0/0008",
    "192.0.2.0/024", /* numbers of the policy have no leading zeros */
    "192.0.2.0/00",
    "192.0.2.0/8/8",
    "192.0.2.0/a",
    "192.0.2.0/4294967320",
    " 192.0.2.0",
    "192.0.2.0 ",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.01",
    "192.0.2.0.1",
    "0x7f.0.0.1",
    "localhost",
    "2001:db8::/129",
    "2001:db8::/1280",
    "2001:db8:::1",
    "2001:db8::1::2",
    "[2001:db8::1]",
    "fe80::1%eth0",
    "::ffff:192.0.2.0/95", /* a mapped network that is wider than all of IPv4 */
    "::ffff:192.0.2.0/129",
    "1111:2222:3333:4444:5555:6666:7777:8888:9999",
    "1111:2222:3333:4444:5555:6666:255.255.255.255111111111111111111111",
};

START_TEST(test_bad_network)
{
	struct rg_network network, before;
	const char *text = bad_networks[_i];
	char *copy = unit_copy(text, strlen(text));

	memset(&network, 0x5a, sizeof network);
	before = network;
	ck_assert_msg(rg_network_parse(&network, copy, strlen(text)) == -1, "accepted: \"%s\"",
		      text);
	ck_assert_mem_eq(&network, &before, sizeof network);
	free(copy);
}
END_TEST

static const struct {
	const char *text, *base;
	int prefix;
} good_networks[] = {
    {"192.0.2.7", "192.0.2.7", 32},
    {"192.0.2.7/32", "192.0.2.7", 32},
    {"192.0.2.7/31", "192.0.2.6", 31},
    {"192.0.2.255/25", "192.0.2.128", 25},
    {"192.0.2.7/24", "192.0.2.0", 24},
    {"192.0.2.7/1", "128.0.0.0", 1},
    {"192.0.2.7/0", "0.0.0.0", 0},
    {"::", "::", 128},
    {"::/0", "::", 0},
    {"2001:db8:ffff::1", "2001:db8:ffff::1", 128},
    {"2001:DB8:ffff::1/32", "2001:db8::", 32},
    {"2001:db8:ffff::1/33", "2001:db8:8000::", 33},
    {"2001:db8::ff/127", "2001:db8::fe", 127},
    {"::ffff:192.0.2.7", "192.0.2.7", 32},
    {"::ffff:192.0.2.7/128", "192.0.2.7", 32},
    {"::ffff:192.0.2.7/120", "192.0.2.0", 24},
    {"::ffff:0:0/96", "0.0.0.0", 0},
    {"::ffff:c000:207", "192.0.2.7", 32},
    {"64:ff9b::192.0.2.7", "192.0.2.7", 32},	  /* NAT64, RFC 6052 2.1 */
    {"64:ff9b::192.0.2.7/120", "192.0.2.0", 24},
    {"64:ff9b:1::192.0.2.7", "192.0.2.7", 32},	    /* RFC 8215, divided into a /96 */
    {"64:ff9b:1:fffe::192.0.2.7", "192.0.2.7", 32}, /* another one */
    {"64:ff9b:1:c000:2:700::", "192.0.2.7", 32},    /* RFC 6052 2.2, the whole /48 */
    {"64:ff9b:2::192.0.2.7", "64:ff9b:2::c000:207", 128},
    {"::fffe:192.0.2.7", "::fffe:c000:207", 128}, /* not IPv4-mapped (RFC 4291 2.5.5) */
};

START_TEST(test_good_network)
{
	const char *text = good_networks[_i].text;
	char *copy = unit_copy(text, strlen(text));
	char base[RG_ADDRESS_TEXT_BYTES];
	struct rg_network network;

	memset(&network, 0x5a, sizeof network);
	ck_assert_int_eq(rg_network_parse(&network, copy, strlen(text)), 0);
	rg_address_text(&network.base, base);
	ck_assert_str_eq(base, good_networks[_i].base);
	ck_assert_int_eq(network.prefix_bits, good_networks[_i].prefix);
	ck_assert(rg_network_contains(&network, &network.base));
	free(copy);
}
END_TEST

/* A single address is a network of one. */
static struct rg_network network_of(const char *text)
{
	struct rg_network network;

	ck_assert_int_eq(rg_network_parse(&network, text, strlen(text)), 0);
	return network;
}

static const struct {
	const char *network, *address;
	bool contains;
} memberships[] = {
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.0/24", "192.0.1.255", false},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.7", "192.0.2.6", false},
    {"0.0.0.0/0", "::1", false}, /* all of IPv4, and nothing else */
    {"::/0", "192.0.2.7", false},
    {"::/96", "192.0.2.7", false},
    {"2001:db8::/33", "2001:db8:8000::", false},
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.128/25", "192.0.2.128", true},
    {"0.0.0.0/0", "255.255.255.255", true},
    {"192.0.2.7", "::ffff:192.0.2.7", true},
    {"::ffff:0:0/96", "10.0.0.1", true},
    {"::/0", "ffff:ffff::1", true},
    {"2001:db8::/33", "2001:db8:7fff:ffff::", true},
};

START_TEST(test_network_contains)
{
	struct rg_network network = network_of(memberships[_i].network);
	struct rg_network host = network_of(memberships[_i].address);

	ck_assert_int_eq(rg_network_contains(&network, &host.base), memberships[_i].contains);
}
END_TEST

START_TEST(test_unknown_address)
{
	static const struct rg_address unknown = {.family = RG_UNKNOWN};
	struct rg_network all4 = network_of("0.0.0.0/0"), all6 = network_of("::/0");
	struct rg_address cut = rg_address_cut(unknown, 0);
	char text[RG_ADDRESS_TEXT_BYTES];

	ck_assert_mem_eq(&cut, &unknown, sizeof unknown);
	ck_assert(!rg_network_contains(&all4, &unknown));
	ck_assert(!rg_network_contains(&all6, &unknown));
	rg_address_text(&unknown, text);
	ck_assert_str_eq(text, "unknown");
}
END_TEST

/* Every prefix length of both families, compared with a mask that is made bit by bit. */
START_TEST(test_cut_to_every_prefix)
{
	unsigned bits = _i == 0 ? 32 : 128;

	for (unsigned prefix = 0; prefix <= bits; prefix++) {
		struct rg_address address = {.family = _i == 0 ? RG_IPV4 : RG_IPV6}, want = address,
				  got;

		memset(address.bytes, 0xff, bits / 8);
		for (unsigned bit = 0; bit < prefix; bit++)
			want.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		got = rg_address_cut(address, prefix);
		ck_assert_msg(memcmp(&got, &want, sizeof want) == 0, "/%u of %u bits", prefix,
			      bits);
		got = rg_address_cut(got, bits);
		ck_assert_mem_eq(&got, &want, sizeof want);
	}
}
END_TEST

static const struct {
	const char *address, *text;
} on_interface[] = {
    {"fe80::1", "fe80::1%7"},
    {"febf::1", "febf::1%7"},
    {"fec0::1", "fec0::1"},
    {"2001:db8::1", "2001:db8::1"},
    {"192.0.2.7", "192.0.2.7"},
};

START_TEST(test_interface)
{
	struct rg_address address = network_of(on_interface[_i].address).base;
	char text[RG_ADDRESS_TEXT_BYTES];

	address = rg_address_on(address, 7);
	rg_address_text(&address, text);
	ck_assert_str_eq(text, on_interface[_i].text);
}
END_TEST

START_TEST(test_longest_text)
{
	struct rg_address address = {.family = RG_IPV6};
	char text[RG_ADDRESS_TEXT_BYTES];

	memset(address.bytes, 0xff, sizeof address.bytes);
	rg_address_text(&address, text);
	ck_assert_str_eq(text, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	address.bytes[0] = 0xfe;
	address.bytes[1] = 0x80;
	address = rg_address_on(address, UINT32_MAX);
	rg_address_text(&address, text);
	ck_assert_str_eq(text, "fe80:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295");
}
END_TEST

/* Test vectors of the reference implementation (Aumasson and Bernstein, 2012): the key is 00 to 0f,
 * the data 00, 01, 02, … */
static const struct {
	size_t bytes;
	uint64_t hash;
} vectors[] = {
    {0, 0x726fdb47dd0e0e31},  {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a},
    {3, 0x85676696d7fb7e2d},  {4, 0xcf2794e0277187b7}, {5, 0x18765564cd99a68d},
    {6, 0xcbc9466e58fee3ce},  {7, 0xab0200f58b01d137}, {8, 0x93f5f5799a932462},
    {15, 0xa129ca6149be45e5},
};

START_TEST(test_siphash_vector)
{
	uint8_t key[16], data[16], *exact;

	for (unsigned i = 0; i < 16; i++)
		key[i] = data[i] = (uint8_t)i;
	exact = unit_copy(data, vectors[_i].bytes);
	ck_assert_uint_eq(rg_siphash(key, exact, vectors[_i].bytes), vectors[_i].hash);
	free(exact);
}
END_TEST

START_TEST(test_siphash_depends_on_every_bit)
{
	uint8_t key[16] = {0}, data[17] = {0};
	uint64_t plain = rg_siphash(key, data, sizeof data);

	for (unsigned bit = 0; bit < 8 * sizeof data; bit++) {
		data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert_uint_ne(rg_siphash(key, data, sizeof data), plain);
		data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (unsigned bit = 0; bit < 8 * sizeof key; bit++) {
		key[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert_uint_ne(rg_siphash(key, data, sizeof data), plain);
		key[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	ck_assert_uint_ne(rg_siphash(key, data, 16), plain);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");

	UNIT_ADD_ROWS(suite, test_bad_network, bad_networks);
	UNIT_ADD_ROWS(suite, test_good_network, good_networks);
	UNIT_ADD_ROWS(suite, test_network_contains, memberships);
	UNIT_ADD(suite, test_unknown_address);
	unit_add(suite, "test_cut_to_every_prefix", test_cut_to_every_prefix, 0, 2);
	UNIT_ADD_ROWS(suite, test_interface, on_interface);
	UNIT_ADD(suite, test_longest_text);
	UNIT_ADD_ROWS(suite, test_siphash_vector, vectors);
	UNIT_ADD(suite, test_siphash_depends_on_every_bit);
	return unit_run(suite);
}
