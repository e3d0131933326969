/* One reader of an app's logs for all who follow them: each line is read and formatted once, and sent to each as fast
 * as that one takes it. A session's frame stream comes from the process that has shown it the past (deployer/log_join.h).
 *
 * The protocol on the socket, one connection per follower:
 *   IPC_REQUEST {"only": "web" | "web.1" | null}
 *       From here on the follower's lines are kept for it.
 *   IPC_STDOUT frames whose payloads, joined, are one JSON array [{"id", "ns", "at"}, …], then IPC_RESULT
 *       How far each log was read by then: what the follower gets begins behind it. Of one that is not among them it gets
 *       all.
 *   a byte with the session's descriptor (SCM_RIGHTS), answered by a byte
 *       The session is the reader's.
 *
 * Lines that a follower has not taken are kept up to a maximum, for all together; then it misses them, and is told how many. */
#ifndef SLIPWAY_DEPLOYER_LOG_FAN_H
#define SLIPWAY_DEPLOYER_LOG_FAN_H

#include "base/err.h"
#include "deployer/log_lines.h"

#include <jansson.h>
#include <stdbool.h>

struct log_fan;

/* Takes the listening socket. */
struct log_fan *log_fan_new(int listen_fd, struct err *err);
void log_fan_free(struct log_fan *f);

/* Becomes readable when log_fan_service has something to do. */
int log_fan_fd(const struct log_fan *f);

/* Milliseconds until log_fan_service wants to be called, -1: when there are lines, or when the descriptor is readable.
 * Lines that come soon after others wait a moment, so that many are sent together. */
int log_fan_ms(const struct log_fan *f, const struct log_lines *lines);

/* Where it is time, takes what has come, in order of time, and forgets it; serves the followers. marks makes the array for
 * a new one of what was read by then. False: nobody follows (any more). */
bool log_fan_service(struct log_fan *f, struct log_lines *lines, json_t *(*marks)(void *arg), void *arg);

/* Tells the followers why it ends. */
void log_fan_end(struct log_fan *f, const struct err *why);

#endif
