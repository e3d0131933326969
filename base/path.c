#include "config.h"

#include "base/path.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READ_CHUNK 65536
#define SHARED_MODE 0660 /* the roles share a group */

int path_read(const char *path, struct buf *b, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        err_errno(err, "cannot read %s", path);
        if (err != NULL && errno == ENOENT)
            err->code = ERR_NOT_FOUND;
        return -1;
    }
    for (;;) {
        size_t room = buf_room(b), want = room < READ_CHUNK ? room : READ_CHUNK;
        char extra, *at = room != 0 ? buf_reserve(b, want) : &extra;
        ssize_t n = read(fd, at, room != 0 ? want : 1);

        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot read %s", path);
        if (room == 0)
            return err_set(err, ERR_FAILED, "%s is larger than %zu bytes", path, b->max);
        buf_added(b, (size_t) n);
    }
}

int fd_write_all(int fd, const void *data, size_t n, struct err *err)
{
    const char *at = data;

    while (n > 0) {
        ssize_t done = write(fd, at, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_errno(err, "cannot write");
        at += done;
        n -= (size_t) done;
    }
    return 0;
}

/* The folder that holds path, opened; it is what makes a rename last. */
static int folder_open(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    cleanup_free char *folder = slash == NULL ? xstrdup(".")
                                : slash == path ? xstrdup("/")
                                                : xstrndup(path, (size_t) (slash - path));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 ? fd : err_errno(err, "cannot open folder %s", folder);
}

int path_write(const char *path, const void *data, size_t n, mode_t mode, struct err *err)
{
    cleanup_free char *temp = xasprintf("%s.XXXXXX", path);
    cleanup_close int folder = folder_open(path, err);
    cleanup_close int fd = -1;

    if (folder < 0)
        return -1;
    fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot write %s", path);
    if (fchmod(fd, mode) < 0)
        err_errno(err, "cannot set the mode of %s", path);
    else if (fd_write_all(fd, data, n, err) < 0)
        err_wrap(err, "%s", path);
    else if (fsync(fd) < 0)
        err_errno(err, "cannot write %s", path);
    else if (rename(temp, path) < 0)
        err_errno(err, "cannot put %s in place", path);
    else if (fsync(folder) < 0)
        return err_errno(err, "cannot write the folder of %s", path);
    else
        return 0;
    (void) unlink(temp);
    return -1;
}

int path_mkdir(const char *path, mode_t mode, struct err *err)
{
    struct stat st;

    if (mkdir(path, mode & 0777) < 0) {
        if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return 0;
        return err_errno(err, "cannot make folder %s", path);
    }
    /* Past the umask. Not where the mode is right already: chmod by somebody outside the folder's group
     * drops the set-group-id bit that mkdir took from the parent. */
    if (stat(path, &st) < 0 || ((st.st_mode & 07777 & ~(mode_t) S_ISGID) != (mode & ~(mode_t) S_ISGID) ||
                                (mode & ~st.st_mode & S_ISGID) != 0)) {
        if (chmod(path, mode) < 0)
            return err_errno(err, "cannot set the mode of %s", path);
    }
    return 0;
}

/* Opens a folder in a folder, also one of ours that has no read permission. */
static int below_open(int fd, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int below = openat(fd, name, flags);

    if (below < 0 && errno == EACCES && fchmodat(fd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        below = openat(fd, name, flags);
    return below;
}

/* Removes what is below the opened folder (and closes it). Directories are opened one below the
 * other, never by a path, so a symlink that appears meanwhile is not followed. */
static int remove_below(int fd, dev_t device, const char *top, struct err *err)
{
    DIR *d = fdopendir(fd);
    struct dirent *e;
    int rc = 0;

    if (d == NULL) {
        err_errno(err, "cannot read %s", top);
        (void) close(fd);
        return -1;
    }
    while (rc == 0 && (errno = 0, e = readdir(d)) != NULL) {
        struct stat st;
        int below;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(d), e->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            rc = err_errno(err, "cannot remove %s below %s", e->d_name, top);
            break;
        }
        below = below_open(dirfd(d), e->d_name);
        if (below < 0 || fstat(below, &st) < 0) {
            rc = err_errno(err, "cannot open %s below %s", e->d_name, top);
            cleanup_close_p(&below);
        } else if (st.st_dev != device) {
            (void) close(below);
            rc = err_set(err, ERR_FAILED, "cannot remove %s below %s: something is mounted there",
                         e->d_name, top);
        } else {
            (void) fchmod(below, 0700); /* so that entries can be removed from it */
            rc = remove_below(below, device, top, err);
            if (rc == 0 && unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) < 0)
                rc = err_errno(err, "cannot remove %s below %s", e->d_name, top);
        }
    }
    if (rc == 0 && errno != 0)
        rc = err_errno(err, "cannot read %s", top);
    (void) closedir(d);
    return rc;
}

int path_remove_all(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return unlink(path) == 0 ? 0 : err_errno(err, "cannot remove %s", path);
    if (fd < 0)
        return err_errno(err, "cannot remove %s", path);
    if (fstat(fd, &st) < 0) {
        err_errno(err, "cannot remove %s", path);
        (void) close(fd);
        return -1;
    }
    if (remove_below(fd, st.st_dev, path, err) < 0)
        return -1;
    if (rmdir(path) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove %s", path);
    return 0;
}

int path_size(const char *path, int64_t *ret, struct err *err)
{
    char *const paths[] = { (char *) path, NULL };
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    FTSENT *e;
    int rc = 0;

    if (tree == NULL)
        return err_errno(err, "cannot read %s", path);
    *ret = 0;
    while ((e = fts_read(tree)) != NULL) {
        if (e->fts_info != FTS_DP && e->fts_info != FTS_NS && e->fts_info != FTS_ERR)
            *ret += (int64_t) e->fts_statp->st_blocks * 512; /* stat(2): whatever the file system's blocks are */
    }
    if (errno != 0)
        rc = err_errno(err, "cannot read %s", path);
    (void) fts_close(tree);
    return rc;
}

int path_room(const char *path, int64_t *ret_free, int64_t *ret_size, struct err *err)
{
    struct statvfs v;

    if (statvfs(path, &v) != 0)
        return err_errno(err, "looking at the free space of %s", path);
    *ret_free = (int64_t) (v.f_bavail * v.f_frsize);
    if (ret_size != NULL)
        *ret_size = (int64_t) (v.f_blocks * v.f_frsize);
    return 0;
}

int path_open_shared(const char *path, struct err *err)
{
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(path, flags);

    if (fd < 0 && errno == ENOENT) {
        fd = open(path, flags | O_CREAT | O_EXCL, SHARED_MODE);
        if (fd >= 0)
            (void) fchmod(fd, SHARED_MODE);
        else if (errno == EEXIST) /* another was faster */
            fd = open(path, flags);
    }
    return fd >= 0 ? fd : err_errno(err, "cannot open %s", path);
}

bool path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
