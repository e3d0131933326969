/* What the gateway asks the builder for, done by a worker that waits for a build. */
#include "config.h"

#include "builder/work.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "builder/storage.h"

#define AGAIN_MS 5000 /* a build's worker that was killed lets its cache go, and tells nobody */

static int report(struct work *w, const struct errand *e, struct err *why)
{
    cleanup_free char *text = NULL;
    json_t *doc = NULL;

    if (storage_report(w->conf, w->store, e->app_id, &doc, why) < 0)
        return -1;
    text = json_text(doc);
    json_decref(doc);
    return errands_end(w->store, e->id, false, text, why) == 0 ? 1 : -1;
}

/* Of the app, or of those that are gone: nobody waits for that. */
static int purge(struct work *w, struct docker *d, const struct errand *e, struct err *why)
{
    if (e->app_id != 0)
        return work_purge_cache(w, d, e->app_id, why);
    if (!work_sweep_caches(w, d))
        return 0;
    return errands_drop(w->store, e->id, why) == 0 ? 1 : -1;
}

/* 1: it has ended, 0: not yet, -1: with the reason for who asked. */
static int errand_do(struct work *w, const struct errand *e, struct err *why)
{
    struct docker *d;
    int rc;

    if (e->kind == ERRAND_REPORT)
        return report(w, e, why);
    d = docker_new(w->conf->docker_socket, why);
    if (d == NULL)
        return -1;
    rc = purge(w, d, e, why);
    docker_free(d);
    return rc;
}

int work_errands(struct work *w, int *ret_again_ms, struct err *err)
{
    int64_t after = 0;
    struct errand e;
    int rc;

    *ret_again_ms = -1;
    while ((rc = errands_next(w->store, after, &e, err)) == 1) {
        struct err why = ERR_INIT;

        after = e.id;
        rc = errand_do(w, &e, &why);
        if (rc == 0)
            *ret_again_ms = AGAIN_MS;
        if (rc < 0) {
            log_warn("what was asked of the builder failed: %s", why.msg);
            if (errands_end(w->store, e.id, true, why.msg, err) != 0)
                rc = -2;
        }
        errand_release(&e);
        if (rc == -2)
            return -1;
    }
    return rc;
}
