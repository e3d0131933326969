/* What the gateway asks the builder for, done by a worker that waits for a build. */
#include "config.h"

#include "builder/work.h"

#include "base/log.h"

#include <string.h>

#define AGAIN_MS 5000 /* a build's worker that was killed lets its cache go, and tells nobody */

/* 1: it has ended, 0: not yet, -1: with the reason for who asked. */
static int errand_do(struct work *w, const struct errand *e, struct err *why)
{
    struct docker *d = docker_new(w->conf->docker_socket, why);
    int rc = -1;

    if (d == NULL)
        return -1;
    if (e->kind == ERRAND_PURGE_CACHE)
        rc = work_purge_cache(w, d, e->app_id, why);
    else
        (void) err_set(why, ERR_FAILED, "this builder doesn't know how");
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
