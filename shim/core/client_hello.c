#include "rg_client_hello.h"

#include <string.h>

#define EXT_SESSION_TICKET     35 /* RFC 5077 */
#define EXT_PRE_SHARED_KEY     41 /* RFC 8446 4.2 */
#define EXT_EARLY_DATA	       42
#define EXT_SUPPORTED_VERSIONS 43
#define EXT_ECH		       0xfe0d /* RFC 9849 */

/* The input that is not read yet. All reads go through `take`, which checks the bounds. */
struct span {
	const uint8_t *at;
	size_t left;
};

/* Move BYTES from the front of FROM to PART. Returns 0, or -1 if there are not so many. */
static inline int take(struct span *from, size_t bytes, struct span *part)
{
	if (from->left < bytes)
		return -1;
	part->at = from->at;
	part->left = bytes;
	from->at += bytes;
	from->left -= bytes;
	return 0;
}

static inline int take_number(struct span *from, size_t bytes, size_t *number)
{
	struct span part;

	if (take(from, bytes, &part) != 0)
		return -1;
	*number = 0;
	for (size_t i = 0; i < bytes; i++)
		*number = *number << 8 | part.at[i];
	return 0;
}

/* Take a vector, which begins with a length of LENGTH_BYTES bytes (RFC 8446 3.4). */
static inline int take_vector(struct span *from, size_t length_bytes, struct span *vector)
{
	size_t length;

	return take_number(from, length_bytes, &length) != 0 ? -1 : take(from, length, vector);
}

struct seen {
	bool ticket, psk, tls13;
	bool bad_versions;
};

static int read_supported_versions(struct span body, struct seen *seen)
{
	struct span list;
	size_t version;

	if (take_vector(&body, 1, &list) != 0)
		return -1;
	while (list.left != 0) {
		if (take_number(&list, 2, &version) != 0)
			return -1;
		seen->tls13 |= version == RG_TLS13;
	}
	return 0;
}

/* Are all of the identities in a pre_shared_key extension of age 0? */
static bool has_external_ages(struct span body)
{
	struct span identities, identity;
	size_t age, ages = 0;

	if (take_vector(&body, 2, &identities) != 0)
		return false;
	while (identities.left != 0) {
		if (take_vector(&identities, 2, &identity) != 0 ||
		    take_number(&identities, 4, &age) != 0)
			return false;
		ages |= age;
	}
	return ages == 0;
}

/* Read the extensions in LIST, up to where it is malformed. Returns 0, or -1 if the list or
 * supported_versions is malformed. */
static int read_extensions(struct rg_client_hello *hello, struct span list, struct seen *seen)
{
	while (list.left != 0) {
		struct span body;
		size_t type;

		if (take_number(&list, 2, &type) != 0 || take_vector(&list, 2, &body) != 0)
			return -1;
		if (type < EXT_SESSION_TICKET) /* most types are: this saves three comparisons */
			continue;
		if (type == EXT_SESSION_TICKET)
			seen->ticket |= body.left != 0;
		else if (type == EXT_PRE_SHARED_KEY)
			hello->psk_is_external = has_external_ages(body), seen->psk = true;
		else if (type == EXT_ECH)
			hello->ech = true;
		else if (type == EXT_EARLY_DATA)
			hello->early_data = true;
		else if (type == EXT_SUPPORTED_VERSIONS && read_supported_versions(body, seen) != 0)
			seen->bad_versions = true;
	}
	return seen->bad_versions ? -1 : 0;
}

static enum rg_offer offer_of(const struct rg_client_hello *hello, const struct seen *seen)
{
	if (seen->psk && hello->tls13)
		return RG_OFFER_PSK;
	if (seen->ticket)
		return RG_OFFER_TICKET;
	if (hello->session_id_bytes == 0)
		return RG_OFFER_NONE;
	return hello->tls13 ? RG_OFFER_AMBIGUOUS_ID : RG_OFFER_SESSION_ID;
}

int rg_client_hello_read(struct rg_client_hello *hello, const uint8_t *body, size_t bytes,
			 bool dtls)
{
	struct span rest = {body, bytes};
	struct span part;
	struct seen seen = {false};
	size_t version, length;
	int result = 0;

	memset(hello, 0, sizeof *hello);
	if (take_number(&rest, 2, &version) != 0 || take(&rest, RG_RANDOM_BYTES, &part) != 0)
		return -1;
	hello->legacy_version = (uint16_t)version;
	hello->has_random = true;
	memcpy(hello->random, part.at, RG_RANDOM_BYTES);
	if (take_vector(&rest, 1, &part) != 0 || part.left > RG_SESSION_ID_MAX)
		return -1;
	hello->session_id_bytes = (uint8_t)part.left;
	memcpy(hello->session_id, part.at, part.left);
	if (dtls && take_vector(&rest, 1, &part) != 0)
		return -1;
	hello->has_cookie = dtls && part.left != 0;
	/* cipher_suites, legacy_compression_methods */
	if (take_vector(&rest, 2, &part) != 0 || take_vector(&rest, 1, &part) != 0)
		return -1;
	/* A hello without extensions ends here; they came with RFC 3546. */
	if (rest.left != 0 && (take_number(&rest, 2, &length) != 0 ||
			       read_extensions(hello, rest, &seen) != 0 || length != rest.left))
		result = -1;
	hello->tls13 = seen.tls13 && !seen.bad_versions;
	hello->offer = offer_of(hello, &seen);
	return result;
}
