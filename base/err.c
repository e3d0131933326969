#include "config.h"

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return -1;
    err->code = code;
    va_start(ap, fmt);
    (void) vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return -1;
}

int err_errno(struct err *err, const char *fmt, ...)
{
    int saved = errno;
    size_t len;
    va_list ap;

    if (err == NULL)
        return -1;
    err->code = ERR_FAILED;
    va_start(ap, fmt);
    (void) vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    len = strlen(err->msg);
    (void) snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(saved));
    errno = saved;
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char why[ERR_MSG_MAX];
    size_t len;
    va_list ap;

    if (err == NULL)
        return -1;
    memcpy(why, err->msg, sizeof(why));
    why[sizeof(why) - 1] = '\0';
    va_start(ap, fmt);
    (void) vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    len = strlen(err->msg);
    (void) snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", why);
    return -1;
}

void err_clear(struct err *err)
{
    if (err == NULL)
        return;
    err->code = ERR_NONE;
    err->msg[0] = '\0';
}
