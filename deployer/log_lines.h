/* Log lines of several instances, put into one order and written to a session. */
#ifndef SLIPWAY_DEPLOYER_LOG_LINES_H
#define SLIPWAY_DEPLOYER_LOG_LINES_H

#include "base/err.h"
#include "base/log_view.h"

#include <jansson.h>
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
    bool again;              /* the log comes again: what was taken is passed over */
    struct log_seen *seen;   /* a ring of the lines taken last, where they may come twice; NULL: they don't */
    size_t seen_at;
};

/* Takes a line of the form "RFC3339 text" (n bytes, no newline) of the instance `name` ("web.1"), unless the
 * cursor says that it was taken before: it stands before the last one taken, or is that one. Where that one is not in
 * the log any more, what is later than all that was taken is new. A line without a time gets that of the line before. */
void log_lines_take(struct log_lines *l, struct log_cursor *c, const char *name, const char *p, size_t n);

/* Lines that come a second time, no more than LOG_SEEN_MAX later, are passed over from now on: an engine that changes
 * over to a new file repeats some. Free with log_cursor_release. */
#define LOG_SEEN_MAX 8192
void log_cursor_watch(struct log_cursor *c);
void log_cursor_release(struct log_cursor *c);

/* The log is asked for again from log_cursor_from on: what was taken comes again. */
void log_cursor_again(struct log_cursor *c);
/* In whole seconds since 1970: the second before the last line's, since what stands behind that may have an earlier time. */
int64_t log_cursor_from(const struct log_cursor *c);

void log_lines_sort(struct log_lines *l);
/* Puts what is in `from` behind what is in `to`. */
void log_lines_move(struct log_lines *to, struct log_lines *from);
/* Forgets what has come. */
void log_lines_clear(struct log_lines *l);

/* Of what has come, only the last n lines stay. */
void log_lines_last(struct log_lines *l, size_t n);

/* How many of its last lines a log is asked for (tail is target_logs'), so that log_lines_cut knows whether there are older
 * ones. At least one, so that the log's end is known. */
int log_lines_asked(int tail);
/* Of what has come, the last `tail` lines stay. -1: LOG_PAST_MAX, and where there are older ones a line in front says so. */
void log_lines_cut(struct log_lines *l, int tail);

/* Writes what has come, in order of time, as IPC_STDOUT frames of "2026-01-02T03:04:05Z web.1 text\n", and
 * forgets it. 0, 1 where the peer is gone, -1. */
int log_lines_write(struct log_lines *l, int fd, struct err *err);

void log_lines_release(struct log_lines *l);

/* How far somebody has read the log of an instance: up to the at_last-th line in a row of that time. */
struct log_mark { char *id; int64_t ns; size_t at_last; }; /* ns 0: nothing of it */
struct log_marks { struct log_mark *v; size_t n; };

/* NULL: none of this one. */
const struct log_mark *log_mark_find(const struct log_marks *m, const char *id);
/* The line taken last is the mark's. */
bool log_mark_reached(const struct log_mark *m, const struct log_cursor *c);

/* A mark as a document, and an array of them as marks (release them). */
json_t *log_mark_json(const char *id, const struct log_cursor *c);
int log_marks_read(const json_t *doc, struct log_marks *ret, struct err *err);
void log_marks_release(struct log_marks *m);

/* True when the session has closed its end of the readable fd. What it sends otherwise is dropped. */
bool log_peer_gone(int fd);

#endif
