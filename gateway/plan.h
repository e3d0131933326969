/* What the app's next release would change in the target, for people and for --json. */
#ifndef SLIPWAY_GATEWAY_PLAN_H
#define SLIPWAY_GATEWAY_PLAN_H

#include "gateway/command.h"
#include "sql/app_json.h"

#include <jansson.h>

/* {"app", "target", "live": version or null, "build": id or null, "config": {"added": [names], "removed", "changed"},
 *  "release_command": text, or null where none would be run,
 *  "changes": as of plan_changes}
 * of c->app. build (NULL: the live release's image) is what would be released, and a its app.json. NULL and err; ERR_NONE: the
 * person has gone. The caller decrefs. */
json_t *apps_plan_make(struct command_ctx *c, const struct build *build, const struct app_json *a, struct err *err);

/* Is there nothing in it that would change? */
bool apps_plan_is_empty(const json_t *plan);

/* Prints it. -1: the person has gone. */
int apps_plan_print(struct command_io *io, const json_t *plan);

#endif
