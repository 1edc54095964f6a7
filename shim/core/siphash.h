/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012), a keyed hash for short inputs. Nobody can make
 * clients collide without knowing the key. Pure: any thread may call it, nothing can fail.
 */
#ifndef RG_SIPHASH_H
#define RG_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t rg_siphash(const uint8_t key[16], const uint8_t *data, size_t bytes);

#endif
