#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/word.h"
#include "gateway/cmd.h"
#include "gateway/follow.h"

#include <stdlib.h>
#include <string.h>

#define RELEASES_SHOWN 15   /* as Heroku's list */
#define RELEASES_MAX 1000
#define ROLLBACK_SEARCH 200 /* how far back the release before is looked for */

static int progress_out(struct command_io *io, const void *data, size_t n)
{
    struct command_io *real = ((struct progress_io *) io)->real;

    return real->err(real, data, n);
}

static long progress_read(struct command_io *io, void *data, size_t max)
{
    struct command_io *real = ((struct progress_io *) io)->real;

    return real->read(real, data, max);
}

static int progress_wait(struct command_io *io, int fd, bool want_input, int timeout_ms)
{
    struct command_io *real = ((struct progress_io *) io)->real;

    return real->wait(real, fd, want_input, timeout_ms);
}

struct command_io *progress_io_init(struct progress_io *p, const struct command_ctx *c)
{
    if (!c->json)
        return c->io;
    p->io = *c->io;
    p->real = c->io;
    p->io.out = p->io.err = progress_out;
    p->io.read = progress_read;
    p->io.wait = progress_wait;
    return &p->io;
}

/* What the person is told when the release did not become live. */
static int not_live(struct command_ctx *c, const struct release *r, const char *kept, struct err *err)
{
    enum err_code code = r->down ? ERR_DOWN : ERR_FAILED;
    struct app now;
    long long live = 0;

    if (apps_get_id(c->store, c->app.id, &now, NULL) == 0) {
        live = (long long) now.live_version;
        app_release(&now);
    }
    if (live == 0)
        return err_set(err, code, "v%lld %s: %s. Nothing is live", (long long) r->version,
                       r->state == RELEASE_CANCELED ? "was canceled" : "failed",
                       r->reason != NULL ? r->reason : "no reason was given");
    return err_set(err, code, "v%lld %s: %s. v%lld is still live%s%s", (long long) r->version,
                   r->state == RELEASE_CANCELED ? "was canceled" : "failed",
                   r->reason != NULL ? r->reason : "no reason was given", live, kept != NULL ? "; " : "",
                   kept != NULL ? kept : "");
}

static int follow_made(struct command_ctx *c, const struct release_ask *ask, struct release_made *made,
                       struct err *err)
{
    struct progress_io p;
    struct release r = { 0 };
    int rc = follow_release(c->store, progress_io_init(&p, c), made->id, &r, err);

    if (rc == 1)
        return 0; /* nobody is there to be told; the release goes on */
    if (rc == 2)
        return err_set(err, ERR_DOWN, "the server is stopping; v%lld is released when it is back",
                       (long long) made->version);
    if (rc < 0)
        return -1;
    if (r.state == RELEASE_FAILED || r.state == RELEASE_CANCELED) {
        rc = not_live(c, &r, ask->kept, err);
    } else {
        made->url = r.url != NULL ? xstrdup(r.url) : NULL;
        if (!c->json)
            (void) io_outf(c->io, "%s... done, v%lld\n", ask->doing, (long long) made->version);
    }
    release_release(&r);
    return rc;
}

int release_ask(struct command_ctx *c, const struct release_ask *ask, struct release_made *ret, struct err *err)
{
    struct release_new n = {
        .app_id = c->app.id, .user_id = c->user.id, .user = c->user.name, .description = ask->description,
        .from_release_id = ask->from_release_id, .clone_of = ask->clone_of, .source_image = ask->source_image, .image_ref = ask->image_ref,
        .image_file = ask->image_file, .processes = ask->processes,
        .config_version = ask->config_version,
        .formation = ask->formation, .run_release_command = ask->run_release_command, .rename_to = ask->rename_to,
    };
    struct release_made made = { 0 };
    struct app now;
    bool live;

    /* Inside the transaction: what was read before it may have changed. */
    if (apps_get_id(c->store, c->app.id, &now, err) != 0)
        return -1;
    live = now.live_release_id != 0;
    app_release(&now);
    *ret = made;
    if ((!live && ask->from_release_id == 0 && ask->source_image == NULL && ask->clone_of == 0) || !ask->restart)
        return store_commit(c->store, err);
    if (releases_create(c->store, &n, &made.id, &made.version, err) != 0 || store_commit(c->store, err) != 0)
        return -1;
    if (follow_made(c, ask, &made, err) != 0)
        return -1;
    *ret = made;
    return 0;
}

static json_t *formation_object(const struct formation *f)
{
    json_t *o = json_object();

    for (size_t i = 0; i < f->n; i++)
        (void) json_object_set_new(o, f->v[i].process, json_integer(f->v[i].count));
    return o;
}

json_t *release_json(const struct release *r)
{
    return json_pack("{s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "version",
                     (json_int_t) r->version, "state", release_state_name(r->state), "description",
                     show_json_text(r->description), "user", r->user, "commit", show_json_text(r->commit), "digest",
                     show_json_text(r->digest[0] != '\0' ? r->digest : NULL), "image", show_json_text(r->image),
                     "config_version", (json_int_t) r->config_version,
                     "formation", formation_object(&r->formation), "reason", show_json_text(r->reason), "url",
                     show_json_text(r->url), "target", show_json_text(r->target[0] != '\0' ? r->target : NULL), "build", r->build_id != 0 ? json_integer(r->build_id) : json_null(),
                     "created_at", show_json_time(r->created_at), "ended_at", show_json_time(r->ended_at),
                     "image_kept", (int) !r->image_gone);
}

