/* A release's log file, logs/releases/ID.log: what the pusher sees of it, line by line. */
#ifndef SLIPWAY_DEPLOYER_RELEASE_LOG_H
#define SLIPWAY_DEPLOYER_RELEASE_LOG_H

#include "base/err.h"
#include "sql/model.h"

#include <stdbool.h>
#include <stddef.h>

struct release_log {
    int fd;
    size_t written;
    bool full;
    const struct config_set *hide; /* values that are masked; NULL: none yet */
};

/* Opens it for appending; a worker that takes over goes on behind what stands there. */
int release_log_open(struct release_log *l, const char *path, struct err *err);
void release_log_close(struct release_log *l);

/* One line, cut at 4 KiB, without a newline; has target_say_fn's shape. What can't be written is dropped:
 * a full disk must not end a release. */
void release_log_say(void *log, const char *line);
void release_log_sayf(struct release_log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
