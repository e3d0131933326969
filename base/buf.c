#include "config.h"

#include "base/buf.h"

#include "base/mem.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST 256 /* most buffers hold a line or a small message */

void buf_init(struct buf *b, size_t max)
{
    memset(b, 0, sizeof(*b));
    b->max = max;
}

void buf_release(struct buf *b)
{
    size_t max = b->max;

    free(b->data);
    buf_init(b, max);
}

void buf_clear(struct buf *b)
{
    b->len = b->start = 0;
    b->overflow = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

const char *buf_str(const struct buf *b)
{
    return b->data != NULL ? b->data + b->start : "";
}

size_t buf_len(const struct buf *b)
{
    return b->len - b->start;
}

size_t buf_room(const struct buf *b)
{
    return b->max - buf_len(b);
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t need, cap;

    if (n > buf_room(b)) {
        b->overflow = true;
        return NULL;
    }
    if (b->start > 0 && b->len + n + 1 > b->cap) {
        memmove(b->data, b->data + b->start, b->len - b->start);
        b->len -= b->start;
        b->start = 0;
    }
    need = b->len + n + 1;
    if (need > b->cap) {
        cap = b->cap != 0 ? b->cap * 2 : BUF_FIRST;
        if (cap < need)
            cap = need;
        if (cap > b->max + 1)
            cap = b->max + 1;
        b->data = xrealloc_n(b->data, cap, 1);
        b->cap = cap;
    }
    b->data[b->len] = '\0'; /* stays so where nothing is written (read(2) at the end of a file) */
    return b->data + b->len;
}

void buf_added(struct buf *b, size_t n)
{
    b->len += n;
    b->data[b->len] = '\0';
}

int buf_add(struct buf *b, const void *p, size_t n)
{
    char *at = buf_reserve(b, n);

    if (at == NULL)
        return -1;
    if (n != 0)
        memcpy(at, p, n);
    buf_added(b, n);
    return 0;
}

int buf_addstr(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

int buf_addch(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
    cleanup_free char *s = xvasprintf(fmt, ap);

    return buf_addstr(b, s);
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = buf_vaddf(b, fmt, ap);
    va_end(ap);
    return rc;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= buf_len(b)) {
        b->len = b->start = 0;
        if (b->data != NULL)
            b->data[0] = '\0';
        return;
    }
    b->start += n;
}

void buf_truncate(struct buf *b, size_t n)
{
    if (n >= buf_len(b))
        return;
    b->len = b->start + n;
    b->data[b->len] = '\0';
}

char *buf_steal(struct buf *b)
{
    char *s = xstrndup(buf_str(b), buf_len(b));

    if (memchr(buf_str(b), '\0', buf_len(b)) != NULL) { /* binary: keep all of it */
        free(s);
        s = xmalloc(buf_len(b) + 1);
        memcpy(s, buf_str(b), buf_len(b));
        s[buf_len(b)] = '\0';
    }
    buf_release(b);
    return s;
}
