/* What a push and the commands that deploy have in common, once there is a build. */
#ifndef SLIPWAY_GATEWAY_DEPLOY_H
#define SLIPWAY_GATEWAY_DEPLOY_H

#include "gateway/command.h"
#include "sql/app_json.h"
#include "sql/tables.h"

/* Writes the deploy branch in the repository from the live release's row. Errors are logged. */
void deploy_project(const struct conf *conf, struct store *store, int64_t app_id);

/* Is the server ready for a deploy of c->app? ERR_BUSY where it stops, or the app is locked. */
int deploy_check(const struct command_ctx *c, struct err *err);

/* ERR_FAILED where app.json requires config that the app (id 0: one that does not exist yet) has not. */
int deploy_env_check(struct store *s, const struct app *app, const struct app_json *a, struct err *err);
/* In a transaction: before the first release goes live, the config and the counts that app.json brings. *ret_said: lines
 * for the person, also app.json's warnings. */
int deploy_app_json(struct store *s, int64_t app_id, const struct app_json *a, struct vec *ret_said, struct err *err);
/* Both are one: the build is queued, with what app.json says (b->app_json is set here), which is said to io. One that is
 * only planned with brings nothing. */
int deploy_queue(struct store *s, struct command_io *io, struct build_new *b, const struct app_json *a, int64_t *ret_id,
                 struct err *err);

/* Follows a build to its end, its output to io, as the app's on_disconnect says where the person goes away. 0: it is
 * live, and *ret is the caller's; 1: the person has gone; -1: it isn't live, and why. */
int deploy_follow(struct command_ctx *c, struct command_io *io, int64_t build_id, struct build *ret, struct err *err);

#endif
