/* The work that `status` does once and `top` every second. */
#ifndef RG_CTL_STATUS_H
#define RG_CTL_STATUS_H

#include <stdbool.h>

#include "ctl/ledgers.h"
#include "ctl/question.h"

/*
 * Find the ledgers that QUESTION is about. LEDGERS is zeroed before and freed after by the caller.
 * Returns false after printing why there is none to show.
 */
bool rg_status_find(const struct rg_question *question, struct rg_ledgers *ledgers);

/* Print LEDGERS as QUESTION wants them. */
void rg_status_print(const struct rg_question *question, const struct rg_ledgers *ledgers);

#endif
