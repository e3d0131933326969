/* The one growing byte buffer. It has a hard maximum, given by who makes it, because what
 * grows it usually comes from outside. Its contents are always NUL-terminated and never NULL. */
#ifndef SLIPWAY_BASE_BUF_H
#define SLIPWAY_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;    /* read through buf_str; len bytes and a NUL */
    size_t len;
    size_t start;  /* bytes before data[start] are consumed */
    size_t cap;
    size_t max;
    bool overflow; /* an addition did not fit; stays set until buf_clear */
};

/* An empty buffer that holds at most max bytes. Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);

/* Frees the contents; the buffer is as after buf_init with the same maximum. */
void buf_release(struct buf *b);
/* buf_init must be the first statement behind the declaration: every return frees it. */
#define cleanup_buf __attribute__((cleanup(buf_release)))

/* Empties it, keeps the memory, forgets an overflow. */
void buf_clear(struct buf *b);

/* Unconsumed bytes: a NUL-terminated pointer that is valid until the next change, and their number. */
const char *buf_str(const struct buf *b);
size_t buf_len(const struct buf *b);
/* How many bytes may still be added. */
size_t buf_room(const struct buf *b);

/* Append. All return 0, or -1 (nothing added, overflow set) where it would exceed the maximum. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_addstr(struct buf *b, const char *s);
int buf_addch(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Room for n more bytes to be written at the returned pointer, NULL where that exceeds the
 * maximum; buf_added then says how many were written (read(2) straight into the buffer). */
char *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

/* Drops n bytes (at most buf_len) from the front. */
void buf_consume(struct buf *b, size_t n);

/* Cuts the contents to n bytes; n must not exceed buf_len. */
void buf_truncate(struct buf *b, size_t n);

/* Takes the contents as a string that the caller frees; the buffer is empty again. */
char *buf_steal(struct buf *b);

#endif
