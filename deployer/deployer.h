/* The deployer's processes. */
#ifndef SLIPWAY_DEPLOYER_DEPLOYER_H
#define SLIPWAY_DEPLOYER_DEPLOYER_H

#include "base/conf.h"

/* Role "deployer": keeps one idle release worker ready (of at most [release] releases workers in all) and starts
 * a "stream" role for each connection to listen_fd, the socket run/deployer.sock (owned from then on). SIGTERM: takes no more work, lets workers and
 * streams end (each worker within PULSE_DRAIN_MS, or it hands its release back), and ends within
 * 30 seconds. SIGHUP: reads the configuration again, for what starts from then on. Returns the exit code. */
int deployer_main(const struct conf *c, int listen_fd);

/* Role "release": waits for a release, or an app to remove, and does it; then ends. Descriptor 3, where open, is a
 * pipe to the deployer: a byte says that this worker has got work and another may be started. SIGTERM
 * ends it at once where it is idle. Returns the exit code. */
int release_worker_main(const struct conf *c);

#define WORKER_FD 3 /* the pipe above */

#endif
