#include "config.h"

#include "deployer/docker/docker.h"

#include "base/http.h"
#include "base/mem.h"

int container_retire(struct target *t, const struct container *c, struct err *err)
{
    cleanup_free char *name = container_retired(c->name), *escaped = http_escape(name);
    cleanup_free char *path = xasprintf("/containers/%s/rename?name=%s", c->id, escaped);
    struct err why = ERR_INIT;

    if (engine_do(t->engine, "POST", path, NULL, NULL, &why) == 0 || why.code == ERR_NOT_FOUND)
        return 0;
    if (err != NULL)
        *err = why;
    return err_wrap(err, "the container %s can't be retired", c->name);
}

int container_remove(struct target *t, const char *id, struct err *err)
{
    cleanup_free char *path = xasprintf("/containers/%s?force=1&v=1", id);
    struct err why = ERR_INIT;

    /* ERR_BUSY: its removal is in progress. */
    if (engine_do(t->engine, "DELETE", path, NULL, NULL, &why) == 0 || why.code == ERR_NOT_FOUND ||
        why.code == ERR_BUSY)
        return 0;
    if (err != NULL)
        *err = why;
    return err_wrap(err, "the container %.12s can't be removed", id);
}

/* Missing ones, and those that do not run, are fine. */
static int stopped(struct engine_call **calls, size_t n, struct err *err)
{
    int running = 0;

    for (size_t i = 0; i < n; i++) {
        struct err why = ERR_INIT;
        int rc = calls[i] != NULL ? engine_done(calls[i], &why) : 1;

        if (rc == 0) {
            running++;
            continue;
        }
        calls[i] = NULL;
        if (rc < 0 && why.code == ERR_DOWN) {
            *err = why;
            return -1;
        }
    }
    return running;
}

int containers_stop(struct target *t, const struct containers *all, struct err *err)
{
    cleanup_free struct engine_call **calls = xcalloc(all->n + 1, sizeof(struct engine_call *));
    int rc = 0;

    for (size_t i = 0; i < all->n && rc == 0; i++) {
        cleanup_free char *path = xasprintf("/containers/%s/stop", all->v[i].id);

        if (all->v[i].state != CONTAINER_RUNNING && all->v[i].state != CONTAINER_RESTARTING)
            continue;
        calls[i] = engine_start(t->engine, "POST", path, -1, err);
        rc = calls[i] != NULL ? 0 : -1;
    }
    while (rc == 0 && (rc = stopped(calls, all->n, err)) > 0)
        rc = engine_wait(t->engine, -1, -1, NULL, err);
    for (size_t i = 0; i < all->n; i++)
        engine_cancel(calls[i]);
    for (size_t i = 0; i < all->n && rc == 0; i++)
        rc = container_remove(t, all->v[i].id, err);
    return rc;
}
