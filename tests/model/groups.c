// The dimensions, a group each: the others stay plain, so that a fault shows where it is. The last
// groups mix them all.
#include "model.h"

enum { IN_COUNT = 1, IN_DECLINE = 2, IN_CLOSE = 4, IN_BLOCK = 8, IN_LIMITS = 14, IN_ALL = 15 };

static const int tls_versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

static unsigned pick(struct crowd *crowd, unsigned n)
{
	return rng_below(&crowd->rng, n);
}

static bool chance(struct crowd *crowd, unsigned percent)
{
	return rng_chance(&crowd->rng, percent);
}

static void speak(struct crowd *crowd, int version)
{
	crowd->service.min = crowd->service.max = crowd->service.client_max = version;
}

// Any version that this libssl speaks.
static void speak_any(struct crowd *crowd)
{
	unsigned count = libssl_speaks_tls13() ? 4 : 3;

	// Old versions are few, as in life.
	speak(crowd,
	      tls_versions[chance(crowd, 30) ? pick(crowd, count) : 2 + pick(crowd, count - 2)]);
	crowd->service.ids = chance(crowd, 40);
}

// How the program calls libssl.
static enum entry pick_entry(struct crowd *crowd)
{
	return pick(crowd, libssl_speaks_tls13() ? ENTRIES : BY_SSL_READ_EX);
}

// Some servers read a PROXY header off the BIO first. If SSL_read begins the handshake, that header
// passes for a part of it: a limitation (reneguard(8)).
static void expect_proxy(struct crowd *crowd)
{
	crowd->service.proxy = crowd->service.entry < BY_SSL_READ && chance(crowd, 40);
}

static void feed_any_memory(struct crowd *crowd)
{
	crowd->service.feed = FEED_MEMORY + pick(crowd, 3);
	crowd->service.reader = pick(crowd, READERS);
	if (crowd->service.feed == FEED_OWN && crowd->service.reader == BY_HEADER)
		crowd->service.reader = BY_READ; // libssl asks for the header first by itself
	crowd->service.entry = pick_entry(crowd);
	crowd->service.tells_end = chance(crowd, 50);
}

static struct client *add_client(struct crowd *crowd)
{
	struct client *client = &crowd->clients[crowd->client_count++];

	*client = (struct client){.group = crowd->group};
	client->exempt = crowd->policy->limit[RESUMPTION] != 0 && chance(crowd, 10);
	client->address = plan_address(client->exempt);
	return client;
}

// A visit as plain as can be; it resumes if it can and OFFER_PERCENT wants it.
static struct plan plain(struct crowd *crowd, const struct client *client, unsigned offer_percent)
{
	struct plan plan = {.compat = true, .leave = pick(crowd, 3)};

	if (client->has_session && chance(crowd, offer_percent))
		plan.offer = OFFER_SESSION;
	return plan;
}

static void add(struct crowd *crowd, struct client *client, struct plan plan)
{
	struct plan *place = &client->plans[client->plan_count++];

	*place = plan;
	// Who reads whole records keeps half a record from libssl, and for good where no end comes.
	if (crowd->service.reader == BY_HEADER && plan.leave == BY_STAYING)
		place->leave = BY_FIN;
	plan_predict(crowd, client, place);
}

// How many visits: enough to go over a limit where there are limits, for some.
static int visit_count(struct crowd *crowd)
{
	return crowd->policy->limit[RESUMPTION] != 0 ? 1 + (int)pick(crowd, MAX_VISITS)
						     : 1 + (int)pick(crowd, 5);
}

static void visit_all(struct crowd *crowd, int clients,
		      void (*change)(struct crowd *, struct client *, struct plan *))
{
	while (crowd->client_count < clients) {
		struct client *client = add_client(crowd);

		for (int i = visit_count(crowd); i > 0; i--) {
			struct plan plan = plain(crowd, client, 80);

			if (change != NULL)
				change(crowd, client, &plan);
			add(crowd, client, plan);
		}
	}
}

// --- sockets, memory, splitting ---

static void change_compat(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	plan->compat = chance(crowd, 70);
}

static void plan_sockets(struct crowd *crowd)
{
	speak_any(crowd);
	crowd->service.entry = pick_entry(crowd);
	expect_proxy(crowd);
	visit_all(crowd, 2, change_compat);
}

