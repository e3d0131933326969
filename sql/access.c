#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

static int role_find(struct store *s, const struct user *u, int64_t app_id, enum role *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    enum role highest = ROLE_NONE;
    int64_t admin = 0;
    int rc;

    if (store_int(s, &admin, err, "SELECT admin FROM users WHERE id = ?", "i", u->id) < 0)
        return -1;
    if (admin != 0) {
        *ret = ROLE_OWN;
        return 0;
    }
    if (store_prepare(s, &st, err, "SELECT role FROM roles WHERE app_id = ? AND user_id = ?", "ii", app_id,
                      u->id) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        cleanup_free char *name = store_text(st, 0);
        enum role role = ROLE_NONE;

        if (role_parse(name, &role, err) != 0)
            return -1;
        if (role > highest)
            highest = role;
    }
    if (rc == 0)
        *ret = highest;
    return rc;
}

int access_role(struct store *s, const struct user *u, int64_t app_id, enum role *ret, struct err *err)
{
    if (u->bound_app != 0 && u->bound_app != app_id) {
        *ret = ROLE_NONE;
        return 0;
    }
    if (role_find(s, u, app_id, ret, err) != 0)
        return -1;
    if (u->bound_app != 0 && *ret > ROLE_OPERATE)
        *ret = ROLE_OPERATE;
    return 0;
}

/* The owner is named in the app's row; its role changes with the owner only. */
static int owner_refuse(struct store *s, int64_t app_id, int64_t user_id, struct err *err)
{
    int64_t owner = 0;
    int rc = store_int(s, &owner, err, "SELECT owner_id FROM apps WHERE id = ?", "i", app_id);

    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "the app is gone");
    if (owner == user_id)
        return err_set(err, ERR_FAILED, "the owner's access cannot be taken away or lowered; give the app to "
                       "somebody else first: access:grant APP USER own --owner");
    return 0;
}

static int access_grant_in(struct store *s, int64_t app_id, int64_t user_id, enum role r, struct err *err)
{
    if (r != ROLE_OWN && owner_refuse(s, app_id, user_id, err) != 0)
        return -1;
    return store_exec(s, err, "INSERT INTO access (app_id, user_id, role) VALUES (?, ?, ?) "
                      "ON CONFLICT (app_id, user_id) DO UPDATE SET role = excluded.role", "iis", app_id, user_id,
                      role_name(r));
}

int access_grant(struct store *s, int64_t app_id, int64_t user_id, enum role r, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, access_grant_in(s, app_id, user_id, r, err), err);
}

static int access_owner_in(struct store *s, int64_t app_id, int64_t user_id, struct err *err)
{
    if (access_grant_in(s, app_id, user_id, ROLE_OWN, err) != 0)
        return -1;
    return store_exec(s, err, "UPDATE apps SET owner_id = ? WHERE id = ?", "ii", user_id, app_id);
}

int access_owner(struct store *s, int64_t app_id, int64_t user_id, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, access_owner_in(s, app_id, user_id, err), err);
}

static int access_revoke_in(struct store *s, int64_t app_id, int64_t user_id, struct err *err)
{
    if (owner_refuse(s, app_id, user_id, err) != 0
        || store_exec(s, err, "DELETE FROM access WHERE app_id = ? AND user_id = ?", "ii", app_id, user_id) != 0)
        return -1;
    if (store_changes(s) == 0)
        return err_set(err, ERR_NOT_FOUND, "the user has no access to the app");
    return 0;
}

int access_revoke(struct store *s, int64_t app_id, int64_t user_id, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, access_revoke_in(s, app_id, user_id, err), err);
}

void access_rows_free(struct access_row *v, size_t n)
{
    while (n > 0) {
        free(v[--n].who);
        free(v[n].through);
    }
    free(v);
}

int access_list(struct store *s, int64_t app_id, bool members, struct access_row **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct access_row *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err,
                      "SELECT 0, '', u.name, x.role, NULL FROM access x JOIN users u ON u.id = x.user_id WHERE x.app_id = ?1 "
                      "UNION ALL "
                      "SELECT 1, t.name, '@' || t.name, x.role, NULL FROM team_access x JOIN teams t ON t.id = x.team_id "
                      "WHERE x.app_id = ?1 UNION ALL "
                      "SELECT 1, t.name, u.name, x.role, t.name FROM team_access x JOIN teams t ON t.id = x.team_id "
                      "JOIN team_members m ON m.team_id = t.id JOIN users u ON u.id = m.user_id "
                      "WHERE x.app_id = ?1 AND ?2 ORDER BY 1, 2, 3", "ii", app_id, (int64_t) members) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        cleanup_free char *role = store_text(st, 3);

        v = xrealloc_n(v, n + 1, sizeof(*v));
        v[n].who = store_text(st, 2);
        v[n].through = store_text(st, 4);
        v[n].role = ROLE_NONE;
        if (role_parse(role, &v[n++].role, err) != 0) {
            rc = -1;
            break;
        }
    }
    if (rc < 0) {
        access_rows_free(v, n);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}
