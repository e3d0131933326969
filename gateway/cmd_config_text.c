/* The config as a whole: names, all values as text, a file taken in, what changed between releases. */
#include "config.h"

#include "base/mem.h"
#include "gateway/cmd_config.h"
#include "gateway/dotenv.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_SAID 3
#define EXPORT_MAX (8 << 20) /* a config of CONFIG_TOTAL_MAX bytes with every byte escaped */
#define MASK "\u2022\u2022\u2022\u2022"

int cmd_config_keys(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct config_set set;
    json_t *all;

    (void) argv;
    (void) argc;
    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < set.n; i++) {
        (void) json_array_append_new(all, json_string(set.v[i].name));
        if (!c->json)
            (void) io_outf(c->io, "%s\n", set.v[i].name);
    }
    config_set_release(&set);
    if (c->json)
        return show_json(c, all);
    json_decref(all);
    return 0;
}

int cmd_config_clear(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct config_set set;
    struct changes s;
    int rc = 0;

    (void) argv;
    (void) argc;
    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    changes_init(&s);
    for (size_t i = 0; i < set.n && rc == 0; i++) {
        rc = changes_add(&s, set.v[i].name, err) != NULL ? 0 : -1;
        (void) buf_addf(&c->detail, "%s%s", i > 0 ? " " : "", set.v[i].name);
    }
    config_set_release(&set);
    if (rc == 0 && s.n == 0 && !c->json)
        (void) io_outf(c->io, "Nothing to do: %s has no config\n", c->app.name);
    else if (rc == 0 && s.n == 0)
        (void) show_json(c, json_pack("{s:s, s:[], s:I, s:n, s:n}", "app", c->app.name, "names", "config_version",
                                      (json_int_t) c->app.config_version, "release", "url"));
    else if (rc == 0)
        rc = changes_do(c, &s, false, err);
    changes_release(&s);
    return rc;
}

/* Values in run scope, as items; those in build scope only are told. */
static int export_collect(struct command_ctx *c, const json_t *values, struct dotenv *ret, struct err *err)
{
    cleanup_vec struct vec left = VEC_INIT;
    struct config_set set;

    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    for (size_t i = 0; i < set.n; i++) {
        const json_t *value = json_object_get(values, set.v[i].name);

        if (!set.v[i].run || !json_is_string(value)) {
            vec_add(&left, set.v[i].name);
            continue;
        }
        ret->v = xrealloc_n(ret->v, ret->n + 1, sizeof(*ret->v));
        ret->v[ret->n++] = (struct dotenv_item) {
            .name = xstrdup(set.v[i].name), .value = xstrdup(json_string_value(value)),
            .value_len = json_string_length(value),
        };
    }
    config_set_release(&set);
    if (left.n > 0) {
        cleanup_free char *names = show_words(&left, NAMES_SAID);

        (void) io_errf(c->io, " !     Left out, in build scope only: %s\n", names);
    }
    return 0;
}

