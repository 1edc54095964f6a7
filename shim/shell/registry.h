/*
 * Which state belongs to which SSL: a map from pointers to pointers for this process. An entry is
 * put in when the SSL is made and taken out when it is freed, so a pointer that is used again never
 * finds another's state. Lock-free, and so usable in a child forked at any moment: a bucket of
 * eight places is searched as a whole, and where it is full the next, larger level has the entry.
 * Levels are never freed; they take 16 bytes for each place.
 */
#ifndef RG_REGISTRY_H
#define RG_REGISTRY_H

#include <stdbool.h>

/* Add. False where there is no memory. KEY must not be in it. */
bool rg_registry_put(const void *key, void *value);

/* The value, or NULL. */
void *rg_registry_get(const void *key);

/* Remove, and return the value that was there, or NULL. */
void *rg_registry_take(const void *key);

#endif
