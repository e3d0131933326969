#include "config.h"

#include "deployer/release_run.h"

#include "base/log.h"
#include "base/mem.h"
#include "deployer/config_open.h"
#include "deployer/mask.h"

#include <inttypes.h>
#include <string.h>

void run_say_failed(struct run *r)
{
    release_log_sayf(&r->log, r->canceled ? " !     v%" PRId64 " was not released: %s" : " !     v%" PRId64 " failed: %s",
                     r->release->version, r->failure.msg);
}

void run_say_still_live(struct run *r)
{
    if (r->app.live_version != 0)
        release_log_sayf(&r->log, " !     v%" PRId64 " is still live%s%s.", r->app.live_version, r->moving ? " on " : "",
                         r->moving ? r->app.target : "");
}

/* Nothing was applied, or it has been undone. */
int step_fail(struct run *r, struct err *err)
{
    const char *reason = r->failure.msg;

    if (!r->w->pulse->ignore_cancel) { /* not said by step_restore */
        run_say_failed(r);
        run_say_still_live(r);
    }
    return releases_failed(r->w->store, r->w->me, r->release->id, r->canceled, reason, err);
}

int step_hand_back(struct run *r, struct err *err)
{
    release_log_sayf(&r->log, " !     The server stops; its next start goes on with v%" PRId64 ".", r->release->version);
    return releases_hand_back(r->w->store, r->w->me, r->release->id, err);
}

static int (*const step_functions[])(struct run *r, struct err *err) = {
    [STEP_PUBLISH] = step_publish, [STEP_COMMAND] = step_command,     [STEP_APPLY] = step_apply,
    [STEP_ROLLOUT] = step_rollout, [STEP_POSTDEPLOY] = step_postdeploy, [STEP_FINISH] = step_finish,
    [STEP_RESTORE] = step_restore, [STEP_FAIL] = step_fail,             [STEP_HAND_BACK] = step_hand_back,
};

/* Writes down which step begins, where a worker that takes over could not tell (and the step before, or the worker before,
 * has not done so already): each write waits for the disk some times. */
static int step_begin(struct run *r, enum step s, struct err *err)
{
    if (s == STEP_RESTORE)
        return releases_restoring(r->w->store, r->w->me, r->release->id, r->failure.msg, err);
    if (step_name(s)[0] == '\0' || s == STEP_PUBLISH || s == STEP_ROLLOUT || s == STEP_POSTDEPLOY ||
        (s == STEP_COMMAND && !run_has_command(r)) || strcmp(r->release->step, step_name(s)) == 0)
        return 0;
    return releases_step(r->w->store, r->w->me, r->release->id, step_name(s), err);
}

/* Why it failed goes to people: values of the config do not. */
static void failure_set(struct run *r, const struct err *why)
{
    cleanup_buf struct buf b;

    buf_init(&b, ERR_MSG_MAX - 1);
    mask_line(&r->config, why->msg, &b);
    r->failure.code = why->code;
    (void) snprintf(r->failure.msg, sizeof(r->failure.msg), "%s", buf_str(&b));
}

/* Who canceled it stands in the row. */
static void failure_canceled(struct run *r)
{
    struct err why = { ERR_FAILED, "canceled" };
    struct release now;

    r->canceled = true;
    if (releases_get(r->w->store, r->release->id, &now, NULL) == 0) {
        if (now.reason != NULL)
            (void) snprintf(why.msg, sizeof(why.msg), "%s", now.reason);
        release_release(&now);
    }
    failure_set(r, &why);
}

static enum outcome step_do(struct run *r, enum step s, struct err *err)
{
    struct pulse *p = r->w->pulse;
    struct err why = ERR_INIT;
    enum outcome o;

    if (step_begin(r, s, &why) == 0 && step_functions[s](r, &why) == 0)
        return OUTCOME_DONE;
    (void) pulse_stopped(p);
    o = pulse_outcome(p);
    log_info("step \"%s\": %s", step_name(s), why.msg);
    if (s == STEP_FINISH || s == STEP_FAIL || s == STEP_HAND_BACK) {
        if (err != NULL)
            *err = why;
        return o == OUTCOME_LOST ? o : OUTCOME_FAILED;
    }
    if (o == OUTCOME_CANCELED)
        failure_canceled(r);
    else if (o == OUTCOME_FAILED && s != STEP_RESTORE)
        failure_set(r, &why);
    if (r->failure.code == ERR_DOWN && !r->canceled && releases_down(r->w->store, r->w->me, r->release->id, &why) < 0)
        log_warn("%s", why.msg);
    return o;
}

/* Where to begin. A release that can't be prepared fails like any other. */
static enum step prepare(struct run *r)
{
    const struct release *rel = r->release;
    enum step s = step_first(rel->step, rel->image != NULL, rel->cancel);
    struct err why = ERR_INIT;

    r->canceled = rel->cancel;
    (void) snprintf(r->failure.msg, sizeof(r->failure.msg), "%s", rel->reason != NULL ? rel->reason : "canceled");
    if (certificates_open(r->w->store, &r->app, &r->certificate, &why) < 0 ||
        config_open_run(r->w->store, r->app.id, rel->config_version, &r->config, &why) < 0) {
        if (s != STEP_RESTORE && s != STEP_FAIL) {
            failure_set(r, &why);
            s = s == STEP_APPLY ? STEP_RESTORE : STEP_FAIL;
        }
        return s;
    }
    r->log.hide = &r->config;
    return s;
}

