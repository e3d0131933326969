#include "config.h"

#include "base/mem.h"
#include "sql/seal.h"
#include "sql/tables.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A hint shows the last characters of a value that is long enough not to be guessed from them. */
#define HINT_LEN 4
#define HINT_VALUE_MIN 16

int config_get(struct store *s, int64_t app_id, int64_t version, struct config_set *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct config_set c = { NULL, 0 };
    int rc;

    /* With those that the builder has yet to seal for this app: it may be busy with builds for minutes. */
    if (store_prepare(s, &st, err, "SELECT i.name, v.sealed_run, v.sealed_build, v.hint, v.id, "
                      "(SELECT min(version) FROM config_items o WHERE o.value_id = v.id), v.digest "
                      "FROM config_items i JOIN config_values v ON v.id = i.value_id AND v.app_id = i.app_id "
                      "AND v.name = i.name WHERE i.app_id = ?1 AND i.version = ?2 "
                      "UNION ALL SELECT c.name, NULL, c.sealed_build, '', 0, 1, NULL FROM config_copies c "
                      "WHERE c.app_id = ?1 AND ?2 > 0 AND NOT EXISTS (SELECT 1 FROM config_items i WHERE i.app_id = ?1 "
                      "AND i.version = ?2 AND i.name = c.name) ORDER BY 1", "ii", app_id, version) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        struct config_var *v;

        c.v = xrealloc_n(c.v, c.n + 1, sizeof(*c.v));
        v = &c.v[c.n++];
        memset(v, 0, sizeof(*v));
        v->name = store_text(st, 0);
        v->sealed_run = store_blob(st, 1, &v->sealed_run_len);
        v->sealed_build = store_blob(st, 2, &v->sealed_build_len);
        v->run = v->sealed_run != NULL;
        v->build = v->sealed_build != NULL;
        v->hint = store_text(st, 3);
        v->value_id = sqlite3_column_int64(st, 4);
        v->version = sqlite3_column_int64(st, 5);
        if (sqlite3_column_bytes(st, 6) == sizeof(v->digest))
            memcpy(v->digest, sqlite3_column_blob(st, 6), sizeof(v->digest));
    }
    if (rc < 0) {
        config_set_release(&c);
        return -1;
    }
    *ret = c;
    return 0;
}

static void hint_make(const struct config_change *c, char ret[HINT_LEN + 1])
{
    const char *end = (const char *) c->value + c->value_len;

    ret[0] = '\0';
    if (c->value_len < HINT_VALUE_MIN)
        return;
    for (const char *p = end - HINT_LEN; p < end; p++) {
        if (*p <= ' ' || *p > '~')
            return;
    }
    memcpy(ret, end - HINT_LEN, HINT_LEN);
    ret[HINT_LEN] = '\0';
}

/* Containers' environments travel as UTF-8 (protobuf strings in the CRI, JSON in Docker's API). */
static bool is_utf8(const char *s, size_t n)
{
    json_auto_t *text = json_stringn(s, n);

    return text != NULL;
}

static int change_check(const struct config_change *c, struct err *err)
{
    if (config_name_check(c->name, err) != 0)
        return -1;
    if (c->value == NULL)
        return 0;
    if (!c->run && !c->build)
        return err_set(err, ERR_USAGE, "%s has no scope; it needs run, build or both", c->name);
    if (c->value_len > CONFIG_VALUE_MAX)
        return err_set(err, ERR_USAGE, "the value of %s has %zu bytes; at most %d fit", c->name, c->value_len,
                       CONFIG_VALUE_MAX);
    /* It becomes an environment variable, and those end at a NUL (environ(7)). */
    if (memchr(c->value, '\0', c->value_len) != NULL)
        return err_set(err, ERR_USAGE, "the value of %s holds a NUL byte; an environment variable cannot", c->name);
    if (!is_utf8(c->value, c->value_len))
        return err_set(err, ERR_USAGE, "the value of %s is not UTF-8 text; encode it, for example with base64", c->name);
    return 0;
}

