/* How one process tells others that a row or a log file has changed, without a broker and
 * without polling: a file per topic, its time stamp is touched after the commit, and who waits
 * watches it with inotify(7). Nothing is lost over a restart: arm the watch first, then read
 * the rows. */
#ifndef SLIPWAY_BASE_WAKE_H
#define SLIPWAY_BASE_WAKE_H

#include "base/err.h"

/* Touches the file (made with mode 0660 where missing). */
int wake_touch(const char *path, struct err *err);

/* A non-blocking inotify descriptor for any number of watches; the caller closes it. */
int wake_open(struct err *err);

/* Watches a file (made where missing) for writes and touches. Returns the watch's number. */
int wake_watch(int fd, const char *path, struct err *err);
void wake_unwatch(int fd, int watch);

/* Reads away what is pending. 1 if there was an event, 0 if not, -1 on error. */
int wake_drain(int fd, struct err *err);

/* Drains, waits at most timeout_ms (-1: forever) for an event; 1, 0 or -1. Single-purpose
 * processes use this instead of a loop. */
int wake_wait(int fd, int timeout_ms, struct err *err);

#endif
