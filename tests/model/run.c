// Runs a crowd: rounds in which the clients do what they can, then the server accepts, reads and
// works off, each on the thread that the service's way of working wants.
#include "run.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>

enum { WORKERS = 2, READER = WORKERS, THREADS, GIVE_UP_ROUNDS = 6, STUCK_ROUNDS = 1500 };

void die(const char *what)
{
	perror(what);
	exit(2);
}

// --- threads: each does a job and says so ---

static struct worker {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	void (*job)(struct crowd *crowd, int number);
	struct crowd *crowd;
	int number;
} workers[THREADS];

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	pthread_mutex_lock(&worker->mutex);
	for (;;) {
		while (worker->job == NULL)
			pthread_cond_wait(&worker->changed, &worker->mutex);
		worker->job(worker->crowd, worker->number);
		worker->job = NULL;
		pthread_cond_broadcast(&worker->changed);
	}
	return NULL;
}

static void start_workers(void)
{
	static bool started;

	for (int i = 0; i < THREADS && !started; i++) {
		workers[i].number = i;
		pthread_mutex_init(&workers[i].mutex, NULL);
		pthread_cond_init(&workers[i].changed, NULL);
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]))
			die("a thread");
	}
	started = true;
}

static void order(int number, void (*job)(struct crowd *, int), struct crowd *crowd)
{
	struct worker *worker = &workers[number];

	start_workers();
	pthread_mutex_lock(&worker->mutex);
	worker->crowd = crowd;
	worker->job = job;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->mutex);
}

static void await(int number)
{
	struct worker *worker = &workers[number];

	pthread_mutex_lock(&worker->mutex);
	while (worker->job != NULL)
		pthread_cond_wait(&worker->changed, &worker->mutex);
	pthread_mutex_unlock(&worker->mutex);
}

// --- what the server does in a round ---

// The clients of this round, in an order of its own.
static int shuffled[MAX_CLIENTS];

static void shuffle(struct crowd *crowd)
{
	for (int i = 0; i < crowd->client_count; i++) {
		int j = (int)rng_below(&crowd->rng, (unsigned)i + 1);

		shuffled[i] = shuffled[j];
		shuffled[j] = i;
	}
}

static void read_all(struct crowd *crowd, int number)
{
	(void)number;
	for (int i = 0; i < crowd->client_count; i++) // in the order in which they came
		if (crowd->clients[i].visit != NULL && !crowd->clients[i].visit->accepted)
			server_accept(crowd->clients[i].visit);
	for (int i = 0; i < crowd->client_count; i++)
		if (crowd->clients[shuffled[i]].visit != NULL)
			server_read(crowd->clients[shuffled[i]].visit);
}

static void process_some(struct crowd *crowd, int number)
{
	// A spare object passes from one client to the next: one thread has it.
	int step = crowd->service.turn == TURN_POOL && !crowd->service.reuse ? WORKERS : 1;

	for (int i = step == 1 ? 0 : number; i < crowd->client_count; i += step) {
		struct visit *visit = crowd->clients[shuffled[i]].visit;

		if (crowd->service.turn == TURN_BACKEND)
			server_read_backend(&crowd->service);
		if (visit != NULL)
			server_process(visit);
	}
}

static void serve(struct crowd *crowd)
{
	shuffle(crowd);
	switch (crowd->service.turn) {
	case TURN_POOL:
		order(READER, read_all, crowd);
		await(READER);
		for (int i = 0; i < (crowd->service.reuse ? 1 : WORKERS); i++)
			order(i, process_some, crowd);
		for (int i = 0; i < (crowd->service.reuse ? 1 : WORKERS); i++)
			await(i);
		break;
	case TURN_BACKEND:
		order(READER, read_all, crowd);
		await(READER);
		order(0, process_some, crowd);
		await(0);
		break;
	default:
		read_all(crowd, 0);
		process_some(crowd, 0);
	}
}

// --- did the conversation go as planned? ---

static void fault(struct client *client, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (client->fault[0] == '\0')
		snprintf(client->fault, sizeof client->fault, "visit %d: %s", client->next, text);
}

static void judge(struct visit *visit)
{
	const struct plan *plan = visit->plan;
	struct client *client = visit->client;

	if (plan->ending != SERVED)
		return;
	if (plan->refused) {
		if (!visit->failed || visit->echoed != 0 || (visit->content && !plan->at_answer))
			fault(client, "a handshake that had to be refused was not");
		return;
	}
	if (!visit->content) {
		fault(client, "the handshake failed");
		return;
	}
	if (plan->task_count == plan->tasks_done &&
	    (visit->failed || visit->task != plan->task_count))
		fault(client, "cut at task %d of %d", visit->task + 1, plan->task_count);
	if (plan->task_count > plan->tasks_done &&
	    (!visit->failed || visit->task > plan->tasks_done + 1))
		fault(client, "not cut at task %d", plan->tasks_done + 1);
	if (plan->offer == OFFER_EXTERNAL)
		return;
	if (visit->reused != plan->reused)
		fault(client, plan->reused ? "not resumed" : "resumed");
	else if (visit->shaken && visit->server_reused != visit->reused)
		fault(client, "client and server disagree on resumption");
}

// --- visits ---

