/* storage:report. Repositories, logs and the database are looked at here; the rest only the builder sees. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "gateway/cmd.h"
#include "gateway/errand.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int64_t folder(const struct command_ctx *c, const char *name)
{
    cleanup_free char *path = conf_state_path(c->conf, "%s", name);
    int64_t n = 0;

    (void) path_size(path, &n, NULL);
    return n;
}

static int64_t database(const struct command_ctx *c)
{
    static const char *const files[] = { "slipway.db", "slipway.db-wal", "slipway.db-journal" };
    int64_t sum = 0;

    for (size_t i = 0; i < countof(files); i++)
        sum += folder(c, files[i]);
    return sum;
}

/* A size out of the builder's answer; "-" where it isn't known. */
static const char *text(const json_t *o, const char *key, struct show_text *t)
{
    const json_t *n = json_object_get(o, key);

    if (!json_is_integer(n))
        return "-";
    *t = show_size((uint64_t) json_integer_value(n));
    return t->s;
}

static const char *const columns[] = { "repository", "cache", "images", "registry" };

static json_t *app_row(const struct command_ctx *c, const struct app *a, const json_t *builder)
{
    cleanup_free char *id = xasprintf("%lld", (long long) a->id), *repo = xasprintf("repos/%s.git", id);
    const json_t *of = json_object_get(json_object_get(builder, "apps"), id);
    json_t *row = json_pack("{s:s, s:I}", "app", a->name, "repository", (json_int_t) folder(c, repo));

    for (size_t i = 1; i < countof(columns); i++) {
        json_t *n = json_object_get(of, columns[i]);

        (void) json_object_set(row, columns[i], n);
        if (n == NULL)
            (void) json_object_set_new(row, columns[i], json_null());
    }
    return row;
}

static int64_t row_sum(const json_t *row)
{
    int64_t sum = 0;

    for (size_t i = 0; i < countof(columns); i++)
        sum += json_int(row, columns[i], 0);
    return sum;
}

static int larger(const void *a, const void *b)
{
    int64_t x = row_sum(*(json_t *const *) a), y = row_sum(*(json_t *const *) b);

    return x < y ? 1 : x > y ? -1 : 0;
}

/* Largest first. */
static int app_rows(struct command_ctx *c, const json_t *builder, json_t *ret, struct err *err)
{
    json_t **rows;
    struct app *v;
    size_t n;

    if (c->app.name != NULL)
        return json_array_append_new(ret, app_row(c, &c->app, builder));
    if (apps_list(c->store, 0, &v, &n, err) != 0)
        return -1;
    rows = xmalloc((n + 1) * sizeof(*rows));
    for (size_t i = 0; i < n; i++) {
        rows[i] = app_row(c, &v[i], builder);
        app_release(&v[i]);
    }
    free(v);
    qsort(rows, n, sizeof(*rows), larger);
    for (size_t i = 0; i < n; i++)
        (void) json_array_append_new(ret, rows[i]);
    free(rows);
    return 0;
}

static void apps_print(struct command_ctx *c, const json_t *rows)
{
    struct table t = TABLE_INIT(1 + countof(columns));
    struct show_text s;
    json_t *row;
    size_t i;

    table_add(&t, "APP");
    for (i = 0; i < countof(columns); i++) {
        static const char *const heads[] = { "REPOSITORY", "BUILD CACHE", "IMAGES", "REGISTRY" };

        table_add(&t, heads[i]);
    }
    json_array_foreach(rows, i, row) {
        table_add(&t, json_str(row, "app", ""));
        for (size_t k = 0; k < countof(columns); k++)
            table_add(&t, text(row, columns[k], &s));
    }
    table_print(&t, c);
    table_release(&t);
}

static void line(struct table *t, const char *name, const json_t *o, const char *key)
{
    struct show_text s;

    table_add(t, name);
    table_add(t, text(o, key, &s));
}

static void room(struct table *t, const char *name, const char *path, const json_t *o)
{
    struct show_text left, all;

    table_add(t, name);
    table_addf(t, "%s: %s free of %s", path, text(o, "free", &left), text(o, "size", &all));
}

static void server_print(struct command_ctx *c, const json_t *state, const json_t *builder)
{
    const json_t *docker = json_object_get(builder, "docker");
    struct table t = TABLE_INIT(2);

    room(&t, "State folder:", json_str(state, "path", ""), state);
    line(&t, "  Repositories:", state, "repositories");
    line(&t, "  Logs:", state, "logs");
    line(&t, "  Database:", state, "database");
    line(&t, "  Builds in work:", state, "spool");
    if (json_is_object(docker)) {
        room(&t, "Docker engine:", json_str(docker, "root", ""), docker);
        line(&t, "  Images:", docker, "images");
        line(&t, "  Build caches:", docker, "caches");
        line(&t, "  All volumes:", docker, "volumes");
    } else {
        table_add(&t, "Docker engine:");
        table_addf(&t, "not known: %s", json_str(builder, "docker_error", "no answer"));
    }
    table_print(&t, c);
    (void) io_outf(c->io, "\n");
    table_release(&t);
}

static json_t *state_json(const struct command_ctx *c, const json_t *builder)
{
    int64_t left = 0, size = 0;

    (void) path_room(c->conf->state, &left, &size, NULL);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "path", c->conf->state, "free", (json_int_t) left, "size",
                     (json_int_t) size, "repositories", (json_int_t) folder(c, "repos"), "logs", (json_int_t) folder(c, "logs"),
                     "database", (json_int_t) database(c), "spool", json_int(builder, "spool", 0));
}

static void show_server(struct command_ctx *c, const json_t *builder, json_t *rows)
{
    json_t *state = state_json(c, builder);

    if (c->json) {
        (void) show_json(c, json_pack("{s:O, s:O, s:O}", "state", state, "docker", json_object_get(builder, "docker"), "apps",
                                      rows));
    } else {
        server_print(c, state, builder);
        apps_print(c, rows);
    }
    json_decref(state);
}

static int show(struct command_ctx *c, const json_t *builder, struct err *err)
{
    json_t *rows = json_array();
    int rc = app_rows(c, builder, rows, err);

    if (rc == 0 && c->app.name == NULL)
        show_server(c, builder, rows);
    else if (rc == 0 && c->json)
        (void) show_json(c, json_incref(json_array_get(rows, 0)));
    else if (rc == 0)
        apps_print(c, rows);
    json_decref(rows);
    return rc;
}

int cmd_storage_report(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_free char *answer = NULL;
    json_t *builder;
    int rc;

    (void) argv, (void) argc;
    rc = errand_run(c, ERRAND_REPORT, c->app.id, "the report", &answer, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    builder = json_parse(answer != NULL ? answer : "", answer != NULL ? strlen(answer) : 0, "the builder's answer", err);
    if (builder == NULL)
        return -1;
    rc = show(c, builder, err);
    json_decref(builder);
    return rc;
}
