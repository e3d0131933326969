#include "config.h"

#include "deployer/release_log.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "deployer/mask.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define LOG_MAX (4 * 1024 * 1024) /* a release command that prints more has gone wild */

int release_log_open(struct release_log *l, const char *path, struct err *err)
{
    struct stat st;

    *l = (struct release_log){ .fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660) };
    if (l->fd < 0)
        return err_errno(err, "cannot open %s", path);
    if (fstat(l->fd, &st) == 0)
        l->written = (size_t) st.st_size;
    return 0;
}

void release_log_close(struct release_log *l)
{
    if (l->fd >= 0)
        (void) close(l->fd);
    l->fd = -1;
}

static void write_line(struct release_log *l, struct buf *b)
{
    l->written += buf_len(b);
    /* One write a line, so that who follows never sees half of one. */
    (void) fd_write_all(l->fd, buf_str(b), buf_len(b), NULL);
}

void release_log_say(void *log, const char *line)
{
    struct release_log *l = log;
    cleanup_buf struct buf b;

    buf_init(&b, LINE_MAX_BYTES);
    mask_line(l->hide, line, &b);
    if (b.overflow)
        buf_truncate(&b, LINE_MAX_BYTES - 1);
    /* The last words of a release are ours and short: they are kept. */
    if (l->written > LOG_MAX && line[0] == ' ' && line[1] == ' ') {
        if (l->full)
            return;
        l->full = true;
        buf_clear(&b);
        (void) buf_addf(&b, " !     More than %d MiB of output: the rest is left out.", LOG_MAX / (1024 * 1024));
    }
    if (buf_room(&b) == 0)
        buf_truncate(&b, LINE_MAX_BYTES - 1);
    (void) buf_addch(&b, '\n');
    write_line(l, &b);
}

void release_log_sayf(struct release_log *l, const char *fmt, ...)
{
    cleanup_free char *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    line = xvasprintf(fmt, ap);
    va_end(ap);
    release_log_say(l, line);
}
