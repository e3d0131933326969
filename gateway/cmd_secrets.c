/* secrets:rotate. The gateway has no secret key: it asks, and shows how far builder and deployer are. */
#include "config.h"

#include "base/mem.h"
#include "base/wake.h"
#include "gateway/cmd.h"
#include "gateway/stopping.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NEWS_MS 1000             /* between two looks at how far it is */
#define QUIET_MS (5 * 60 * 1000) /* without news for so long, the person is told; a busy role has a worker free before, as a rule */

static const struct { enum seal_scope scope; const char *name, *role; } scopes[] = {
    { SEAL_RUN, "run", "deployer" },
    { SEAL_BUILD, "build", "builder" },
};

/* How far a scope is, and what of it has been said. */
struct progress {
    struct rotation now;
    int64_t said;
    char *reason;
    bool done;
    int64_t news_at; /* when something changed, in ms since 1970 */
};

static void progress_release(struct progress *p)
{
    free(p->now.reason);
    free(p->reason);
}

/* Says what is new of a scope. */
static void progress_say(struct command_io *io, size_t i, struct progress *p)
{
    const struct rotation *r = &p->now;

    if (r->reason != NULL && (p->reason == NULL || strcmp(r->reason, p->reason) != 0)) {
        (void) io_outf(io, "       %s keys: %s; the %s tries again\n", scopes[i].name, r->reason, scopes[i].role);
        free(p->reason);
        p->reason = xstrdup(r->reason);
    }
    if (r->state == ROTATION_DONE)
        (void) io_outf(io, "       %s keys: %" PRId64 " value%s sealed anew, the former key is destroyed\n", scopes[i].name,
                       r->sealed, r->sealed == 1 ? "" : "s");
    else if (r->sealed != p->said)
        (void) io_outf(io, "       %s keys: %" PRId64 " of %" PRId64 " values sealed anew\n", scopes[i].name, r->sealed,
                       r->all);
    if (r->sealed != p->said || r->state == ROTATION_DONE)
        p->news_at = store_now();
    p->said = r->sealed;
    p->done = r->state == ROTATION_DONE;
}

/* 1: all are done, 0: not yet, -1: a part gives no news, or the database fails. */
static int progress_look(struct command_ctx *c, struct command_io *io, struct progress *p, struct err *err)
{
    bool done = true;

    for (size_t i = 0; i < countof(scopes); i++) {
        if (p[i].done)
            continue;
        free(p[i].now.reason);
        if (rotation_get(c->store, scopes[i].scope, &p[i].now, err) != 0)
            return -1;
        progress_say(io, i, &p[i]);
        if (!p[i].done && store_now() - p[i].news_at > QUIET_MS)
            return err_set(err, ERR_DOWN, "the %s has not replaced the %s keys yet: it is down, or all its workers have "
                           "work; it does so as soon as it can, and secrets:rotate shows it", scopes[i].role, scopes[i].name);
        done = done && p[i].done;
    }
    if (!done && server_is_stopping(c->conf->state))
        return err_set(err, ERR_DOWN, "the server is stopping; the keys are replaced when it is back");
    return done;
}

/* 1: all are done, 0: the person went away, -1. */
static int follow(struct command_ctx *c, struct progress *p, struct err *err)
{
    cleanup_free char *builds = store_builds_wake(c->store), *releases = store_releases_wake(c->store);
    cleanup_close int wake = wake_open(err);
    struct progress_io pio;
    struct command_io *io = progress_io_init(&pio, c);

    if (wake < 0 || wake_watch(wake, builds, err) < 0 || wake_watch(wake, releases, err) < 0)
        return -1;
    (void) io_outf(io, "-----> Replacing the sealing keys\n");
    for (;;) {
        int rc = progress_look(c, io, p, err);

        if (rc != 0)
            return rc;
        if ((c->io->wait(c->io, wake, false, NEWS_MS) & IO_GONE) != 0)
            return 0;
        if (wake_drain(wake, err) < 0)
            return -1;
    }
}

static int show(struct command_ctx *c, const struct progress *p, struct err *err)
{
    json_t *doc = json_object();
    int64_t lost = 0;

    for (size_t i = 0; i < countof(scopes); i++) {
        lost += p[i].now.lost;
        (void) json_object_set_new(doc, scopes[i].name,
                                   json_pack("{s:I, s:I}", "sealed", (json_int_t) p[i].now.sealed, "unreadable",
                                             (json_int_t) p[i].now.lost));
    }
    if (c->json)
        (void) show_json(c, doc);
    else
        json_decref(doc);
    if (lost == 0)
        return 0;
    return err_set(err, ERR_FAILED, "the keys are replaced, but %" PRId64 " stored value%s opened with no key before and "
                   "do%s not now: the server's log names them; set them again", lost, lost == 1 ? "" : "s",
                   lost == 1 ? "es" : "");
}

int cmd_secrets_rotate(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct progress p[countof(scopes)] = { { .news_at = store_now() }, { .news_at = store_now() } };
    int rc;

    (void) argv, (void) argc;
    rc = rotation_ask(c->store, err);
    if (rc == 0)
        rc = follow(c, p, err);
    if (rc == 1)
        rc = show(c, p, err);
    for (size_t i = 0; i < countof(scopes); i++)
        progress_release(&p[i]);
    return rc;
}
