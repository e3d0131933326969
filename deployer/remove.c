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

static void leavings_free(struct leaving *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        leaving_release(&v[i]);
    free(v);
}

/* How many there are to remove. */
static int count(struct store *s, size_t *ret, struct err *err)
{
    struct leaving *left;
    struct app *v;
    size_t n, m;

    if (apps_deleting(s, &v, &n, err) < 0)
        return -1;
    apps_free(v, n);
    if (leavings_list(s, &left, &m, err) < 0)
        return -1;
    leavings_free(left, m);
    *ret = n + m;
    return 0;
}

int remove_begin(struct store *s, int *ret_lock, bool *ret_waiting, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/run/remove.lock", s->state);
    cleanup_close int fd = -1;
    size_t n;

    *ret_waiting = false;
    if (count(s, &n, err) < 0)
        return -1;
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

/* All that the app has on one target. */
static int remove_from(const struct removal *r, const struct app *app, const char *target, struct err *err)
{
    const struct target_ops *ops = r->find(target);
    struct target *t;
    int rc;

    if (ops == NULL)
        return err_set(err, ERR_FAILED, "this program has no target %s", target);
    if (conf_target_check(r->conf, target, err) < 0 || ops->open(r->conf, &t, err) < 0)
        return -1;
    rc = ops->remove(t, app, err);
    ops->close(t);
    return rc;
}

/* Its images in the registries, as far as they can be: nobody is told to come again for them. */
static void remove_images(const struct removal *r, const struct app *app)
{
    struct err why = ERR_INIT;
    cleanup_close int lock = r->retain != NULL ? images_claim(r->store, app->id, &why) : -1;

    if (lock >= 0)
        r->retain(r->conf, r->store, app, lock);
    else if (r->retain != NULL)
        log_warn("the images of %s stay in the registry: %s", app->name, why.msg);
}

static int remove_app(const struct removal *r, const struct app *app, struct err *err)
{
    cleanup_vec struct vec targets = VEC_INIT;

    if (targets_of(r->store, app->id, &targets, err) < 0)
        return -1;
    for (size_t i = 0; i < targets.n; i++)
        if (remove_from(r, app, targets.v[i], err) < 0)
            return -1;
    remove_images(r, app);
    if (apps_delete(r->store, app->id, err) < 0)
        return -1;
    log_info("app %s is removed", app->name);
    return 0;
}

static int remove_destroyed(const struct removal *r, size_t *left, struct err *err)
{
    struct app *v;
    size_t n;

    if (apps_deleting(r->store, &v, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct err why = ERR_INIT;

        log_set(LOG_APP, v[i].name);
        if (remove_app(r, &v[i], &why) < 0) {
            log_warn("app %s can't be removed yet: %s", v[i].name, why.msg);
            ++*left;
        }
    }
    apps_free(v, n);
    return 0;
}

static int remove_left(const struct removal *r, size_t *left, struct err *err)
{
    struct leaving *v;
    size_t n;

    if (leavings_list(r->store, &v, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct err why = ERR_INIT;

        log_set(LOG_APP, v[i].app.name);
        if (remove_from(r, &v[i].app, v[i].target, &why) == 0 &&
            leavings_drop(r->store, v[i].app.id, v[i].target, &why) == 0) {
            log_info("what %s has left on %s is removed", v[i].app.name, v[i].target);
        } else {
            log_warn("what %s has left on %s can't be removed yet: %s", v[i].app.name, v[i].target, why.msg);
            ++*left;
        }
    }
    leavings_free(v, n);
    return 0;
}

int remove_all(const struct removal *r, size_t *ret_left, struct err *err)
{
    int rc;

    *ret_left = 0;
    rc = remove_destroyed(r, ret_left, err);
    if (rc == 0)
        rc = remove_left(r, ret_left, err);
    log_set(LOG_APP, NULL);
    return rc;
}
