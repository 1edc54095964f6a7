#include "guard/libraries.h"

#include <stddef.h>

#include "guard/connection.h"
#include "libssl/find.h"
#include "os/lock.h"
#include "os/ssl_map.h"

static struct rg_lock lock;

/* A bit for each library, by its slot, for which our dlsym(3) handed out a hook, and for all that
 * are one too many (RG_LIBSSL_MAX); under `lock`. */
static unsigned beside;

/* LIB is called for the first time: allow the fast path if it is the only library in use. */
static void note_in_use(struct rg_libssl *lib)
{
	if (rg_gate_library != NULL) {
		rg_gate_set(RG_GATE_LIBRARY);
		return;
	}
	rg_gate_library = lib;
	if ((beside & ~(1U << lib->slot)) == 0)
		rg_gate_clear(RG_GATE_LIBRARY);
}

/* LIB may be called beside the library in use, from now on. */
static void note_beside(const struct rg_libssl *lib)
{
	beside |= 1U << lib->slot;
	if (rg_gate_library != NULL && rg_gate_library != lib)
		rg_gate_set(RG_GATE_LIBRARY);
}

struct rg_libssl *rg_libraries_of(const void *caller)
{
	static _Atomic bool in_use[RG_LIBSSL_MAX + 1];
	struct rg_libssl *lib = rg_libssl_of(caller);

	if (lib == NULL || atomic_load_explicit(&in_use[lib->slot], memory_order_relaxed) ||
	    !rg_lock(&lock))
		return lib;
	if (!atomic_exchange(&in_use[lib->slot], true)) {
		if (lib->slot < RG_LIBSSL_MAX)
			note_in_use(lib);
		else
			note_beside(lib);
	}
	rg_unlock(&lock);
	return lib;
}

void rg_libraries_note_dlsym(const struct rg_libssl *lib)
{
	if (!rg_lock(&lock))
		return;
	note_beside(lib);
	rg_unlock(&lock);
}

struct rg_libssl *rg_libraries_for_slowly(const void *object, const void *caller)
{
	const struct rg_connection *connection = rg_ssl_map_get(object);

	return connection != NULL ? (struct rg_libssl *)connection->lib : rg_libraries_of(caller);
}
