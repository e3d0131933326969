#include "config.h"

#include "base/mem.h"
#include "base/word.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_PER_USER_MAX 100 /* people have a handful; a script that adds without end is stopped */

#define KEY_COLUMNS "SELECT k.id, k.user_id, u.name, k.name, k.type, k.fingerprint, k.blob, k.created_at, " \
    "k.last_used_at, k.app_id, a.name, k.verbs, k.source, k.expires_at FROM keys k JOIN users u ON u.id = k.user_id " \
    "LEFT JOIN apps a ON a.id = k.app_id "

static void key_fill(sqlite3_stmt *st, struct key *k)
{
    k->id = sqlite3_column_int64(st, 0);
    k->user_id = sqlite3_column_int64(st, 1);
    k->user_name = store_text(st, 2);
    k->name = store_text(st, 3);
    k->type = store_text(st, 4);
    k->fingerprint = store_text(st, 5);
    k->blob = store_blob(st, 6, &k->blob_len);
    k->created_at = sqlite3_column_int64(st, 7);
    k->last_used_at = sqlite3_column_int64(st, 8);
    k->app_id = sqlite3_column_int64(st, 9);
    k->app = store_text(st, 10);
    k->verbs = store_text(st, 11);
    k->source = store_text(st, 12);
    k->expires_at = sqlite3_column_int64(st, 13);
}

/* Shown in lists and taken from the command line: one word or a few, nothing that a terminal obeys. */
static int key_name_check(const char *name, struct err *err)
{
    size_t n = strnlen(name, 65);

    if (n == 0 || n > 64)
        return err_set(err, ERR_USAGE, "a key's name has 1 to 64 characters, and \"%s\" has %zu%s; for example: laptop",
                       word_shown(name).s, n < 65 ? n : 64, n < 65 ? "" : " and more");
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char) name[i] < ' ' || name[i] == 127)
            return err_set(err, ERR_USAGE, "a key's name must not hold control characters, as \"%s\" does; for example: laptop",
                           word_shown(name).s);
    }
    return 0;
}

static int keys_add_in(struct store *s, int64_t user_id, const struct key *k, const struct key_bounds *b,
                       struct err *err)
{
    int64_t holder = 0, count = 0, same = 0;

    switch (store_int(s, &holder, err, "SELECT user_id FROM keys WHERE blob = ?", "b", k->blob, k->blob_len)) {
    case 0:
        break;
    case 1:
        if (holder == user_id)
            return err_set(err, ERR_FAILED, "this key is there already");
        return err_set(err, ERR_FAILED, "this key belongs to another user; each user needs a key of their own");
    default:
        return -1;
    }
    if (store_int(s, &same, err, "SELECT 1 FROM keys WHERE user_id = ? AND name = ?", "is", user_id, k->name) < 0
        || store_int(s, &count, err, "SELECT count(*) FROM keys WHERE user_id = ?", "i", user_id) < 0)
        return -1;
    if (same != 0)
        return err_set(err, ERR_FAILED, "there is already a key named \"%s\"; give this one another name: "
                       "keys:add NAME", k->name);
    if (count >= KEYS_PER_USER_MAX)
        return err_set(err, ERR_FAILED, "there are %d keys already; remove one first", KEYS_PER_USER_MAX);
    return store_exec(s, err, "INSERT INTO keys (user_id, name, type, blob, fingerprint, created_at, app_id, "
                      "verbs, source, expires_at) VALUES (?, ?, ?, ?, ?, ?, nullif(?, 0), ?, ?, nullif(?, 0))",
                      "issbsiissi", user_id, k->name, k->type, k->blob, k->blob_len, k->fingerprint, store_now(),
                      b->app_id, b->verbs, b->source, b->expires_at);
}

int keys_add(struct store *s, int64_t user_id, const char *name, const char *line, struct key *ret,
             struct err *err)
{
    return keys_add_bound(s, user_id, name, line, &(struct key_bounds) { .app_id = 0 }, ret, err);
}

int keys_add_bound(struct store *s, int64_t user_id, const char *name, const char *line,
                   const struct key_bounds *bounds, struct key *ret, struct err *err)
{
    struct key k = { .name = name != NULL ? xstrdup(name) : NULL };
    int64_t id = 0;
    bool own;
    int rc;

    if ((name != NULL && key_name_check(name, err) != 0) || key_parse(line, &k, err) != 0
        || store_enter(s, &own, err) != 0) {
        key_release(&k);
        return -1;
    }
    rc = keys_add_in(s, user_id, &k, bounds, err);
    id = sqlite3_last_insert_rowid(s->db);
    rc = store_leave(s, own, rc, err);
    if (rc == 0 && ret != NULL) {
        cleanup_stmt sqlite3_stmt *st = NULL;

        if (store_prepare(s, &st, err, KEY_COLUMNS "WHERE k.id = ?", "i", id) != 0
            || (rc = store_step(s, st, err)) < 0)
            rc = -1;
        else if (rc == 1)
            key_fill(st, ret);
        rc = rc == 1 ? 0 : -1;
    }
    key_release(&k);
    return rc;
}

int keys_find(struct store *s, const void *blob, size_t n, struct key *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, KEY_COLUMNS "WHERE k.blob = ?", "b", blob, n) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "this key is not known here");
    if (rc == 1)
        key_fill(st, ret);
    return rc == 1 ? 0 : -1;
}

int keys_still(struct store *s, const struct key *k, struct err *err)
{
    struct key now;
    bool same;

    if (keys_find(s, k->blob, k->blob_len, &now, err) != 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        return err_set(err, ERR_DENIED, "your key was removed meanwhile; come with another one");
    }
    /* By the name, too: a user's id may be given out again. */
    same = now.user_id == k->user_id && strcmp(now.user_name, k->user_name) == 0 && now.app_id == k->app_id;
    key_release(&now);
    return same ? 0 : err_set(err, ERR_DENIED, "your key is for something else by now; come with another one");
}

int keys_used(struct store *s, int64_t id, struct err *err)
{
    return store_exec(s, err, "UPDATE keys SET last_used_at = ? WHERE id = ?", "ii", store_now(), id);
}

int keys_list(struct store *s, int64_t user_id, struct key **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct key *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, KEY_COLUMNS "WHERE ?1 = 0 OR k.user_id = ?1 ORDER BY u.name, k.name", "i",
                      user_id) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        key_fill(st, &v[n++]);
    }
    if (rc < 0) {
        while (n > 0)
            key_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int keys_remove(struct store *s, int64_t user_id, const char *which, struct err *err)
{
    if (store_exec(s, err, "DELETE FROM keys WHERE user_id = ?1 AND (name = ?2 OR fingerprint = ?2)", "is",
                   user_id, which) != 0)
        return -1;
    if (store_changes(s) == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no key with the name or fingerprint \"%.80s\"; see: keys:list",
                       which);
    return 0;
}
