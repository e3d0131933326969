/* A build's log file: the lines that the pusher reads, as they are shown. */
#ifndef SLIPWAY_BUILDER_PROGRESS_H
#define SLIPWAY_BUILDER_PROGRESS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    int fd;
    struct buf pending;  /* lines that were not written yet: a burst is one write and one wake-up */
    int64_t kept, max;   /* bytes of the program's output, and how many are kept */
    bool cut;
};

/* Opens (or makes) the file for appending. max_output bounds what progress_output keeps. */
int progress_open(struct progress *p, const char *path, int64_t max_output, struct err *err);
void progress_close(struct progress *p); /* writes what is pending */

/* "-----> text", "       text", " !     text". printf style, without a newline; written at once. */
void progress_step(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void progress_detail(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void progress_warn(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A line of the program's output, indented; written by the next progress_flush. Says once that it was cut. */
void progress_output(struct progress *p, const char *line, size_t n);
void progress_flush(struct progress *p);

#endif
