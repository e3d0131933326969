/* The nearest known word to a mistyped one. */
#ifndef SLIPWAY_BASE_NEAR_H
#define SLIPWAY_BASE_NEAR_H

#include <stddef.h>

#define NEAR_MAX 3 /* more changes than that are another word, not a slip */
#define NEAR_WORD_MAX 64 /* longer words are not compared: no name of ours is as long */

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b;
 * NEAR_MAX + 1 where there are more, or where a word is longer than NEAR_WORD_MAX. */
int near_distance(const char *a, const char *b);

#endif
