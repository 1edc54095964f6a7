/* Input: a sequence of messages (tape.h). */
#include "fuzz.h"
#include "rg_handshake.h"
#include "tape.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	struct rg_handshake handshake;
	struct tape_message message;

	memset(&handshake, 0x5a, sizeof handshake);
	rg_handshake_reset(&handshake);
	while (tape_next(&input, &bytes, &message)) {
		uint8_t *exact = fuzz_copy(message.at, message.bytes);
		bool established = handshake.established;
		enum rg_hs_event hs_event =
		    rg_handshake_message(&handshake, message.written, message.version, message.type,
					 exact, message.bytes, message.pristine);

		free(exact);
		FUZZ_MUST(hs_event >= RG_HS_NONE && hs_event <= RG_HS_REFUSED);
		FUZZ_MUST(hs_event != RG_HS_CLIENT_HELLO ||
			  (!message.written && !handshake.established));
		FUZZ_MUST(hs_event != RG_HS_RENEGOTIATION ||
			  (!message.written && handshake.established));
		FUZZ_MUST(hs_event != RG_HS_ANSWERED ||
			  (message.written && !handshake.established));
		FUZZ_MUST(hs_event != RG_HS_FINISHED || (!established && handshake.established));
		FUZZ_MUST(hs_event != RG_HS_KEY_UPDATE || (!message.written && established));
		FUZZ_MUST(hs_event != RG_HS_REFUSED ||
			  (message.written && message.type == RG_CONTENT_ALERT));
		FUZZ_MUST(handshake.hello.session_id_bytes <= RG_SESSION_ID_MAX);
	}
	return 0;
}
