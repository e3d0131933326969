/* What the commands on processes share. */
#ifndef SLIPWAY_GATEWAY_CMD_PS_H
#define SLIPWAY_GATEWAY_CMD_PS_H

#include "gateway/cmd.h"

/* The live release, or ERR_FAILED where none is. Release *ret. */
int ps_live_get(struct command_ctx *c, struct release *ret, struct err *err);

/* ERR_USAGE with the types that there are. */
int ps_type_unknown(const struct command_ctx *c, const char *type, const struct release *live, struct err *err);

/* What runs, as the deployer says (live.h, "list"); the caller decrefs it. NULL with ERR_NONE: the person went away. */
json_t *ps_instances(struct command_ctx *c, struct err *err);

/* The wanted counts are stored and, where they differ from what is live, released as "VERB web=2 worker=1", said as
 * "DOING shop". Fills *ret_now, what the app runs then. */
struct ps_scale { const char *verb, *doing; };
int ps_scale_do(struct command_ctx *c, const struct ps_scale *how, const struct release *live,
                const struct formation *wanted, struct release_made *made, struct formation *ret_now, struct err *err);

/* Says or, with --json, prints what came of it; asked: something was to be changed. */
int ps_scale_show(struct command_ctx *c, const struct formation *now, const struct release_made *made, bool asked);

#endif
