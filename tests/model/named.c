// Conversations with a name and with numbers of their own: what went wrong once. They are in every
// run, and the model must expect the same numbers of them.
#include "model.h"

enum { COUNTED = 1, DECLINED = 2, CLOSED = 4, BLOCKED = 8, ANY = -1 };
#define TLS13 .min = TLS1_3_VERSION, .max = TLS1_3_VERSION, .client_max = TLS1_3_VERSION
#define TLS12 .min = TLS1_2_VERSION, .max = TLS1_2_VERSION, .client_max = TLS1_2_VERSION
#define DTLS  .cookies = true

static const struct named_case {
	const char *name;
	unsigned policies;
	struct service service;
	int before; // so many visits like `first`, then so many like `then`
	struct plan first;
	int times;
	struct plan then;
	bool beside_exempt; // an exempt client makes the same visits in between
	int count[COUNTERS];
	int acted[EVENTS];
} cases[] = {
    {"an offer in the second hello alone, after HelloRetryRequest, is declined over the limit",
     DECLINED,
     {TLS13},
     1,
     {.compat = true},
     8,
     {.offer = OFFER_SESSION, .retry = true, .hide = ONLY_SECOND, .compat = true},
     .count = {[RESUMPTION] = 8, [HANDSHAKE] = 1, [ACCEPTED] = 3, [NOT_ACCEPTED] = 5},
     .acted = {[RESUMPTION] = 5}},
    {"and a handshake with HelloRetryRequest is one event",
     COUNTED,
     {TLS13},
     1,
     {.retry = true, .compat = true},
     8,
     {.offer = OFFER_SESSION, .retry = true, .hide = ONLY_SECOND, .compat = true},
     .count = {[RESUMPTION] = 8, [HANDSHAKE] = 1, [ACCEPTED] = 8}},
    {"an offer that the second hello takes back is a full handshake",
     COUNTED,
     {TLS13},
     1,
     {.compat = true},
     5,
     {.offer = OFFER_SESSION, .retry = true, .hide = ONLY_FIRST, .compat = true},
     .count = {[HANDSHAKE] = 6}},
    {"an offer in the second hello alone is closed over the limit, before the answer",
     CLOSED,
     {TLS13},
     1,
     {.compat = true},
     4,
     {.offer = OFFER_SESSION, .retry = true, .hide = ONLY_SECOND, .compat = true},
     .count = {[RESUMPTION] = 4, [HANDSHAKE] = 1, [ACCEPTED] = 3},
     .acted = {[RESUMPTION] = 1}},
    {"DTLS: an offer in the hello with the cookie alone is declined over the limit",
     DECLINED,
     {.feed = FEED_DGRAM, DTLS},
     1,
     {.leave = BY_FIN},
     8,
     {.offer = OFFER_SESSION, .hide = ONLY_SECOND},
     .count = {[RESUMPTION] = 8, [HANDSHAKE] = 1, [ACCEPTED] = 3, [NOT_ACCEPTED] = 5},
     .acted = {[RESUMPTION] = 5}},
    {"DTLSv1_listen: forged senders of hellos get nobody refused, and have no account",
     BLOCKED,
     {.feed = FEED_LISTEN, DTLS},
     .times = 4,
     .then = {.forgers = 4},
     .count = {[HANDSHAKE] = 4}},
    {"DTLS: hellos that no cookie follows get nobody refused",
     BLOCKED,
     {.feed = FEED_LOOSE, DTLS},
     6,
     {.ending = AFTER_RETRY},
     4,
     {.leave = BY_FIN},
     .count = {[HANDSHAKE] = 4}},
    {"DTLS: wrong cookies get nobody refused",
     BLOCKED,
     {.feed = FEED_LOOSE, DTLS},
     6,
     {.ending = BAD_COOKIE},
     4,
     {.leave = BY_FIN},
     .count = {[HANDSHAKE] = 4}},
    {"DTLS: a wrong cookie of a client at its limit is no event",
     CLOSED,
     {.feed = FEED_DGRAM, DTLS},
     4,
     {.leave = BY_FIN},
     3,
     {.ending = BAD_COOKIE},
     .count = {[HANDSHAKE] = 4}},
    {"DTLS: the clients of an unconnected socket are known although a rule blocks",
     BLOCKED,
     {.feed = FEED_LOOSE, DTLS},
     .times = 5,
     .count = {[HANDSHAKE] = 5},
     .acted = {[HANDSHAKE] = 1}},
    {"SSL_stateless: a handshake is one event, and nothing is unfinished",
     COUNTED,
     {TLS13, .stateless = true},
     .times = 3,
     .then = {.compat = true},
     .count = {[HANDSHAKE] = 3}},
    {"SSL_stateless, an SSL for each try: the same",
     COUNTED,
     {TLS13, .stateless = true, .fresh = true},
     .times = 3,
     .then = {.compat = true},
     .count = {[HANDSHAKE] = 3}},
    {"SSL_stateless: hellos that no cookie follows get nobody refused",
     BLOCKED,
     {TLS13, .stateless = true},
     6,
     {.ending = AFTER_RETRY, .compat = true},
     3,
     {.compat = true},
     .count = {[HANDSHAKE] = 3}},
    {"TLS 1.3 switched off late: offers of session ids are declined over the limit",
     DECLINED,
     {.min = TLS1_2_VERSION,
      .max = TLS1_3_VERSION,
      .client_max = TLS1_3_VERSION,
      .late = true,
      .ids = true},
     1,
     {.compat = true},
     8,
     {.offer = OFFER_SESSION, .compat = true},
     .count = {ANY, ANY, ANY, 0, 0, 3, ANY},
     .acted = {0, ANY}},
    {"a PROXY header that is read off the BIO, and nothing behind it, is no handshake",
     COUNTED | BLOCKED,
     {TLS12, .proxy = true},
     4,
     {.ending = SILENT},
     2,
     {.compat = true},
     .count = {[HANDSHAKE] = 2}},
    {"nor is half of one",
     COUNTED | BLOCKED,
     {TLS12, .proxy = true},
     4,
     {.ending = HALF_HEADER},
     2,
     {.compat = true},
     .count = {[HANDSHAKE] = 2}},
    {"one byte of a hello behind it is an unfinished handshake",
     COUNTED,
     {TLS12, .proxy = true},
     4,
     {.ending = ONE_BYTE},
     2,
     {.compat = true},
     .count = {[HANDSHAKE] = 2, [INCOMPLETE] = 4}},
    {"half a hello behind it is an unfinished one",
     COUNTED,
     {TLS12, .proxy = true},
     4,
     {.ending = HALF},
     2,
     {.compat = true},
     .count = {[HANDSHAKE] = 2, [INCOMPLETE] = 4}},
    {"answers to key updates that the program asked for are no events",
     CLOSED | BLOCKED,
     {TLS13},
     .times = 1,
     .then = {.compat = true,
	      .task_count = 8,
	      .tasks = {SERVER_UPDATES_AND_ASKS, SERVER_UPDATES_AND_ASKS, SERVER_UPDATES_AND_ASKS,
			SERVER_UPDATES_AND_ASKS, SERVER_UPDATES_AND_ASKS, SERVER_UPDATES_AND_ASKS,
			SERVER_UPDATES, SERVER_UPDATES}},
     .count = {[HANDSHAKE] = 1}},
    {"an external PSK is a full handshake (psk_find_session)",
     CLOSED | BLOCKED,
     {TLS13, .psk = PSK_SESSION},
     .times = 4,
     .then = {.offer = OFFER_EXTERNAL, .compat = true},
     .count = {[HANDSHAKE] = 4}},
    {"an external PSK is a full handshake (psk_server in TLS 1.3)",
     CLOSED | BLOCKED,
     {TLS13, .psk = PSK_PLAIN},
     .times = 4,
     .then = {.offer = OFFER_EXTERNAL, .compat = true},
     .count = {[HANDSHAKE] = 4}},
    {"an external PSK is a full handshake (TLS 1.2)",
     CLOSED | BLOCKED,
     {TLS12, .psk = PSK_PLAIN},
     .times = 4,
     .then = {.offer = OFFER_EXTERNAL, .compat = true},
     .count = {[HANDSHAKE] = 4}},
    {"what declined one client is gone when the object serves an exempt one",
     DECLINED,
     {TLS12, .reuse = true},
     1,
     {.compat = true},
     8,
     {.offer = OFFER_SESSION, .compat = true},
     .beside_exempt = true,
     .count = {[RESUMPTION] = 8, [HANDSHAKE] = 1, [ACCEPTED] = 3, [NOT_ACCEPTED] = 5},
     .acted = {[RESUMPTION] = 5}},
    {NULL}};