static bool begin(struct crowd *crowd, struct client *client)
{
	const struct plan *plan = &client->plans[client->next];
	struct visit *visit = calloc(1, sizeof *visit);

	visit->crowd = crowd;
	visit->client = client;
	visit->plan = plan;
	visit->fd = visit->server_fd = -1;
	visit->rng.state =
	    crowd->rng.state ^ ((uint64_t)(client->next + 1) << 40) ^ client->address;
	if (!client_begin(visit)) {
		fault(client, "there is no session to offer");
		free(visit);
		client->next = client->plan_count;
		return false;
	}
	client->visit = visit;
	for (int i = 0; i < plan->forgers; i++)
		client_forge(visit, crowd->forged[crowd->forged_count++],
			     rng_chance(&visit->rng, 50));
	return true;
}

static void finish(struct visit *visit)
{
	struct client *client = visit->client;

	client_end(visit);
	server_end(visit);
	judge(visit);
	client->visit = NULL;
	client->next++;
	free(visit);
}

// Ends what is over. IDLE: rounds in which nothing moved at all.
static void end_visits(struct crowd *crowd, int idle)
{
	for (int i = 0; i < crowd->client_count; i++) {
		struct visit *visit = crowd->clients[i].visit;

		if (visit == NULL)
			continue;
		if (visit->state == GONE && !visit->ended &&
		    (idle >= GIVE_UP_ROUNDS || is_dtls(&crowd->service)))
			server_end(visit); // the program waits no longer
		if (visit->ended && visit->state != GONE && idle >= GIVE_UP_ROUNDS) {
			visit->failed = true;
			client_end(visit); // a datagram server says nothing when it refuses
		}
		if (idle >= STUCK_ROUNDS) {
			fault(visit->client, "stuck in state %d, task %d", (int)visit->state,
			      visit->task + 1);
			client_end(visit);
		}
		if (visit->state == GONE && visit->ended)
			finish(visit);
	}
}

static bool round_of(struct crowd *crowd)
{
	bool moved = false;

	for (int i = 0; i < crowd->client_count; i++)
		if (crowd->clients[i].visit != NULL)
			client_step(crowd->clients[i].visit);
	serve(crowd);
	for (int i = 0; i < crowd->client_count; i++)
		if (crowd->clients[i].visit != NULL) {
			moved |= crowd->clients[i].visit->moved;
			crowd->clients[i].visit->moved = false;
		}
	return moved;
}

static int visits_left(struct crowd *crowd, int *which)
{
	bool some_are_new = false;
	int count = 0;

	for (int i = 0; i < crowd->client_count; i++)
		some_are_new |= crowd->clients[i].next == 0;
	for (int i = 0; i < crowd->client_count; i++)
		if (crowd->clients[i].next < crowd->clients[i].plan_count &&
		    !(crowd->service.wait && some_are_new && crowd->clients[i].next > 0))
			which[count++] = i;
	return count;
}

static bool is_running(const struct crowd *crowd)
{
	for (int i = 0; i < crowd->client_count; i++)
		if (crowd->clients[i].visit != NULL)
			return true;
	return false;
}

static int pick_one(struct crowd *crowd, const int *which, int count)
{
	int picked = which[0];

	if (!crowd->by_turns)
		return which[rng_below(&crowd->rng, (unsigned)count)];
	for (int i = 1; i < count; i++)
		if (crowd->clients[which[i]].next < crowd->clients[picked].next)
			picked = which[i];
	return picked;
}

// One client at a time for TURN_ONE, else all that have a visit left, a new one now and then.
static void begin_visits(struct crowd *crowd)
{
	int which[MAX_CLIENTS];
	int count = visits_left(crowd, which);

	if (crowd->service.turn == TURN_ONE && is_running(crowd))
		return;
	for (int i = 0; i < count; i++) {
		struct client *client = &crowd->clients[which[i]];

		if (crowd->service.turn == TURN_ONE) {
			(void)begin(crowd, &crowd->clients[pick_one(crowd, which, count)]);
			return;
		}
		if (client->visit == NULL && (!is_running(crowd) || rng_chance(&crowd->rng, 60)))
			(void)begin(crowd, client);
	}
}

// Visits whose sessions are to have expired: everyone's second visit waits.
static void wait_for_expiry(struct crowd *crowd)
{
	static const struct timespec wait = {2, 200 * 1000 * 1000};
	bool due = crowd->service.wait && !is_running(crowd);

	for (int i = 0; i < crowd->client_count; i++)
		due &= crowd->clients[i].next == 1;
	if (due)
		nanosleep(&wait, NULL);
}

void run_crowd(struct crowd *crowd)
{
	int which[MAX_CLIENTS], idle = 0;

	server_open(&crowd->service);
	crowd->forged_count = 0;
	while (visits_left(crowd, which) > 0 || is_running(crowd)) {
		wait_for_expiry(crowd);
		begin_visits(crowd);
		idle = round_of(crowd) ? 0 : idle + 1;
		if (idle > 2 * GIVE_UP_ROUNDS)
			poll(NULL, 0, 1);
		end_visits(crowd, idle);
	}
	for (int i = 0; i < crowd->client_count; i++) {
		SSL_SESSION_free(crowd->clients[i].session);
		SSL_CTX_free(crowd->clients[i].ctx);
	}
	server_shut(&crowd->service);
}
