#include "config.h"

#include "gateway/errand.h"

#include "base/mem.h"
#include "base/wake.h"
#include "gateway/stopping.h"

#define LOOK_MS 1000             /* whether the server stops */
#define QUIET_MS (5 * 60 * 1000) /* without an answer for so long, the person is told; a builder has a worker free before, as a rule */

/* 1: *e is its end, 0: not yet, -1. */
static int look(struct command_ctx *c, int64_t id, int64_t began, const char *what, struct errand *e, struct err *err)
{
    if (errands_get(c->store, id, e, err) != 0)
        return -1;
    if (e->ended)
        return 1;
    errand_release(e);
    if (server_is_stopping(c->conf->state))
        return err_set(err, ERR_DOWN, "the server is stopping; the builder sees to %s when it is back", what);
    if (store_now() - began > QUIET_MS)
        return err_set(err, ERR_DOWN, "the builder has not seen to %s yet: it is down, or all its workers have work; it does so "
                       "as soon as it can", what);
    return 0;
}

static int answer_take(struct errand *e, const char *what, char **ret, struct err *err)
{
    int rc = e->failed ? err_set(err, ERR_FAILED, "%s: %s", what, e->answer != NULL ? e->answer : "no reason was given") : 0;

    if (rc == 0 && ret != NULL)
        *ret = steal_ptr(e->answer);
    errand_release(e);
    return rc;
}

int errand_run(struct command_ctx *c, enum errand_kind kind, int64_t app_id, const char *what, char **ret_answer,
               struct err *err)
{
    cleanup_free char *builds = store_builds_wake(c->store);
    cleanup_close int wake = wake_open(err);
    int64_t id = 0, began = store_now();
    struct errand e;
    int rc;

    if (wake < 0 || wake_watch(wake, builds, err) < 0 || errands_ask(c->store, kind, app_id, &id, err) != 0)
        return -1;
    while ((rc = look(c, id, began, what, &e, err)) == 0) {
        if ((c->io->wait(c->io, wake, false, LOOK_MS) & IO_GONE) != 0)
            return 1;
        if (wake_drain(wake, err) < 0)
            return -1;
    }
    if (rc < 0)
        return -1;
    rc = answer_take(&e, what, ret_answer, err);
    return errands_drop(c->store, id, rc == 0 ? err : NULL) == 0 ? rc : -1;
}
