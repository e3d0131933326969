/* Builds pushes: the dispatcher and its workers. A worker leases one build, writes its tree, runs
 * pack, sees the image in the registry and makes the release's row; then it ends. */
#ifndef SLIPWAY_BUILDER_BUILDER_H
#define SLIPWAY_BUILDER_BUILDER_H

#include "base/conf.h"

/* The dispatcher: keeps one worker waiting for the next build, and at most conf.builders in all.
 * SIGTERM: waiting workers end at once, building ones have BUILDER_DRAIN_MS to finish, then they hand
 * their build back to the queue. SIGHUP: the configuration is read again; builds that run keep theirs.
 * Returns the exit code. */
int builder_main(const struct conf *c);

/* A worker (`role build`): waits for a build, does it, ends. fd BUILDER_TELL_FD, where it is open, is told
 * one byte when a build was taken. Returns the exit code. */
int build_worker_main(const struct conf *c);

#define BUILDER_TELL_FD 3
#define BUILDER_DRAIN_MS 10000 /* most builds that are nearly done end in this time; a service manager waits longer */

#endif
