// The script of a conversation in words, so that a failure can be read, and told to others.
#include "model.h"

#include <stdarg.h>

static void say(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

static const char *version_name(int version)
{
	switch (version) {
	case TLS1_VERSION:
		return "TLSv1.0";
	case TLS1_1_VERSION:
		return "TLSv1.1";
	case TLS1_2_VERSION:
		return "TLSv1.2";
	case TLS1_3_VERSION:
		return "TLSv1.3";
	default:
		return version == DTLS1_VERSION ? "DTLSv1.0" : "DTLSv1.2";
	}
}

void describe_service(const struct crowd *crowd, char *text, size_t size)
{
	static const char *const feeds[] = {"fd",    "memory", "pair",	"own-bio",
					    "dgram", "listen", "loose", "dgram-memory"};
	static const char *const turns[] = {"one-by-one", "batch", "pool", "backend"};
	static const char *const readers[] = {"read",  "recv",	 "recvfrom", "recvmsg",
					      "readv", "header", "peek"};
	static const char *const entries[] = {"accept", "do_handshake", "read", "read_ex"};
	static const char *const psks[] = {"", " psk_find_session", " psk_server"};
	const struct service *service = &crowd->service;

	text[0] = '\0';
	say(text, size, "server %s", version_name(service->max));
	if (service->client_max != service->max)
		say(text, size, " client-max=%s", version_name(service->client_max));
	say(text, size, " feed=%s turn=%s reader=%s entry=%s%s", feeds[service->feed],
	    turns[service->turn], readers[service->reader], entries[service->entry],
	    psks[service->psk]);
	say(text, size, "%s%s%s%s%s%s%s%s%s%s%s; %d clients", service->ids ? " ids" : " tickets",
	    service->cookies ? " cookies" : "", service->stateless ? " stateless" : "",
	    service->fresh ? " fresh" : "", service->late ? " 1.3-off-late" : "",
	    service->early ? " early-data" : "", service->replayable ? " no-anti-replay" : "",
	    service->stubborn ? " no-renegotiation" : "", service->reuse ? " SSL_clear" : "",
	    service->tells_end ? " tells-end" : "", service->proxy ? " proxy-header" : "",
	    crowd->client_count);
}

void describe_plan(const struct plan *plan, char *text, size_t size)
{
	static const char *const offers[] = {"full", "offer", "external-psk"};
	static const char *const hides[] = {"", " in-second-hello-only", " in-first-hello-only"};
	static const char *const splits[] = {"", " pieces", " bytes"};
	static const char *const endings[] = {"",	    "silent", "half-header", "one-byte",
					      "half-hello", "hello",  "after-retry", "bad-cookie"};
	static const char *const leaves[] = {"-fin", "-rst", "-stay"};
	static const char *const tasks[] = {"renegotiate",	   "renegotiate-abbreviated",
					    "server-renegotiates", "update",
					    "update-and-ask",	   "server-updates",
					    "server-asks-update",  "server-asks-certificate"};

	text[0] = '\0';
	say(text, size, "%s%s%s%s%s%s", offers[plan->offer], hides[plan->hide],
	    plan->elsewhere ? " unknown-there" : "", plan->retry ? " retry" : "",
	    plan->early ? " early" : "", splits[plan->split]);
	if (plan->rerecord)
		say(text, size, " records=%d", plan->rerecord);
	if (plan->fragment)
		say(text, size, " fragment=%d", plan->fragment);
	if (plan->forgers)
		say(text, size, " forgers=%d", plan->forgers);
	if (!plan->compat)
		say(text, size, " no-compat");
	if (plan->ending != SERVED)
		say(text, size, " %s%s", endings[plan->ending], leaves[plan->leave]);
	for (int i = 0; i < plan->task_count; i++)
		say(text, size, " +%s", tasks[plan->tasks[i]]);
	say(text, size, " => %s%s",
	    plan->refused  ? "refused"
	    : plan->reused ? "resumed"
			   : "full",
	    plan->tasks_done < plan->task_count ? ", cut" : "");
}
