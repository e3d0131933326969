/* One server per state folder. */
#ifndef SLIPWAY_DAEMON_LOCK_H
#define SLIPWAY_DAEMON_LOCK_H

#include "base/err.h"

/* Takes run/server.lock for as long as the returned descriptor is open. ERR_BUSY where another server
 * has it. An open file description lock (fcntl(2), F_OFD_SETLK): the kernel drops it when the
 * process ends in whatever way, and close-on-exec keeps it out of the roles. */
int lock_take(const char *state, struct err *err);

#endif
