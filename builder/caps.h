/* The limits of a build's containers. pack has no flag for them, so they are set by the Docker engine's own API as soon
 * as the engine says that pack has made a container; and what the engine says of memory is how a build that used too
 * much is told from one that failed. */
#ifndef SLIPWAY_BUILDER_CAPS_H
#define SLIPWAY_BUILDER_CAPS_H

#include "base/err.h"
#include "builder/docker.h"

#include <stdbool.h>
#include <stdint.h>

struct caps_limits {
    int64_t memory;            /* bytes, swap included */
    long long cpu_shares, pids;
};

/* The memory that one of `builders` builds at a time may use on a machine that has so much: three quarters, divided, in
 * whole MiB. Pure. */
int64_t caps_default_memory(int64_t machine, long long builders);

/* Watches the engine from now on for the containers of one build (dir and tag as for docker_own). d must stay; the strings
 * are copied. NULL and err on failure. The caller ends it with caps_close, before d is freed; NULL is fine. */
struct caps *caps_open(struct docker *d, const struct caps_limits *limits, const char *dir, const char *tag,
                       struct err *err);
void caps_close(struct caps *c);

/* Waits at most ms (-1: without end), until fd is readable, or until the engine has said something; containers that are new
 * are limited. -1 where the engine can't be watched any more, or refuses the limits. */
int caps_wait(struct caps *c, int ms, int fd, struct err *err);

/* A process of the build was killed because its container had used up its memory. To be asked when pack has ended by
 * itself: waits until the engine has told the end of all that pack made. */
bool caps_exceeded(struct caps *c);

/* The limit of memory. */
int64_t caps_memory(const struct caps *c);

#endif
