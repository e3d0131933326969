/* Text of others (the output of a build or an app, a server's message), made fit for somebody's terminal. Pure. */
#ifndef SLIPWAY_BASE_TEXT_H
#define SLIPWAY_BASE_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define TEXT_LINE_MAX 8192 /* a longer line is broken: minified sources in an error message */

/* Appends one line (n bytes). Kept: printable characters, UTF-8, tabs, and SGR sequences (ECMA-48 §8.3.117,
 * ESC [ digits ; m) where color is true. Everything else that moves a cursor, sets a title or answers to the terminal
 * is dropped; a byte that is no UTF-8 becomes '?'. Newlines inside become spaces, the ones at the end are dropped. What
 * ends in another colour than the default is reset. 0, or -1 where out is full; what fits is there then. */
int text_clean(struct buf *out, const char *text, size_t n, bool color);

/* The same with a newline behind it. Of a line that overwrites itself by carriage returns the last state stays; one
 * that is longer than TEXT_LINE_MAX is broken into several. */
int text_clean_line(struct buf *out, const char *s, size_t n, bool color);

/* A whole text without colour, as an owned string of at most max bytes, for messages. */
char *text_plain(const char *s, size_t max);

#endif
