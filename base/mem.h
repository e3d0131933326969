/* Memory and descriptors that clean up after themselves. Exhaustion aborts: no caller can
 * do anything sensible about it, and a half-handled failure is worse than a restart. */
#ifndef SLIPWAY_BASE_MEM_H
#define SLIPWAY_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* As malloc(3), calloc(3), realloc(3), strdup(3), strndup(3), but never NULL.
 * xrealloc_n checks n * size for overflow. The caller frees with free(3). */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc_n(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Frees *p of a `char *` or other pointer variable when it goes out of scope. A descriptor is -1 then. */
void cleanup_free_p(void *p);
void cleanup_close_p(int *fd);
void cleanup_fclose_p(FILE **f);

#define cleanup_free __attribute__((cleanup(cleanup_free_p)))
#define cleanup_close __attribute__((cleanup(cleanup_close_p)))
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_p)))

/* Takes the value out of a cleanup variable, so that its owner is now the caller. */
#define steal_ptr(p) ({ __typeof__(p) steal_ = (p); (p) = NULL; steal_; })
#define steal_fd(fd) ({ int steal_ = (fd); (fd) = -1; steal_; })

#define countof(a) (sizeof(a) / sizeof((a)[0]))

#endif
