/* Text that came out of a build or an app, made fit for somebody else's terminal. Pure. */
#ifndef SLIPWAY_GATEWAY_TEXT_H
#define SLIPWAY_GATEWAY_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define TEXT_LINE_MAX 8192 /* a longer line is broken: minified sources in an error message */

/* Appends one line (n bytes without its newline) and a newline to out. Kept: printable characters, UTF-8,
 * tabs, and SGR sequences (ECMA-48 §8.3.117, ESC [ digits ; m) where color is true. Everything else that
 * moves a cursor, sets a title or answers to the terminal is dropped; of a line that overwrites itself by
 * carriage returns the last state stays. A line that ends in another colour than the default is reset.
 * 0, or -1 where out is full. */
int text_clean_line(struct buf *out, const char *s, size_t n, bool color);

#endif