/* Seals the value and stores it; its row's id. */
static int value_insert(struct store *s, int64_t app_id, const struct config_change *c, const unsigned char *digest,
                        int64_t *ret_id, struct err *err)
{
    cleanup_free void *run = NULL, *build = NULL;
    size_t run_n = 0, build_n = 0;
    char hint[HINT_LEN + 1];

    if (c->run && seal_value(s->state, SEAL_RUN, app_id, c->name, c->value, c->value_len, &run, &run_n, err) != 0)
        return -1;
    if (c->build && seal_value(s->state, SEAL_BUILD, app_id, c->name, c->value, c->value_len, &build, &build_n,
                               err) != 0)
        return -1;
    hint_make(c, hint);
    if (store_exec(s, err, "INSERT INTO config_values (app_id, name, sealed_run, sealed_build, hint, digest) "
                   "VALUES (?, ?, ?, ?, ?, ?)", "isbbsb", app_id, c->name, run, run_n, build, build_n, hint, digest,
                   (size_t) 32) != 0)
        return -1;
    *ret_id = sqlite3_last_insert_rowid(s->db);
    return 0;
}

/* 1: the newest set holds this very value in these scopes, or lacks what is to be unset. */
static int change_is_void(struct store *s, int64_t app_id, int64_t version, const struct config_change *c,
                          const unsigned char *digest, struct err *err)
{
    int64_t one = 0;

    if (c->value == NULL) {
        int rc = store_int(s, &one, err, "SELECT 1 FROM config_items WHERE app_id = ?1 AND version = ?2 AND name = ?3 "
                           "UNION ALL SELECT 1 FROM config_copies WHERE app_id = ?1 AND name = ?3 LIMIT 1",
                           "iis", app_id, version, c->name);

        return rc < 0 ? -1 : rc == 0;
    }
    return store_int(s, &one, err, "SELECT 1 FROM config_items i JOIN config_values v ON v.id = i.value_id "
                     "WHERE i.app_id = ? AND i.version = ? AND i.name = ? AND v.digest = ? "
                     "AND (v.sealed_run IS NOT NULL) = ? AND (v.sealed_build IS NOT NULL) = ?", "iisbii", app_id,
                     version, c->name, digest, (size_t) 32, (int64_t) c->run, (int64_t) c->build);
}

/* One change, applied to the new version's items. */
static int change_apply(struct store *s, int64_t app_id, int64_t version, const struct config_change *c,
                        bool *ret_changed, struct err *err)
{
    unsigned char digest[32] = { 0 };
    int64_t value_id = 0;
    int rc;

    if (change_check(c, err) != 0)
        return -1;
    if (c->value != NULL && seal_digest(s->state, app_id, c->name, c->value, c->value_len, digest, err) != 0)
        return -1;
    rc = change_is_void(s, app_id, version, c, digest, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    *ret_changed = true;
    if (c->value == NULL) {
        if (store_exec(s, err, "DELETE FROM config_copies WHERE app_id = ? AND name = ?", "is", app_id, c->name) != 0)
            return -1;
        return store_exec(s, err, "DELETE FROM config_items WHERE app_id = ? AND version = ? AND name = ?", "iis",
                          app_id, version, c->name);
    }
    if (value_insert(s, app_id, c, digest, &value_id, err) != 0)
        return -1;
    return store_exec(s, err, "INSERT INTO config_items (app_id, version, name, value_id) VALUES (?, ?, ?, ?) "
                      "ON CONFLICT DO UPDATE SET value_id = excluded.value_id", "iisi", app_id, version, c->name,
                      value_id);
}

/* What a Secret of one scope would hold: names and values, without what sealing adds. */
static int total_check(struct store *s, int64_t app_id, int64_t version, struct err *err)
{
    struct config_set c;
    size_t run = 0, build = 0, names = 0;

    if (config_get(s, app_id, version, &c, err) != 0)
        return -1;
    for (size_t i = 0; i < c.n; i++) {
        run += c.v[i].sealed_run_len;
        build += c.v[i].sealed_build_len;
        names += strlen(c.v[i].name);
    }
    config_set_release(&c);
    if (names + run > CONFIG_TOTAL_MAX || names + build > CONFIG_TOTAL_MAX)
        return err_set(err, ERR_USAGE, "the app's config would be larger than %d KiB in all", CONFIG_TOTAL_MAX / 1024);
    return 0;
}

/* The newest version's number, and its items copied to the number after it. */
static int version_copy(struct store *s, int64_t app_id, int64_t from, int64_t *ret_newest, struct err *err)
{
    int64_t newest = 0;
    int rc = store_int(s, &newest, err, "SELECT config_version FROM apps WHERE id = ?", "i", app_id);

    if (rc <= 0)
        return rc < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "the app is gone");
    *ret_newest = newest;
    return store_exec(s, err, "INSERT INTO config_items (app_id, version, name, value_id) "
                      "SELECT app_id, ?3, name, value_id FROM config_items WHERE app_id = ?1 AND version = ?2", "iii",
                      app_id, from >= 0 ? from : newest, newest + 1);
}

