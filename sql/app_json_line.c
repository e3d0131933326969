/* Where a value stands in a JSON text that jansson has read: it keeps no positions. Source: RFC 8259. */
#include "config.h"

#include "sql/app_json.h"

#include <string.h>

struct cursor { const char *at, *end; };

static void space_skip(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r' || *c->at == '\n'))
        c->at++;
}

static bool take(struct cursor *c, char what)
{
    space_skip(c);
    if (c->at == c->end || *c->at != what)
        return false;
    c->at++;
    return true;
}

/* Behind the quote that ends it; *ret_n: bytes between the quotes. NULL: it is no string. */
static const char *string_skip(struct cursor *c, size_t *ret_n)
{
    const char *begin;

    if (!take(c, '"'))
        return NULL;
    begin = c->at;
    while (c->at < c->end && *c->at != '"')
        c->at += *c->at == '\\' && c->at + 1 < c->end ? 2 : 1;
    *ret_n = (size_t) (c->at - begin);
    c->at += c->at < c->end;
    return begin;
}

static void value_skip(struct cursor *c)
{
    size_t depth = 0, n;

    space_skip(c);
    for (; c->at < c->end; c->at++) {
        char b = *c->at;

        if (b == '"') {
            (void) string_skip(c, &n);
            c->at--;
        } else if (b == '{' || b == '[') {
            depth++;
        } else if (b == '}' || b == ']') {
            if (depth == 0)
                return;
            depth--;
        } else if (b == ',' && depth == 0) {
            return;
        }
    }
}

static bool member_find(struct cursor *c, const char *key)
{
    size_t n;

    if (!take(c, '{'))
        return false;
    do {
        const char *name = string_skip(c, &n);

        if (name == NULL || !take(c, ':'))
            return false;
        space_skip(c);
        if (n == strlen(key) && memcmp(name, key, n) == 0)
            return true;
        value_skip(c);
    } while (take(c, ','));
    return false;
}

static bool element_find(struct cursor *c, size_t index)
{
    if (!take(c, '['))
        return false;
    for (; index > 0; index--) {
        value_skip(c);
        if (!take(c, ','))
            return false;
    }
    space_skip(c);
    return c->at < c->end;
}

static bool find(struct cursor *c, const struct app_json_at *at)
{
    if (at == NULL) {
        space_skip(c);
        return true;
    }
    if (!find(c, at->up))
        return false;
    return at->key != NULL ? member_find(c, at->key) : element_find(c, at->index);
}

size_t app_json_line(const char *text, size_t n, const struct app_json_at *at)
{
    struct cursor c = { text, text + n };
    size_t line = 1;

    if (!find(&c, at))
        return 0;
    for (const char *p = text; p < c.at && p < text + n; p++)
        line += *p == '\n';
    return line;
}
