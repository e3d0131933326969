#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

#define USER_COLUMNS "SELECT id, name, admin, may_create, created_at FROM users "

static void user_fill(sqlite3_stmt *st, struct user *u)
{
    u->id = sqlite3_column_int64(st, 0);
    u->name = store_text(st, 1);
    u->admin = sqlite3_column_int(st, 2) != 0;
    u->may_create = sqlite3_column_int(st, 3) != 0;
    u->bound_app = 0;
    u->created_at = sqlite3_column_int64(st, 4);
}

static int users_add_in(struct store *s, const char *name, bool admin, bool may_create, int64_t *ret_id,
                        struct err *err)
{
    int64_t there = 0;
    int rc = store_int(s, &there, err, "SELECT id FROM users WHERE name = ?", "s", name);

    if (rc != 0)
        return rc < 0 ? -1 : err_set(err, ERR_FAILED, "the user %s exists already", name);
    if (store_exec(s, err, "INSERT INTO users (name, admin, may_create, created_at) VALUES (?, ?, ?, ?)",
                   "siii", name, (int64_t) admin, (int64_t) may_create, store_now()) != 0)
        return -1;
    if (ret_id != NULL)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return 0;
}

int users_add(struct store *s, const char *name, bool admin, bool may_create, int64_t *ret_id, struct err *err)
{
    bool own;

    if (user_name_check(name, err) != 0 || store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, users_add_in(s, name, admin, may_create, ret_id, err), err);
}

int users_get(struct store *s, const char *name, struct user *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, USER_COLUMNS "WHERE name = ?", "s", name) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no user %.*s", USER_NAME_MAX, name);
    if (rc == 1)
        user_fill(st, ret);
    return rc == 1 ? 0 : -1;
}

int users_get_id(struct store *s, int64_t id, struct user *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, USER_COLUMNS "WHERE id = ?", "i", id) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no user with id %lld", (long long) id);
    if (rc == 1)
        user_fill(st, ret);
    return rc == 1 ? 0 : -1;
}

int users_list(struct store *s, struct user **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct user *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, USER_COLUMNS "ORDER BY name", "") != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        user_fill(st, &v[n++]);
    }
    if (rc < 0) {
        while (n > 0)
            user_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

/* The id of a user who may cease to be an admin. */
static int not_last_admin(struct store *s, const char *name, int64_t *ret_id, struct err *err)
{
    int64_t admins = 0;
    struct user u;
    bool admin;

    if (users_get(s, name, &u, err) != 0)
        return -1;
    *ret_id = u.id;
    admin = u.admin;
    user_release(&u);
    if (admin && store_int(s, &admins, err, "SELECT count(*) FROM users WHERE admin = 1", "") < 0)
        return -1;
    if (admin && admins < 2)
        return err_set(err, ERR_FAILED, "%s is the last admin; make another one first: users:set USER admin", name);
    return 0;
}

static int users_set_in(struct store *s, const char *name, bool admin, bool may_create, struct err *err)
{
    int64_t id = 0;

    if (!admin && not_last_admin(s, name, &id, err) != 0)
        return -1;
    if (store_exec(s, err, "UPDATE users SET admin = ?, may_create = ? WHERE name = ?", "iis", (int64_t) admin,
                   (int64_t) may_create, name) != 0)
        return -1;
    return store_changes(s) != 0 ? 0 : err_set(err, ERR_NOT_FOUND, "there is no user %.*s", USER_NAME_MAX, name);
}

int users_set(struct store *s, const char *name, bool admin, bool may_create, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, users_set_in(s, name, admin, may_create, err), err);
}

static int users_remove_in(struct store *s, const char *name, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    cleanup_free char *apps = NULL;
    int64_t id = 0;

    if (not_last_admin(s, name, &id, err) != 0)
        return -1;
    if (store_prepare(s, &st, err, "SELECT group_concat(name, ', ') FROM apps WHERE owner_id = ?", "i", id) != 0
        || store_step(s, st, err) < 0)
        return -1;
    apps = store_text(st, 0);
    if (apps != NULL)
        return err_set(err, ERR_FAILED, "%s owns %.200s; destroy them first or give them to somebody else: "
                       "access:grant APP USER own --owner", name, apps);
    return store_exec(s, err, "DELETE FROM users WHERE id = ?", "i", id);
}

int users_remove(struct store *s, const char *name, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, users_remove_in(s, name, err), err);
}
