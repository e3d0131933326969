#include "config.h"

#include "base/vec.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void vec_take(struct vec *v, char *s)
{
    if (v->n + 2 > v->cap) {
        v->cap = v->cap != 0 ? v->cap * 2 : 8;
        v->v = xrealloc_n(v->v, v->cap, sizeof(*v->v));
    }
    v->v[v->n++] = s;
    v->v[v->n] = NULL;
}

void vec_add(struct vec *v, const char *s)
{
    vec_take(v, xstrdup(s));
}

void vec_addf(struct vec *v, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vec_take(v, xvasprintf(fmt, ap));
    va_end(ap);
}

void vec_addl(struct vec *v, ...)
{
    const char *s;
    va_list ap;

    va_start(ap, v);
    while ((s = va_arg(ap, const char *)) != NULL)
        vec_add(v, s);
    va_end(ap);
}

bool vec_has(const struct vec *v, const char *s)
{
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->v[i], s) == 0)
            return true;
    return false;
}

char *const *vec_argv(const struct vec *v)
{
    static char *const empty[] = { NULL };

    return v->v != NULL ? v->v : empty;
}

void vec_release(struct vec *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->v[i]);
    free(v->v);
    memset(v, 0, sizeof(*v));
}

void vec_add_words(struct vec *v, const char *text)
{
    for (size_t n; text != NULL && *text != '\0'; text += n + strspn(text + n, " ")) {
        n = strcspn(text, " ");
        if (n > 0)
            vec_addf(v, "%.*s", (int) n, text);
    }
}
