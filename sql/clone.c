/* What a new app takes from another one. */
#include "config.h"

#include "base/log.h"
#include "base/mem.h"
#include "sql/seal.h"
#include "sql/tables.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int apps_clone(struct store *s, int64_t from, int64_t to, struct err *err)
{
    store_touch_builds(s);
    if (store_exec(s, err, "UPDATE apps SET (on_disconnect, target) = (SELECT f.on_disconnect, f.target FROM apps f "
                   "WHERE f.id = ?1) WHERE id = ?2", "ii", from, to) != 0
        || store_exec(s, err, "INSERT INTO formation (app_id, process, count) SELECT ?2, process, count FROM formation "
                      "WHERE app_id = ?1", "ii", from, to) != 0
        || store_exec(s, err, "INSERT INTO cron (app_id, id, suspended) SELECT ?2, id, 1 FROM cron WHERE app_id = ?1 "
                      "AND suspended = 1", "ii", from, to) != 0)
        return -1;
    if (store_exec(s, err, "INSERT INTO config_copies (app_id, name, from_app_id, sealed_build) "
                      "SELECT ?2, v.name, v.app_id, v.sealed_build FROM apps a JOIN config_items i ON i.app_id = a.id "
                      "AND i.version = a.config_version JOIN config_values v ON v.id = i.value_id "
                      "WHERE a.id = ?1 AND v.sealed_run IS NULL AND v.sealed_build IS NOT NULL "
                      "UNION ALL SELECT ?2, c.name, c.from_app_id, c.sealed_build FROM config_copies c WHERE c.app_id = ?1 "
                      "AND NOT EXISTS (SELECT 1 FROM apps a JOIN config_items i ON i.app_id = a.id "
                      "AND i.version = a.config_version WHERE a.id = ?1 AND i.name = c.name)", "ii", from, to) != 0)
        return -1;
    /* A version that they can be in. */
    return store_exec(s, err, "UPDATE apps SET config_version = 1 WHERE id = ?1 AND config_version = 0 "
                      "AND EXISTS (SELECT 1 FROM config_copies WHERE app_id = ?1)", "i", to);
}

/* A value that can't be opened here can't be opened by the other app's builds either: it is left out, and said. */
static int copy_do(struct store *s, int64_t app, const char *name, int64_t from, const void *sealed, size_t sealed_n,
                   struct err *err)
{
    struct config_change change = { .name = name, .build = true };
    struct err why = ERR_INIT;
    char *value = NULL;
    size_t n;
    int rc;

    if (seal_open(s->state, SEAL_BUILD, from, name, sealed, sealed_n, &value, &n, &why) != 0) {
        log_error("%s was not copied to app %lld: %s", name, (long long) app, why.msg);
        return 0;
    }
    change.value = value;
    change.value_len = n;
    rc = config_backfill(s, app, &change, err);
    sodium_memzero(value, n);
    free(value);
    return rc;
}

static int copies_do_in(struct store *s, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, "SELECT app_id, name, from_app_id, sealed_build FROM config_copies", "") != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        cleanup_free char *name = store_text(st, 1);

        if (copy_do(s, sqlite3_column_int64(st, 0), name, sqlite3_column_int64(st, 2), sqlite3_column_blob(st, 3),
                    (size_t) sqlite3_column_bytes(st, 3), err) != 0)
            return -1;
    }
    return rc == 0 ? store_exec(s, err, "DELETE FROM config_copies", "") : -1;
}

int config_copies_do(struct store *s, struct err *err)
{
    int64_t one = 0;
    bool own;
    int rc = store_int(s, &one, err, "SELECT 1 FROM config_copies LIMIT 1", "");

    if (rc <= 0)
        return rc;
    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, copies_do_in(s, err), err);
}
