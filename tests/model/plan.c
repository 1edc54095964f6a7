// What a visit means for the account: the model. It knows the protocol and the policy, and nothing
// of how the shim works.
#include "model.h"

const char *const counter_names[COUNTERS] = {"renegotiation", "resumption", "handshake",
					     "incomplete",    "keyupdate",  "accepted",
					     "not_accepted"};

#define COUNT_ALL "count", "count", "count", "count", "count"
const struct policy policies[] = {
    {"count", {COUNT_ALL}, {0}},
    {"decline", {"count", "decline", "count", "count", "count"}, {0, 3, 0, 0, 0}},
    {"close", {"close", "close", "close", "count", "close"}, {2, 3, 4, 0, 3}},
    {"block", {"block", "block", "block", "block", "block"}, {2, 3, 4, 2, 3}},
    {NULL, {NULL}, {0}}};

unsigned rng_below(struct rng *rng, unsigned n)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15; // splitmix64

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (unsigned)((z ^ z >> 31) >> 32) % (n ? n : 1);
}

static void count(struct expectation *expected, enum counter counter, unsigned low, unsigned high)
{
	expected->low[counter] += low;
	expected->high[counter] += high;
	if (counter == RESUMPTION || counter == HANDSHAKE) {
		expected->first_low += low;
		expected->first_high += high;
	}
}

static bool is_block(const struct policy *policy, enum counter event)
{
	return strcmp(policy->action[event], "block") == 0;
}

// One event of the client. True: it is over the limit, and acted upon.
static bool event(struct crowd *crowd, struct client *client, enum counter event)
{
	unsigned limit = crowd->policy->limit[event];
	struct expectation *expected = &client->expected;

	count(expected, event, 1, 1);
	if (client->exempt || limit == 0 || ++client->seen[event] <= limit)
		return false;
	expected->acted_low[event]++;
	expected->acted_high[event]++;
	client->blocked |= is_block(crowd->policy, event);
	return true;
}

static void outcome(struct client *client, bool accepted)
{
	count(&client->expected, accepted ? ACCEPTED : NOT_ACCEPTED, 1, 1);
}

// A handshake of a client that is blocked already: refused. How often it is told of which event is
// not promised, only that the client was acted upon.
static void blocked_again(struct client *client)
{
	for (int i = 0; i < EVENTS; i++)
		client->expected.acted_high[i] += 100;
	for (int i = 0; i < EVENTS; i++)
		client->expected.high[i] += 1;
	client->expected.first_high += 2;
}

// The hello that counts: the last one before the answer.
static bool last_hello_offers(const struct service *service, const struct plan *plan)
{
	bool retried = is_dtls(service) ? service->cookies : plan->retry || service->stateless;

	return plan->offer == OFFER_SESSION && !(retried && plan->hide == ONLY_FIRST);
}

// A session id of 32 bytes in a hello that speaks TLS 1.3, to a server that does not (in the end):
// an offer, or nothing but middlebox compatibility (RFC 8446 4.1.2). Only acceptance tells.
static bool is_ambiguous(const struct service *service, const struct plan *plan)
{
	return plan->offer == OFFER_SESSION && service->ids && !is_dtls(service) &&
	       service->client_max == TLS1_3_VERSION &&
	       (service->max < TLS1_3_VERSION || service->late);
}

static bool would_be_accepted(const struct service *service, const struct plan *plan)
{
	return last_hello_offers(service, plan) && !plan->elsewhere && !service->wait;
}

static void unfinished(struct crowd *crowd, struct client *client, const struct plan *plan)
{
	bool whole = plan->ending == HELLO;

	// Half a hello that comes through memory has no random yet by which it could be recognised.
	if (!whole && plan->ending != AFTER_RETRY && is_memory(&crowd->service)) {
		count(&client->expected, INCOMPLETE, 0, 1);
		client->expected.nameless++;
		return;
	}
	(void)event(crowd, client, INCOMPLETE);
}

static bool declines(const struct crowd *crowd)
{
	return strcmp(crowd->policy->action[RESUMPTION], "decline") == 0;
}

// One more of that kind would be over the limit.
static bool has_none_left(const struct crowd *crowd, const struct client *client, int kind)
{
	return !client->exempt && crowd->policy->limit[kind] != 0 &&
	       client->seen[kind] >= crowd->policy->limit[kind];
}

