#include "config.h"

#include "sql/leased.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <string.h>

static const struct {
    const char *table, *state, *word;
} kinds[] = {
    [LEASED_BUILD] = { "builds", "building", "build" },
    [LEASED_RELEASE] = { "releases", "releasing", "release" },
};

bool leased_is_dead(sqlite3_stmt *st, int column)
{
    return lease_is_dead((const char *) sqlite3_column_text(st, column), sqlite3_column_int64(st, column + 1),
                         sqlite3_column_int64(st, column + 2), sqlite3_column_int64(st, column + 3));
}

int leased_take(struct store *s, enum leased t, int64_t id, const struct lease *me, struct err *err)
{
    cleanup_free char *sql = xasprintf("UPDATE %s SET lease_owner = ?, lease_boot = ?, lease_pid = ?, "
                                       "lease_start = ?, lease_expires = ?, attempts = attempts + 1, "
                                       "started_at = coalesce(started_at, ?) WHERE id = ?", kinds[t].table);
    int64_t now = store_now();

    return store_exec(s, err, sql, "ssiiiii", me->owner, me->boot, me->pid, me->start, now + LEASE_MS, now, id);
}

static int held_no(enum leased t, int64_t id, struct err *err)
{
    return err_set(err, ERR_BUSY, "%s %lld is not leased to this process any more", kinds[t].word, (long long) id);
}

int leased_held(struct store *s, enum leased t, int64_t id, const struct lease *me, struct err *err)
{
    cleanup_free char *sql = xasprintf("SELECT 1 FROM %s WHERE id = ? AND state = ? AND lease_owner = ? "
                                       "AND lease_boot = ? AND lease_pid = ? AND lease_start = ?", kinds[t].table);
    int64_t one = 0;
    int rc = store_int(s, &one, err, sql, "isssii", id, kinds[t].state, me->owner, me->boot, me->pid, me->start);

    if (rc == 0)
        return held_no(t, id, err);
    return rc < 0 ? -1 : 0;
}

int leased_renew(struct store *s, enum leased t, int64_t id, const struct lease *me, bool *ret_cancel,
                 struct err *err)
{
    cleanup_free char *sql = xasprintf("UPDATE %s SET lease_expires = ? WHERE id = ? AND state = ? "
                                       "AND lease_owner = ? AND lease_boot = ? AND lease_pid = ? "
                                       "AND lease_start = ? RETURNING cancel", kinds[t].table);
    int64_t cancel = 0;
    bool own;
    int rc;

    if (store_enter(s, &own, err) != 0)
        return -1;
    rc = store_int(s, &cancel, err, sql, "iisssii", store_now() + LEASE_MS, id, kinds[t].state, me->owner, me->boot,
                   me->pid, me->start);
    if (rc == 0)
        rc = held_no(t, id, err);
    rc = store_leave(s, own, rc == 1 ? 0 : -1, err);
    if (rc == 0)
        *ret_cancel = cancel != 0;
    return rc;
}

/* The row's state by name; ERR_NOT_FOUND where there is no row. */
static int state_read(struct store *s, enum leased t, int64_t id, char **ret, struct err *err)
{
    cleanup_free char *sql = xasprintf("SELECT state FROM %s WHERE id = ?", kinds[t].table);
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, sql, "i", id) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no %s %lld", kinds[t].word, (long long) id);
    if (rc < 0)
        return -1;
    *ret = store_text(st, 0);
    return 0;
}

static int state_write(struct store *s, enum leased t, int64_t id, const char *to, bool work, bool ended,
                       const char *reason, struct err *err)
{
    cleanup_free char *sql = xasprintf(
        "UPDATE %s SET state = ?2, "
        "ended_at = CASE WHEN ?3 THEN coalesce(ended_at, ?4) END, "
        "reason = CASE WHEN NOT ?3 THEN reason WHEN ?2 = 'canceled' THEN coalesce(reason, ?5) ELSE ?5 END, "
        "lease_owner = CASE WHEN ?6 THEN lease_owner END, lease_boot = CASE WHEN ?6 THEN lease_boot END, "
        "lease_pid = CASE WHEN ?6 THEN lease_pid END, lease_start = CASE WHEN ?6 THEN lease_start END, "
        "lease_expires = CASE WHEN ?6 THEN lease_expires END WHERE id = ?1", kinds[t].table);

    return store_exec(s, err, sql, "isiisi", id, to, (int64_t) ended, store_now(), reason, (int64_t) work);
}

static int move_refused(enum leased t, int64_t id, const char *from, const char *to, struct err *err)
{
    return err_set(err, ERR_FAILED, "%s %lld is %s and cannot become %s", kinds[t].word, (long long) id, from, to);
}

int build_move(struct store *s, int64_t id, enum build_state to, const char *reason, struct err *err)
{
    cleanup_free char *name = NULL;
    enum build_state from;

    if (state_read(s, LEASED_BUILD, id, &name, err) != 0 || build_state_parse(name, &from, err) != 0)
        return -1;
    if (!build_state_may(from, to))
        return move_refused(LEASED_BUILD, id, name, build_state_name(to), err);
    if (state_write(s, LEASED_BUILD, id, build_state_name(to), to == BUILD_BUILDING, build_state_ended(to), reason,
                    err) != 0)
        return -1;
    store_touch_build_log(s, id);
    if (build_state_ended(to) || to == BUILD_QUEUED)
        store_touch_builds(s);
    return 0;
}