static void plan_memory(struct crowd *crowd)
{
	speak_any(crowd);
	feed_any_memory(crowd);
	crowd->service.proxy = crowd->service.feed != FEED_OWN && chance(crowd, 25);
	visit_all(crowd, 2, change_compat);
}

static void change_split(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	plan->split = chance(crowd, 25) ? BYTES : PIECES;
	plan->fragment = chance(crowd, 30) ? 512 + (int)pick(crowd, 200) : 0;
}

static void plan_split(struct crowd *crowd)
{
	speak_any(crowd);
	if (chance(crowd, 70))
		feed_any_memory(crowd);
	visit_all(crowd, 1 + (int)pick(crowd, 2), change_split);
}

static void change_records(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	// Before 1.1.0 libssl wants the version that the client offers in the first record.
	plan->rerecord = (libssl_is_old() ? 6 : 1) + (int)pick(crowd, chance(crowd, 50) ? 60 : 300);
	plan->split = chance(crowd, 70) ? WHOLE : PIECES;
}

static void plan_records(struct crowd *crowd)
{
	speak_any(crowd);
	if (chance(crowd, 70))
		feed_any_memory(crowd);
	visit_all(crowd, 1 + (int)pick(crowd, 2), change_records);
}

// --- several clients at once ---

static void plan_several(struct crowd *crowd, enum turn turn)
{
	speak_any(crowd);
	if (chance(crowd, 85))
		feed_any_memory(crowd);
	else
		crowd->service.reader = BY_READ;
	crowd->service.turn = turn;
	visit_all(crowd, 2 + (int)pick(crowd, MAX_CLIENTS - 1), NULL);
}

static void plan_batch(struct crowd *crowd)
{
	plan_several(crowd, TURN_BATCH);
}

static void plan_pool(struct crowd *crowd)
{
	plan_several(crowd, TURN_POOL);
}

static void plan_backend(struct crowd *crowd)
{
	plan_several(crowd, TURN_BACKEND);
}

// --- retries ---

static void change_retry(struct crowd *crowd, struct client *client, struct plan *plan)
{
	plan->retry = chance(crowd, 70);
	if (plan->retry && plan->offer == OFFER_SESSION)
		plan->hide = pick(crowd, 3);
	if (crowd->policy->limit[INCOMPLETE] == 0 && plan->retry && chance(crowd, 10)) {
		plan->ending = AFTER_RETRY;
		plan->leave = pick(crowd, 3);
	}
	(void)client;
}

static void plan_retry(struct crowd *crowd)
{
	if (!libssl_speaks_tls13())
		return;
	speak(crowd, TLS1_3_VERSION);
	crowd->service.ids = chance(crowd, 30);
	if (chance(crowd, 30))
		feed_any_memory(crowd);
	visit_all(crowd, 2, change_retry);
}

static void change_stateless(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	plan->retry = false; // the cookie makes the retry
	// libssl (3.0) cannot verify the binder of a second hello that brings a cookie of its own.
	if (plan->offer == OFFER_SESSION && chance(crowd, 50))
		plan->hide = ONLY_FIRST;
	else
		plan->elsewhere = plan->offer == OFFER_SESSION;
	if (chance(crowd, 25)) {
		plan->ending = AFTER_RETRY;
		plan->leave = BY_FIN;
	}
}

static void plan_stateless(struct crowd *crowd)
{
	if (!libssl_speaks_tls13())
		return;
	speak(crowd, TLS1_3_VERSION);
	crowd->service.stateless = true;
	crowd->service.fresh = chance(crowd, 50);
	crowd->service.feed = chance(crowd, 50) ? FEED_FD : FEED_MEMORY;
	visit_all(crowd, 2, change_stateless);
}

// --- datagrams ---

