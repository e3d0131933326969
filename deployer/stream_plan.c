#include "config.h"

#include "deployer/stream_plan.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/config_open.h"
#include "deployer/mask.h"
#include "deployer/publish.h"
#include "sql/tables.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_MAX 4096
#define CONFIG_NAMES_MAX 200 /* as many as an app.json may have */

/* --- the request */

static int formation_take(json_t *counts, struct formation *ret, struct err *err)
{
    const char *process;
    json_t *count;

    if (counts != NULL && !json_is_null(counts) && (!json_is_object(counts) || json_object_size(counts) > PROCESSES_MAX))
        return err_set(err, ERR_USAGE, "formation is not a list of counts");
    json_object_foreach(counts, process, count) {
        json_int_t n = json_is_integer(count) ? json_integer_value(count) : -1;

        if (process_name_check(process, err) < 0)
            return -1;
        if (n < 0 || n > PROCESS_COUNT_MAX)
            return err_set(err, ERR_USAGE, "the count of %s is not a number from 0 to %d", process, PROCESS_COUNT_MAX);
        formation_set(ret, process, (int) n);
    }
    return 0;
}

static int names_take(const json_t *names, struct vec *ret, struct err *err)
{
    const json_t *name;
    size_t i;

    if (names != NULL && !json_is_null(names) && (!json_is_array(names) || json_array_size(names) > CONFIG_NAMES_MAX))
        return err_set(err, ERR_USAGE, "config is not a list of names");
    json_array_foreach(names, i, name) {
        const char *s = json_string_value(name);

        if (config_name_check(s != NULL ? s : "", err) < 0)
            return -1;
        vec_add(ret, s);
    }
    return 0;
}

int stream_plan_read(const struct stream_request *r, struct stream_plan *ret, struct err *err)
{
    const json_t *build = json_object_get(r->doc, "build");
    struct stream_plan q = { .config = VEC_INIT };

    if (build != NULL && !json_is_null(build) && (!json_is_integer(build) || json_integer_value(build) < 1))
        return err_set(err, ERR_USAGE, "build is not a number");
    q.build_id = json_integer_value(build);
    if (formation_take(json_object_get(r->doc, "formation"), &q.formation, err) < 0 ||
        names_take(json_object_get(r->doc, "config"), &q.config, err) < 0) {
        stream_plan_release(&q);
        return -1;
    }
    *ret = q;
    return 0;
}

void stream_plan_release(struct stream_plan *q)
{
    formation_release(&q->formation);
    vec_release(&q->config);
}

/* --- the release that would be made */

static int of_build(const struct conf *c, struct store *s, const struct app *app, int64_t id, struct release *ret,
                    struct err *err)
{
    struct publish p = { .conf = c, .app = app->handle };
    struct build b;
    int rc;

    if (builds_get(s, id, &b, err) < 0)
        return -1;
    if (b.app_id != app->id || b.digest == NULL || b.image == NULL || b.processes_json == NULL) {
        build_release(&b);
        return err_set(err, ERR_FAILED, "build %lld of %s has no image", (long long) id, app->name);
    }
    p.source_image = b.image;
    p.digest = b.digest;
    *ret = (struct release) { .build_id = b.id, .commit = steal_ptr(b.commit), .app_json = steal_ptr(b.app_json) };
    rc = processes_parse(b.processes_json, &ret->processes, err);
    if (rc == 0)
        rc = publish_name(&p, &ret->image, err);
    build_release(&b);
    if (rc < 0)
        release_release(ret);
    return rc;
}

/* The next one of the app. */
static int release_make(const struct conf *c, struct store *s, const struct app *app, const struct stream_plan *q,
                        struct release *ret, struct err *err)
{
    struct formation wanted = { NULL, 0 };
    struct release r;

