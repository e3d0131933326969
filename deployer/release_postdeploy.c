/* app.json's scripts.postdeploy: once, when an app's first release serves. */
#include "config.h"

#include "deployer/release_run.h"

#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/step.h"
#include "sql/app_json.h"

#include <inttypes.h>
#include <string.h>

#define SHOWN_MAX 200        /* of the script, in the push's output */

char *run_postdeploy(const struct run *r)
{
    char *script = NULL;
    struct app_json a;

    if (r->app.live_release_id != 0 || r->release->postdeploy_done || app_json_of(r->release->app_json, &a, NULL) < 0)
        return NULL;
    if (a.postdeploy != NULL)
        script = xstrdup(a.postdeploy);
    app_json_release(&a);
    return script;
}

int step_postdeploy(struct run *r, struct err *err)
{
    struct target_release t = { .app = &r->as, .release = r->release, .image = r->release->image,
                                .config = &r->config };
    cleanup_free char *script = run_postdeploy(r), *shown = NULL;
    uint64_t start = loop_now();
    struct err why = ERR_INIT;
    int rc;

    if (script == NULL)
        return 0;
    if (releases_step(r->w->store, r->w->me, r->release->id, step_name(STEP_POSTDEPLOY), err) < 0)
        return -1;
    shown = text_plain(script, SHOWN_MAX);
    release_log_sayf(&r->log, "       postdeploy: %s ...", shown);
    rc = r->ops->release_command(r->target, &t, script, &r->call, r->w->conf->release_timeout, &why);
    if (rc < 0 && pulse_outcome(r->w->pulse) != OUTCOME_FAILED) {
        *err = why;
        return -1; /* canceled, or the server stops: another worker goes on with it */
    }
    if (rc < 0)
        release_log_sayf(&r->log, " !     The postdeploy script %s; v%" PRId64 " is live all the same, and it is not run "
                         "again by itself; see: run", why.msg, r->release->version);
    else
        release_log_sayf(&r->log, "       postdeploy: done (%.1f s)", (double) (loop_now() - start) / 1000);
    r->release->postdeploy_done = true;
    return releases_postdeploy_done(r->w->store, r->w->me, r->release->id, err);
}
