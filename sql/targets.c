/* Where apps run, and what they have left where they don't. */
#include "config.h"

#include "base/mem.h"
#include "sql/leased.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

/* Of a row a of apps: it has begun a release before there was a target to note. */
#define UNNOTED "a.target = '' AND EXISTS (SELECT 1 FROM releases r WHERE r.app_id = a.id AND r.state <> 'pending')"

int targets_fill(struct store *s, const char *target, struct err *err)
{
    int64_t one = 0;
    bool own;
    int rc = store_int(s, &one, err, "SELECT 1 FROM apps a WHERE " UNNOTED " LIMIT 1", "");

    if (rc <= 0)
        return rc;
    if (store_enter(s, &own, err) != 0)
        return -1;
    rc = store_exec(s, err, "UPDATE releases SET target = ? WHERE target = '' AND state <> 'pending' AND app_id IN "
                    "(SELECT a.id FROM apps a WHERE " UNNOTED ")", "s", target);
    if (rc == 0)
        rc = store_exec(s, err, "UPDATE apps SET target = ?1 WHERE target = '' AND EXISTS (SELECT 1 FROM releases r "
                        "WHERE r.app_id = apps.id AND r.target = ?1)", "s", target);
    return store_leave(s, own, rc, err);
}

static int words_read(struct store *s, sqlite3_stmt *st, struct vec *ret, struct err *err)
{
    int rc;

    while ((rc = store_step(s, st, err)) == 1)
        vec_add(ret, (const char *) sqlite3_column_text(st, 0));
    return rc;
}

int targets_used(struct store *s, struct vec *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (store_prepare(s, &st, err, "SELECT target FROM apps WHERE target <> '' UNION SELECT target FROM leavings "
                      "ORDER BY 1", "") != 0)
        return -1;
    return words_read(s, st, ret, err);
}

int targets_of(struct store *s, int64_t app_id, struct vec *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (store_prepare(s, &st, err, "SELECT target FROM apps WHERE id = ?1 AND target <> '' "
                      "UNION SELECT target FROM leavings WHERE app_id = ?1 "
                      "UNION SELECT target FROM releases WHERE app_id = ?1 AND state = 'releasing' AND target <> ''",
                      "i", app_id) != 0)
        return -1;
    return words_read(s, st, ret, err);
}

int target_move_check(struct store *s, const struct app *a, const char *target, struct err *err)
{
    int64_t n = 0;
    int rc;

    if (a->deleting)
        return err_set(err, ERR_NOT_FOUND, "%s is being destroyed", a->name);
    if (strcmp(a->target, target) == 0)
        return err_set(err, ERR_FAILED, "%s is on %s already", a->name, target);
    if (a->maintenance)
        return err_set(err, ERR_FAILED, "%s shows its maintenance page, which wouldn't go along; first: maintenance:off %s",
                       a->name, a->name);
    rc = leavings_are(s, a->id, target, err);
    if (rc == 1)
        return err_set(err, ERR_BUSY, "what %s has left on %s is still being removed; try again in a moment", a->name,
                       target);
    if (rc == 0)
        rc = store_int(s, &n, err, "SELECT 1 FROM releases r JOIN apps a ON a.id = r.app_id WHERE r.app_id = ? AND "
                       "r.state IN ('pending', 'releasing') AND r.target NOT IN ('', a.target)", "i", a->id);
    return rc == 1 ? err_set(err, ERR_BUSY, "%s is being moved already; see: releases %s", a->name, a->name) : rc;
}

static int target_set_in(struct store *s, int64_t app_id, const char *target, struct err *err)
{
    struct app a;
    int rc;

    if (apps_get_id(s, app_id, &a, err) != 0)
        return -1;
    rc = target_move_check(s, &a, target, err);
    if (rc == 0)
        rc = unreleased_check(s, &a, err);
    /* Its first release may have failed there. */
    if (rc == 0 && a.target[0] != '\0')
        rc = leavings_add(s, app_id, a.target, err);
    if (rc == 0)
        rc = store_exec(s, err, "UPDATE apps SET target = ? WHERE id = ?", "si", target, app_id);
    app_release(&a);
    return rc;
}

int target_set(struct store *s, int64_t app_id, const char *target, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, target_set_in(s, app_id, target, err), err);
}

int releases_target(struct store *s, const struct lease *me, int64_t id, const char *target, struct err *err)
{
    bool own;
    int rc;

    if (store_enter(s, &own, err) != 0)
        return -1;
    rc = leased_held(s, LEASED_RELEASE, id, me, err);
    if (rc == 0)
        rc = store_exec(s, err, "UPDATE apps SET target = ? WHERE id = (SELECT app_id FROM releases WHERE id = ?)", "si",
                        target, id);
    if (rc == 0)
        rc = store_exec(s, err, "UPDATE releases SET target = ? WHERE id = ?", "si", target, id);
    return store_leave(s, own, rc, err);
}

/* --- leavings */

int leavings_add(struct store *s, int64_t app_id, const char *target, struct err *err)
{
    store_touch_releases(s);
    return store_exec(s, err, "INSERT OR IGNORE INTO leavings (app_id, target) VALUES (?, ?)", "is", app_id, target);
}

int leavings_are(struct store *s, int64_t app_id, const char *target, struct err *err)
{
    int64_t one = 0;

    return store_int(s, &one, err, "SELECT 1 FROM leavings WHERE app_id = ? AND target = ?", "is", app_id, target);
}

int leavings_of_release(struct store *s, int64_t id, struct err *err)
{
    store_touch_releases(s);
    return store_exec(s, err, "INSERT OR IGNORE INTO leavings (app_id, target) SELECT a.id, r.target FROM releases r "
                      "JOIN apps a ON a.id = r.app_id WHERE r.id = ? AND r.step <> '' AND r.target NOT IN ('', a.target)",
                      "i", id);
}

void leaving_release(struct leaving *l)
{
    app_release(&l->app);
    free(l->target);
    memset(l, 0, sizeof(*l));
}

int leavings_list(struct store *s, struct leaving **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct leaving *v = NULL;
    size_t n = 0;
    int rc;

    /* Those of an app that is being destroyed go with it. */
    if (store_prepare(s, &st, err, "SELECT l.app_id, l.target FROM leavings l JOIN apps a ON a.id = l.app_id "
                      "WHERE a.deleting = 0 ORDER BY l.app_id, l.target", "") != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        if (apps_get_id(s, sqlite3_column_int64(st, 0), &v[n].app, err) != 0) {
            rc = -1;
            break;
        }
        v[n++].target = store_text(st, 1);
    }
    if (rc < 0) {
        while (n > 0)
            leaving_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

static int leavings_drop_in(struct store *s, int64_t app_id, const char *target, struct err *err)
{
    store_touch_releases(s);
    if (store_exec(s, err, "DELETE FROM inventory WHERE app_id = ?1 AND release_id IN (SELECT id FROM releases "
                   "WHERE app_id = ?1 AND target = ?2)", "is", app_id, target) != 0)
        return -1;
    /* What was due meanwhile was the other target's to start (cron_elsewhere). */
    if (store_exec(s, err, "UPDATE cron SET done_at = ? WHERE app_id = ? AND done_at IS NOT NULL", "ii", store_now(), app_id) != 0)
        return -1;
    return store_exec(s, err, "DELETE FROM leavings WHERE app_id = ? AND target = ?", "is", app_id, target);
}

int leavings_drop(struct store *s, int64_t app_id, const char *target, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, leavings_drop_in(s, app_id, target, err), err);
}