int cmd_config_export(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *name = command_option(c, "--format");
    enum dotenv_format format = c->json ? FORMAT_JSON : FORMAT_ENV;
    struct dotenv d = DOTENV_INIT;
    json_auto_t *values = NULL;
    struct buf out;
    int rc;

    (void) argv;
    (void) argc;
    if (name != NULL && dotenv_format_parse(name, &format, err) != 0)
        return -1;
    if (name != NULL && c->json && format != FORMAT_JSON)
        return err_set(err, ERR_USAGE, "--json and --format %s are two formats; give one", name);
    values = config_values(c, c->app.config_version, NULL, err);
    if (values == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    buf_init(&out, EXPORT_MAX);
    rc = export_collect(c, values, &d, err);
    if (rc == 0)
        rc = dotenv_write(&d, format, &out, err);
    if (rc == 0)
        (void) c->io->out(c->io, buf_str(&out), buf_len(&out));
    if (out.data != NULL)
        explicit_bzero(out.data, out.cap);
    buf_release(&out);
    dotenv_release(&d);
    return rc;
}

static int import_do(struct command_ctx *c, const struct dotenv *d, struct err *err)
{
    bool build = command_option(c, "--build") != NULL, run = command_option(c, "--run") != NULL || !build;
    struct changes s;
    int rc = 0;

    changes_init(&s);
    for (size_t i = 0; i < d->n && rc == 0; i++) {
        struct config_change *change = changes_add(&s, d->v[i].name, err);

        if (change == NULL) {
            rc = -1;
            break;
        }
        change->value = d->v[i].value;
        change->value_len = d->v[i].value_len;
        change->run = run;
        change->build = build;
        (void) buf_addf(&c->detail, "%s%s", i > 0 ? " " : "", d->v[i].name);
    }
    if (rc == 0)
        rc = changes_do(c, &s, true, err);
    changes_release(&s);
    return rc;
}

int cmd_config_import(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct dotenv d = DOTENV_INIT;
    struct buf in;
    int rc;

    (void) argv;
    (void) argc;
    buf_init(&in, COMMAND_STDIN_MAX);
    rc = command_read_all(c, &in, err);
    if (rc == 0)
        rc = dotenv_parse(buf_str(&in), buf_len(&in), &d, err);
    if (rc == 0 && d.n == 0)
        rc = err_set(err, ERR_USAGE, "there is no NAME=VALUE line on standard input; for example: config:import %s < .env",
                     c->app.name);
    if (rc == 0)
        rc = import_do(c, &d, err);
    if (in.data != NULL)
        explicit_bzero(in.data, in.cap);
    buf_release(&in);
    dotenv_release(&d);
    return rc;
}

/* One side of the comparison. */
struct side {
    int64_t version, config_version;
    struct config_set set;
    json_t *values; /* NULL: not asked for */
};

static void side_release(struct side *s)
{
    config_set_release(&s->set);
    json_decref(s->values);
}

/* 1: the person went away. */
static int side_load(struct command_ctx *c, int64_t version, bool show, struct side *ret, struct err *err)
{
    struct release r;

    ret->version = version;
    if (version == 0)
        return err_set(err, ERR_FAILED, "%s has no live release to compare with", c->app.name);
    if (releases_get_version(c->store, c->app.id, ret->version, &r, err) != 0)
        return -1;
    ret->config_version = r.config_version;
    release_release(&r);
    if (config_get(c->store, c->app.id, ret->config_version, &ret->set, err) != 0)
        return -1;
    if (show && (ret->values = config_values(c, ret->config_version, NULL, err)) == NULL)
        return err->code == ERR_NONE ? 1 : -1;
    return 0;
}

static const char *value_shown(const struct side *s, const struct config_var *v, bool may, char *masked, size_t size)
{
    const char *value = v != NULL ? json_string_value(json_object_get(s->values, v->name)) : NULL;

    if (v == NULL)
        return NULL;
    if (value != NULL)
        return value;
    (void) snprintf(masked, size, MASK "%s", may ? v->hint : "");
    return masked;
}

struct diff {
    struct command_ctx *c;
    struct table *t;
    json_t *all;
    const struct side *from, *to;
};

static void diff_row(void *arg, const struct config_var *a, const struct config_var *b)
{
    const struct diff *d = arg;
    bool may = d->c->role >= ROLE_OPERATE;
    char masked[2][64];
    const char *old = value_shown(d->from, a, may, masked[0], sizeof(masked[0]));
    const char *new = value_shown(d->to, b, may, masked[1], sizeof(masked[1]));
    const char *name = a != NULL ? a->name : b->name;

    (void) json_array_append_new(d->all, json_pack("{s:s, s:s, s:o, s:o}", "name", name, "change",
                                                   a == NULL ? "added" : b == NULL ? "removed" : "changed", "from",
                                                   show_json_text(d->from->values != NULL ? old : NULL), "to",
                                                   show_json_text(d->to->values != NULL ? new : NULL)));
    table_addf(d->t, "%c %s", a == NULL ? '+' : b == NULL ? '-' : '~', name);
    if (a != NULL && b != NULL)
        table_addf(d->t, "%s -> %s", old, new);
    else
        table_add(d->t, a != NULL ? old : new);
}

static bool var_same(const struct config_var *a, const struct config_var *b)
{
    return a->run == b->run && a->build == b->build && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

void config_diff(const struct config_set *from, const struct config_set *to, config_diff_fn *fn, void *arg)
{
    size_t i = 0, k = 0;

    while (i < from->n || k < to->n) { /* both are sorted by name */
        int order = i == from->n ? 1 : k == to->n ? -1 : strcmp(from->v[i].name, to->v[k].name);

        if (order != 0 || !var_same(&from->v[i], &to->v[k]))
            fn(arg, order <= 0 ? &from->v[i] : NULL, order >= 0 ? &to->v[k] : NULL);
        i += order <= 0;
        k += order >= 0;
    }
}

int cmd_config_diff(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool show = command_option(c, "--show") != NULL;
    struct side from = { .version = 0 }, to = { .version = 0 };
    struct table t = TABLE_INIT(2);
    json_t *all = json_array();
    int64_t versions[2];
    int rc;

    if (show && c->role < ROLE_OPERATE)
        rc = err_set(err, ERR_DENIED, "--show needs the role operate in %s, and yours is %s", c->app.name,
                     role_name(c->role));
    else
        rc = release_pair_parse(c, argv, argc, versions, err);
    if (rc == 0)
        rc = side_load(c, versions[0], show, &from, err);
    if (rc == 0)
        rc = side_load(c, versions[1], show, &to, err);
    if (rc == 0) {
        struct diff d = { c, &t, all, &from, &to };

        config_diff(&from.set, &to.set, diff_row, &d);
        if (c->json)
            (void) show_json(c, json_incref(all));
        else if (t.cells.n == 0)
            (void) io_outf(c->io, "No difference between the config of v%lld and of v%lld\n", (long long) from.version,
                           (long long) to.version);
        else
            table_print(&t, c);
    }
    json_decref(all);
    table_release(&t);
    side_release(&from);
    side_release(&to);
    return rc < 0 ? -1 : 0;
}
