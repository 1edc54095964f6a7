/* Input: where to cut, and a stream or a datagram. */
#include "fuzz.h"
#include "rg_hello_random.h"

static enum rg_hello_found feed(struct rg_hello_stream *stream, const uint8_t *data, size_t bytes)
{
	uint8_t *exact = fuzz_copy(data, bytes);
	enum rg_hello_found found = rg_hello_stream_feed(stream, exact, bytes);

	free(exact);
	return found;
}

/* A hello that is found in one piece is found in two. */
static void as_stream(const uint8_t *input, size_t bytes, size_t cut)
{
	struct rg_hello_stream whole = {0}, parts = {0};
	enum rg_hello_found found;

	if (feed(&whole, input, bytes) != RG_HELLO_WHOLE || cut == 0 || cut >= bytes)
		return;
	found = feed(&parts, input, cut);
	if (found == RG_HELLO_NONE)
		memset(&parts, 0, sizeof parts);
	if (found != RG_HELLO_WHOLE)
		FUZZ_MUST(feed(&parts, input + cut, bytes - cut) == RG_HELLO_WHOLE);
	FUZZ_MUST(memcmp(rg_hello_stream_random(&whole), rg_hello_stream_random(&parts),
			 RG_RANDOM_BYTES) == 0);
}

static void as_datagram(const uint8_t *input, size_t bytes)
{
	uint8_t *exact = fuzz_copy(input, bytes);
	struct rg_hello_datagram datagram = {.data = exact, .bytes = bytes};
	struct rg_hello_piece piece;

	while (rg_hello_datagram_next(&datagram, &piece))
		FUZZ_MUST(piece.known != 0);
	FUZZ_MUST(datagram.bytes <= bytes);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	if (bytes == 0)
		return 0;
	as_stream(input + 1, bytes - 1, input[0]);
	as_datagram(input + 1, bytes - 1);
	return 0;
}
