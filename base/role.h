/* The roles are one program that executes itself anew (fork+exec) as `slipway role NAME --config FILE ARGS…`. */
#ifndef SLIPWAY_BASE_ROLE_H
#define SLIPWAY_BASE_ROLE_H

#include "base/conf.h"
#include "base/vec.h"

/* The path for struct spawn. */
#define ROLE_PATH "/proc/self/exe"

/* Fills argv for a role; the caller adds arguments behind it. */
void role_argv(const struct conf *c, const char *role, struct vec *ret);

/* The minimal environment that a role gets: PATH, LANG, TZ, HOME=state folder, XDG and proxy variables
 * that libcurl reads where they are set. */
void role_env(const struct conf *c, struct vec *ret);

#endif
