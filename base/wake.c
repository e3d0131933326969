#include "config.h"

#include "base/wake.h"

#include "base/mem.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

int wake_touch(const char *path, struct err *err)
{
    cleanup_close int fd = path_open_shared(path, err);

    if (fd < 0)
        return -1;
    /* Both times "now", which needs no ownership, only the right to write (utimensat(2)). */
    if (futimens(fd, NULL) < 0)
        return err_errno(err, "cannot touch %s", path);
    return 0;
}

int wake_open(struct err *err)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    return fd >= 0 ? fd : err_errno(err, "cannot watch files");
}

int wake_watch(int fd, const char *path, struct err *err)
{
    cleanup_close int file = path_open_shared(path, err);
    int watch;

    if (file < 0)
        return -1;
    watch = inotify_add_watch(fd, path, IN_MODIFY | IN_ATTRIB);
    return watch >= 0 ? watch : err_errno(err, "cannot watch %s", path);
}

void wake_unwatch(int fd, int watch)
{
    (void) inotify_rm_watch(fd, watch);
}

int wake_drain(int fd, struct err *err)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    int got = 0;

    for (;;) {
        ssize_t n = read(fd, events, sizeof(events));

        if (n > 0)
            got = 1;
        else if (n == 0 || errno == EAGAIN)
            return got;
        else if (errno != EINTR)
            return err_errno(err, "cannot read file events");
    }
}

int wake_wait(int fd, int timeout_ms, struct err *err)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int got = wake_drain(fd, err);

    if (got != 0)
        return got;
    /* An interrupted wait counts as one that ran out: the caller looks at its rows again. */
    if (poll(&p, 1, timeout_ms) < 0 && errno != EINTR)
        return err_errno(err, "cannot wait for file events");
    return wake_drain(fd, err);
}
