/* A follower of logs comes to the app's reader (deployer/log_fan.h), which is started where there is none. */
#ifndef SLIPWAY_DEPLOYER_LOG_JOIN_H
#define SLIPWAY_DEPLOYER_LOG_JOIN_H

#include "base/conf.h"
#include "base/err.h"
#include "deployer/log_lines.h"

#include <stdint.h>

/* An app's logs on one target. number: the target's, below LOG_TARGETS_MAX. */
#define LOG_TARGETS_MAX 8
struct log_place { const struct conf *conf; int64_t app_id; const char *target; int number; };

/* Connects to the reader, which keeps the lines of `only` (a process type or an instance; NULL: all) from now on. *marks
 * (release them) says how far it had read. Returns the connection, the caller's, or -1. */
int log_join(const struct log_place *p, const char *only, struct log_marks *marks, struct err *err);

/* Gives it the session: from now on the reader writes to it. */
int log_join_hand(int fd, int session, struct err *err);

/* For who is to be the reader: the socket to listen on, or -1 with ERR_BUSY where there is one. *ret_lock is to be closed
 * behind the socket. */
int log_place_listen(const struct log_place *p, int *ret_lock, struct err *err);
/* Nobody comes any more. To be called before the socket is closed. */
void log_place_leave(const struct log_place *p);

#endif
