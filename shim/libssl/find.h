/*
 * Finding the real libssl: which library a caller means, and its functions. The functions of a
 * library are found once and kept in its struct; the library stays loaded, so that none goes stale.
 * Any thread may call anything here.
 */
#ifndef RG_FIND_H
#define RG_FIND_H

#include <stdbool.h>

#include "libssl/functions.h"

/* The library that the code at CALLER is bound to; NULL for none. Cheap after the first call from a
 * module. */
struct rg_libssl *rg_libssl_of(const void *caller);

/* The library that FUNCTION itself lies in; NULL if that is no libssl. */
struct rg_libssl *rg_libssl_holding(const void *function);

/* Is a libssl among what the program has loaded by now? Makes no system call. */
bool rg_libssl_is_loaded(void);

#endif
