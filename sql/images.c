/* Which images an app may still need, and what has become of the others. */
#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "sql/leased.h"
#include "sql/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Digests that app ?1 needs: unless it is being destroyed, of its live release; of the ?2 others that were live last; of all that came after the live
 * one, which can be retried; of its newest build, from whose layers the next one is made; and of whatever is on its way in
 * any app, because a clone begins with another app's image. */
#define KEPT \
    "SELECT l.digest FROM releases l JOIN apps a ON a.live_release_id = l.id WHERE a.id = ?1 AND a.deleting = 0 " \
    "UNION SELECT digest FROM (SELECT r.digest, max(r.id) AS newest FROM releases r WHERE r.app_id = ?1 AND " \
    "r.state = 'superseded' AND r.digest NOT IN (SELECT l.digest FROM releases l JOIN apps a ON a.live_release_id = l.id " \
    "WHERE a.id = ?1) GROUP BY r.digest ORDER BY newest DESC " \
    "LIMIT iif((SELECT deleting FROM apps WHERE id = ?1), 0, ?2)) " \
    "UNION SELECT r.digest FROM releases r JOIN apps a ON a.id = r.app_id WHERE a.id = ?1 AND a.deleting = 0 AND " \
    "r.id > coalesce(a.live_release_id, 0) " \
    "UNION SELECT digest FROM (SELECT digest FROM builds WHERE app_id = ?1 AND digest IS NOT NULL ORDER BY id DESC " \
    "LIMIT (SELECT 1 - deleting FROM apps WHERE id = ?1)) " \
    "UNION SELECT digest FROM releases WHERE state IN ('pending', 'releasing') " \
    "UNION SELECT image_ref FROM releases WHERE state IN ('pending', 'releasing') AND image_ref IS NOT NULL " \
    "UNION SELECT digest FROM builds WHERE state IN ('built', 'releasing') AND digest IS NOT NULL"

/* At a time: of an app that has thousands from before there was a limit, each release removes some. */
#define TAKE_MAX "100"
/* That somebody looks at: each is a question to the registry. */
#define OF_MAX "200"

static int collect(struct store *s, sqlite3_stmt *st, struct vec *ret, struct err *err)
{
    int rc;

    while ((rc = store_step(s, st, err)) == 1)
        vec_add(ret, (const char *) sqlite3_column_text(st, 0));
    return rc;
}

int images_kept(struct store *s, int64_t app_id, int history, struct vec *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (store_prepare(s, &st, err, "SELECT digest FROM (" KEPT ") WHERE digest <> ''", "ii", app_id, (int64_t) history) != 0)
        return -1;
    return collect(s, st, ret, err);
}

int images_of(struct store *s, int64_t app_id, struct vec *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (store_prepare(s, &st, err, "SELECT digest FROM (SELECT digest, id FROM releases WHERE app_id = ?1 AND image_gone < 2 "
                      "UNION ALL SELECT digest, id FROM builds WHERE app_id = ?1 AND image_gone < 2 AND digest IS NOT NULL) "
                      "WHERE digest <> '' GROUP BY digest ORDER BY max(id) DESC LIMIT " OF_MAX, "i", app_id) != 0)
        return -1;
    return collect(s, st, ret, err);
}

static int mark(struct store *s, int64_t app_id, const char *digest, int gone, struct err *err)
{
    if (store_exec(s, err, "UPDATE releases SET image_gone = ? WHERE app_id = ? AND digest = ?", "iis", (int64_t) gone, app_id,
                   digest) != 0)
        return -1;
    return store_exec(s, err, "UPDATE builds SET image_gone = ? WHERE app_id = ? AND digest = ?", "iis", (int64_t) gone, app_id,
                      digest);
}

static int images_take_in(struct store *s, int64_t app_id, int history, struct vec *ret_kept, struct vec *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (images_kept(s, app_id, history, ret_kept, err) != 0
        || store_prepare(s, &st, err, "SELECT digest FROM (SELECT digest, id FROM releases WHERE app_id = ?1 AND image_gone < 2 "
                         "UNION ALL SELECT digest, id FROM builds WHERE app_id = ?1 AND image_gone < 2 AND digest IS NOT NULL) "
                         "WHERE digest <> '' AND digest NOT IN (" KEPT ") GROUP BY digest ORDER BY max(id) DESC LIMIT "
                         TAKE_MAX, "ii", app_id, (int64_t) history) != 0
        || collect(s, st, ret, err) != 0)
        return -1;
    for (size_t i = 0; i < ret->n; i++)
        if (mark(s, app_id, ret->v[i], 1, err) != 0)
            return -1;
    return 0;
}

int images_take(struct store *s, int64_t app_id, int history, struct vec *ret_kept, struct vec *ret, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, images_take_in(s, app_id, history, ret_kept, ret, err), err);
}

int image_is_there(struct store *s, int64_t app_id, const char *digest, struct err *err)
{
    return mark(s, app_id, digest, 0, err);
}

int images_mark(struct store *s, int64_t app_id, const char *digest, bool gone, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, mark(s, app_id, digest, gone ? 2 : 0, err), err);
}

int image_gone_check(const struct release *r, struct err *err)
{
    if (!r->image_gone)
        return 0;
    if (r->commit == NULL)
        return err_set(err, ERR_FAILED, "v%lld's image isn't kept any more (revision_history); give it again: git:from-image",
                       (long long) r->version);
    return err_set(err, ERR_FAILED, "v%lld's image isn't kept any more (revision_history); push its commit %.7s again",
                   (long long) r->version, r->commit);
}

/* The bytes of the file are the apps, whose locks are let go with the process. */
static int lock_images(struct store *s, int64_t app_id, short type, bool wait, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/run/images.lock", s->state);
    cleanup_close int fd = path_open_shared(path, err);
    struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t) app_id, .l_len = 1 };
    int rc;

    if (fd < 0)
        return -1;
    while ((rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l)) < 0 && errno == EINTR)
        ;
    if (rc == 0)
        return steal_fd(fd);
    if (errno == EAGAIN || errno == EACCES)
        return err_set(err, ERR_BUSY, "images of the app are being made");
    return err_errno(err, "cannot lock %s", path);
}

int images_hold(struct store *s, int64_t app_id, struct err *err)
{
    return lock_images(s, app_id, F_RDLCK, true, err);
}

int images_claim(struct store *s, int64_t app_id, struct err *err)
{
    return lock_images(s, app_id, F_WRLCK, false, err);
}
