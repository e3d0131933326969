/* Which commits lie between two commits of an app's repository, as `git log --oneline` would list them. */
#ifndef SLIPWAY_GATEWAY_CODE_RANGE_H
#define SLIPWAY_GATEWAY_CODE_RANGE_H

#include "base/conf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_LISTED 50      /* commits of a side that are listed; a screen or two */
#define CODE_COUNTED 10000  /* commits of a side that are counted; more would only take time */

struct code_commit {
    char id[41];
    char *summary, *author; /* fit for a terminal, and UTF-8 */
    int64_t at;             /* of its author, in ms since 1970 */
};

/* Newest first. */
struct code_side {
    struct code_commit v[CODE_LISTED];
    size_t n, all;          /* listed; counted */
};

enum code_way { CODE_SAME, CODE_FORWARD, CODE_BACK, CODE_REWRITTEN, CODE_UNKNOWN };

struct code_range {
    enum code_way way;
    struct code_side added, removed; /* in `to` and not in `from`; the other way round */
    const char *why;                 /* CODE_UNKNOWN: a sentence's end */
};

/* Either commit may be NULL: an image's release has none. What can't be told is CODE_UNKNOWN, never an error: releases
 * are older than what a repository keeps. Release it. */
void code_range_fill(const struct conf *c, int64_t app_id, const char *from, const char *to, struct code_range *ret);
void code_range_release(struct code_range *r);

/* "forward", … */
const char *code_way_name(enum code_way way);

/* {"direction", "added": [{"id", "summary", "author", "at"}, …], "added_count", "removed", "removed_count"}; counts are
 * null where they are unknown. */
json_t *code_range_json(const struct code_range *r);

/* "3 commits forward"; the caller frees it. NULL where it is the same code. */
char *code_range_text(const struct code_range *r);

#endif
