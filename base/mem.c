#include "config.h"

#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *mem_check(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

void *xmalloc(size_t size)
{
    return mem_check(malloc(size != 0 ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
    return mem_check(calloc(n != 0 ? n : 1, size != 0 ? size : 1));
}

void *xrealloc_n(void *p, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        abort();
    return mem_check(realloc(p, total != 0 ? total : 1));
}

char *xstrdup(const char *s)
{
    return mem_check(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
    return mem_check(strndup(s, n));
}

void *xmemdup(const void *p, size_t n)
{
    void *copy = xmalloc(n);

    if (n != 0)
        memcpy(copy, p, n);
    return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char *s;

    if (vasprintf(&s, fmt, ap) < 0)
        abort();
    return s;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = xvasprintf(fmt, ap);
    va_end(ap);
    return s;
}

void cleanup_free_p(void *p)
{
    free(*(void **) p);
}

void cleanup_close_p(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        (void) close(*fd);
    *fd = -1;
    errno = saved;
}

void cleanup_fclose_p(FILE **f)
{
    if (*f != NULL)
        (void) fclose(*f);
}
