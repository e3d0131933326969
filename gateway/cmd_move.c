#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/wake.h"
#include "gateway/cmd.h"
#include "gateway/follow.h"
#include "gateway/live.h"

#include <stdlib.h>
#include <string.h>

#define LEAVINGS_WAIT_MS 120000 /* beside the grace time: a namespace takes some seconds, mostly */
#define FAILED_SHOWN 10 /* apps in the sentence that says which were not moved */

/* An app that is to be moved, and what has come of it. */
struct mover {
    struct app app;
    int64_t release, version;    /* 0: it has no live release, and its first will be there */
    char *former_url, *url, *reason;
    bool failed, down;           /* down: because a part did not answer */
};

struct movers { struct mover *v; size_t n; };

static void movers_release(struct movers *m)
{
    for (size_t i = 0; i < m->n; i++) {
        app_release(&m->v[i].app);
        free(m->v[i].former_url);
        free(m->v[i].url);
        free(m->v[i].reason);
    }
    free(m->v);
}

/* Those that are to be moved: not those that are there already, nor those that are being destroyed. */
static int movers_get(struct command_ctx *c, bool all, const char *to, struct movers *ret, struct err *err)
{
    struct app *v = NULL;
    size_t n = 1;

    if (all) {
        if (apps_list(c->store, 0, &v, &n, err) != 0)
            return -1;
    } else {
        v = xcalloc(1, sizeof(*v));
        if (apps_get_id(c->store, c->app.id, v, err) != 0) {
            free(v);
            return -1;
        }
    }
    ret->v = xcalloc(n + 1, sizeof(*ret->v));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(app_target(c, &v[i]), to) == 0 || (all && v[i].deleting))
            app_release(&v[i]);
        else
            ret->v[ret->n++].app = v[i];
    }
    free(v);
    return 0;
}

/* Asks the target for what it has of the app, which is nothing: so it is reached, and lets us in, before anything
 * changes. 1: the person went away. */
static int target_ask(struct command_ctx *c, const struct app *app, const char *to, struct err *err)
{
    json_auto_t *request = json_pack("{s:s, s:I, s:s}", "op", "list", "app_id", (json_int_t) app->id, "target", to);
    struct err why = ERR_INIT;
    json_auto_t *answer = live_document(c, request, &why);

    if (answer != NULL)
        return 0;
    return why.code == ERR_NONE ? 1 : err_set(err, why.code, "%s can't take %s now, and nothing was changed: %s", to,
                                              app->name, why.msg);
}

static int mover_begin(struct command_ctx *c, struct mover *m, const char *to, struct err *err)
{
    cleanup_free char *description = xasprintf("move to %s", to);
    struct release_new n = {
        .app_id = m->app.id, .user_id = c->user.id, .user = c->user.name, .description = description, .target = to,
    };
    struct release live;

    if (m->app.domains.n > 0 && domains_possible(c, to, err) != 0)
        return err_wrap(err, "%s has domains", m->app.name);
    if (m->app.certificate != NULL && certs_possible(c, to, err) != 0)
        return err_wrap(err, "%s has a certificate", m->app.name);
    if (m->app.live_release_id == 0)
        return target_set(c->store, m->app.id, to, err);
    if (releases_get(c->store, m->app.live_release_id, &live, err) != 0)
        return -1;
    free(m->former_url); /* of a first try */
    m->former_url = steal_ptr(live.url);
    release_release(&live);
    return releases_create(c->store, &n, &m->release, &m->version, err);
}

/* Waits until what they have left where they go to, moved away not long ago, is removed. Where that takes too long, or the
 * person goes away, movers_begin says that it is still there. */
static int leavings_wait(struct command_ctx *c, const struct movers *m, const char *to, struct err *err)
{
    cleanup_free char *path = store_releases_wake(c->store);
    cleanup_close int fd = wake_open(err);
    int64_t end = store_now() + c->conf->grace_period + c->conf->pre_stop + LEAVINGS_WAIT_MS, left;
    size_t said = m->n;
    int rc = 0;

    if (fd < 0 || wake_watch(fd, path, err) < 0)
        return -1;
    for (size_t i = 0; i < m->n;) {
        rc = leavings_are(c->store, m->v[i].app.id, to, err);
        if (rc < 0)
            return -1;
        left = end - store_now();
        if (rc == 0) {
            i++;
            continue;
        }
        if (said != i)
            (void) io_errf(c->io, "       Waiting until what %s has left on %s is removed\n", m->v[i].app.name, to);
        said = i;
        if (left <= 0 || (c->io->wait(c->io, fd, false, (int) left) & IO_GONE) != 0)
            return 0;
        (void) wake_drain(fd, NULL);
    }
    return 0;
}

/* All of them, or none. */
static int movers_begin(struct command_ctx *c, struct movers *m, const char *to, struct err *err)
{
    int rc;

    if (store_begin(c->store, err) != 0)
        return -1;
    for (size_t i = 0; i < m->n; i++) {
        rc = mover_begin(c, &m->v[i], to, err);
        if (rc != 0) {
            store_rollback(c->store);
            return err_wrap(err, "nothing was moved");
        }
    }
    return store_commit(c->store, err);
}

