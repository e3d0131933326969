/* The SSH server's socket. */
#ifndef SLIPWAY_DAEMON_LISTEN_H
#define SLIPWAY_DAEMON_LISTEN_H

#include "base/err.h"

/* A TCP socket that listens on a numeric address and a port: non-blocking, close-on-exec, with the
 * longest queue that the system gives. "::" takes IPv4 too, and is every IPv4 address on a machine
 * without IPv6. The caller closes it. */
int listen_open(const char *address, int port, struct err *err);

#endif
