/* The words that policy settings accept: policy.c reads them, policy_text.c prints them. */
#ifndef RG_POLICY_WORDS_H
#define RG_POLICY_WORDS_H

#include "core/grammar.h"

static const struct rg_word on_off_words[] = {{"off", 0}, {"on", 1}};
static const struct rg_word role_words[] = {
    {"server", RG_ROLE_SERVER}, {"client", RG_ROLE_CLIENT}, {"both", RG_ROLE_BOTH}};
static const struct rg_word target_words[] = {{"syslog", RG_LOG_TO_SYSLOG},
					      {"stderr", RG_LOG_TO_STDERR}};
static const struct rg_word format_words[] = {{"text", RG_FORMAT_TEXT}, {"json", RG_FORMAT_JSON}};
/* RFC 3164 4.1.1 */
static const struct rg_word facility_words[] = {{"user", 1},	  {"daemon", 3},  {"auth", 4},
						{"authpriv", 10}, {"local0", 16}, {"local1", 17},
						{"local2", 18},	  {"local3", 19}, {"local4", 20},
						{"local5", 21},	  {"local6", 22}, {"local7", 23}};

#endif
