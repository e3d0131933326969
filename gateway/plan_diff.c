#include "config.h"

#include "gateway/plan_diff.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --- fields */

static bool is_leaf(const json_t *v)
{
    return (!json_is_object(v) || json_object_size(v) == 0) && (!json_is_array(v) || json_array_size(v) == 0);
}

/* Can the list's elements be told apart by their names? */
static bool is_named(const json_t *list)
{
    json_auto_t *seen = json_object();
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v) {
        const char *name = json_str(v, "name", NULL);

        if (name == NULL || json_object_get(seen, name) != NULL)
            return false;
        (void) json_object_set_new(seen, name, json_true());
    }
    return true;
}

static void leaves_add(json_t *leaves, const char *path, json_t *v);

static void member_add(json_t *leaves, const char *path, const char *name, json_t *v)
{
    cleanup_free char *below = xasprintf("%s%s%s", path, path[0] != '\0' ? "." : "", name);

    leaves_add(leaves, below, v);
}

/* {"spec.replicas": 3, …}. The document's depth is bounded by its parser. */
static void leaves_add(json_t *leaves, const char *path, json_t *v)
{
    bool named = is_named(v);
    const char *name;
    json_t *member;
    size_t i;

    if (is_leaf(v)) {
        (void) json_object_set(leaves, path, v);
        return;
    }
    json_object_foreach(v, name, member)
        member_add(leaves, path, name, member);
    json_array_foreach(v, i, member) {
        cleanup_free char *number = xasprintf("%zu", i);
        json_auto_t *rest = named ? json_copy(member) : json_incref(member);

        if (named)
            (void) json_object_del(rest, "name");
        member_add(leaves, path, named ? json_str(member, "name", number) : number, rest);
    }
}

static json_t *leaves_of(const json_t *o)
{
    json_t *leaves = json_object();

    if (json_is_object(o) && json_object_size(o) > 0)
        leaves_add(leaves, "", (json_t *) (uintptr_t) o);
    return leaves;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static json_t *fields_of(const json_t *before, const json_t *after)
{
    json_auto_t *a = leaves_of(before), *b = leaves_of(after);
    cleanup_vec struct vec paths = VEC_INIT;
    json_t *fields = json_array(), *v;
    const char *path;

    json_object_foreach(a, path, v)
        if (!json_equal(v, json_object_get(b, path)))
            vec_add(&paths, path);
    json_object_foreach(b, path, v)
        if (json_object_get(a, path) == NULL)
            vec_add(&paths, path);
    if (paths.n > 0)
        qsort(paths.v, paths.n, sizeof(*paths.v), by_text);
    for (size_t i = 0; i < paths.n && i < PLAN_FIELDS_MAX; i++)
        (void) json_array_append_new(fields, json_pack("{s:s, s:O?, s:O?}", "field", paths.v[i],
                                                       "from", json_object_get(a, paths.v[i]),
                                                       "to", json_object_get(b, paths.v[i])));
    return fields;
}

/* --- objects */

static json_t *change_of(const json_t *o)
{
    const json_t *before = json_object_get(o, "before"), *after = json_object_get(o, "after");
    bool had = json_is_object(before), has = json_is_object(after);
    const char *kind = json_str(o, "kind", ""), *name = json_str(o, "name", "");
    cleanup_free char *object = xasprintf("%s%s%s", kind, name[0] != '\0' ? " " : "", name);
    json_t *fields = has ? fields_of(before, after) : json_array();
    const char *change = !had ? "added" : !has ? "removed" : json_array_size(fields) > 0 ? "changed" : "same";

    return json_pack("{s:s, s:s, s:o, s:s?}", "object", object, "change", change, "fields", fields, "note",
                     json_str(o, "note", NULL));
}

static int by_object(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;

    return strcmp(json_str(*x, "object", ""), json_str(*y, "object", ""));
}

json_t *plan_changes(const json_t *objects)
{
    size_t n = json_array_size(objects), i, used = 0;
    json_t **v = xcalloc(n + 1, sizeof(json_t *)), *all = json_array();
    const json_t *o;

    json_array_foreach(objects, i, o) {
        if (!json_is_object(json_object_get(o, "before")) && !json_is_object(json_object_get(o, "after")))
            continue;
        v[used] = change_of(o);
        if (v[used] != NULL) /* texts that are no UTF-8 do not come out of a parser */
            used++;
    }
    qsort(v, used, sizeof(json_t *), by_object);
    for (i = 0; i < used; i++)
        (void) json_array_append_new(all, v[i]);
    free(v);
    return all;
}

/* --- lines */

static void value_line(struct buf *out, char sign, const char *field, const json_t *v)
{
    cleanup_free char *text = json_is_string(v) ? xstrdup(json_string_value(v)) : json_dumps(v, JSON_ENCODE_ANY);
    size_t n = strlen(text);
    bool cut = n > PLAN_VALUE_MAX;

    for (n = cut ? PLAN_VALUE_MAX : n; cut && n > 0 && ((unsigned char) text[n] & 0xc0) == 0x80;)
        n--; /* not within a character */
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    (void) buf_addf(out, "%c     %s: %.*s%s\n", sign, field, (int) n, text, cut ? "..." : "");
}

int plan_lines(const json_t *changes, struct buf *out)
{
    const json_t *c, *f;
    size_t i, k;

    json_array_foreach(changes, i, c) {
        const char *change = json_str(c, "change", ""), *note = json_str(c, "note", NULL);

        (void) buf_addf(out, "%c %s\n", *change == 'a' ? '+' : *change == 'r' ? '-' : '~', json_str(c, "object", ""));
        json_array_foreach(json_object_get(c, "fields"), k, f) {
            const json_t *from = json_object_get(f, "from"), *to = json_object_get(f, "to");

            if (!json_is_null(from))
                value_line(out, '-', json_str(f, "field", ""), from);
            if (!json_is_null(to))
                value_line(out, '+', json_str(f, "field", ""), to);
        }
        if (json_array_size(json_object_get(c, "fields")) == PLAN_FIELDS_MAX)
            (void) buf_addstr(out, "      ... and more\n");
        if (note != NULL)
            (void) buf_addf(out, " !     %s\n", note);
    }
    return out->overflow ? -1 : 0;
}