    if (q->build_id == 0 && app->live_release_id == 0)
        return err_set(err, ERR_FAILED, "%s runs nothing yet", app->name);
    if ((q->build_id != 0 ? of_build(c, s, app, q->build_id, &r, err)
                          : releases_get(s, app->live_release_id, &r, err)) < 0)
        return -1;
    if (formation_get(s, app->id, &wanted, err) < 0) {
        release_release(&r);
        return -1;
    }
    for (size_t i = 0; i < q->formation.n; i++)
        if (formation_count(&wanted, q->formation.v[i].process) < 0)
            formation_set(&wanted, q->formation.v[i].process, q->formation.v[i].count);
    formation_release(&r.formation);
    formation_fit(&wanted, &r.processes, &r.formation);
    formation_release(&wanted);
    r.id = 0;
    r.app_id = app->id;
    r.version = app->live_version + 1;
    r.config_version = app->config_version;
    *ret = r;
    return 0;
}

/* Names that the push would set; what their values are nobody sees. */
static void config_add(struct config_set *set, const struct vec *names)
{
    for (size_t i = 0; i < names->n; i++) {
        bool there = false;

        for (size_t k = 0; k < set->n; k++)
            there = there || strcmp(set->v[k].name, names->v[i]) == 0;
        if (there)
            continue;
        set->v = xrealloc_n(set->v, set->n + 1, sizeof(*set->v));
        set->v[set->n++] = (struct config_var) { .name = xstrdup(names->v[i]), .run = true, .value = xstrdup("") };
    }
}

/* What a cluster says goes to people: values of the config do not. */
static void notes_mask(const struct config_set *config, json_t *all)
{
    json_t *o;
    size_t i;

    json_array_foreach(all, i, o) {
        const char *note = json_str(o, "note", NULL);
        cleanup_buf struct buf b;

        buf_init(&b, NOTE_MAX);
        if (note == NULL)
            continue;
        mask_line(config, note, &b);
        (void) json_object_set_new(o, "note", json_string(buf_str(&b)));
    }
}

static void error_mask(const struct config_set *config, const struct err *why, struct err *err)
{
    cleanup_buf struct buf b;

    buf_init(&b, ERR_MSG_MAX - 1);
    mask_line(config, why->msg, &b);
    (void) err_set(err, why->code, "%s", buf_str(&b));
}

int stream_plan_make(const struct conf *c, struct store *s, const struct app *app, const struct stream_plan *q,
                     const struct target_ops *ops, struct target *t, json_t **ret, struct err *err)
{
    struct target_release target = { .app = app };
    struct config_set config = { NULL, 0 };
    struct certificate certificate = { .chain = NULL };
    cleanup_vec struct vec suspended = VEC_INIT;
    struct inventory_item *items = NULL;
    struct err why = ERR_INIT;
    struct release r;
    size_t n = 0;
    int rc;

    if (ops->plan == NULL)
        return err_set(err, ERR_FAILED, "the target %s can't plan", ops->name);
    if (release_make(c, s, app, q, &r, err) < 0)
        return -1;
    rc = config_open_run(s, app->id, r.config_version, &config, err);
    if (rc == 0)
        rc = certificates_open(s, app, &certificate, err);
    if (rc == 0)
        rc = cron_suspended(s, app->id, &suspended, err);
    if (rc == 0)
        rc = inventory_list(s, app->id, ops->name, &items, &n, err);
    if (rc == 0) {
        config_add(&config, &q->config);
        target.release = &r;
        target.image = r.image;
        target.config = &config;
        target.certificate = &certificate;
        target.suspended = &suspended;
        rc = ops->plan(t, &target, items, n, ret, &why);
        if (rc < 0)
            error_mask(&config, &why, err);
        else
            notes_mask(&config, *ret);
    }
    for (size_t i = 0; i < n; i++)
        inventory_item_release(&items[i]);
    free(items);
    config_set_release(&config);
    certificate_release(&certificate);
    release_release(&r);
    return rc;
}
