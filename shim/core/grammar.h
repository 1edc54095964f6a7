/*
 * The grammar of values in the environment: numbers, limits, rules, words. Pure; what is read is
 * never changed. Every rg_parse_… returns 0, or -1 and leaves its result untouched.
 */
#ifndef RG_GRAMMAR_H
#define RG_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_policy.h"

/* A value or a part of one: not terminated. */
struct rg_text {
	const char *at;
	size_t length;
};

struct rg_text rg_text_of(const char *string);
bool rg_text_is(struct rg_text text, const char *word);

/* Cut *REST at the first SEPARATOR: the part before is returned, the part behind is left. False in
 * *MORE where there is none. */
struct rg_text rg_text_cut(struct rg_text *rest, char separator, bool *more);

/* A decimal number from MIN to MAX without sign, space or leading zero. */
int rg_parse_number(struct rg_text text, uint64_t min, uint64_t max, uint32_t *number);

/* COUNT/PERIOD */
int rg_parse_limit(struct rg_text text, struct rg_limit *limit);

/* ACTION[:COUNT/PERIOD], one of ACTIONS (RG_CAN). */
int rg_parse_rule(struct rg_text text, unsigned actions, struct rg_rule *rule);

/* A word that a setting takes. */
struct rg_word {
	const char *word;
	unsigned value;
};

int rg_parse_word(struct rg_text text, const struct rg_word *words, size_t count, unsigned *value);

#endif
