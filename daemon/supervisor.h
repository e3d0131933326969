/* `slipway serve`: binds the SSH port and keeps the roles running. It reads nothing from outside. */
#ifndef SLIPWAY_DAEMON_SUPERVISOR_H
#define SLIPWAY_DAEMON_SUPERVISOR_H

#include "base/conf.h"

/* Runs until SIGTERM or SIGINT has ended all roles; the second one ends them at once. SIGHUP reads the
 * configuration again. c is replaced by a reload and stays the caller's. Returns the exit code. */
int supervisor_run(struct conf *c);

#endif