static int version_finish(struct store *s, int64_t app_id, int64_t newest, bool changed, int64_t *ret_version,
                          struct err *err)
{
    if (changed) {
        *ret_version = newest + 1;
        return store_exec(s, err, "UPDATE apps SET config_version = ? WHERE id = ?", "ii", newest + 1, app_id);
    }
    *ret_version = newest;
    return store_exec(s, err, "DELETE FROM config_items WHERE app_id = ? AND version = ?", "ii", app_id, newest + 1);
}

int config_change(struct store *s, int64_t app_id, const struct config_change *v, size_t n, int64_t *ret_version,
                  struct err *err)
{
    bool changed = false;
    int64_t newest = 0;

    if (version_copy(s, app_id, -1, &newest, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (change_apply(s, app_id, newest + 1, &v[i], &changed, err) != 0)
            return -1;
    }
    if (changed && total_check(s, app_id, newest + 1, err) != 0)
        return -1;
    return version_finish(s, app_id, newest, changed, ret_version, err);
}

int config_backfill(struct store *s, int64_t app_id, const struct config_change *c, struct err *err)
{
    unsigned char digest[32] = { 0 };
    int64_t value_id = 0;

    if (change_check(c, err) != 0
        || seal_digest(s->state, app_id, c->name, c->value, c->value_len, digest, err) != 0
        || value_insert(s, app_id, c, digest, &value_id, err) != 0)
        return -1;
    return store_exec(s, err, "WITH RECURSIVE versions (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM versions, apps a "
                      "WHERE a.id = ?1 AND n < a.config_version) INSERT OR IGNORE INTO config_items "
                      "(app_id, version, name, value_id) SELECT ?1, n, ?2, ?3 FROM versions", "isi", app_id, c->name,
                      value_id);
}

static int config_restore_in(struct store *s, int64_t app_id, int64_t version, int64_t *ret_version, struct err *err)
{
    int64_t newest = 0, differs = 0;

    if (version_copy(s, app_id, version, &newest, err) != 0)
        return -1;
    if (store_int(s, &differs, err,
                  "SELECT count(*) FROM (SELECT name, value_id, count(*) AS n FROM config_items "
                  "WHERE app_id = ? AND version IN (?, ?) GROUP BY name, value_id) WHERE n <> 2", "iii", app_id,
                  newest, newest + 1) < 0)
        return -1;
    return version_finish(s, app_id, newest, differs != 0, ret_version, err);
}

int config_restore(struct store *s, int64_t app_id, int64_t version, int64_t *ret_version, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, config_restore_in(s, app_id, version, ret_version, err), err);
}
