/* Reading values out of jansson documents that came from outside: typed, bounded, with a clear
 * sentence when something is not as expected. Building documents is jansson's own business. */
#ifndef SLIPWAY_BASE_JSON_H
#define SLIPWAY_BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

#include <jansson.h>

/* jansson with our allocator (aborts on exhaustion). Call once at start. */
void json_init(void);

/* Parses n bytes; depth and size are bounded (size by the caller's buffer, depth by jansson).
 * `what` names the document in the error ("the registry's manifest"). Caller decrefs. */
json_t *json_parse(const char *data, size_t n, const char *what, struct err *err);

/* A dotted path into nested objects: json_at(o, "status.conditions"). Borrowed; NULL where absent. */
json_t *json_at(const json_t *o, const char *path);

/* The string, integer or boolean at a dotted path, or the fallback where absent or of another type. */
const char *json_str(const json_t *o, const char *path, const char *fallback);
long long json_int(const json_t *o, const char *path, long long fallback);
int json_bool(const json_t *o, const char *path, int fallback);

/* Compact text, keys in order of insertion, into b. -1 where it does not fit. */
int json_dump_buf(const json_t *o, struct buf *b);
/* The same as a string that the caller frees. */
char *json_text(const json_t *o);

/* An array of strings. */
json_t *json_list(const struct vec *v);

#endif
