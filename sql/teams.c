#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

#define TEAM_COLUMNS "SELECT t.id, t.name, t.created_at, (SELECT count(*) FROM team_members m WHERE m.team_id = t.id), " \
    "(SELECT count(*) FROM team_access x WHERE x.team_id = t.id) FROM teams t "

static void team_fill(sqlite3_stmt *st, struct team *t)
{
    t->id = sqlite3_column_int64(st, 0);
    t->name = store_text(st, 1);
    t->created_at = sqlite3_column_int64(st, 2);
    t->members = sqlite3_column_int64(st, 3);
    t->apps = sqlite3_column_int64(st, 4);
}

int teams_create(struct store *s, const char *name, struct err *err)
{
    if (team_name_check(name, err) != 0
        || store_exec(s, err, "INSERT INTO teams (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", "si", name,
                      store_now()) != 0)
        return -1;
    return store_changes(s) != 0 ? 0 : err_set(err, ERR_FAILED, "the team %s exists already", name);
}

int teams_get(struct store *s, const char *name, struct team *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, TEAM_COLUMNS "WHERE t.name = ?", "s", name) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no team %.*s", USER_NAME_MAX, name);
    if (rc == 1)
        team_fill(st, ret);
    return rc == 1 ? 0 : -1;
}

int teams_list(struct store *s, int64_t user_id, struct team **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct team *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, TEAM_COLUMNS "WHERE ?1 = 0 OR EXISTS (SELECT 1 FROM team_members m "
                      "WHERE m.team_id = t.id AND m.user_id = ?1) ORDER BY t.name", "i", user_id) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        team_fill(st, &v[n++]);
    }
    if (rc < 0) {
        while (n > 0)
            team_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int teams_destroy(struct store *s, int64_t id, struct err *err)
{
    if (store_exec(s, err, "DELETE FROM teams WHERE id = ?", "i", id) != 0)
        return -1;
    return store_changes(s) != 0 ? 0 : err_set(err, ERR_NOT_FOUND, "the team is gone already");
}

int team_add(struct store *s, int64_t id, int64_t user_id, struct err *err)
{
    if (store_exec(s, err, "INSERT INTO team_members (team_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING", "ii", id,
                   user_id) != 0)
        return -1;
    return store_changes(s) != 0 ? 0 : err_set(err, ERR_FAILED, "the user is in the team already");
}

int team_remove(struct store *s, int64_t id, int64_t user_id, struct err *err)
{
    if (store_exec(s, err, "DELETE FROM team_members WHERE team_id = ? AND user_id = ?", "ii", id, user_id) != 0)
        return -1;
    return store_changes(s) != 0 ? 0 : err_set(err, ERR_NOT_FOUND, "the user is not in the team");
}

int team_members(struct store *s, int64_t id, struct vec *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, "SELECT u.name FROM team_members m JOIN users u ON u.id = m.user_id WHERE m.team_id = ? "
                      "ORDER BY u.name", "i", id) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        cleanup_free char *name = store_text(st, 0);

        vec_add(ret, name);
    }
    return rc;
}

int team_apps(struct store *s, int64_t id, struct team_app **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct team_app *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, "SELECT a.name, x.role FROM team_access x JOIN apps a ON a.id = x.app_id "
                      "WHERE x.team_id = ? ORDER BY a.name", "i", id) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        cleanup_free char *role = store_text(st, 1);

        v = xrealloc_n(v, n + 1, sizeof(*v));
        v[n].app = store_text(st, 0);
        v[n].role = ROLE_NONE;
        if (role_parse(role, &v[n++].role, err) != 0) {
            rc = -1;
            break;
        }
    }
    if (rc < 0) {
        while (n > 0)
            free(v[--n].app);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int team_grant(struct store *s, int64_t app_id, int64_t id, enum role r, struct err *err)
{
    return store_exec(s, err, "INSERT INTO team_access (app_id, team_id, role) VALUES (?, ?, ?) "
                      "ON CONFLICT (app_id, team_id) DO UPDATE SET role = excluded.role", "iis", app_id, id, role_name(r));
}

int team_revoke(struct store *s, int64_t app_id, int64_t id, struct err *err)
{
    if (store_exec(s, err, "DELETE FROM team_access WHERE app_id = ? AND team_id = ?", "ii", app_id, id) != 0)
        return -1;
    return store_changes(s) != 0 ? 0 : err_set(err, ERR_NOT_FOUND, "the team has no access to the app");
}
