/* The lock: it excludes, it is not taken from a thread that has it, and it is taken over from
 * another process. */
#include "unit.h"

#include <pthread.h>

#include "os/lock.h"

#define ROUNDS 20000

static struct rg_lock lock;
static volatile int inside, most, counted;

static void *enter_again_and_again(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (!rg_lock(&lock))
			continue;
		inside++;
		most = inside > most ? inside : most;
		counted++;
		inside--;
		rg_unlock(&lock);
	}
	return arg;
}

START_TEST(test_excludes)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, enter_again_and_again, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(most, 1);
	ck_assert_int_eq(counted, 4 * ROUNDS);
}
END_TEST

static void *try_once(void *arg)
{
	*(bool *)arg = rg_lock(&lock);
	return NULL;
}

START_TEST(test_gives_up)
{
	pthread_t other;
	bool taken = true;

	ck_assert(rg_lock(&lock));
	ck_assert_int_eq(pthread_create(&other, NULL, try_once, &taken), 0);
	pthread_join(other, NULL);
	ck_assert(!taken);
	ck_assert_int_eq(lock.owner, getpid());
	rg_unlock(&lock);
	ck_assert(rg_lock(&lock));
}
END_TEST

START_TEST(test_is_taken_over)
{
	lock.owner =
	    getpid() + 1; /* as after a fork: the thread that would unlock it is not here */
	ck_assert(rg_lock(&lock));
	ck_assert_int_eq(lock.owner, getpid());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");

	UNIT_ADD(suite, test_excludes);
	UNIT_ADD(suite, test_gives_up);
	UNIT_ADD(suite, test_is_taken_over);
	return unit_run(suite);
}
