#include "config.h"

#include "daemon/lock.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int lock_take(const char *state, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/run/server.lock", state);
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_FAILED, "%s is no state folder; make it with: slipway init", state);
    if (fd < 0)
        return err_errno(err, "cannot open %s", path);
    if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return err_set(err, ERR_BUSY, "another server runs on %s", state);
        return err_errno(err, "cannot lock %s", path);
    }
    return steal_fd(fd);
}
