/*
 * Which libssl a hook is to call. While one libssl is in use it is that one
 * (guard/gate.h); where there are several, an object tells by its entry in the map of SSLs, or else
 * the caller does. Any thread may call anything here.
 */
#ifndef RG_LIBRARIES_H
#define RG_LIBRARIES_H

#include "guard/gate.h"
#include "libssl/functions.h"

/* The library that CALLER is bound to; NULL for none. */
struct rg_libssl *rg_libraries_of(const void *caller);

/* The library that OBJECT, an SSL or an SSL_CTX, belongs to. */
struct rg_libssl *rg_libraries_for_slowly(const void *object, const void *caller);

static inline struct rg_libssl *rg_libraries_for(const void *object, const void *caller)
{
	return (rg_gate_flags() & RG_GATE_LIBRARY) == 0 ? rg_gate_library
							: rg_libraries_for_slowly(object, caller);
}

/* dlsym(3) hands out a hook for LIB, which may then be called beside the one in use. Nothing is
 * asked of LIB: the program may be about to say how it is to be initialised. */
void rg_libraries_note_dlsym(const struct rg_libssl *lib);

#endif