static void change_datagrams(struct crowd *crowd, struct client *client, struct plan *plan)
{
	const struct service *service = &crowd->service;

	(void)client;
	if (service->cookies && plan->offer == OFFER_SESSION && service->feed != FEED_LISTEN)
		plan->hide = pick(crowd, 3);
	if (service->cookies && service->feed == FEED_LISTEN && plan->offer == OFFER_SESSION)
		plan->hide = pick(crowd, 3);
	if (service->cookies && service->feed != FEED_LISTEN && chance(crowd, 25))
		plan->ending = chance(crowd, 50) ? AFTER_RETRY : BAD_COOKIE;
	else if (chance(crowd, 10) && crowd->policy->limit[INCOMPLETE] == 0)
		plan->ending = HELLO;
	plan->leave = BY_FIN;
	if (service->feed == FEED_LISTEN && chance(crowd, 60))
		plan->forgers = 1 + (int)pick(crowd, MAX_FORGERS);
	for (int i = 0; i < plan->forgers; i++)
		crowd->forged[crowd->forged_count++] = plan_address(false);
	// DTLSv1_listen takes no fragments.
	plan->fragment =
	    service->feed != FEED_LISTEN && chance(crowd, 30) ? 256 + (int)pick(crowd, 100) : 0;
}

static void plan_datagrams(struct crowd *crowd, enum feed feed, enum turn turn)
{
	speak(crowd, libssl_newest_dtls());
	crowd->service.ids = chance(crowd, 30);
	crowd->service.feed = feed;
	crowd->service.turn = turn;
	crowd->service.cookies = feed != FEED_DGRAM || chance(crowd, 70);
	visit_all(crowd, turn == TURN_ONE ? 2 : 2 + (int)pick(crowd, 6), change_datagrams);
}

static void plan_dtls(struct crowd *crowd)
{
	plan_datagrams(crowd, FEED_DGRAM, chance(crowd, 50) ? TURN_ONE : TURN_BATCH);
}

static void plan_dtls_loose(struct crowd *crowd)
{
	plan_datagrams(crowd, FEED_LOOSE, TURN_ONE);
}

static void plan_dtls_listen(struct crowd *crowd)
{
	plan_datagrams(crowd, FEED_LISTEN, TURN_ONE);
}

static void plan_dtls_memory(struct crowd *crowd)
{
	plan_datagrams(crowd, FEED_DMEMORY, chance(crowd, 30) ? TURN_ONE : TURN_BATCH);
}

// --- versions and ids ---

static void plan_late(struct crowd *crowd)
{
	if (!libssl_speaks_tls13())
		return;
	speak(crowd, TLS1_3_VERSION);
	crowd->service.min = TLS1_2_VERSION;
	crowd->service.late = true;
	crowd->service.ids = true;
	visit_all(crowd, 2, NULL);
}

static void plan_ambiguous(struct crowd *crowd)
{
	if (!libssl_speaks_tls13())
		return;
	speak(crowd, TLS1_2_VERSION);
	crowd->service.client_max = TLS1_3_VERSION;
	crowd->service.ids = chance(crowd, 70);
	visit_all(crowd, 2, change_compat);
}

// --- external PSKs ---

static void change_psk(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	if (plan->offer == OFFER_NONE && chance(crowd, 80))
		plan->offer = OFFER_EXTERNAL;
}

static void plan_psk(struct crowd *crowd)
{
	bool new = libssl_speaks_tls13() && chance(crowd, 70);

	speak(crowd, new ? TLS1_3_VERSION : TLS1_2_VERSION);
	crowd->service.psk = new &&chance(crowd, 60) ? PSK_SESSION : PSK_PLAIN;
	crowd->service.ids = !new &&chance(crowd, 50);
	while (crowd->client_count < 2) {
		struct client *client = add_client(crowd);

		for (int i = visit_count(crowd); i > 0; i--) {
			struct plan plan = plain(crowd, client, 40);

			change_psk(crowd, client, &plan);
			add(crowd, client, plan);
		}
	}
}

// --- what happens inside a connection ---

static void change_renegotiation(struct crowd *crowd, struct client *client, struct plan *plan)
{
	const struct service *service = &crowd->service;
	int count = (int)pick(crowd, service->stubborn ? 2 : 6);

	(void)client;
	for (int i = 0; i < count; i++)
		plan->tasks[plan->task_count++] =
		    service->stubborn ? CLIENT_RENEGOTIATES : (enum task)pick(crowd, 3);
}

