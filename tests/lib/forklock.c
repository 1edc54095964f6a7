/* A preload that does what jemalloc does: an allocator that locks itself before a fork, so that nobody may allocate until it is over.
 * Whoever does, in a fork handler that runs after this one's, ends the program. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static __thread int forking __attribute__((tls_model("initial-exec")));

static void check(void)
{
	static const char text[] = "forklock: allocated during a fork\n";

	if (forking) {
		(void)!write(2, text, sizeof text - 1);
		_exit(99);
	}
}

void *malloc(size_t bytes)
{
	check();
	return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	check();
	return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
	check();
	return __libc_realloc(memory, bytes);
}

void free(void *memory)
{
	if (memory)
		check();
	__libc_free(memory);
}

static void before(void)
{
	static const char text[] = "forklock: locked\n";

	(void)!write(2, text, sizeof text - 1);
	forking = 1;
}

static void after(void)
{
	forking = 0;
}

__attribute__((constructor)) static void load(void)
{
	pthread_atfork(before, after, after);
}
