/* A word that somebody gave, as a sentence about it can show it. Pure. */
#ifndef SLIPWAY_BASE_WORD_H
#define SLIPWAY_BASE_WORD_H

#define WORD_SHOWN 40 /* bytes; what is longer is cut */

struct word { char s[WORD_SHOWN + 1]; };

/* s in printable ASCII, other bytes as "?": what was typed goes back to a terminal, and into a log. Never for a word
 * that may be a part of a secret. */
struct word word_shown(const char *s);

#endif
