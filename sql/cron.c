#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <stdlib.h>

int cron_suspend(struct store *s, int64_t app_id, const char *id, bool suspended, struct err *err)
{
    return store_exec(s, err, "INSERT INTO cron (app_id, id, suspended) VALUES (?, ?, ?) "
                      "ON CONFLICT DO UPDATE SET suspended = excluded.suspended", "isi", app_id, id,
                      (int64_t) suspended);
}

int cron_suspended(struct store *s, int64_t app_id, struct vec *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, "SELECT id FROM cron WHERE app_id = ? AND suspended = 1 ORDER BY id", "i",
                      app_id) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1)
        vec_add(ret, (const char *) sqlite3_column_text(st, 0));
    return rc;
}

int cron_done_at(struct store *s, int64_t app_id, const char *id, int64_t *ret, struct err *err)
{
    *ret = 0;
    return store_int(s, ret, err, "SELECT coalesce(done_at, 0) FROM cron WHERE app_id = ? AND id = ?", "is", app_id,
                     id) < 0 ? -1 : 0;
}

int cron_done(struct store *s, int64_t app_id, const char *id, int64_t at, struct err *err)
{
    return store_exec(s, err, "INSERT INTO cron (app_id, id, done_at) VALUES (?, ?, ?) "
                      "ON CONFLICT DO UPDATE SET done_at = excluded.done_at", "isi", app_id, id, at);
}

int cron_elsewhere(struct store *s, int64_t app_id, struct err *err)
{
    int64_t one = 0;

    return store_int(s, &one, err, "SELECT 1 FROM leavings WHERE app_id = ?1 UNION SELECT 1 FROM releases r "
                     "JOIN apps a ON a.id = r.app_id WHERE r.app_id = ?1 AND r.state IN ('pending', 'releasing') "
                     "AND r.step NOT IN ('', 'publish', 'command') AND r.target NOT IN ('', a.target)", "i", app_id);
}

int cron_apps(struct store *s, const char *target, int64_t **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int64_t *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, "SELECT a.id FROM apps a JOIN releases r ON r.id = a.live_release_id "
                      "WHERE a.deleting = 0 AND a.target = ? AND instr(r.app_json, '\"cron\"') > 0 ORDER BY a.id", "s",
                      target) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        v[n++] = sqlite3_column_int64(st, 0);
    }
    if (rc < 0) {
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}
