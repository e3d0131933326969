/* One-off commands as the engine holds them. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_RUNS_H
#define SLIPWAY_DEPLOYER_DOCKER_RUNS_H

#include "deployer/docker/docker.h"
#include "deployer/one_off.h"

#define LABEL_RUN "dev.slipway/run"             /* its number; such a container is no process of the app */
#define LABEL_COMMAND "dev.slipway/run-command"
#define LABEL_USER "dev.slipway/run-user"
#define LABEL_OWNER "dev.slipway/run-owner"     /* run_owner() of who is attached; none: detached */
#define LABEL_ENDS "dev.slipway/run-ends"       /* ms since 1970: its time is over then */

/* The document of a one-off command's container. env: its variables; command: NULL runs the process's own. ERR_USAGE as
 * container_render. The caller decrefs. */
int run_render(const struct container_input *in, const struct target_run *q, const char *number, const char *owner,
               int64_t now_ms, json_t **ret, struct err *err);

/* Reads the inspected container of one; -1 where it is none. Release *ret. */
int one_off_read(const json_t *doc, struct target_one_off *ret);

/* Stops one within its grace time, and removes it unless somebody is attached, who does that. */
int run_end(struct target *t, const char *id, bool remove, struct err *err);

/* 1: a run of this cron task goes on; 0: none. Forgets those that have ended but for the last few. */
int runs_busy(struct target *t, const char *app, const char *cron_id, struct err *err);

/* For the reconciler: ends those whose owner was killed, or whose time is over; forgets detached ones that have ended
 * long ago. Returns ms until it wants to be called again, -1: at the next event. */
int runs_service(struct target *t);

int docker_run(struct target *t, const struct target_release *r, const struct target_run *q,
               const struct target_stream *io, char **ret_name, int *ret_exit, struct err *err);
int docker_exec(struct target *t, const struct app *app, const struct target_exec *q, const struct target_stream *io,
                int *ret_exit, struct err *err);
int docker_run_list(struct target *t, const struct app *app, struct target_one_off **ret, size_t *ret_n,
                    struct err *err);
int docker_run_logs(struct target *t, const struct app *app, const char *name, bool follow,
                    const struct target_stream *io, struct err *err);
int docker_run_stop(struct target *t, const struct app *app, const char *name, struct err *err);

#endif
