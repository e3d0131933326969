#include "config.h"

#include "base/mem.h"
#include "sql/leased.h"
#include "sql/names.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

#define APP_COLUMNS "SELECT a.id, a.name, u.name, a.deploy_branch, a.lock_reason, a.locked_by, a.locked_at, " \
    "a.live_release_id, r.version, r.commit_id, a.config_version, a.on_disconnect, a.deleting, a.created_at, a.target, a.handle, " \
    "a.maintenance, (SELECT group_concat(domain, ' ') FROM (SELECT domain FROM domains WHERE app_id = a.id ORDER BY domain)), " \
    "(SELECT hash FROM certificates WHERE app_id = a.id) " \
    "FROM apps a JOIN users u ON u.id = a.owner_id LEFT JOIN releases r ON r.id = a.live_release_id "

static void app_fill(sqlite3_stmt *st, struct app *a)
{
    a->id = sqlite3_column_int64(st, 0);
    a->name = store_text(st, 1);
    a->owner = store_text(st, 2);
    a->deploy_branch = store_text(st, 3);
    a->lock_reason = store_text(st, 4);
    a->locked_by = store_text(st, 5);
    a->locked_at = sqlite3_column_int64(st, 6);
    a->live_release_id = sqlite3_column_int64(st, 7);
    a->live_version = sqlite3_column_int64(st, 8);
    a->live_commit = store_text(st, 9);
    a->config_version = sqlite3_column_int64(st, 10);
    a->on_disconnect = store_text(st, 11);
    a->deleting = sqlite3_column_int(st, 12) != 0;
    a->created_at = sqlite3_column_int64(st, 13);
    a->target = store_text(st, 14);
    a->handle = store_text(st, 15);
    a->maintenance = sqlite3_column_int(st, 16) != 0;
    a->domains = (struct vec) VEC_INIT;
    vec_add_words(&a->domains, (const char *) sqlite3_column_text(st, 17));
    a->certificate = store_text(st, 18);
}

static int apps_create_in(struct store *s, const char *name, const char *branch, int64_t owner_id, struct app *ret,
                          struct err *err)
{
    char handle[APP_NAME_MAX + 1];
    int64_t id;

    if (name_free(s, name, err) != 0 || handle_choose(s, name, handle, err) != 0
        || store_exec(s, err, "INSERT INTO apps (name, handle, owner_id, deploy_branch, created_at) VALUES (?, ?, ?, ?, ?)",
                      "ssisi", name, handle, owner_id, branch, store_now()) != 0)
        return -1;
    id = sqlite3_last_insert_rowid(s->db);
    if (store_exec(s, err, "INSERT INTO access (app_id, user_id, role) VALUES (?, ?, 'own')", "ii", id,
                   owner_id) != 0)
        return -1;
    return ret != NULL ? apps_get_id(s, id, ret, err) : 0;
}

int apps_create(struct store *s, const char *name, const char *deploy_branch, int64_t owner_id, struct app *ret,
                struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, apps_create_in(s, name, deploy_branch, owner_id, ret, err), err);
}

int apps_get(struct store *s, const char *name, struct app *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, APP_COLUMNS "WHERE a.name = ?", "s", name) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no app %.*s", APP_NAME_MAX, name);
    if (rc == 1)
        app_fill(st, ret);
    return rc == 1 ? 0 : -1;
}

int apps_get_handle(struct store *s, const char *handle, struct app *ret, struct err *err)
{
    int64_t id = 0;
    int rc = store_int(s, &id, err, "SELECT id FROM apps WHERE handle = ?", "s", handle);

    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no app with objects named %.*s", APP_NAME_MAX, handle);
    return rc == 1 ? apps_get_id(s, id, ret, err) : -1;
}

int apps_get_id(struct store *s, int64_t id, struct app *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, APP_COLUMNS "WHERE a.id = ?", "i", id) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no app with id %lld", (long long) id);
    if (rc == 1)
        app_fill(st, ret);
    return rc == 1 ? 0 : -1;
}

