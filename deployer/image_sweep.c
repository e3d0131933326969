#include "config.h"

#include "deployer/image_sweep.h"

#include "base/image_file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "sql/tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void list(const char *folder, struct vec *ret)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            vec_add(ret, e->d_name);
    if (d != NULL)
        (void) closedir(d);
}

static bool is_written(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

static int sweep_one(struct store *s, const char *folder, const char *name, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", folder, name);
    bool needed = false;

    if (strncmp(name, IMAGE_FILE_INCOMING, strlen(IMAGE_FILE_INCOMING)) == 0)
        needed = is_written(path);
    else if (releases_need_file(s, name, &needed, err) < 0)
        return -1;
    if (!needed && unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove %s", path);
    return 0;
}

void image_sweep(struct store *s)
{
    cleanup_free char *folder = xasprintf("%s/" IMAGE_FILE_FOLDER, s->state);
    cleanup_vec struct vec names = VEC_INIT;
    struct err err = ERR_INIT;
    bool own = false;
    int rc;

    list(folder, &names);
    if (names.n == 0)
        return;
    /* A session names a file and makes its release's row in one transaction. */
    rc = store_enter(s, &own, &err);
    for (size_t i = 0; i < names.n && rc == 0; i++)
        rc = sweep_one(s, folder, names.v[i], &err);
    if (store_leave(s, own, rc, &err) < 0)
        log_warn("files of images stay for now: %s", err.msg);
}
