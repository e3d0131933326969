/* The table of functions, and those that are short. */
#include "config.h"

#include "deployer/docker/certificates.h"
#include "deployer/docker/docker.h"
#include "deployer/docker/runs.h"

#include "base/json.h"
#include "base/mem.h"
#include "sql/tables.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void docker_close(struct target *t)
{
    if (t == NULL)
        return;
    deploy_drop(t);
    app_unlock(t);
    engine_free(t->engine);
    free(t);
}

static int docker_open(const struct conf *c, struct target **ret, struct err *err)
{
    struct target *t = xcalloc(1, sizeof(*t));

    if (sodium_init() < 0)
        abort();
    t->conf = c;
    t->lock = -1;
    t->engine = engine_new(c->engine_socket[0] != '\0' ? c->engine_socket : c->docker_socket, err);
    if (t->engine == NULL) {
        docker_close(t);
        return -1;
    }
    *ret = t;
    return 0;
}

/* True where the release has an instance of web. */
static bool has_web(const struct release *r)
{
    return processes_find(&r->processes, PROCESS_WEB) != NULL && deploy_count(r, PROCESS_WEB) > 0;
}

/* True where nothing of it shall run. */
static bool is_empty(const struct release *r)
{
    for (size_t i = 0; i < r->processes.n; i++) {
        const char *type = r->processes.v[i].type;

        if (deploy_is_service(type) && deploy_count(r, type) > 0)
            return false;
    }
    return true;
}

static int docker_apply(struct target *t, const struct target_release *r, const struct target_call *c,
                        target_object_fn *object, void *object_arg, struct target_applied *ret, struct err *err)
{
    json_auto_t *shown = NULL;
    int rc;

    (void) object, (void) object_arg; /* the engine's labels are the inventory */
    engine_set_call(t->engine, c);
    rc = deploy_begin(t, r, NULL, &shown, err);
    /* Then nobody waits: what nothing was live before needs no watch. */
    if (rc == 0 && r->restore && is_empty(r->release))
        rc = deploy_end(t, c, t->conf->rollout_timeout, err);
    engine_set_call(t->engine, NULL);
    if (rc < 0)
        return -1;
    ret->manifests = json_text(shown);
    ret->url = has_web(r->release) ? router_url(t->conf, r->app->name) : NULL;
    return 0;
}

static int docker_watch(struct target *t, const struct target_release *r, const struct target_call *c,
                        int64_t timeout_ms, struct err *err)
{
    int rc;

    (void) r;
    engine_set_call(t->engine, c);
    rc = deploy_end(t, c, timeout_ms, err);
    engine_set_call(t->engine, NULL);
    return rc;
}

static int docker_restart(struct target *t, const struct target_release *r, const char *process,
                          const struct target_call *c, int64_t timeout_ms, struct err *err)
{
    int rc;

    if (process != NULL && (!deploy_is_service(process) || processes_find(&r->release->processes, process) == NULL))
        return err_set(err, ERR_NOT_FOUND, "%s has no process %s", r->app->name, process);
    engine_set_call(t->engine, c);
    rc = deploy_begin(t, r, process != NULL ? process : "", NULL, err);
    if (rc == 0)
        rc = deploy_end(t, c, timeout_ms, err);
    engine_set_call(t->engine, NULL);
    return rc;
}

/* Nothing of ours is in the inventory. */
static int docker_prune(struct target *t, const struct app *app, const struct inventory_item *v, size_t n,
                        target_object_fn *removed, void *removed_arg, struct err *err)
{
    (void) t, (void) app, (void) v, (void) n, (void) removed, (void) removed_arg, (void) err;
    return 0;
}

/* The images that the containers were made from: all of their repository. */
static void images_remove(struct target *t, const struct containers *all)
{
    const struct vec none = VEC_INIT;

    for (size_t i = 0; i < all->n; i++) {
        cleanup_free char *repository = xstrndup(all->v[i].image, strcspn(all->v[i].image, "@"));

        if (i > 0 && strcmp(all->v[i].image, all->v[i - 1].image) == 0)
            continue;
        (void) image_prune(t, repository, &none, NULL); /* what is left only takes space */
    }
}

static int docker_remove(struct target *t, const struct app *app, struct err *err)
{
    struct containers have;
    int rc;

    engine_set_call(t->engine, NULL);
    if (app_lock(t, app->handle, false, err) < 0 || router_route_remove(t->conf, app->handle, err) < 0 ||
        app_containers(t, app->handle, &have, err) < 0) {
        app_unlock(t);
        return -1;
    }
    rc = containers_stop(t, &have, err);
    if (rc == 0)
        images_remove(t, &have);
    containers_release(&have);
    if (rc == 0)
        rc = app_network_remove(t, app->handle, err);
    app_unlock(t);
    return rc;
}

static int docker_maintenance(struct target *t, const struct app *app, bool on, struct err *err)
{
    return router_maintenance(t->conf, app->handle, on, err);
}

const struct target_ops target_docker = {
    .name = "docker",
    .says = {
        [TRAIT_MACHINES] = { false, "on the machine that Slipway is on" },
        [TRAIT_ADDRESS] = { true, "APP.`domain` on `http_port` of [docker], by Caddy" },
        [TRAIT_DOMAINS] = { true, "" },
        [TRAIT_HTTPS] = { true, "`tls` of [docker]: Caddy gets the certificates by itself, from Let's Encrypt or the ACME server "
                          "that `acme_directory` names, or has an app's own (`certs:add`)" },
        [TRAIT_ROLLOUT] = { true, "" },
        [TRAIT_RESTART] = { true, "when the machine is back" },
        [TRAIT_COMMAND] = { true, "" },
        [TRAIT_LOGS] = { true, "`log_size` and `log_files` of [docker] for each process" },
        [TRAIT_ROUTER] = { true, "Caddy's last 10 to 20 MiB, of a week at most" },
        [TRAIT_RUN] = { true, "" },
        [TRAIT_EXEC] = { true, "" },
        [TRAIT_CHECKS] = { true, "startup and readiness of `web` by HTTP or its port, before a release gets requests" },
        [TRAIT_CRON] = { true, "started by Slipway, while it runs" },
        [TRAIT_LIMITS] = { true, "" },
        [TRAIT_REQUESTS] = { false, "processes share what the machine has" },
        [TRAIT_PIDS] = { true, "`pids_limit` of [docker]" },
        [TRAIT_READ_ONLY] = { true, "`read_only` of [docker]" },
        [TRAIT_MAINTENANCE] = { true, "status 503, by Caddy" },
    },
    .open = docker_open,
    .close = docker_close,
    .check = docker_check,
    .release_command = docker_release_command,
    .apply = docker_apply,
    .watch = docker_watch,
    .plan = docker_plan,
    .prune = docker_prune,
    .remove = docker_remove,
    .list = docker_list,
    .restart = docker_restart,
    .logs = docker_logs,
    .follow = docker_follow,
    .requests = docker_requests,
    .run = docker_run,
    .exec = docker_exec,
    .run_list = docker_run_list,
    .run_logs = docker_run_logs,
    .run_stop = docker_run_stop,
    .maintenance = docker_maintenance,
    .certificates = docker_certificates,
};
