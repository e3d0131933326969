/* What the parts of the Docker target share. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_DOCKER_H
#define SLIPWAY_DEPLOYER_DOCKER_DOCKER_H

#include "sql/app_json.h"
#include "deployer/docker/boot.h"
#include "deployer/docker/container.h"
#include "deployer/docker/engine.h"
#include "deployer/docker/plan.h"
#include "deployer/docker/router.h"
#include "deployer/docker/subnet.h"
#include "deployer/target.h"

struct target {
    const struct conf *conf;
    struct engine *engine;
    bool init_known, init;   /* the engine has an init program for containers */
    int lock;                /* of the app that is being changed; -1: none */
    char *locked;            /* its name */
    struct deploy *deploy;   /* what apply has begun and watch ends; NULL: none */
};

/* --- app.c: an app's lock, network and containers */

/* True for an app on another target, that is being moved here or was moved away: its worker makes what it has here, and
 * deployer/remove.c removes it. */
bool app_lives_elsewhere(const struct app *a);

/* Takes the app's lock, which whoever changes its containers holds, and gives back that of another app. wait: false
 * returns ERR_BUSY where somebody has it. */
int app_lock(struct target *t, const char *app, bool wait, struct err *err);
void app_unlock(struct target *t);

/* "slipway-shop"; the caller frees it. */
char *app_network_name(const struct conf *c, const char *app);
/* Makes the app's network where it is missing. */
int app_network(struct target *t, const char *app, struct subnet *ret, struct err *err);
/* Removes it. Missing is fine. */
int app_network_remove(struct target *t, const char *app, struct err *err);

/* All containers of an app; NULL: of all apps of this Slipway. */
int app_containers(struct target *t, const char *app, struct containers *ret, struct err *err);

/* "/containers/json?all=1&filters=…" and the like: path, its label filters for this Slipway's app (NULL: all), and more
 * parameters ("" or "&…"). The caller frees it. */
char *app_query(const struct conf *c, const char *path, const char *app, const char *type, const char *more);

/* --- image.c */

/* Makes the engine have the image, pulling it where it is missing. */
int image_ensure(struct target *t, const char *image, struct err *err);
/* Removes the app's images but those of the digests. */
int image_prune(struct target *t, const char *repository, const struct vec *keep, struct err *err);

/* --- deploy.c: the containers of one release, made beside those of the one before */

/* Makes and starts what is missing. again as in plan_make. On success t->deploy is what deploy_wait waits for. */
int deploy_begin(struct target *t, const struct target_release *r, const char *again, json_t **ret_shown,
                  struct err *err);
/* Waits until it serves, and makes it live: the router sends to the new ones, the old ones are retired. Where it
 * fails, says the last lines and removes the new ones. */
int deploy_end(struct target *t, const struct target_call *c, int64_t timeout_ms, struct err *err);
void deploy_drop(struct target *t);
/* Instead of deploy_end, where what serves stays as it is: containers that were added to it come up by themselves. */
int deploy_settle(struct target *t, struct err *err);

/* How the app's containers differ from the release's. */
enum deploy_state {
    DEPLOY_SAME,             /* nothing to do */
    DEPLOY_INCOMPLETE,       /* some of those that serve are missing, or others are left: deploy_settle */
    DEPLOY_OTHER,            /* another release serves, or none: deploy_end */
};
int deploy_compare(struct target *t, const struct target_release *r, enum deploy_state *ret, struct err *err);

/* Fills what rendering a container of the release needs. network stays the caller's. */
int deploy_input(struct target *t, const struct target_release *r, const char *network, struct container_input *ret,
                  struct err *err);
/* True for process types that run all the time. */
bool deploy_is_service(const char *process);
/* How many instances of it a release has: what the formation says, else 1 of web and 0 of others. */
int deploy_count(const struct release *r, const char *process);

/* --- wait.c */

/* Waits for the containers. 0: all are up, -1: *failure->why (release it) where one failed. */
int boot_wait(struct target *t, const char *app, struct boot *b, const struct app_json *checks,
              const struct target_call *c, int64_t timeout_ms,
              struct boot_failure *failure, struct err *err);
/* True where something accepts connections there. */
bool port_answers(const char *address, int port);
/* Says a container's last lines; says nothing where they can't be had. */
void say_log_end(struct target *t, const char *process, const char *id, const struct target_call *c);

/* --- retire.c: containers that are out of service */

/* Renames it, so that nobody takes it for one in service; the reconciler stops and removes it. */
int container_retire(struct target *t, const struct container *c, struct err *err);
/* Stops containers, each within its grace time, and removes them. */
int containers_stop(struct target *t, const struct containers *all, struct err *err);
/* Removes it at once. Missing is fine. */
int container_remove(struct target *t, const char *id, struct err *err);

/* --- retirees.c: stopping them in the background */

struct retirees;
struct retirees *retirees_new(struct target *t);
void retirees_free(struct retirees *r);
/* Takes those of the list that are retired and not known yet. A web container gets some time for the requests
 * that it has. */
void retirees_take(struct retirees *r, const struct containers *all);
/* Stops and removes whose time has come. Returns the ms until it wants to be called again, -1: at the next event. gone is
 * called with the app's name when the last one of an app is gone. */
int retirees_service(struct retirees *r, void (*gone)(void *arg, const char *app), void *arg);

/* --- the functions of target_ops, each in the file of its name */
int docker_release_command(struct target *t, const struct target_release *r, const char *script,
                           const struct target_call *c, int64_t timeout_ms, struct err *err);
int docker_list(struct target *t, const struct app *app, struct target_instance **ret, size_t *ret_n,
                struct err *err);
int docker_plan(struct target *t, const struct target_release *r, const struct inventory_item *items, size_t n_items,
                json_t **ret, struct err *err);
int docker_logs(struct target *t, const struct app *app, const struct target_logs *q,
                const struct target_stream *io, struct err *err);
int docker_requests(struct target *t, const struct app *app, const struct target_logs *q,
                    const struct target_stream *io, struct err *err);
int docker_follow(struct target *t, const struct app *app, struct log_fan *fan, struct err *err);
int docker_check(struct target *t, target_say_fn *say, void *say_arg, struct err *err);

#endif
