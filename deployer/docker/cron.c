#include "config.h"

#include "deployer/docker/cron.h"

#include "base/log.h"
#include "base/mem.h"
#include "deployer/config_open.h"
#include "deployer/docker/runs.h"
#include "sql/app_json.h"
#include "sql/tables.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 5000        /* before an app whose task could not be started is looked at again */

/* One app with its live release. */
struct live {
    struct app app;
    struct release release;
    struct app_json app_json;
};

static int live_read(struct store *s, int64_t app_id, struct live *ret, struct err *err)
{
    int elsewhere = cron_elsewhere(s, app_id, err);

    memset(ret, 0, sizeof(*ret));
    if (elsewhere < 0 || apps_get_id(s, app_id, &ret->app, err) < 0)
        return -1;
    if (elsewhere > 0 || ret->app.live_release_id == 0 || ret->app.deleting || app_lives_elsewhere(&ret->app))
        return 0;
    if (releases_get(s, ret->app.live_release_id, &ret->release, err) < 0)
        return -1;
    return app_json_of(ret->release.app_json, &ret->app_json, err);
}

static void live_release(struct live *l)
{
    app_json_release(&l->app_json);
    release_release(&l->release);
    app_release(&l->app);
}

static int task_start(struct target *t, struct store *s, const struct live *l, const struct app_json_cron *task,
                      int64_t when, struct err *err)
{
    cleanup_free char *number = xasprintf("%s-%" PRId64, task->id, when / 60), *name = NULL;
    char *argv[] = { task->command, NULL };
    struct target_run q = { .argv = argv, .shell = true, .user = CRON_USER, .text = task->command,
                            .ttl_s = CRON_TTL_S, .detached = true, .number = number };
    struct config_set config = { NULL, 0 };
    struct target_release r = { .app = &l->app, .release = &l->release, .image = l->release.image, .config = &config };
    struct err why = ERR_INIT;
    int rc, code;

    rc = runs_busy(t, l->app.handle, task->id, err);
    if (rc < 0)
        return -1;
    if (rc > 0) {
        log_info("%s: cron task %s still runs and is not started again", l->app.name, task->id);
        return 0;
    }
    if (config_open_run(s, l->app.id, l->release.config_version, &config, err) < 0)
        return -1;
    rc = docker_run(t, &r, &q, NULL, &name, &code, &why);
    config_set_release(&config);
    if (rc < 0 && why.code == ERR_BUSY)
        return 0; /* this run was started, and the process ended before the row was written */
    if (rc < 0)
        *err = why;
    return rc;
}

/* Seconds since 1970 when it is due next; -1. */
static int64_t task_service(struct target *t, struct store *s, const struct live *l, const struct app_json_cron *task,
                            bool suspended, struct err *err)
{
    int64_t now = store_now() / 1000, done, due, latest;

    if (cron_done_at(s, l->app.id, task->id, &done, err) < 0)
        return -1;
    done /= 1000;
    due = done != 0 ? cron_next(&task->when, done) : INT64_MAX;
    if (done != 0 && due > now)
        return due;
    /* A task that is new begins with the next time. */
    if (due <= now && !suspended) {
        if (due < now - CRON_LATE_S) {
            log_info("%s: cron task %s was due %" PRId64 " s ago", l->app.name, task->id, now - due);
            due = cron_next(&task->when, now - CRON_LATE_S);
        }
        /* Once, also where several times have passed. */
        for (latest = due; latest <= now && (due = cron_next(&task->when, latest)) <= now;)
            latest = due;
        if (latest <= now && task_start(t, s, l, task, latest, err) < 0)
            return -1;
    }
    if (cron_done(s, l->app.id, task->id, now * 1000, err) < 0)
        return -1;
    return cron_next(&task->when, now);
}

/* Returns when to look again, ms since 1970; INT64_MAX: at a change. */
static int64_t app_service(struct target *t, struct store *s, int64_t app_id)
{
    cleanup_vec struct vec suspended = VEC_INIT;
    int64_t soonest = INT64_MAX;
    struct err err = ERR_INIT;
    struct live l;
    int rc = live_read(s, app_id, &l, &err);

    if (rc == 0)
        rc = cron_suspended(s, app_id, &suspended, &err);
    for (size_t i = 0; rc == 0 && i < l.app_json.n_cron; i++) {
        const struct app_json_cron *task = &l.app_json.cron[i];
        struct err why = ERR_INIT;
        int64_t due = task_service(t, s, &l, task, vec_has(&suspended, task->id), &why);

        if (why.code != ERR_NONE)
            log_warn("%s: cron task %s: %s", l.app.name, task->id, why.msg);
        due = why.code != ERR_NONE ? store_now() + AGAIN_MS : due * 1000;
        if (due < soonest)
            soonest = due;
    }
    if (rc < 0 && err.code != ERR_NOT_FOUND) {
        log_warn("cron: %s", err.msg);
        soonest = store_now() + AGAIN_MS;
    }
    live_release(&l);
    return soonest;
}

int cron_service(struct target *t, struct store *s)
{
    int64_t soonest = INT64_MAX, *ids = NULL, left;
    struct err err = ERR_INIT;
    size_t n = 0;

    if (cron_apps(s, target_docker.name, &ids, &n, &err) < 0) {
        log_warn("cron: %s", err.msg);
        return AGAIN_MS;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t at = app_service(t, s, ids[i]);

        if (at < soonest)
            soonest = at;
    }
    free(ids);
    if (soonest == INT64_MAX)
        return -1;
    left = soonest - store_now();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int) left;
}
