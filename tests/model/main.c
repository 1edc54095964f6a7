// model env POLICY: the policy's variables.
// model run POLICY CONVERSATIONS SEED OUTPUT [GROUP/CROWD]: runs so many clients' conversations (or
// that crowd alone), writes what the ledger must say to OUTPUT, one JSON object for each client,
// and then executes $MODEL_AFTER, while the ledger is still there.
#include "run.h"

#include <signal.h>

const char *certificate_file;

uint32_t plan_address(bool exempt)
{
	static uint32_t next = 0x7f010001, next_exempt = 0x7fc80001; // 127.1.0.1, 127.200.0.1

	return exempt ? next_exempt++ : next++;
}

static const struct policy *find_policy(const char *name)
{
	const struct policy *policy = policies;

	while (policy->name != NULL && strcmp(policy->name, name) != 0)
		policy++;
	if (policy->name == NULL) {
		fprintf(stderr, "no such policy: %s\n", name);
		exit(2);
	}
	return policy;
}

static int print_variables(const struct policy *policy)
{
	static const char *const variables[] = {"RENEGOTIATION", "RESUMPTION", "HANDSHAKE",
						"INCOMPLETE", "KEYUPDATE"};

	for (int i = 0; i < EVENTS; i++)
		if (policy->limit[i] != 0)
			printf("RENEGUARD_%s=%s:%u/600s\n", variables[i], policy->action[i],
			       policy->limit[i]);
		else
			printf("RENEGUARD_%s=%s\n", variables[i], policy->action[i]);
	printf("RENEGUARD_EXEMPT=127.200.0.0/16\n");
	return 0;
}

static void plan_crowd(struct crowd *crowd, const struct policy *policy, int group, unsigned index,
		       uint64_t seed)
{
	*crowd = (struct crowd){.group = groups[group].name, .index = index, .policy = policy};
	crowd->rng.state = seed * 0x9e3779b97f4a7c15 + (uint64_t)(policy - policies) * 1000003 +
			   (uint64_t)group * 10007 + index;
	for (int i = 0; i < 4; i++)
		crowd->rng.state ^= (uint64_t)rng_below(&crowd->rng, 1U << 31) << (i * 11);
	groups[group].plan(crowd);
}

static void print_numbers(FILE *out, const char *name, const unsigned *numbers, int count)
{
	fprintf(out, ",\"%s\":[", name);
	for (int i = 0; i < count; i++)
		fprintf(out, "%s%u", i ? "," : "", numbers[i]);
	fputc(']', out);
}

static const char *dotted(uint32_t address)
{
	static char text[16];

	snprintf(text, sizeof text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
		 address >> 8 & 255, address & 255);
	return text;
}

static void print_client(FILE *out, const struct crowd *crowd, int group,
			 const struct client *client)
{
	const struct expectation *expected = &client->expected;
	unsigned first[] = {expected->first_low, expected->first_high};
	char text[1024];

	describe_service(crowd, text, sizeof text);
	fprintf(out, "{\"group\":\"%s\",\"crowd\":\"%s/%d/%u\",\"address\":\"%s\",\"nameless\":%u",
		crowd->group, crowd->policy->name, group, crowd->index, dotted(client->address),
		expected->nameless);
	print_numbers(out, "low", expected->low, COUNTERS);
	print_numbers(out, "high", expected->high, COUNTERS);
	print_numbers(out, "first", first, 2);
	print_numbers(out, "acted_low", expected->acted_low, EVENTS);
	print_numbers(out, "acted_high", expected->acted_high, EVENTS);
	fprintf(out, ",\"fault\":\"%s\",\"script\":[\"%s%s\"", client->fault, text,
		client->exempt ? "; this one is exempt" : "");
	for (int i = 0; i < client->plan_count; i++) {
		describe_plan(&client->plans[i], text, sizeof text);
		fprintf(out, ",\"%s\"", text);
	}
	fprintf(out, "]}\n");
}

static void print_crowd(FILE *out, const struct crowd *crowd, int group)
{
	for (int i = 0; i < crowd->client_count; i++)
		print_client(out, crowd, group, &crowd->clients[i]);
	for (int i = 0; i < crowd->forged_count; i++) { // nothing must be known of them
		struct client nobody = {.address = crowd->forged[i]};

		print_client(out, crowd, group, &nobody);
	}
	fflush(out);
}

// One crowd of a group. Returns how many conversations it had.
static int run_one(FILE *out, const struct policy *policy, int group, unsigned index, uint64_t seed)
{
	static struct crowd crowd;
	int forged;

	plan_crowd(&crowd, policy, group, index, seed);
	forged = crowd.forged_count;
	if (crowd.client_count == 0)
		return 0;
	if (getenv("MODEL_VERBOSE") != NULL)
		fprintf(stderr, "%s/%d/%u %s\n", policy->name, group, index, crowd.group);
	run_crowd(&crowd);
	crowd.forged_count = forged;
	print_crowd(out, &crowd, group);
	return crowd.client_count;
}

static void run_all(FILE *out, const struct policy *policy, int conversations, uint64_t seed)
{
	unsigned policy_bit = 1U << (policy - policies);
	int group_count = 0, done[64] = {0}, total = 0, before = -1;

	for (int i = 0; groups[i].name != NULL; i++)
		group_count += (groups[i].policies & policy_bit) != 0;
	for (int i = 0; groups[i].name != NULL; i++)
		for (unsigned index = 0; (groups[i].policies & IN_EVERY_RUN) != 0; index++)
			if (run_one(out, policy, i, index, seed) == 0)
				break;
	// Each of the others has its share, in turns, so that crowds of all kinds follow each
	// other.
	for (unsigned index = 0; total < conversations && total != before; index++) {
		before = total;
		for (int i = 0; groups[i].name != NULL; i++)
			if ((groups[i].policies & policy_bit) != 0 &&
			    (groups[i].policies & IN_EVERY_RUN) == 0 &&
			    done[i] * group_count <= conversations) {
				int ran = run_one(out, policy, i, index, seed);

				done[i] += ran != 0 ? ran : conversations; // it has no more to say
				total += ran;
			}
	}
}

int main(int argc, char **argv)
{
	const struct policy *policy;
	FILE *out;
	int group;
	unsigned index;

	if (argc == 3 && strcmp(argv[1], "env") == 0)
		return print_variables(find_policy(argv[2]));
	if (argc < 6 || strcmp(argv[1], "run") != 0) {
		fprintf(stderr, "usage: model env POLICY | model run POLICY CONVERSATIONS SEED "
				"OUTPUT [GROUP/CROWD]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	libssl_start();
	certificate_file = getenv("MODEL_CERTIFICATE");
	policy = find_policy(argv[2]);
	out = fopen(argv[5], "w");
	if (certificate_file == NULL || out == NULL)
		die("MODEL_CERTIFICATE, or the output");
	if (argc > 6 && sscanf(argv[6], "%d/%u", &group, &index) == 2)
		(void)run_one(out, policy, group, index, strtoull(argv[4], NULL, 0));
	else
		run_all(out, policy, atoi(argv[3]), strtoull(argv[4], NULL, 0));
	fclose(out);
	unsetenv("LD_PRELOAD");
	return getenv("MODEL_AFTER") != NULL && system(getenv("MODEL_AFTER")) != 0 ? 2 : 0;
}