static void plan_renegotiation(struct crowd *crowd)
{
	speak(crowd, tls_versions[pick(crowd, 3)]);
	crowd->service.ids = chance(crowd, 50);
	crowd->service.stubborn = libssl_speaks_tls13() && chance(crowd, 25);
	crowd->service.entry = pick_entry(crowd);
	if (chance(crowd, 40))
		feed_any_memory(crowd);
	visit_all(crowd, 2, change_renegotiation);
}

static void change_updates(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	for (int i = (int)pick(crowd, 6); i > 0; i--)
		plan->tasks[plan->task_count++] =
		    chance(crowd, 50) ? CLIENT_UPDATES : CLIENT_UPDATES_AND_ASKS;
}

static void plan_updates(struct crowd *crowd)
{
	if (!libssl_speaks_tls13())
		return;
	speak(crowd, TLS1_3_VERSION);
	visit_all(crowd, 2, change_updates);
}

static void change_own(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	for (int i = (int)pick(crowd, MAX_TASKS); i > 0; i--)
		plan->tasks[plan->task_count++] =
		    CLIENT_UPDATES +
		    (enum task)pick(crowd,
				    (crowd->service.reuse ? SERVER_ASKS_CERTIFICATE : TASKS) -
					CLIENT_UPDATES);
}

static void plan_own(struct crowd *crowd)
{
	if (!libssl_speaks_tls13())
		return;
	speak(crowd, TLS1_3_VERSION);
	visit_all(crowd, 2, change_own);
}

static void change_early(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	plan->early = plan->offer == OFFER_SESSION && chance(crowd, 80);
	plan->hide = HIDE_NOTHING;
}

static void plan_early(struct crowd *crowd)
{
	if (!libssl_speaks_tls13())
		return;
	speak(crowd, TLS1_3_VERSION);
	crowd->service.early = true;
	crowd->service.replayable = chance(crowd, 50);
	if (chance(crowd, 40))
		crowd->service.feed = FEED_MEMORY;
	visit_all(crowd, 2, change_early);
}

// --- objects that serve one client after the other ---

static void plan_reuse(struct crowd *crowd)
{
	speak_any(crowd);
	if (crowd->service.max == TLS1_3_VERSION && !libssl_clears_tls13())
		speak(crowd, TLS1_2_VERSION);
	crowd->service.reuse = true;
	// An object keeps its last session, and libssl drops that from the cache at any fatal
	// alert.
	crowd->service.ids &= crowd->policy->limit[HANDSHAKE] == 0;
	crowd->service.feed = chance(crowd, 60) ? FEED_FD : FEED_MEMORY;
	visit_all(crowd, 2, NULL);
	if (crowd->policy->limit[RESUMPTION] != 0) { // an exempt client must not inherit anything
		struct client *client = add_client(crowd);

		client->exempt = true;
		client->address = plan_address(true);
		for (int i = 0; i < MAX_VISITS - 2; i++)
			add(crowd, client, plain(crowd, client, 90));
	}
}

// --- unfinished ---

static void change_unfinished(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	if (chance(crowd, 30))
		return;
	plan->ending = SILENT + (enum ending)pick(crowd, HELLO - SILENT + 1);
	if (plan->ending == HALF_HEADER && !crowd->service.proxy)
		plan->ending = SILENT;
	plan->leave = pick(crowd, 3);
}

static void plan_unfinished(struct crowd *crowd)
{
	speak_any(crowd);
	crowd->service.entry = pick_entry(crowd);
	expect_proxy(crowd);
	visit_all(crowd, 2, change_unfinished);
}

static void plan_unfinished_memory(struct crowd *crowd)
{
	speak_any(crowd);
	feed_any_memory(crowd);
	crowd->service.turn = pick(crowd, TURN_BACKEND + 1);
	visit_all(crowd, 3, change_unfinished);
}

// --- declined by the server ---

static void change_declined(struct crowd *crowd, struct client *client, struct plan *plan)
{
	(void)client;
	plan->elsewhere = chance(crowd, 50);
}

static void plan_declined(struct crowd *crowd)
{
	speak_any(crowd);
	visit_all(crowd, 2, change_declined);
}

