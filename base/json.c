#include "config.h"

#include "base/json.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void json_init(void)
{
    json_set_alloc_funcs(xmalloc, free);
}

json_t *json_parse(const char *data, size_t n, const char *what, struct err *err)
{
    json_error_t why;
    json_t *o = json_loadb(data, n, JSON_REJECT_DUPLICATES, &why);

    /* jansson's own text quotes the document, which may hold a credential. */
    if (o == NULL)
        err_set(err, ERR_FAILED, "%s is not valid JSON (line %d, column %d)", what, why.line, why.column);
    return o;
}

json_t *json_at(const json_t *o, const char *path)
{
    while (o != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");

        o = json_object_getn(o, path, n);
        path += n + (path[n] != '\0');
    }
    return (json_t *) o;
}

const char *json_str(const json_t *o, const char *path, const char *fallback)
{
    const char *s = json_string_value(json_at(o, path));

    return s != NULL ? s : fallback;
}

long long json_int(const json_t *o, const char *path, long long fallback)
{
    const json_t *v = json_at(o, path);

    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

int json_bool(const json_t *o, const char *path, int fallback)
{
    const json_t *v = json_at(o, path);

    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

static int add_piece(const char *data, size_t n, void *arg)
{
    return buf_add(arg, data, n);
}

int json_dump_buf(const json_t *o, struct buf *b)
{
    size_t before = buf_len(b);

    if (json_dump_callback(o, add_piece, b, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        return 0;
    buf_truncate(b, before);
    b->overflow = true;
    return -1;
}

char *json_text(const json_t *o)
{
    char *s = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);

    /* Fails only for NULL and for nesting deeper than what jansson itself reads: a mistake of ours. */
    if (s == NULL)
        abort();
    return s;
}

json_t *json_list(const struct vec *v)
{
    json_t *list = json_array();

    for (size_t i = 0; i < v->n; i++)
        (void) json_array_append_new(list, json_string(v->v[i]));
    return list;
}
