/* Input: the body of a ClientHello. */
#include "fuzz.h"
#include "rg_client_hello.h"

static void read_as(const uint8_t *input, size_t bytes, bool dtls)
{
	uint8_t *body = fuzz_copy(input, bytes);
	struct rg_client_hello hello, again;
	int result;

	memset(&hello, 0x5a, sizeof hello);
	result = rg_client_hello_read(&hello, body, bytes, dtls);
	FUZZ_MUST(result == 0 || result == -1);
	FUZZ_MUST(hello.session_id_bytes <= RG_SESSION_ID_MAX);
	FUZZ_MUST(hello.offer != RG_OFFER_PSK || hello.tls13);
	FUZZ_MUST(hello.offer != RG_OFFER_AMBIGUOUS_ID ||
		  (hello.tls13 && hello.session_id_bytes != 0));
	FUZZ_MUST(hello.offer != RG_OFFER_SESSION_ID ||
		  (!hello.tls13 && hello.session_id_bytes != 0));
	/* The result does not depend on what the struct held before. */
	memset(&again, 0, sizeof again);
	FUZZ_MUST(rg_client_hello_read(&again, body, bytes, dtls) == result);
	FUZZ_MUST(again.offer == hello.offer && again.legacy_version == hello.legacy_version);
	FUZZ_MUST(memcmp(again.session_id, hello.session_id, sizeof hello.session_id) == 0);
	free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	read_as(input, bytes, false);
	read_as(input, bytes, true);
	return 0;
}
