/* Config as text: dotenv files read, and config written in the formats that other programs read. Pure. */
#ifndef SLIPWAY_GATEWAY_DOTENV_H
#define SLIPWAY_GATEWAY_DOTENV_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

#define DOTENV_NAMES_MAX 1000 /* a file with more is no app's config */

struct dotenv_item { char *name, *value; size_t value_len; };
struct dotenv { struct dotenv_item *v; size_t n; };
#define DOTENV_INIT { NULL, 0 }
void dotenv_release(struct dotenv *d); /* zeroes the values */

/* Reads a dotenv file of n bytes, as Ruby's and Node's dotenv do, without any expansion: a line is NAME=VALUE, also
 * with "export " in front; blank lines and lines that begin with # are left out. A value is bare (to the end of the
 * line or to a # behind a blank, without blanks around it), in single quotes (literal) or in double quotes (\n, \r,
 * \t, and \ before ", \, $ and `); quoted values may hold newlines. Names are not checked further than that they are
 * there. ERR_USAGE names the line, never a value; *ret is untouched then. Release *ret. */
int dotenv_parse(const char *text, size_t n, struct dotenv *ret, struct err *err);

enum dotenv_format {
    FORMAT_ENV,            /* export NAME='value' lines for a POSIX shell */
    FORMAT_DOTENV,         /* what dotenv_parse reads */
    FORMAT_DOCKER_ARGS,    /* --env=NAME='value' … in one line for a POSIX shell */
    FORMAT_JSON,           /* one object */
    FORMAT_YAML,           /* one mapping, YAML 1.1 */
};
int dotenv_format_parse(const char *s, enum dotenv_format *ret, struct err *err);

/* Appends the items to out. -1 where out is full (ERR_FAILED). */
int dotenv_write(const struct dotenv *d, enum dotenv_format format, struct buf *out, struct err *err);

#endif
