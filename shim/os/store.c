#include "os/store.h"

#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/siphash.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/state_file.h"

#define CLOEXEC	    1U /* MFD_CLOEXEC, which older libcs do not define */
#define LEDGER_NAME "reneguard"

/* The memory of a process that cannot map any. */
static _Alignas(64) unsigned char last_resort[RG_LEDGER_SMALL_BYTES];

/* Make 16 bytes that nobody can guess from AT_RANDOM, the kernel's random bytes for this process.
 * They are hashed, because libc keeps secrets in the same bytes. */
static void draw_seed(uint8_t seed[16])
{
	const uint8_t *random = (const uint8_t *)(uintptr_t)getauxval(AT_RANDOM);
	static const uint8_t zeros[16];
	uint64_t material[3] = {rg_clock_ns(), (uint64_t)getpid(), 0};

	for (material[2] = 0; material[2] < 2; material[2]++) {
		uint64_t half = rg_siphash(random != NULL ? random : zeros,
					   (const uint8_t *)material, sizeof material);

		memcpy(seed + 8 * material[2], &half, sizeof half);
	}
}

/* --- a private ledger --- */

/*
 * Memory that children share and that `reneguardctl` finds by its name in /proc/PID/maps. The
 * descriptor is closed at once, so that the program never meets it. If no memory file can be made,
 * the memory has no name. MAP_FAILED if none can be mapped.
 */
static void *map_shared(size_t bytes)
{
	int fd =
	    rg_may_grow_file(bytes) ? (int)syscall(SYS_memfd_create, LEDGER_NAME, CLOEXEC) : -1;
	bool named = fd >= 0 && ftruncate(fd, (off_t)bytes) == 0;
	int flags = MAP_SHARED | MAP_NORESERVE | (named ? 0 : MAP_ANONYMOUS);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, named ? fd : -1, 0);

	if (fd >= 0)
		close(fd);
	return memory;
}

static void open_private(struct rg_ledger *ledger, const struct rg_policy *policy)
{
	uint32_t clients = policy->clients;
	void *memory = map_shared(rg_ledger_bytes(clients));
	uint8_t seed[16];

	if (memory == MAP_FAILED) {
		memory = last_resort;
		clients = RG_CLIENTS_MIN;
	}
	draw_seed(seed);
	rg_ledger_make(ledger, memory, clients, seed, rg_clock_space());
	(void)rg_ledger_use(ledger, policy->rules,
			    &policy->log_rate); /* the first: there is room */
}

static bool open_state(struct rg_ledger *ledger, const struct rg_policy *policy,
		       char why[RG_STORE_WHY_BYTES])
{
	uint8_t seed[16];

	draw_seed(seed);
	return rg_state_file_open(ledger, policy, seed, why);
}

void rg_store_open(struct rg_ledger *ledger, const struct rg_policy *policy,
		   char why[RG_STORE_WHY_BYTES])
{
	int cancel = rg_cancel_hold();

	why[0] = '\0';
	if (policy->state[0] == '\0' || !open_state(ledger, policy, why))
		open_private(ledger, policy);
	rg_cancel_restore(cancel);
}
