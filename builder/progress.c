#include "config.h"

#include "builder/progress.h"

#include "base/log.h"
#include "base/path.h"

#include <fcntl.h>
#include <unistd.h>

#define PENDING_MAX (256 * 1024) /* then it is written whether or not more comes */
#define INDENT "       "

int progress_open(struct progress *p, const char *path, int64_t max_output, struct err *err)
{
    *p = (struct progress) { .max = max_output };
    buf_init(&p->pending, PENDING_MAX + 16 * 1024);
    p->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0660);
    if (p->fd < 0)
        return err_errno(err, "opening the build's log %s", path);
    return 0;
}

void progress_close(struct progress *p)
{
    if (p->fd < 0)
        return;
    progress_flush(p);
    (void) close(p->fd);
    p->fd = -1;
    buf_release(&p->pending);
}

void progress_flush(struct progress *p)
{
    struct err err = ERR_INIT;

    /* A full disk must not end a build whose image may still be published. */
    if (buf_len(&p->pending) > 0
        && fd_write_all(p->fd, buf_str(&p->pending), buf_len(&p->pending), &err) != 0)
        log_warn("writing the build's log: %s", err.msg);
    buf_clear(&p->pending);
}

static void say(struct progress *p, const char *before, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void say(struct progress *p, const char *before, const char *fmt, va_list ap)
{
    (void) buf_addstr(&p->pending, before);
    (void) buf_vaddf(&p->pending, fmt, ap);
    (void) buf_addch(&p->pending, '\n');
    progress_flush(p);
}

void progress_step(struct progress *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(p, "-----> ", fmt, ap);
    va_end(ap);
}

void progress_detail(struct progress *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(p, INDENT, fmt, ap);
    va_end(ap);
}

void progress_warn(struct progress *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(p, " !     ", fmt, ap);
    va_end(ap);
}

void progress_output(struct progress *p, const char *line, size_t n)
{
    int64_t size = (int64_t) (n + sizeof(INDENT));

    if (p->cut)
        return;
    if (p->kept + size > p->max) {
        p->cut = true;
        progress_warn(p, "The output is cut here: more than %lld KiB; the build goes on.",
                      (long long) (p->max / 1024));
        return;
    }
    p->kept += size;
    if (n > 0) {
        (void) buf_addstr(&p->pending, INDENT);
        (void) buf_add(&p->pending, line, n);
    }
    (void) buf_addch(&p->pending, '\n');
    if (buf_len(&p->pending) >= PENDING_MAX)
        progress_flush(p);
}
