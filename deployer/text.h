/* Text of others (an app's log, a server's message) made fit to be shown to people. */
#ifndef SLIPWAY_DEPLOYER_TEXT_H
#define SLIPWAY_DEPLOYER_TEXT_H

#include "base/buf.h"

#include <stddef.h>

/* Appends one line: UTF-8, tabs and SGR colour (ESC [ digits ; … m) are kept, other escape
 * sequences and control characters are dropped, a byte that is not UTF-8 becomes '?'. Newlines
 * inside become spaces, the ones at the end are dropped; where colour was used it is reset.
 * What doesn't fit into out is cut. */
void text_clean(struct buf *out, const char *s, size_t n);

/* The same without colour, as an owned string of at most max bytes, for messages. */
char *text_plain(const char *s, size_t max);

#endif
