#include "config.h"

#include "deployer/remove.h"

#include "base/log.h"
#include "base/mem.h"
#include "sql/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static void apps_free(struct app *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        app_release(&v[i]);
    free(v);
}

int remove_begin(struct store *s, int *ret_lock, bool *ret_waiting, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/run/remove.lock", s->state);
    cleanup_close int fd = -1;
    struct app *v;
    size_t n;

    *ret_waiting = false;
    if (apps_deleting(s, &v, &n, err) < 0)
        return -1;
    apps_free(v, n);
    if (n == 0)
        return 0;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd < 0)
        return err_errno(err, "cannot open %s", path);
    /* The lock ends with the process that holds it. */
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_errno(err, "cannot lock %s", path);
        *ret_waiting = true;
        return 0;
    }
    *ret_lock = steal_fd(fd);
    return 1;
}

static int remove_app(struct store *s, const struct target_ops *ops, struct target *t, const struct app *app,
                      struct err *err)
{
    if (ops->remove(t, app, err) < 0 || apps_delete(s, app->id, err) < 0)
        return -1;
    log_info("app %s is removed", app->name);
    return 0;
}

int remove_apps(const struct conf *c, struct store *s, const struct target_ops *ops, size_t *ret_left,
                struct err *err)
{
    struct target *t = NULL;
    struct app *v;
    size_t n, left = 0;
    struct err why = ERR_INIT;

    if (apps_deleting(s, &v, &n, err) < 0)
        return -1;
    if (n > 0 && ops->open(c, &t, &why) < 0) {
        log_warn("apps can't be removed: %s", why.msg);
        left = n;
    }
    for (size_t i = 0; t != NULL && i < n; i++) {
        log_set(LOG_APP, v[i].name);
        err_clear(&why);
        if (remove_app(s, ops, t, &v[i], &why) < 0) {
            log_warn("app %s can't be removed yet: %s", v[i].name, why.msg);
            left++;
        }
    }
    log_set(LOG_APP, NULL);
    if (t != NULL)
        ops->close(t);
    apps_free(v, n);
    *ret_left = left;
    return 0;
}
