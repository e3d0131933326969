/* What differs between two releases. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/cmd_config.h"
#include "gateway/code_range.h"
#include "gateway/manifest_diff.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_SHOWN 20
#define FIELDS_SHOWN 6 /* of one object; --json has all */

static int side_load(struct command_ctx *c, int64_t version, struct release *ret, struct config_set *ret_set,
                     struct err *err)
{
    if (version == 0)
        return err_set(err, ERR_FAILED, "%s has no live release to compare with", c->app.name);
    if (releases_get_version(c->store, c->app.id, version, ret, err) != 0)
        return -1;
    return config_get(c->store, c->app.id, ret->config_version, ret_set, err);
}

struct names { struct vec added, removed, changed, all; };

static void names_add(void *arg, const struct config_var *a, const struct config_var *b)
{
    struct names *n = arg;
    const char *name = a != NULL ? a->name : b->name;

    vec_add(a == NULL ? &n->added : b == NULL ? &n->removed : &n->changed, name);
    vec_addf(&n->all, "%c%s", a == NULL ? '+' : b == NULL ? '-' : '~', name);
}

static void names_release(struct names *n)
{
    vec_release(&n->added);
    vec_release(&n->removed);
    vec_release(&n->changed);
    vec_release(&n->all);
}

static json_t *formation_object(const struct formation *f)
{
    json_t *o = json_object();

    for (size_t i = 0; i < f->n; i++)
        (void) json_object_set_new(o, f->v[i].process, json_integer(f->v[i].count));
    return o;
}

static json_t *diff_json(const struct release *a, const struct release *b, const struct names *n,
                         const struct code_range *code, json_t *objects)
{
    return json_pack("{s:I, s:I, s:{s:o, s:o}, s:o, s:{s:s, s:s}, s:{s:o, s:o, s:o}, s:{s:o, s:o}, s:O}", "from",
                     (json_int_t) a->version, "to", (json_int_t) b->version,
                     "commit", "from", show_json_text(a->commit), "to", show_json_text(b->commit),
                     "code", code_range_json(code),
                     "digest", "from", a->digest, "to", b->digest,
                     "config", "added", json_list(&n->added), "removed", json_list(&n->removed), "changed",
                     json_list(&n->changed),
                     "formation", "from", formation_object(&a->formation), "to", formation_object(&b->formation),
                     "objects", objects);
}

static char *formation_text(const struct formation *f)
{
    struct buf b;

    buf_init(&b, 16384);
    for (size_t i = 0; i < f->n; i++)
        (void) buf_addf(&b, "%s%s=%d", i > 0 ? " " : "", f->v[i].process, f->v[i].count);
    return buf_steal(&b);
}

/* "same" where equal, else "A BETWEEN B". */
static void diff_row(struct table *t, const char *name, const char *between, const char *a, const char *b)
{
    table_add(t, name);
    if (strcmp(a, b) == 0)
        table_addf(t, "the same (%s)", a);
    else
        table_addf(t, "%s%s%s", a, between, b);
}

/* "~ Deployment slipway-shop-web: spec.replicas and 2 more" */
static void objects_rows(struct table *t, const json_t *objects)
{
    const json_t *o, *field;
    size_t i, k;

    json_array_foreach(objects, i, o) {
        const char *change = json_str(o, "change", "");
        cleanup_vec struct vec fields = VEC_INIT;
        cleanup_free char *text = NULL;

        json_array_foreach(json_object_get(o, "fields"), k, field)
            vec_add(&fields, json_string_value(field));
        text = show_words(&fields, FIELDS_SHOWN);
        table_add(t, i == 0 ? "Objects:" : "");
        table_addf(t, "%c %s%s%s", *change == 'a' ? '+' : *change == 'r' ? '-' : '~', json_str(o, "object", ""),
                   fields.n > 0 ? ": " : "", text);
    }
    if (json_array_size(objects) == 0) {
        table_add(t, "Objects:");
        table_add(t, "the same");
    }
}

static void side_rows(struct table *t, char sign, const struct code_side *s)
{
    for (size_t i = 0; i < s->n; i++) {
        table_add(t, "");
        table_addf(t, "%c %.7s %s", sign, s->v[i].id, s->v[i].summary);
    }
    if (s->all > s->n) {
        table_add(t, "");
        table_addf(t, "%c and %s%zu more", sign, s->all == CODE_COUNTED ? "at least " : "", s->all - s->n);
    }
}

/* "A..B, 3 commits forward", and the commits as `git log --oneline` has them. */
static void code_rows(struct table *t, const char *from, const char *to, const struct code_range *code)
{
    cleanup_free char *text = code_range_text(code);

    if (text == NULL) {
        diff_row(t, "Code:", "", from, to);
        return;
    }
    table_add(t, "Code:");
    table_addf(t, "%s..%s, %s", from, to, text);
    side_rows(t, '-', &code->removed);
    side_rows(t, '+', &code->added);
}

static void diff_print(struct command_ctx *c, const struct release *a, const struct release *b, const struct names *n,
                       const struct code_range *code, const json_t *objects)
{
    cleanup_free char *from = formation_text(&a->formation), *to = formation_text(&b->formation);
    cleanup_free char *names = show_words(&n->all, NAMES_SHOWN);
    struct table t = TABLE_INIT(2);

    code_rows(&t, a->commit != NULL ? a->commit : "none", b->commit != NULL ? b->commit : "none", code);
    diff_row(&t, "Image:", " -> ", a->digest, b->digest);
    table_add(&t, "Config:");
    table_add(&t, n->all.n > 0 ? names : "the same");
    diff_row(&t, "Processes:", " -> ", from, to);
    objects_rows(&t, objects);
    (void) io_outf(c->io, "=== %s v%lld to v%lld\n", c->app.name, (long long) a->version, (long long) b->version);
    table_print(&t, c);
    table_release(&t);
}

int cmd_releases_diff(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct release a = { 0 }, b = { 0 };
    struct config_set from = { NULL, 0 }, to = { NULL, 0 };
    struct names n = { VEC_INIT, VEC_INIT, VEC_INIT, VEC_INIT };
    json_auto_t *objects = NULL;
    struct code_range code;
    int64_t versions[2];
    int rc = release_pair_parse(c, argv, argc, versions, err);

    if (rc == 0)
        rc = side_load(c, versions[0], &a, &from, err);
    if (rc == 0)
        rc = side_load(c, versions[1], &b, &to, err);
    if (rc == 0 && (objects = manifest_diff(a.manifests, b.manifests, err)) == NULL)
        rc = -1;
    if (rc == 0) {
        config_diff(&from, &to, names_add, &n);
        code_range_fill(c->conf, c->app.id, a.commit, b.commit, &code);
        if (c->json)
            (void) show_json(c, diff_json(&a, &b, &n, &code, objects));
        else
            diff_print(c, &a, &b, &n, &code, objects);
        code_range_release(&code);
    }
    names_release(&n);
    config_set_release(&from);
    config_set_release(&to);
    release_release(&a);
    release_release(&b);
    return rc;
}
