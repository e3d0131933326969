/* Asking the builder for something (sql/errands.c) and waiting for it. */
#ifndef SLIPWAY_GATEWAY_ERRAND_H
#define SLIPWAY_GATEWAY_ERRAND_H

#include "gateway/command.h"
#include "sql/tables.h"

/* Returns 0 with *ret_answer (may be NULL; the caller frees it), 1 where the person went away, which changes nothing; -1:
 * ERR_FAILED with the builder's reason, ERR_DOWN where it gives no answer. what: "the cache of shop". */
int errand_run(struct command_ctx *c, enum errand_kind kind, int64_t app_id, const char *what, char **ret_answer,
               struct err *err);

#endif