static void release_row(struct table *t, const struct release *r)
{
    table_addf(t, "v%lld", (long long) r->version);
    table_add(t, r->description);
    table_add(t, release_state_name(r->state));
    table_add(t, r->user);
    table_add(t, show_time(r->created_at).s);
}

int cmd_releases(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *num = command_option(c, "--num");
    long long limit = RELEASES_SHOWN;
    struct table t = TABLE_INIT(5);
    struct release *v = NULL;
    json_t *all;
    size_t n = 0;

    (void) argv;
    (void) argc;
    if (num != NULL && show_number(num, "-n", 1, RELEASES_MAX, &limit, err) != 0)
        return -1;
    if (releases_list(c->store, c->app.id, (int) limit, &v, &n, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        (void) json_array_append_new(all, release_json(&v[i]));
        release_row(&t, &v[i]);
        release_release(&v[i]);
    }
    free(v);
    if (n == 0 && !c->json)
        (void) io_outf(c->io, "%s has no releases yet; git push makes the first\n", c->app.name);
    return show_list(c, all, &t);
}

int release_version_parse(const char *s, int64_t *ret, struct err *err)
{
    long long n = 0;

    if (show_number(s[0] == 'v' ? s + 1 : s, "v", 1, 1000000000, &n, NULL) != 0)
        return err_set(err, ERR_USAGE, "a release is named by its version, not by \"%s\"; for example: v7", word_shown(s).s);
    *ret = n;
    return 0;
}

int release_pair_parse(const struct command_ctx *c, char *const *argv, int argc, int64_t ret[2], struct err *err)
{
    int64_t from = 0, to = c->app.live_version;

    if (release_version_parse(argv[0], &from, err) != 0 || (argc > 1 && release_version_parse(argv[1], &to, err) != 0))
        return -1;
    ret[0] = from;
    ret[1] = to;
    return 0;
}

/* The release that was live before the live one. */
static int previous_find(struct command_ctx *c, struct release *ret, struct err *err)
{
    struct release *v = NULL;
    size_t n = 0;
    bool found = false;

    if (releases_list(c->store, c->app.id, ROLLBACK_SEARCH, &v, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!found && v[i].state == RELEASE_SUPERSEDED && v[i].version < c->app.live_version) {
            *ret = v[i];
            found = true;
        } else {
            release_release(&v[i]);
        }
    }
    free(v);
    return found ? 0 : err_set(err, ERR_FAILED, "%s has no earlier release that was live", c->app.name);
}

static int target_find(struct command_ctx *c, char *const *argv, int argc, struct release *ret, struct err *err)
{
    int64_t version = 0;

    if (argc > 0 && release_version_parse(argv[0], &version, err) != 0)
        return -1;
    if (c->app.live_release_id == 0)
        return err_set(err, ERR_FAILED, "%s has no live release yet; nothing can be rolled back", c->app.name);
    if (argc == 0)
        return previous_find(c, ret, err);
    if (releases_get_version(c->store, c->app.id, version, ret, err) != 0)
        return -1;
    if (ret->state == RELEASE_SUPERSEDED)
        return 0;
    if (ret->state == RELEASE_LIVE)
        (void) err_set(err, ERR_FAILED, "v%lld is live already", (long long) version);
    else
        (void) err_set(err, ERR_FAILED, "v%lld never was live (%s); choose one that was: releases", (long long) version,
                       release_state_name(ret->state));
    release_release(ret);
    return -1;
}

/* The stored formation becomes the old release's; types that it does not know keep their counts. */
static int formation_restore(struct command_ctx *c, const struct formation *old, struct err *err)
{
    struct formation f;
    int rc;

    if (formation_get(c->store, c->app.id, &f, err) != 0)
        return -1;
    for (size_t i = 0; i < old->n; i++)
        formation_set(&f, old->v[i].process, old->v[i].count);
    rc = formation_put(c->store, c->app.id, &f, err);
    formation_release(&f);
    return rc;
}

/* Image, config and formation of then. */
static int rollback_to(struct command_ctx *c, const struct release *to, struct release_made *ret, struct err *err)
{
    cleanup_free char *description = xasprintf("rollback to v%lld", (long long) to->version);
    cleanup_free char *doing = xasprintf("Rolling back %s to v%lld", c->app.name, (long long) to->version);
    struct release_ask ask = {
        .description = description, .doing = doing, .from_release_id = to->id, .formation = &to->formation,
        .run_release_command = true, .restart = true,
        .kept = "the app's config and scale are those of the older release from the next change on",
    };

    if (store_begin(c->store, err) != 0
        || config_restore(c->store, c->app.id, to->config_version, &ask.config_version, err) != 0
        || formation_restore(c, &to->formation, err) != 0)
        return -1;
    return release_ask(c, &ask, ret, err);
}

int cmd_rollback(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct release_made made = { 0 };
    struct release to;
    long long back = (long long) c->app.live_version, version;

    if (target_find(c, argv, argc, &to, err) != 0)
        return -1;
    version = (long long) to.version;
    (void) buf_addf(&c->detail, "v%lld", version);
    if (rollback_to(c, &to, &made, err) != 0) {
        release_release(&to);
        return -1;
    }
    release_release(&to);
    if (c->json)
        (void) show_json(c, json_pack("{s:s, s:I, s:I, s:o}", "app", c->app.name, "to", (json_int_t) version,
                                      "release", (json_int_t) made.version, "url", show_json_text(made.url)));
    else
        (void) io_outf(c->io, "To undo, run: rollback %s v%lld\n", c->app.name, back);
    free(made.url);
    return 0;
}
