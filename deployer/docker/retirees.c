/* Containers that are out of service, on their way out. */
#include "config.h"

#include "deployer/docker/docker.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 5000 /* after a stop or removal that failed */

struct retiree {
    char *id, *app, *name;
    uint64_t due;            /* to be stopped then */
    struct engine_call *stop; /* NULL: not asked for yet */
    bool stopped;
};

struct retirees {
    struct target *target;
    struct retiree *v;
    size_t n;
};

struct retirees *retirees_new(struct target *t)
{
    struct retirees *r = xcalloc(1, sizeof(*r));

    r->target = t;
    return r;
}

static void retiree_release(struct retiree *one)
{
    engine_cancel(one->stop);
    free(one->id);
    free(one->app);
    free(one->name);
}

void retirees_free(struct retirees *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n; i++)
        retiree_release(&r->v[i]);
    free(r->v);
    free(r);
}

static bool is_known(const struct retirees *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].id, id) == 0)
            return true;
    return false;
}

void retirees_take(struct retirees *r, const struct containers *all)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct container *c = &all->v[i];
        bool runs = c->state == CONTAINER_RUNNING || c->state == CONTAINER_RESTARTING;

        if (!c->retired || is_known(r, c->id))
            continue;
        r->v = xrealloc_n(r->v, r->n + 1, sizeof(*r->v));
        r->v[r->n++] = (struct retiree) {
            .id = xstrdup(c->id), .app = xstrdup(c->app), .name = xstrdup(c->name), .stopped = !runs,
            .due = loop_now() + (runs && c->set >= 0 ? (uint64_t) r->target->conf->pre_stop : 0),
        };
    }
}

/* Asks for its stop, which takes as long as its grace time, or removes it. -1: failed for now. */
static int retiree_step(struct retirees *r, struct retiree *one, struct err *err)
{
    cleanup_free char *path = xasprintf("/containers/%s/stop", one->id);
    struct err why = ERR_INIT;
    int rc;

    if (!one->stopped && one->stop == NULL) {
        one->stop = engine_start(r->target->engine, "POST", path, -1, err);
        return one->stop != NULL ? 0 : -1;
    }
    if (one->stop != NULL) {
        rc = engine_done(one->stop, &why);
        if (rc == 0)
            return 0;
        one->stop = NULL;
        if (rc < 0 && why.code != ERR_NOT_FOUND) {
            *err = why;
            return -1;
        }
        one->stopped = true;
    }
    if (container_remove(r->target, one->id, err) < 0)
        return -1;
    return 1;
}

static bool is_last(const struct retirees *r, const char *app)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].app, app) == 0)
            return false;
    return true;
}

int retirees_service(struct retirees *r, void (*gone)(void *arg, const char *app), void *arg)
{
    int64_t soonest = -1;

    for (size_t i = r->n; i > 0; i--) {
        struct retiree *one = &r->v[i - 1];
        uint64_t now = loop_now();
        struct err err = ERR_INIT;
        int rc = now >= one->due ? retiree_step(r, one, &err) : 0;

        if (rc < 0) {
            log_warn("%s: %s", one->name, err.msg);
            one->due = now + AGAIN_MS;
        }
        if (rc > 0) {
            cleanup_free char *app = xstrdup(one->app);

            retiree_release(one);
            *one = r->v[--r->n];
            if (is_last(r, app))
                gone(arg, app);
        } else if (one->stop == NULL) {
            int64_t left = one->due > now ? (int64_t) (one->due - now) : 0;

            if (soonest < 0 || left < soonest)
                soonest = left;
        }
    }
    return soonest > INT_MAX ? INT_MAX : (int) soonest;
}
