/* `slipway check`: is everything there that the server needs? A line for each part. */
#ifndef SLIPWAY_DAEMON_CHECK_H
#define SLIPWAY_DAEMON_CHECK_H

#include "base/conf.h"

/* Prints "ok       what: detail" or "missing  what: why, and what to do" for each part on standard output.
 * Exit code: 0 where nothing is missing, else 1. config: the file's path. */
int check_run(const char *config);

/* The parts of it that only a role's user can see; each is a role of its own (daemon/roles.c). */
int check_git_run(const struct conf *c);
int check_build_run(const struct conf *c);
int check_deploy_run(const struct conf *c);

#endif
