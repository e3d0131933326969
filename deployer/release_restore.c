#include "config.h"

#include "deployer/release_run.h"

#include "base/loop.h"
#include "base/mem.h"
#include "deployer/config_open.h"
#include "sql/app_json.h"

#include <inttypes.h>
#include <string.h>

#define RESTORE_TRIES 20         /* with the wait below about five minutes: an API server's upgrade */
#define RESTORE_AGAIN_MS 15000

/* Puts the live release's objects back and waits for them. */
static int restore_live(struct run *r, struct release *live, struct err *err)
{
    struct config_set config;
    struct target_applied applied = { .url = NULL };
    struct target_release t = { .app = &r->app, .release = live, .image = live->image, .config = &config,
                                .restore = true, .certificate = &r->certificate, .suspended = &r->suspended };
    int rc;

    if (config_open_run(r->w->store, r->app.id, live->config_version, &config, err) < 0)
        return -1;
    rc = run_apply(r, &t, &applied, err);
    target_applied_release(&applied);
    if (rc == 0)
        rc = run_applied(r, NULL, err);
    if (rc == 0)
        rc = r->ops->watch(r->target, &t, &r->call, r->w->conf->rollout_timeout, err);
    config_set_release(&config);
    if (rc == 0)
        run_prune(r, live->id);
    return rc;
}

/* Nothing was live before: nothing of the release may go on crashing. */
static int restore_nothing(struct run *r, struct err *err)
{
    cleanup_vec struct vec tasks = VEC_INIT;
    struct app_json app_json;
    struct release none = *r->release;
    struct target_release t = { .app = &r->app, .release = &none, .image = none.image, .config = &r->config,
                                .restore = true, .certificate = &r->certificate, .suspended = &tasks };
    struct target_applied applied = { .url = NULL };
    int rc;

    if (app_json_of(none.app_json, &app_json, NULL) == 0) {
        for (size_t i = 0; i < app_json.n_cron; i++)
            vec_add(&tasks, app_json.cron[i].id);
        app_json_release(&app_json);
    }
    none.formation = (struct formation){ NULL, 0 };
    for (size_t i = 0; i < none.processes.n; i++)
        formation_set(&none.formation, none.processes.v[i].type, 0);
    for (size_t i = 0; i < r->release->formation.n; i++)
        formation_set(&none.formation, r->release->formation.v[i].process, 0);
    rc = run_apply(r, &t, &applied, err);
    target_applied_release(&applied);
    if (rc == 0)
        rc = run_applied(r, NULL, err);
    formation_release(&none.formation);
    return rc;
}

static int restore_once(struct run *r, struct err *err)
{
    struct release live;
    int rc;

    if (run_target(r, err) < 0)
        return -1;
    if (r->app.live_release_id == 0)
        return restore_nothing(r, err);
    if (releases_get(r->w->store, r->app.live_release_id, &live, err) < 0)
        return -1;
    rc = restore_live(r, &live, err);
    release_release(&live);
    return rc;
}

static void say_outcome(struct run *r, const struct err *why)
{
    bool done = why->code == ERR_NONE;

    if (r->app.live_version == 0)
        release_log_sayf(&r->log, done ? " !     Nothing was live before, and nothing of v%" PRId64 " runs on."
                                       : " !     Nothing was live before; what v%" PRId64 " left couldn't be stopped.",
                         r->release->version);
    else if (done)
        run_say_still_live(r);
    else
        release_log_sayf(&r->log, " !     v%" PRId64 " could not be put back: %s. See ps, and push again.",
                         r->app.live_version, why->msg);
}

int step_restore(struct run *r, struct err *err)
{
    struct pulse *p = r->w->pulse;

    p->ignore_cancel = true;
    run_say_failed(r);
    if (r->moving) {
        /* Where the app lives nothing was touched. The row's end makes what is left here due for removal. */
        release_log_sayf(&r->log, " !     What v%" PRId64 " has on %s is removed.", r->release->version, r->release->target);
        run_say_still_live(r);
        return 0;
    }
    for (int tries = 1;; tries++) {
        uint64_t until;

        err_clear(err);
        if (restore_once(r, err) == 0)
            break;
        if (pulse_stopped(p) || err->code != ERR_DOWN || tries == RESTORE_TRIES)
            break;
        if (tries == 1)
            release_log_sayf(&r->log, " !     The last live release can't be put back yet (%s); tried again for some minutes", err->msg);
        for (until = loop_now() + RESTORE_AGAIN_MS; loop_now() < until && !pulse_stopped(p);)
            (void) pulse_wait(p, LEASE_RENEW_MS, NULL);
    }
    if (pulse_outcome(p) == OUTCOME_LOST || pulse_outcome(p) == OUTCOME_STOPPING)
        return -1;
    say_outcome(r, err);
    return err->code == ERR_NONE ? 0 : -1;
}
