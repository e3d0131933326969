#include "config.h"

#include "gateway/manifest_diff.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 512 /* of a field; what is deeper is named by what holds it */

/* Kubernetes' objects have a kind and a name; a container on the Docker target has its process type. */
static char *object_name(const json_t *o)
{
    const char *name = json_str(o, "metadata.name", json_str(o, "process", ""));

    return xasprintf("%s%s%s", json_str(o, "kind", "Object"), name[0] != '\0' ? " " : "", name);
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

/* {"Deployment slipway-shop-web": {…}}, sorted. */
static json_t *objects_read(const char *text, struct err *err)
{
    json_auto_t *doc = text != NULL ? json_parse(text, strlen(text), "the release's manifests", err) : json_array();
    cleanup_vec struct vec names = VEC_INIT;
    json_auto_t *all = json_object();
    json_t *sorted, *o;
    size_t i;

    if (doc == NULL)
        return NULL;
    if (!json_is_array(doc)) {
        (void) err_set(err, ERR_FAILED, "the release's manifests are not a list");
        return NULL;
    }
    json_array_foreach(doc, i, o) {
        cleanup_free char *name = object_name(o);

        vec_add(&names, name);
        (void) json_object_set(all, name, o);
    }
    if (names.n > 0)
        qsort(names.v, names.n, sizeof(*names.v), by_name);
    sorted = json_object();
    for (i = 0; i < names.n; i++)
        (void) json_object_set(sorted, names.v[i], json_object_get(all, names.v[i]));
    return sorted;
}

json_t *manifest_names(const char *manifests, struct err *err)
{
    json_auto_t *all = objects_read(manifests, err);
    json_t *names, *o;
    const char *name;

    if (all == NULL)
        return NULL;
    names = json_array();
    json_object_foreach(all, name, o)
        (void) json_array_append_new(names, json_string(name));
    return names;
}

static void field_add(json_t *fields, const char *path)
{
    if (json_array_size(fields) < MANIFEST_FIELDS_MAX)
        (void) json_array_append_new(fields, json_string(path));
}

static void values_compare(json_t *fields, const char *path, json_t *a, json_t *b);

static void member_compare(json_t *fields, const char *path, const char *name, json_t *a, json_t *b)
{
    cleanup_free char *below = xasprintf("%s%s%s", path, path[0] != '\0' ? "." : "", name);

    if (a == NULL || b == NULL || strlen(below) > PATH_MAX_BYTES)
        field_add(fields, below);
    else
        values_compare(fields, below, a, b);
}

static void objects_compare(json_t *fields, const char *path, json_t *a, json_t *b)
{
    const char *name;
    json_t *v;

    json_object_foreach(a, name, v)
        member_compare(fields, path, name, v, json_object_get(b, name));
    json_object_foreach(b, name, v)
        if (json_object_get(a, name) == NULL)
            member_compare(fields, path, name, NULL, v);
}

static void arrays_compare(json_t *fields, const char *path, json_t *a, json_t *b)
{
    size_t n = json_array_size(a) > json_array_size(b) ? json_array_size(a) : json_array_size(b);

    for (size_t i = 0; i < n; i++) {
        cleanup_free char *name = xasprintf("%zu", i);

        member_compare(fields, path, name, json_array_get(a, i), json_array_get(b, i));
    }
}

static void values_compare(json_t *fields, const char *path, json_t *a, json_t *b)
{
    if (json_equal(a, b))
        return;
    if (json_is_object(a) && json_is_object(b))
        objects_compare(fields, path, a, b);
    else if (json_is_array(a) && json_is_array(b))
        arrays_compare(fields, path, a, b);
    else
        field_add(fields, path);
}

static json_t *change(const char *object, const char *what, json_t *fields)
{
    return json_pack("{s:s, s:s, s:o}", "object", object, "change", what, "fields", fields);
}

static int by_object(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;

    return strcmp(json_str(*x, "object", ""), json_str(*y, "object", ""));
}

static json_t *sorted(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **v = xcalloc(n + 1, sizeof(json_t *)), *ret = json_array();

    for (size_t i = 0; i < n; i++)
        v[i] = json_array_get(list, i);
    qsort(v, n, sizeof(json_t *), by_object);
    for (size_t i = 0; i < n; i++)
        (void) json_array_append(ret, v[i]);
    free(v);
    return ret;
}

json_t *manifest_diff(const char *from, const char *to, struct err *err)
{
    json_auto_t *a = objects_read(from, err), *b = NULL, *list = NULL;
    const char *name;
    json_t *o;

    if (a == NULL || (b = objects_read(to, err)) == NULL)
        return NULL;
    list = json_array();
    json_object_foreach(a, name, o) {
        json_t *other = json_object_get(b, name), *fields = json_array();

        if (other != NULL)
            values_compare(fields, "", o, other);
        if (other == NULL || json_array_size(fields) > 0)
            (void) json_array_append_new(list, change(name, other == NULL ? "removed" : "changed", fields));
        else
            json_decref(fields);
    }
    json_object_foreach(b, name, o)
        if (json_object_get(a, name) == NULL)
            (void) json_array_append_new(list, change(name, "added", json_array()));
    return sorted(list);
}