/* Types that run in the live release and that the new image hasn't: their processes end. Returns how many. */
static int say_lost(struct run *r, const struct release *live)
{
    const struct formation *f = &live->formation, *now = &r->release->formation;
    int lost = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (f->v[i].count <= 0 || formation_count(now, f->v[i].process) >= 0)
            continue;
        release_log_sayf(&r->log, " !     %s ran in v%" PRId64 ", and the image has no process of that name: it ends with this release; "
                         "check the name in the Procfile", f->v[i].process, live->version);
        lost++;
    }
    return lost;
}

/* None is web, which alone is started by itself, and nobody has scaled another one. */
static void say_nothing_runs(struct run *r)
{
    const struct formation *f = &r->release->formation;
    cleanup_buf struct buf b;

    buf_init(&b, 4096);
    for (size_t i = 0; i < f->n; i++) {
        if (f->v[i].count > 0 || strcmp(f->v[i].process, "web") == 0)
            return;
        (void) buf_addf(&b, "%s%s", i > 0 ? " " : "", f->v[i].process);
    }
    release_log_sayf(&r->log, " !     Nothing of it will run: only web is started without being asked for, and the image has no web, but: %s; "
                     "check the name in the Procfile, or start it: ps:scale %s %s=1", buf_str(&b), r->as.name, f->v[0].process);
}

void run_say_processes(struct run *r)
{
    const struct release *rel = r->release;
    struct err why = ERR_INIT;
    struct release live;
    int lost = 0;

    if (rel->image_ref != NULL && rel->digest[0] == '\0') /* nobody has looked yet */
        return;
    if (rel->formation.n == 0)
        release_log_sayf(&r->log, " !     The image names no process, so nothing of it will run; add a Procfile, such as: web: PROGRAM");
    if (r->app.live_release_id != 0) {
        bool same;

        if (releases_get(r->w->store, r->app.live_release_id, &live, &why) < 0) {
            log_warn("reading the live release: %s", why.msg);
            return;
        }
        same = strcmp(live.digest, rel->digest) == 0;
        if (!same)
            lost = say_lost(r, &live);
        release_release(&live);
        if (same)
            return;
    }
    if (rel->formation.n > 0 && lost == 0)
        say_nothing_runs(r);
}

static void say_begin(struct run *r)
{
    const struct formation *f = &r->release->formation;
    cleanup_buf struct buf b;

    buf_init(&b, 4096);
    if (r->release->attempts > 1) {
        release_log_sayf(&r->log, " !     The release's worker was started again; going on.");
        return;
    }
    if (r->moving)
        release_log_sayf(&r->log, "-----> Moving %s from %s to %s", r->app.name, r->app.target, r->release->target);
    if (r->release->rename_to != NULL)
        release_log_sayf(&r->log, "-----> Renaming %s to %s", r->app.name, r->as.name);
    for (size_t i = 0; i < f->n; i++)
        (void) buf_addf(&b, "%s%s=%d", i > 0 ? " " : "", f->v[i].process, f->v[i].count);
    release_log_sayf(&r->log, "-----> Releasing v%" PRId64 "%s%s", r->release->version, f->n > 0 ? ": " : "", buf_str(&b));
    run_say_processes(r);
}

static int walk(struct run *r, struct err *err)
{
    enum step s = prepare(r);
    int rc = 0;

    say_begin(r);
    while (s != STEP_END) {
        enum outcome o = step_do(r, s, err);

        if (o == OUTCOME_FAILED && step_next(s, o) == STEP_END)
            rc = -1;
        s = step_next(s, o);
    }
    return rc;
}

/* Where it runs. The app's first release takes the server's setting. */
static int target_choose(struct run *r, struct err *err)
{
    struct release *rel = r->release;

    if (rel->target[0] == '\0') {
        const char *target = conf_target(r->w->conf);

        if (releases_target(r->w->store, r->w->me, rel->id, target, err) < 0)
            return -1;
        free(rel->target);
        rel->target = xstrdup(target);
        free(r->app.target);
        r->app.target = xstrdup(target);
    }
    r->ops = r->w->find(rel->target);
    if (r->ops == NULL)
        return err_set(err, ERR_FAILED, "this program has no target %s", rel->target);
    r->moving = strcmp(r->app.target, rel->target) != 0;
    r->as = r->app;
    if (rel->rename_to != NULL)
        r->as.name = rel->rename_to;
    return 0;
}

int release_run(const struct release_worker *w, struct release *release, struct err *err)
{
    struct run r = { .w = w, .release = release, .images = -1 };
    cleanup_free char *path = store_release_log(w->store, release->id);
    int rc = -1;

    if (apps_get_id(w->store, release->app_id, &r.app, err) < 0)
        return -1;
    if (target_choose(&r, err) == 0 && cron_suspended(w->store, release->app_id, &r.suspended, err) == 0 &&
        release_log_open(&r.log, path, err) == 0) {
        r.call = (struct target_call){ .say = release_log_say, .say_arg = &r.log, .canceled = pulse_stopped,
                                       .handed_on = pulse_handed_on,
                                       .canceled_arg = w->pulse, .wake_fd = pulse_fd(w->pulse) };
        rc = walk(&r, err);
    }
    if (r.target != NULL)
        r.ops->close(r.target);
    config_set_release(&r.config);
    certificate_release(&r.certificate);
    vec_release(&r.suspended);
    release_log_close(&r.log);
    if (rc == 0 && r.images >= 0)
        w->retain(w->conf, w->store, &r.app, r.images);
    cleanup_close_p(&r.images);
    app_release(&r.app);
    free(r.url);
    return rc;
}
