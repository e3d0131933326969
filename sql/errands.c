/* What the gateway asks the builder for. */
#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

#define FORGOTTEN_MS (3600 * 1000) /* who asked went away: nobody else removes the row */

static const char *const kinds[] = { [ERRAND_PURGE_CACHE] = "purge-cache", [ERRAND_REPORT] = "report" };

void errand_release(struct errand *e)
{
    free(e->answer);
    memset(e, 0, sizeof(*e));
}

static int ask_in(struct store *s, enum errand_kind kind, int64_t app_id, int64_t *ret_id, struct err *err)
{
    if (store_exec(s, err, "DELETE FROM errands WHERE asked_at < ? AND state <> 'asked'", "i", store_now() - FORGOTTEN_MS) != 0
        || store_exec(s, err, "INSERT INTO errands (kind, app_id, asked_at) VALUES (?, nullif(?, 0), ?)", "sii", kinds[kind],
                      app_id, store_now()) != 0)
        return -1;
    *ret_id = sqlite3_last_insert_rowid(s->db);
    store_touch_builds(s);
    return 0;
}

/* Builds that have not begun and those to come begin without a cache; one that runs has it already. */
static int purge_in(struct store *s, int64_t app_id, struct err *err)
{
    int64_t build = 0;
    struct app a;
    int rc;

    if (apps_get_id(s, app_id, &a, err) != 0)
        return -1;
    rc = store_int(s, &build, err, "SELECT id FROM builds WHERE app_id = ? AND state = 'building'", "i", app_id);
    if (a.deleting)
        rc = err_set(err, ERR_NOT_FOUND, "%s is being destroyed", a.name);
    else if (rc == 1)
        rc = err_set(err, ERR_BUSY, "build %lld of %s uses the cache now; try again when it has ended, or end it: builds:cancel %s",
                     (long long) build, a.name, a.name);
    app_release(&a);
    if (rc != 0
        || store_exec(s, err, "UPDATE apps SET fresh_build = 1 WHERE id = ?", "i", app_id) != 0)
        return -1;
    return store_exec(s, err, "UPDATE builds SET no_cache = 1 WHERE app_id = ? AND state = 'queued'", "i", app_id);
}

int errands_ask(struct store *s, enum errand_kind kind, int64_t app_id, int64_t *ret_id, struct err *err)
{
    bool own;
    int rc = 0;

    if (store_enter(s, &own, err) != 0)
        return -1;
    if (kind == ERRAND_PURGE_CACHE && app_id != 0)
        rc = purge_in(s, app_id, err);
    if (rc == 0)
        rc = ask_in(s, kind, app_id, ret_id, err);
    return store_leave(s, own, rc, err);
}

static int errand_fill(sqlite3_stmt *st, struct errand *ret)
{
    const char *kind = (const char *) sqlite3_column_text(st, 1), *state = (const char *) sqlite3_column_text(st, 3);

    *ret = (struct errand) { .id = sqlite3_column_int64(st, 0), .app_id = sqlite3_column_int64(st, 2) };
    for (size_t i = 0; i < countof(kinds); i++)
        if (strcmp(kind, kinds[i]) == 0)
            ret->kind = (enum errand_kind) i;
    ret->ended = strcmp(state, "asked") != 0;
    ret->failed = strcmp(state, "failed") == 0;
    ret->answer = store_text(st, 4);
    return 1;
}

#define ERRAND_COLUMNS "SELECT id, kind, app_id, state, answer FROM errands "

int errands_get(struct store *s, int64_t id, struct errand *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, ERRAND_COLUMNS "WHERE id = ?", "i", id) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "nothing of that number was asked of the builder");
    return rc == 1 && errand_fill(st, ret) ? 0 : -1;
}

int errands_next(struct store *s, int64_t after, struct errand *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, ERRAND_COLUMNS "WHERE state = 'asked' AND id > ? ORDER BY id LIMIT 1", "i", after) != 0)
        return -1;
    rc = store_step(s, st, err);
    return rc == 1 ? errand_fill(st, ret) : rc;
}

int errands_purge_asked(struct store *s, int64_t app_id, bool *ret, struct err *err)
{
    int64_t one = 0;
    int rc = store_int(s, &one, err, "SELECT 1 FROM errands WHERE kind = 'purge-cache' AND state = 'asked' AND app_id = ?", "i",
                       app_id);

    *ret = rc == 1;
    return rc < 0 ? -1 : 0;
}

static int end(struct store *s, const char *where, int64_t id, bool failed, const char *answer, struct err *err)
{
    cleanup_free char *sql = xasprintf("UPDATE errands SET state = ?, answer = ? WHERE state = 'asked' AND %s", where);
    bool own;
    int rc;

    if (store_enter(s, &own, err) != 0)
        return -1;
    rc = store_exec(s, err, sql, "ssi", failed ? "failed" : "done", answer, id);
    store_touch_builds(s);
    return store_leave(s, own, rc, err);
}

int errands_end(struct store *s, int64_t id, bool failed, const char *answer, struct err *err)
{
    return end(s, "id = ?", id, failed, answer, err);
}

int errands_purged(struct store *s, int64_t app_id, struct err *err)
{
    return end(s, "kind = 'purge-cache' AND app_id = ?", app_id, false, NULL, err);
}

int errands_drop(struct store *s, int64_t id, struct err *err)
{
    return store_exec(s, err, "DELETE FROM errands WHERE id = ?", "i", id);
}
