/* One release, whole. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/cmd_config.h"
#include "gateway/manifest_diff.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_SHOWN 20

/* What `releases:info` tells beside the release's row. */
struct info {
    struct release release;
    struct vec names;        /* of the config that it has */
    struct vec changed;      /* "+A", "-B", "~C": against the release before it */
    int64_t before;          /* that release's version; 0: there is none */
    int64_t build_ms;        /* -1: it was made without a build */
    json_t *objects;
};

static void info_release(struct info *i)
{
    release_release(&i->release);
    vec_release(&i->names);
    vec_release(&i->changed);
    json_decref(i->objects);
}

static void on_change(void *arg, const struct config_var *a, const struct config_var *b)
{
    struct info *i = arg;

    vec_addf(&i->changed, "%c%s", a == NULL ? '+' : b == NULL ? '-' : '~', a != NULL ? a->name : b->name);
}

static int config_load(struct command_ctx *c, struct info *i, struct err *err)
{
    struct config_set now = { NULL, 0 }, then = { NULL, 0 };
    struct release before;
    int rc = config_get(c->store, c->app.id, i->release.config_version, &now, err);

    /* Versions have no gaps. */
    if (rc == 0 && i->release.version > 1) {
        rc = releases_get_version(c->store, c->app.id, i->release.version - 1, &before, err);
        if (rc == 0) {
            i->before = before.version;
            rc = config_get(c->store, c->app.id, before.config_version, &then, err);
            release_release(&before);
        }
    }
    for (size_t k = 0; rc == 0 && k < now.n; k++)
        vec_add(&i->names, now.v[k].name);
    if (rc == 0)
        config_diff(&then, &now, on_change, i);
    config_set_release(&now);
    config_set_release(&then);
    return rc;
}

/* A rollback or a change of config names the build that its image came from; that one was not made for it. */
static void build_load(struct command_ctx *c, struct info *i)
{
    struct build b;

    i->build_ms = -1;
    if (i->release.build_id == 0 || builds_get(c->store, i->release.build_id, &b, NULL) != 0)
        return;
    if (b.release_id == i->release.id && b.built_at > b.started_at)
        i->build_ms = b.built_at - b.started_at;
    build_release(&b);
}

static int64_t total_ms(const struct release *r)
{
    return r->ended_at != 0 ? r->ended_at - r->created_at : -1;
}

static json_t *ms_json(int64_t ms)
{
    return ms >= 0 ? json_integer(ms) : json_null();
}

static json_t *info_json(const struct info *i)
{
    const struct release *r = &i->release;
    json_t *o = release_json(r), *types = json_array();

    for (size_t k = 0; k < r->processes.n; k++)
        (void) json_array_append_new(types, json_string(r->processes.v[k].type));
    (void) json_object_set_new(o, "config_names", json_list(&i->names));
    (void) json_object_set_new(o, "config_changed", json_list(&i->changed));
    (void) json_object_set_new(o, "processes", types);
    (void) json_object_set_new(o, "step", json_string(r->step));
    (void) json_object_set(o, "objects", i->objects);
    (void) json_object_set_new(o, "durations_ms",
                               json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "build", ms_json(i->build_ms), "publish",
                                         ms_json(r->publish_ms), "command", ms_json(r->command_ms), "apply",
                                         ms_json(r->apply_ms), "rollout", ms_json(r->rollout_ms), "total",
                                         ms_json(total_ms(r))));
    return o;
}

static void line(struct table *t, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    table_add(t, name);
    table_add(t, value);
}

static char *formation_text(const struct formation *f)
{
    struct buf b;

    buf_init(&b, 16384);
    for (size_t i = 0; i < f->n; i++)
        (void) buf_addf(&b, "%s%s=%d", i > 0 ? " " : "", f->v[i].process, f->v[i].count);
    return buf_steal(&b);
}

static void config_lines(struct table *t, const struct info *i)
{
    cleanup_free char *names = show_words(&i->names, NAMES_SHOWN), *changed = show_words(&i->changed, NAMES_SHOWN);

    table_add(t, "Config:");
    table_addf(t, "version %lld%s%s", (long long) i->release.config_version, i->names.n > 0 ? ": " : "", names);
    if (i->changed.n == 0)
        return;
    table_add(t, "");
    if (i->before != 0)
        table_addf(t, "since v%lld: %s", (long long) i->before, changed);
    else
        table_addf(t, "new: %s", changed);
}

static void info_print(struct command_ctx *c, const struct info *i)
{
    const struct release *r = &i->release;
    cleanup_free char *formation = formation_text(&r->formation);
    struct table t = TABLE_INIT(2);
    json_t *o;
    size_t k;

    line(&t, "State:", release_state_name(r->state));
    line(&t, "Reason:", r->reason);
    line(&t, "Change:", r->description);
    line(&t, "By:", r->user);
    line(&t, "When:", show_time(r->created_at).s);
    line(&t, "Commit:", r->commit);
    line(&t, "Digest:", r->digest);
    line(&t, "Image:", r->image);
    line(&t, "", r->image_gone ? "It isn't kept any more (revision_history)" : NULL);
    line(&t, "Target:", r->target);
    line(&t, "Processes:", formation);
    config_lines(&t, i);
    json_array_foreach(i->objects, k, o) {
        table_add(&t, k == 0 ? "Objects:" : "");
        table_add(&t, json_string_value(o));
    }
    line(&t, "URL:", r->url);
    table_add(&t, "Took:");
    table_addf(&t, "%s: build %s, publish %s, release command %s, apply %s, rollout %s",
               show_took(total_ms(r)).s, show_took(i->build_ms).s, show_took(r->publish_ms).s,
               show_took(r->command_ms).s, show_took(r->apply_ms).s, show_took(r->rollout_ms).s);
    (void) io_outf(c->io, "=== %s v%lld\n", c->app.name, (long long) r->version);
    table_print(&t, c);
    table_release(&t);
}

int cmd_releases_info(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    int64_t version = c->app.live_version;
    struct info i = { .build_ms = -1 };
    int rc;

    if (argc > 0 && release_version_parse(argv[0], &version, err) != 0)
        return -1;
    if (version == 0)
        return err_set(err, ERR_NOT_FOUND, "%s has no live release", c->app.name);
    if (releases_get_version(c->store, c->app.id, version, &i.release, err) != 0)
        return -1;
    rc = config_load(c, &i, err);
    if (rc == 0 && (i.objects = manifest_names(i.release.manifests, err)) == NULL)
        rc = -1;
    if (rc == 0) {
        build_load(c, &i);
        if (c->json)
            (void) show_json(c, info_json(&i));
        else
            info_print(c, &i);
    }
    info_release(&i);
    return rc;
}
