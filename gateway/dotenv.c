#include "config.h"

#include "gateway/dotenv.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *at, *end;
    long line;
};

void dotenv_release(struct dotenv *d)
{
    for (size_t i = 0; i < d->n; i++) {
        explicit_bzero(d->v[i].value, d->v[i].value_len);
        free(d->v[i].value);
        free(d->v[i].name);
    }
    free(d->v);
    *d = (struct dotenv) DOTENV_INIT;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool at_line_end(const struct reader *r)
{
    return r->at == r->end || *r->at == '\n';
}

static void blanks_skip(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

static void line_skip(struct reader *r)
{
    while (!at_line_end(r))
        r->at++;
    if (r->at < r->end) {
        r->at++;
        r->line++;
    }
}

static bool is_name(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* NAME and its =, NULL where they are not there. */
static char *name_take(struct reader *r)
{
    const char *from;
    size_t n;

    if (r->end - r->at > 7 && memcmp(r->at, "export", 6) == 0 && is_blank(r->at[6])) {
        r->at += 6;
        blanks_skip(r);
    }
    from = r->at;
    while (r->at < r->end && is_name(*r->at))
        r->at++;
    n = (size_t) (r->at - from);
    blanks_skip(r);
    if (n == 0 || r->at == r->end || *r->at != '=')
        return NULL;
    r->at++;
    blanks_skip(r);
    return xstrndup(from, n);
}

/* What \c stands for; 0: nothing, the backslash stays. */
static char escaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '"': case '\\': case '$': case '`':
        return c;
    default:
        return 0;
    }
}

static int quoted_take(struct reader *r, struct buf *out, struct err *err)
{
    char quote = *r->at++;
    long began = r->line;

    for (; r->at < r->end && *r->at != quote; r->at++) {
        char c = *r->at;

        if (c == '\n')
            r->line++;
        if (c == '\\' && quote == '"' && r->end - r->at > 1 && escaped(r->at[1]) != 0)
            c = escaped(*++r->at);
        (void) buf_addch(out, c);
    }
    if (r->at == r->end)
        return err_set(err, ERR_USAGE, "line %ld: the quote that begins there is not closed", began);
    r->at++;
    blanks_skip(r);
    if (!at_line_end(r) && *r->at != '#')
        return err_set(err, ERR_USAGE, "line %ld: only a comment may stand behind the closing quote", r->line);
    return 0;
}

static void bare_take(struct reader *r, struct buf *out)
{
    const char *from = r->at, *end;

    while (!at_line_end(r) && !(*r->at == '#' && (r->at == from || is_blank(r->at[-1]))))
        r->at++;
    for (end = r->at; end > from && is_blank(end[-1]); end--)
        ;
    (void) buf_add(out, from, (size_t) (end - from));
}

/* One line, or several where a quoted value goes on. */
static int item_take(struct reader *r, struct dotenv *d, struct err *err)
{
    cleanup_free char *name = NULL;
    struct buf value;
    int rc = 0;

    blanks_skip(r);
    if (at_line_end(r) || *r->at == '#') {
        line_skip(r);
        return 0;
    }
    name = name_take(r);
    if (name == NULL)
        return err_set(err, ERR_USAGE, "line %ld is not NAME=VALUE", r->line);
    if (d->n == DOTENV_NAMES_MAX)
        return err_set(err, ERR_USAGE, "line %ld: there are more than %d names", r->line, DOTENV_NAMES_MAX);
    buf_init(&value, (size_t) (r->end - r->at) + 1);
    if (r->at < r->end && (*r->at == '"' || *r->at == '\''))
        rc = quoted_take(r, &value, err);
    else
        bare_take(r, &value);
    if (rc == 0) {
        d->v = xrealloc_n(d->v, d->n + 1, sizeof(*d->v));
        d->v[d->n].value_len = buf_len(&value);
        d->v[d->n].value = xstrndup(buf_str(&value), buf_len(&value));
        d->v[d->n++].name = steal_ptr(name);
        line_skip(r);
    }
    if (value.data != NULL)
        explicit_bzero(value.data, value.cap);
    buf_release(&value);
    return rc;
}

int dotenv_parse(const char *text, size_t n, struct dotenv *ret, struct err *err)
{
    struct reader r = { text, text + n, 1 };
    struct dotenv d = DOTENV_INIT;

    if (n > 0 && memchr(text, '\0', n) != NULL)
        return err_set(err, ERR_USAGE, "the file holds a NUL byte; it is no text");
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
        r.at += 3;
    while (r.at < r.end) {
        if (item_take(&r, &d, err) != 0) {
            dotenv_release(&d);
            return -1;
        }
    }
    *ret = d;
    return 0;
}
