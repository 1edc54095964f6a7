/*
 * Which libssl a hook must call. While only one libssl is in use, it is that one (guard/gate.h). If
 * there are several, the map of SSLs tells which one an object belongs to. If the object is not in
 * the map, the caller tells. Any thread may call anything here.
 */
#ifndef RG_LIBRARIES_H
#define RG_LIBRARIES_H

#include "guard/gate.h"
#include "libssl/functions.h"

/* The library that the code at address CALLER is bound to; NULL if none is found. */
struct rg_libssl *rg_libraries_of(const void *caller);

/* The library that OBJECT, an SSL or an SSL_CTX, belongs to, or else CALLER's; NULL if none is
 * found. */
struct rg_libssl *rg_libraries_for_slowly(const void *object, const void *caller);

/* The same; fast while only one library is in use. */
static inline struct rg_libssl *rg_libraries_for(const void *object, const void *caller)
{
	return (rg_gate_flags() & RG_GATE_LIBRARY) == 0 ? rg_gate_library
							: rg_libraries_for_slowly(object, caller);
}

/*
 * Our dlsym(3) hands out a hook for LIB, so LIB may be called beside the library in use. No
 * function of LIB is called here: the program may be about to choose how LIB is initialised.
 */
void rg_libraries_note_dlsym(const struct rg_libssl *lib);

#endif
