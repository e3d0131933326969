/* What the names in somebody's archive become before they are the paths of a git tree. Pure. */
#ifndef SLIPWAY_GATEWAY_ARCHIVE_PATH_H
#define SLIPWAY_GATEWAY_ARCHIVE_PATH_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define ARCHIVE_PATH_MAX 2048 /* as for pushed trees (gateway/policy.c) */

/* Adds the path without "./", doubled and trailing slashes to ret, which is empty and bounded by
 * ARCHIVE_PATH_MAX; "" is the top folder. Refused, with the name in the sentence: an absolute path, "..", a part that
 * is ".git" to some file system, or longer than a file system's names, a path that is too long, or deeper than
 * max_depth folders. */
int archive_path_clean(const char *path, int64_t max_depth, struct buf *ret, struct err *err);

/* A name as far as a sentence takes it; control characters are shown as "?". Returns ret. */
#define ARCHIVE_SHOWN 200
const char *archive_path_shown(const char *path, char ret[ARCHIVE_SHOWN]);

/* "the archive's entry PATH WHY" as ERR_FAILED. Returns -1. */
int archive_path_refuse(const char *path, const char *why, struct err *err);

/* Appends the path in the quotes of git-fast-import(1), "PATH". */
void archive_path_quote(const char *path, struct buf *out);

#endif