int release_move(struct store *s, int64_t id, enum release_state to, const char *reason, struct err *err)
{
    cleanup_free char *name = NULL;
    enum release_state from;

    if (state_read(s, LEASED_RELEASE, id, &name, err) != 0 || release_state_parse(name, &from, err) != 0)
        return -1;
    if (!release_state_may(from, to))
        return move_refused(LEASED_RELEASE, id, name, release_state_name(to), err);
    if (state_write(s, LEASED_RELEASE, id, release_state_name(to), to == RELEASE_RELEASING, release_state_ended(to),
                    reason, err) != 0)
        return -1;
    store_touch_release_log(s, id);
    if (release_state_ended(to) || to == RELEASE_PENDING)
        store_touch_releases(s);
    return 0;
}

int release_move_with_build(struct store *s, int64_t id, enum release_state to, const char *reason, struct err *err)
{
    static const enum build_state along[] = {
        [RELEASE_PENDING] = BUILD_BUILT,  [RELEASE_RELEASING] = BUILD_RELEASING, [RELEASE_LIVE] = BUILD_LIVE,
        [RELEASE_FAILED] = BUILD_FAILED,  [RELEASE_CANCELED] = BUILD_CANCELED,
    };
    cleanup_free char *name = NULL;
    enum build_state from;
    int64_t build = 0;
    int rc;

    if (release_move(s, id, to, reason, err) != 0)
        return -1;
    /* A move that comes to nothing: what it has made there is to be removed. */
    if ((to == RELEASE_FAILED || to == RELEASE_CANCELED) && leavings_of_release(s, id, err) != 0)
        return -1;
    rc = store_int(s, &build, err, "SELECT id FROM builds WHERE release_id = ? AND state IN ('built', 'releasing')",
                   "i", id);
    if (rc != 1)
        return rc;
    if (state_read(s, LEASED_BUILD, build, &name, err) != 0 || build_state_parse(name, &from, err) != 0)
        return -1;
    return from == along[to] ? 0 : build_move(s, build, along[to], reason, err);
}

static int cancel_ask(struct store *s, enum leased t, int64_t id, const char *why, struct err *err)
{
    cleanup_free char *sql = xasprintf("UPDATE %s SET cancel = 1, reason = coalesce(reason, ?) WHERE id = ?",
                                       kinds[t].table);

    return store_exec(s, err, sql, "si", why, id);
}

int build_cancel_in(struct store *s, int64_t id, const char *why, struct err *err)
{
    cleanup_free char *name = NULL;
    enum build_state from;
    int64_t release = 0;

    if (state_read(s, LEASED_BUILD, id, &name, err) != 0 || build_state_parse(name, &from, err) != 0)
        return -1;
    if (build_state_ended(from))
        return err_set(err, ERR_FAILED, "build %lld has ended already (%s)", (long long) id, name);
    if (cancel_ask(s, LEASED_BUILD, id, why, err) != 0)
        return -1;
    if (from == BUILD_QUEUED)
        return build_move(s, id, BUILD_CANCELED, why, err);
    if (from == BUILD_BUILDING) {
        store_touch_builds(s);
        return 0;
    }
    if (store_int(s, &release, err, "SELECT release_id FROM builds WHERE id = ?", "i", id) < 0)
        return -1;
    return release_cancel_in(s, release, why, err);
}

int release_cancel_in(struct store *s, int64_t id, const char *why, struct err *err)
{
    cleanup_free char *name = NULL;
    enum release_state from;
    int64_t applied = 0;

    if (state_read(s, LEASED_RELEASE, id, &name, err) != 0 || release_state_parse(name, &from, err) != 0)
        return -1;
    if (release_state_ended(from))
        return err_set(err, ERR_FAILED, "the release has ended already (%s)", name);
    if (cancel_ask(s, LEASED_RELEASE, id, why, err) != 0)
        return -1;
    store_touch_releases(s);
    if (store_int(s, &applied, err, "SELECT " RELEASE_APPLIED " FROM releases r WHERE r.id = ?", "i", id) < 0)
        return -1;
    /* What was handed back after its objects were applied is left to a worker, who puts the live one back. */
    return from == RELEASE_PENDING && applied == 0 ? release_move_with_build(s, id, RELEASE_CANCELED, why, err) : 0;
}

int unreleased_check(struct store *s, const struct app *a, struct err *err)
{
    int64_t one = 0;
    int rc;

    if (a->live_release_id != 0)
        return err_set(err, ERR_FAILED, "%s has a live release", a->name);
    rc = store_int(s, &one, err, "SELECT 1 FROM releases WHERE app_id = ? AND state IN ('pending', 'releasing')", "i",
                   a->id);
    if (rc == 1)
        return err_set(err, ERR_BUSY, "the first release of %s is under way; try again when it has ended", a->name);
    return rc;
}

int leases_next_expiry(struct store *s, int64_t *ret, struct err *err)
{
    int64_t at = 0;

    if (store_int(s, &at, err, "SELECT min(lease_expires) FROM (SELECT lease_expires FROM builds "
                  "WHERE state = 'building' UNION ALL SELECT lease_expires FROM releases "
                  "WHERE state = 'releasing')", "") < 0)
        return -1;
    *ret = at;
    return 0;
}
