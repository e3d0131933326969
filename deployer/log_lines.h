/* Log lines of several instances, put into one order and written to a session. */
#ifndef SLIPWAY_DEPLOYER_LOG_LINES_H
#define SLIPWAY_DEPLOYER_LOG_LINES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_line {
    int64_t ns;
    size_t order;            /* lines of the same time stay as they came */
    char *text;              /* whole, with name and newline */
};
struct log_lines { struct log_line *v; size_t n, cap, order; };

/* How far the log of one instance was read. Its lines need not be in order of time: what a process prints on standard
 * output and on standard error gets its time before it gets its place. */
struct log_cursor {
    int64_t last_ns;         /* time of the last line taken; 0: none */
    size_t at_last;          /* lines taken last that have this time */
    int64_t max_ns;          /* the latest time of all that were taken */
    int64_t seen_ns;         /* time of the last line that came */
    size_t found;            /* of the lines at last_ns, those that have come again */
    bool again;              /* the log comes from the second of last_ns on: what was taken is passed over */
};

/* Takes a line of the form "RFC3339 text" (n bytes, no newline) of the instance `name` ("web.1"), unless the
 * cursor says that it was taken before: it stands before the last one taken, or is that one. Where that one is not in
 * the log any more, what is later than all that was taken is new. A line without a time gets that of the line before. */
void log_lines_take(struct log_lines *l, struct log_cursor *c, const char *name, const char *p, size_t n);

/* The log is asked for again from the cursor's second on: what was taken comes again. */
void log_cursor_again(struct log_cursor *c);

/* Of what has come, only the last n lines stay. */
void log_lines_last(struct log_lines *l, size_t n);

/* Writes what has come, in order of time, as IPC_STDOUT frames of "2026-01-02T03:04:05Z web.1 text\n", and
 * forgets it. 0, 1 where the peer is gone, -1. */
int log_lines_write(struct log_lines *l, int fd, struct err *err);

void log_lines_release(struct log_lines *l);

/* True when the session has closed its end of the readable fd. What it sends otherwise is dropped. */
bool log_peer_gone(int fd);

#endif