// Sessions expire: one crowd for a run, since it waits.
static void plan_expired(struct crowd *crowd)
{
	if (crowd->index > 1)
		return;
	speak(crowd, crowd->index == 0 || !libssl_speaks_tls13() ? TLS1_2_VERSION : TLS1_3_VERSION);
	crowd->service.brief = true;
	crowd->service.wait = true;
	while (crowd->client_count < 4) {
		struct client *client = add_client(crowd);

		add(crowd, client, plain(crowd, client, 0));
		add(crowd, client, plain(crowd, client, 100));
	}
}

// --- all at once ---

static void change_mixed(struct crowd *crowd, struct client *client, struct plan *plan)
{
	const struct service *service = &crowd->service;

	change_compat(crowd, client, plan);
	if (chance(crowd, 40))
		change_split(crowd, client, plan);
	if (chance(crowd, 20))
		change_records(crowd, client, plan);
	if (service->max == TLS1_3_VERSION && chance(crowd, 40))
		change_retry(crowd, client, plan);
	if (plan->ending == SERVED && crowd->policy->limit[INCOMPLETE] == 0 && !plan->retry &&
	    chance(crowd, 15))
		change_unfinished(crowd, client, plan);
	if (plan->ending == SERVED && chance(crowd, 40)) {
		if (service->max == TLS1_3_VERSION)
			change_own(crowd, client, plan);
		else
			change_renegotiation(crowd, client, plan);
	}
	if (plan->ending == SERVED && chance(crowd, 10))
		change_declined(crowd, client, plan);
}

static void plan_mixed(struct crowd *crowd)
{
	speak_any(crowd);
	if (chance(crowd, 60))
		feed_any_memory(crowd);
	else
		crowd->service.entry = pick_entry(crowd);
	crowd->service.turn = pick(crowd, TURN_BACKEND + 1);
	crowd->service.reuse = !crowd->service.ids && chance(crowd, 30) &&
			       (crowd->service.max < TLS1_3_VERSION || libssl_clears_tls13());
	visit_all(crowd, 1 + (int)pick(crowd, MAX_CLIENTS), change_mixed);
}

const struct group groups[] = {
    {"what went wrong once", plan_named, IN_ALL | IN_EVERY_RUN},
    {"sockets: versions, tickets, ids, PSKs", plan_sockets, IN_ALL},
    {"memory BIOs, BIO pairs, own BIOs", plan_memory, IN_ALL},
    {"writes split at random, down to single bytes", plan_split, IN_ALL},
    {"a ClientHello in many records", plan_records, IN_ALL},
    {"several clients in batches", plan_batch, IN_ALL},
    {"several clients over a pool of threads", plan_pool, IN_ALL},
    {"several clients, and a backend", plan_backend, IN_ALL},
    {"HelloRetryRequest, the offer in either hello", plan_retry, IN_ALL},
    {"SSL_stateless", plan_stateless, IN_ALL},
    {"DTLS on connected sockets", plan_dtls, IN_ALL},
    {"DTLS on an unconnected socket", plan_dtls_loose, IN_ALL},
    {"DTLSv1_listen, and forged senders", plan_dtls_listen, IN_ALL},
    {"DTLS through memory", plan_dtls_memory, IN_ALL},
    {"TLS 1.3 switched off late", plan_late, IN_ALL},
    {"session ids or middlebox compatibility", plan_ambiguous, IN_ALL},
    {"external PSKs", plan_psk, IN_ALL},
    {"renegotiation, the client's and the program's", plan_renegotiation,
     IN_COUNT | IN_CLOSE | IN_BLOCK},
    {"key updates of the client", plan_updates, IN_COUNT | IN_CLOSE | IN_BLOCK},
    {"key updates that the program asks for", plan_own, IN_ALL},
    {"early data", plan_early, IN_ALL},
    {"SSL_clear and reuse", plan_reuse, IN_ALL},
    {"unfinished handshakes", plan_unfinished, IN_ALL},
    {"unfinished handshakes through memory", plan_unfinished_memory,
     IN_COUNT | IN_DECLINE | IN_CLOSE},
    {"sessions that the server does not know", plan_declined, IN_ALL},
    {"sessions that have expired", plan_expired, IN_COUNT},
    {"all mixed", plan_mixed, IN_ALL},
    {NULL, NULL, 0}};