static int apps_collect(struct store *s, sqlite3_stmt *st, struct app **ret, size_t *ret_n, struct err *err)
{
    struct app *v = NULL;
    size_t n = 0;
    int rc;

    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        app_fill(st, &v[n++]);
    }
    if (rc < 0) {
        while (n > 0)
            app_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int apps_list(struct store *s, int64_t user_id, struct app **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (store_prepare(s, &st, err, APP_COLUMNS "WHERE ?1 = 0 OR EXISTS (SELECT 1 FROM roles x "
                      "WHERE x.app_id = a.id AND x.user_id = ?1) ORDER BY a.name", "i", user_id) != 0)
        return -1;
    return apps_collect(s, st, ret, ret_n, err);
}

int apps_deleting(struct store *s, struct app **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (store_prepare(s, &st, err, APP_COLUMNS "WHERE a.deleting = 1 ORDER BY a.id", "") != 0)
        return -1;
    return apps_collect(s, st, ret, ret_n, err);
}

int apps_lock(struct store *s, int64_t id, const char *reason, const char *who, struct err *err)
{
    if (reason == NULL)
        return store_exec(s, err, "UPDATE apps SET lock_reason = NULL, locked_by = NULL, locked_at = NULL "
                          "WHERE id = ?", "i", id);
    return store_exec(s, err, "UPDATE apps SET lock_reason = ?, locked_by = ?, locked_at = ? WHERE id = ?",
                      "ssii", reason, who, store_now(), id);
}

int apps_maintenance(struct store *s, int64_t id, bool on, struct err *err)
{
    return store_exec(s, err, "UPDATE apps SET maintenance = ? WHERE id = ?", "ii", (int64_t) on, id);
}

int apps_settings(struct store *s, int64_t id, const char *deploy_branch, const char *on_disconnect, struct err *err)
{
    return store_exec(s, err, "UPDATE apps SET deploy_branch = ?, on_disconnect = ? WHERE id = ?", "ssi", deploy_branch,
                      on_disconnect, id);
}

/* Whatever the app still has under way: what has not begun ends now, the rest is asked to stop. */
static int work_cancel(struct store *s, int64_t app_id, struct err *err)
{
    const char *const why = "the app is being destroyed";
    cleanup_stmt sqlite3_stmt *builds = NULL, *releases = NULL;
    int rc;

    if (store_prepare(s, &releases, err, "SELECT id FROM releases WHERE app_id = ? "
                      "AND state IN ('pending', 'releasing')", "i", app_id) != 0)
        return -1;
    while ((rc = store_step(s, releases, err)) == 1) {
        if (release_cancel_in(s, sqlite3_column_int64(releases, 0), why, err) != 0)
            return -1;
    }
    if (rc < 0 || store_prepare(s, &builds, err, "SELECT id FROM builds WHERE app_id = ? "
                                "AND state IN ('queued', 'building')", "i", app_id) != 0)
        return -1;
    while ((rc = store_step(s, builds, err)) == 1) {
        if (build_cancel_in(s, sqlite3_column_int64(builds, 0), why, err) != 0)
            return -1;
    }
    return rc;
}

static int apps_destroy_in(struct store *s, int64_t id, struct err *err)
{
    if (store_exec(s, err, "UPDATE apps SET deleting = 1 WHERE id = ?", "i", id) != 0)
        return -1;
    if (store_changes(s) == 0)
        return err_set(err, ERR_NOT_FOUND, "the app is gone already");
    store_touch_builds(s);
    store_touch_releases(s);
    return work_cancel(s, id, err);
}

int apps_destroy(struct store *s, int64_t id, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, apps_destroy_in(s, id, err), err);
}

/* A row whose worker still lives must not vanish beneath it. */
static int work_alive(struct store *s, int64_t app_id, const char *sql, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, sql, "i", app_id) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        if (!leased_is_dead(st, 0))
            return err_set(err, ERR_BUSY, "a build or release of the app has not stopped yet");
    }
    return rc;
}

static int apps_delete_in(struct store *s, int64_t id, struct err *err)
{
    int64_t purge;

    if (work_alive(s, id, "SELECT " LEASE_COLUMNS " FROM builds WHERE app_id = ? AND state = 'building'", err) != 0
        || work_alive(s, id, "SELECT " LEASE_COLUMNS " FROM releases WHERE app_id = ? AND state = 'releasing'",
                      err) != 0)
        return -1;
    /* Builds and releases name each other and the app names a release: undone first, then all falls together. */
    if (store_exec(s, err, "UPDATE apps SET live_release_id = NULL WHERE id = ?", "i", id) != 0
        || store_exec(s, err, "UPDATE builds SET release_id = NULL WHERE app_id = ?", "i", id) != 0)
        return -1;
    if (store_exec(s, err, "DELETE FROM apps WHERE id = ?", "i", id) != 0)
        return -1;
    return errands_ask(s, ERRAND_PURGE_CACHE, 0, &purge, err);
}

int apps_delete(struct store *s, int64_t id, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    store_touch_builds(s);
    store_touch_releases(s);
    return store_leave(s, own, apps_delete_in(s, id, err), err);
}