static bool can_run(const struct service *service)
{
	return service->client_max != TLS1_3_VERSION || libssl_speaks_tls13();
}

static void add_visit(struct crowd *crowd, struct client *client, const struct plan *plan)
{
	struct plan *place = &client->plans[client->plan_count++];

	*place = *plan;
	for (int i = 0; i < plan->forgers; i++)
		crowd->forged[crowd->forged_count++] = plan_address(false);
	plan_predict(crowd, client, place);
}

static void add_visits(struct crowd *crowd, const struct named_case *named, bool exempt)
{
	struct client *client = &crowd->clients[crowd->client_count++];

	*client = (struct client){
	    .group = named->name, .exempt = exempt, .address = plan_address(exempt)};
	for (int i = 0; i < named->before; i++)
		add_visit(crowd, client, &named->first);
	for (int i = 0; i < named->times; i++)
		add_visit(crowd, client, &named->then);
}

static bool agree(const int *named, const unsigned *low, const unsigned *high, int count)
{
	for (int i = 0; i < count; i++)
		if (named[i] != ANY && ((int)low[i] != named[i] || (int)high[i] != named[i]))
			return false;
	return true;
}

void plan_named(struct crowd *crowd)
{
	unsigned policy = 1U << (crowd->policy - policies), at = 0;
	const struct named_case *named = cases;
	const struct expectation *expected = &crowd->clients[0].expected;

	while (named->name != NULL && ((named->policies & policy) == 0 ||
				       !can_run(&named->service) || at++ != crowd->index))
		named++;
	if (named->name == NULL)
		return;
	crowd->group = named->name;
	crowd->service = named->service;
	if (is_dtls(&crowd->service))
		crowd->service.min = crowd->service.max = crowd->service.client_max =
		    libssl_newest_dtls();
	add_visits(crowd, named, false);
	if (!agree(named->count, expected->low, expected->high, COUNTERS) ||
	    !agree(named->acted, expected->acted_low, expected->acted_high, EVENTS)) {
		fprintf(stderr, "the model expects something else of: %s\n", named->name);
		exit(2);
	}
	crowd->by_turns = named->beside_exempt;
	if (named->beside_exempt)
		add_visits(crowd, named, true);
}