/* 1: the person went away; the releases go on. */
static int mover_follow(struct command_ctx *c, struct mover *m, const char *to, struct err *err)
{
    struct progress_io p;
    struct release r = { 0 };
    int rc;

    if (m->release == 0) {
        if (!c->json)
            (void) io_outf(c->io, "%s has no live release; its first will be on %s\n", m->app.name, to);
        return 0;
    }
    rc = follow_release(c->store, progress_io_init(&p, c), m->release, &r, err);
    if (rc == 2)
        return err_set(err, ERR_DOWN, "the server is stopping; %s is moved when it is back", m->app.name);
    if (rc != 0)
        return rc;
    m->failed = r.state == RELEASE_FAILED || r.state == RELEASE_CANCELED;
    m->url = steal_ptr(r.url);
    m->down = m->failed && r.down;
    m->reason = steal_ptr(r.reason);
    release_release(&r);
    if (c->json || m->failed)
        return 0;
    (void) io_outf(c->io, "Moving %s to %s... done, v%lld\n", m->app.name, to, (long long) m->version);
    if (m->url != NULL && (m->former_url == NULL || strcmp(m->url, m->former_url) != 0))
        (void) io_outf(c->io, "Its address is %s now%s%s\n", m->url, m->former_url != NULL ? "; it was " : "",
                       m->former_url != NULL ? m->former_url : "");
    return 0;
}

static json_t *mover_json(struct command_ctx *c, const struct mover *m, const char *to)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "name", m->app.name, "from", app_target(c, &m->app), "to", to,
                     "moved", (int) !m->failed, "release", m->version != 0 ? json_integer(m->version) : json_null(),
                     "url", show_json_text(m->url), "former_url", show_json_text(m->former_url), "reason",
                     show_json_text(m->reason));
}

static int movers_end(struct command_ctx *c, const struct movers *m, bool all, const char *to, struct err *err)
{
    cleanup_vec struct vec failed = VEC_INIT;
    cleanup_free char *words = NULL;
    json_t *list = json_array(), *doc;
    enum err_code code = ERR_DOWN; /* where that is all that was in the way */

    for (size_t i = 0; i < m->n; i++) {
        (void) json_array_append_new(list, mover_json(c, &m->v[i], to));
        if (!m->v[i].failed)
            continue;
        vec_add(&failed, m->v[i].app.name);
        if (!m->v[i].down)
            code = ERR_FAILED;
    }
    doc = json_incref(all ? list : json_array_get(list, 0));
    json_decref(list);
    if (failed.n == 0 && c->json)
        return show_json(c, doc);
    json_decref(doc);
    if (failed.n == 0)
        return 0;
    if (!all)
        return err_set(err, code, "v%lld failed: %s. v%lld is still live on %s", (long long) m->v[0].version,
                       m->v[0].reason != NULL ? m->v[0].reason : "no reason was given",
                       (long long) m->v[0].app.live_version, m->v[0].app.target);
    words = show_words(&failed, FAILED_SHOWN);
    return err_set(err, code, "%zu of %zu apps were not moved and are live where they were: %s; see: releases APP",
                   failed.n, m->n, words);
}

static int move(struct command_ctx *c, struct movers *m, bool all, const char *to, struct err *err)
{
    int rc;

    if (movers_get(c, all, to, m, err) != 0)
        return -1;
    if (m->n == 0) {
        if (c->json)
            return show_json(c, all ? json_array() : json_pack("{s:s, s:s, s:s, s:b}", "name", c->app.name, "from", to,
                                                               "to", to, "moved", 0));
        (void) io_outf(c->io, all ? "All apps are on %s already\n" : "%s is on %s already\n", all ? to : c->app.name, to);
        return 0;
    }
    rc = target_ask(c, &m->v[0].app, to, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    /* What else speaks against it is said before anything is waited for. */
    rc = movers_begin(c, m, to, err);
    if (rc != 0 && err->code == ERR_BUSY) {
        err_clear(err);
        rc = leavings_wait(c, m, to, err);
        if (rc == 0)
            rc = movers_begin(c, m, to, err);
    }
    if (rc != 0)
        return -1;
    for (size_t i = 0; i < m->n; i++) {
        rc = mover_follow(c, &m->v[i], to, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
    }
    return movers_end(c, m, all, to, err);
}

int cmd_apps_move(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *to = command_option(c, "--to");
    bool all = command_option(c, "--all") != NULL, named = c->app.id != 0;
    struct movers m = { NULL, 0 };
    int rc;

    (void) argv, (void) argc;
    (void) buf_addf(&c->detail, "%s--to %s", all ? "--all " : "", to);
    if (all == named)
        return err_set(err, ERR_USAGE, "name one app, or give --all; for example: apps:move shop --to %s", to);
    if (conf_target_check(c->conf, to, err) != 0)
        return -1;
    rc = move(c, &m, all, to, err);
    movers_release(&m);
    return rc;
}
