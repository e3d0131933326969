/* The one way errors travel: the callee fills a struct err that the caller owns. */
#ifndef SLIPWAY_BASE_ERR_H
#define SLIPWAY_BASE_ERR_H

#include <stdarg.h>

/* Long enough for a sentence that names an app, a file and a remote message; longer texts are cut. */
#define ERR_MSG_MAX 1024

/* What kind of failure it was. The numbers are the exit codes that users see (README, "Exit codes"). */
enum err_code {
    ERR_NONE = 0,
    ERR_FAILED = 1,    /* refused, or tried and failed */
    ERR_USAGE = 2,     /* the request is malformed */
    ERR_DENIED = 3,    /* the person may not do this */
    ERR_NOT_FOUND = 4, /* what it names is not there, or not for this person's eyes */
    ERR_BUSY = 5,      /* locked or occupied; trying again later can help */
    ERR_DOWN = 6,      /* a part (database, Docker, registry, cluster) does not answer */
};

struct err {
    enum err_code code;
    char msg[ERR_MSG_MAX];
};

#define ERR_INIT { ERR_NONE, "" }

/* Sets code and message (printf style, without a trailing full stop or newline).
 * err may be NULL when the caller does not want the reason. Returns -1, so that
 * `return err_set(err, ERR_USAGE, "...")` reads well. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_FAILED, and ": strerror(errno)" appended. Keeps errno. Returns -1. */
int err_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "fmt: " before the message that is there already and keeps its code: what was
 * attempted goes in front of why it failed. Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Back to ERR_NONE and an empty message. */
void err_clear(struct err *err);

#endif
