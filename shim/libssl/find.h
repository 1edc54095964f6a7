/*
 * Finds the real libssl: which library a caller means, and where its functions are. Owns a struct
 * rg_libssl for each library. Its functions are found once; the library then stays loaded, so that
 * they stay valid. Any thread may call anything here. If there are more than RG_LIBSSL_MAX, a
 * further one is not guardable, and what is returned for it is this thread's own, until its next
 * call here.
 */
#ifndef RG_FIND_H
#define RG_FIND_H

#include <stdbool.h>

#include "libssl/functions.h"

/*
 * The library that the code at address CALLER is bound to; NULL if none is found. Cheap after the
 * first call from a module. If CALLER is in our own library: the one that this
 * thread was given last.
 */
struct rg_libssl *rg_libssl_of(const void *caller);

/* The library that contains FUNCTION; NULL if FUNCTION is not in a libssl. */
struct rg_libssl *rg_libssl_holding(const void *function);

/* Has the program loaded a libssl yet? Makes no system call. */
bool rg_libssl_is_loaded(void);

#endif