// What the first hello seems to be is another thing than what the answer would tell: because of
// HelloRetryRequest, or because the program switches TLS 1.3 off late. But if it is over a limit
// that closes or blocks, it is refused at once, before any key operation.
static int first_hello_refused_for(const struct crowd *crowd, const struct client *client,
				   const struct plan *plan)
{
	const struct service *service = &crowd->service;
	bool misleads = plan->retry && plan->hide != HIDE_NOTHING;
	int kind = plan->hide == ONLY_FIRST ? RESUMPTION : HANDSHAKE;

	if (service->late && is_ambiguous(service, plan)) {
		misleads = true;
		kind = HANDSHAKE;
	}
	if (!misleads || (plan->ending != SERVED && plan->ending != HELLO) ||
	    plan->offer != OFFER_SESSION || is_dtls(service) || service->stateless ||
	    (kind == RESUMPTION && declines(crowd)) || !has_none_left(crowd, client, kind))
		return EVENTS;
	return kind;
}

// The first part of a handshake, up to the answer. True: it is refused.
static bool offer_session(struct crowd *crowd, struct client *client, struct plan *plan)
{
	const struct service *service = &crowd->service;
	bool accepted = would_be_accepted(service, plan), ambiguous = is_ambiguous(service, plan);
	bool full = has_none_left(crowd, client, RESUMPTION);

	if (ambiguous && (!accepted || (declines(crowd) && full))) {
		// Not accepted, so it may as well be said to have been none.
		count(&client->expected, RESUMPTION, 0, 1);
		count(&client->expected, HANDSHAKE, 0, 1);
		client->expected.first_low++, client->expected.first_high--;
		count(&client->expected, NOT_ACCEPTED, 0, 1);
		client->expected.acted_high[RESUMPTION]++;
		return false;
	}
	if (event(crowd, client, RESUMPTION) && !declines(crowd)) {
		plan->at_answer = ambiguous;
		if (ambiguous)
			count(&client->expected, ACCEPTED, 0, 1);
		return true;
	}
	plan->reused = accepted && !(declines(crowd) && full);
	outcome(client, plan->reused);
	return false;
}

static void do_tasks(struct crowd *crowd, struct client *client, struct plan *plan)
{
	for (int i = 0; i < plan->task_count; i++) {
		enum task task = plan->tasks[i];
		bool cut = false;

		if (task == CLIENT_RENEGOTIATES || task == CLIENT_RENEGOTIATES_ABBREVIATED)
			cut = event(crowd, client, RENEGOTIATION) || crowd->service.stubborn;
		if (task == CLIENT_UPDATES || task == CLIENT_UPDATES_AND_ASKS)
			cut = event(crowd, client, KEYUPDATE);
		if (cut)
			return;
		plan->tasks_done++;
	}
}

void plan_predict(struct crowd *crowd, struct client *client, struct plan *plan)
{
	const struct service *service = &crowd->service;

	plan->tasks_done = 0;
	if (sends_no_hello(plan)) {
		// It may be acted upon as it comes.
		if (client->blocked)
			blocked_again(client);
		return;
	}
	if (client->blocked) {
		plan->refused = true;
		plan->at_answer = service->stateless;
		blocked_again(client);
		return;
	}
	// Before 1.1.0 libssl looks for the session before it checks the cookie, and a wrong cookie
	// ends the session, too.
	if (plan->ending == BAD_COOKIE && libssl_is_old() && service->ids &&
	    last_hello_offers(service, plan))
		client->has_session = false;
	// An address that did not prove itself has no account.
	if (plan->ending == BAD_COOKIE ||
	    (plan->ending == AFTER_RETRY && (is_dtls(service) || service->stateless)))
		return;
	if (plan->ending == AFTER_RETRY) {
		// The first hello is the last one, too.
		bool offers = plan->offer == OFFER_SESSION && plan->hide != ONLY_SECOND;

		plan->refused = event(crowd, client, offers ? RESUMPTION : HANDSHAKE) &&
				!(offers && declines(crowd));
	} else if (first_hello_refused_for(crowd, client, plan) != EVENTS) {
		plan->refused = event(crowd, client, first_hello_refused_for(crowd, client, plan));
	} else if (plan->ending == SERVED || plan->ending == HELLO) {
		plan->refused = last_hello_offers(service, plan)
				    ? offer_session(crowd, client, plan)
				    : event(crowd, client, HANDSHAKE);
	}
	if (plan->refused) {
		// SSL_stateless: an address that is not proved yet is not acted upon.
		plan->at_answer |= service->stateless;
		return;
	}
	if (plan->ending != SERVED) {
		client->has_session = client->has_session && plan->offer != OFFER_SESSION;
		unfinished(crowd, client, plan);
		return;
	}
	// An old-style PSK in TLS 1.3 brings no ticket.
	client->has_session |=
	    !plan->elsewhere && !(service->psk == PSK_PLAIN && plan->offer == OFFER_EXTERNAL &&
				  service->max == TLS1_3_VERSION);
	do_tasks(crowd, client, plan);
	if (plan->tasks_done < plan->task_count && service->ids)
		client->has_session = false; // cut with an alert: gone from the cache
}
