/*
 * The grammar of policy values: numbers, limits, rules and words. Pure: any thread may call it, and
 * the text is never changed. Each rg_parse_ function returns 0, or -1 if the text does not fit the
 * grammar; its result is then unchanged.
 */
#ifndef RG_GRAMMAR_H
#define RG_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_policy.h"

/* A value or a part of one; not NUL-terminated. */
struct rg_text {
	const char *at;
	size_t length;
};

struct rg_text rg_text_of(const char *string);
bool rg_text_is(struct rg_text text, const char *word);

/* Cut *REST at the first SEPARATOR. Returns the part before it; *REST becomes the part after it.
 * *MORE says whether there was a SEPARATOR; without one the whole of *REST is returned. */
struct rg_text rg_text_cut(struct rg_text *rest, char separator, bool *more);

/* A decimal number from MIN to MAX, at most nine digits, without sign, space or leading zero. */
int rg_parse_number(struct rg_text text, uint64_t min, uint64_t max, uint32_t *number);

/* COUNT/PERIOD */
int rg_parse_limit(struct rg_text text, struct rg_limit *limit);

/* ACTION[:COUNT/PERIOD]; ACTIONS is the set of accepted actions (RG_CAN). */
int rg_parse_rule(struct rg_text text, unsigned actions, struct rg_rule *rule);

/* A word that a setting accepts, and the value it stands for. */
struct rg_word {
	const char *word;
	unsigned value;
};

/* One of the COUNT words at WORDS. */
int rg_parse_word(struct rg_text text, const struct rg_word *words, size_t count, unsigned *value);

#endif
