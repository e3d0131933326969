/* The lines of `slipway check`. */
#ifndef SLIPWAY_DAEMON_CHECK_LINE_H
#define SLIPWAY_DAEMON_CHECK_LINE_H

#include "base/conf.h"
#include "base/err.h"

#include <stdint.h>

/* What was found so far. */
struct check {
    int missing;
};

void check_ok(struct check *k, const char *what, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* todo: what to do about it. */
void check_missing(struct check *k, const char *what, const struct err *why, const char *todo);

/* Runs `PROGRAM ARGUMENT` and reports the first line that it prints. */
void check_program(struct check *k, const char *what, const char *program, const char *argument,
                   const char *todo);

/* Has the disk on which path is at least so many bytes free? said: what it holds, put behind; NULL: nothing. */
void check_room(struct check *k, const char *what, const char *path, int64_t least, const char *said);

/* Is a registry there, and does it take the credential? host: "host[:port][/prefix]". */
void check_registry(struct check *k, const char *what, const char *host, bool insecure, const char *ca,
                    const char *auth, const char *todo);

#endif
