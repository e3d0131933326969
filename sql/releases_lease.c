/* What a release's worker does to its row. */
#include "config.h"

#include "base/mem.h"
#include "sql/leased.h"
#include "sql/tables.h"

#include <stdarg.h>
#include <string.h>

/* After so many dead workers not even putting the last release back works. */
#define RELEASE_GIVE_UP (2 * LEASE_ATTEMPTS_MAX)

struct candidate { int64_t id, app_id; int attempts; bool cancel, pending, from_live, applied; };

/* What may be leased next: a row whose worker died, or the first pending one of an app that has none in work. */
static int candidate_next(struct store *s, struct candidate *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err,
                      "SELECT r.id, r.app_id, r.attempts, r.cancel, r.state = 'pending', r.from_live, "
                      RELEASE_APPLIED ", " LEASE_COLUMNS
                      " FROM releases r WHERE r.state = 'releasing' OR (r.state = 'pending' AND NOT EXISTS "
                      "(SELECT 1 FROM releases o WHERE o.app_id = r.app_id AND o.id <> r.id "
                      "AND (o.state = 'releasing' OR (o.state = 'pending' AND o.id < r.id)))) ORDER BY r.id", "") != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        ret->pending = sqlite3_column_int(st, 4) != 0;
        if (!ret->pending && !leased_is_dead(st, 7))
            continue;
        ret->id = sqlite3_column_int64(st, 0);
        ret->app_id = sqlite3_column_int64(st, 1);
        ret->attempts = sqlite3_column_int(st, 2);
        ret->cancel = sqlite3_column_int(st, 3) != 0;
        ret->from_live = sqlite3_column_int(st, 5) != 0;
        ret->applied = sqlite3_column_int(st, 6) != 0;
        return 1;
    }
    return rc;
}

/* A change of config or scale that waited behind a deploy takes the deploy's image, not the one
 * that was live when the person asked. */
static int rebase_on_live(struct store *s, const struct candidate *c, struct err *err)
{
    struct formation wanted = { NULL, 0 }, formation = { NULL, 0 };
    cleanup_free char *json = NULL;
    struct release r;

    if (store_exec(s, err, "UPDATE releases SET (build_id, commit_id, source_image, image_ref, digest, image, processes, app_json) = "
                   "(SELECT l.build_id, l.commit_id, l.source_image, l.image_ref, l.digest, l.image, l.processes, l.app_json "
                   "FROM releases l JOIN apps a ON a.live_release_id = l.id WHERE a.id = ?2) WHERE id = ?1", "ii",
                   c->id, c->app_id) != 0
        || releases_get(s, c->id, &r, err) != 0)
        return -1;
    if (formation_get(s, c->app_id, &wanted, err) != 0) {
        release_release(&r);
        return -1;
    }
    formation_fit(&wanted, &r.processes, &formation);
    json = formation_json(&formation);
    formation_release(&wanted);
    formation_release(&formation);
    release_release(&r);
    return store_exec(s, err, "UPDATE releases SET formation = ? WHERE id = ?", "si", json, c->id);
}

static int candidate_take(struct store *s, const struct candidate *c, const struct lease *me, struct release *ret,
                          struct err *err)
{
    if (c->pending && c->from_live && !c->applied && rebase_on_live(s, c, err) != 0)
        return -1;
    if (c->attempts >= LEASE_ATTEMPTS_MAX
        && store_exec(s, err, "UPDATE releases SET cancel = 1, reason = coalesce(reason, 'the release''s worker died "
                      "three times; see the server''s log') WHERE id = ?", "i", c->id) != 0)
        return -1;
    if (store_exec(s, err, "UPDATE releases SET target = (SELECT target FROM apps WHERE id = ?2) WHERE id = ?1 "
                   "AND target = ''", "ii", c->id, c->app_id) != 0
        || release_move_with_build(s, c->id, RELEASE_RELEASING, NULL, err) != 0
        || leased_take(s, LEASED_RELEASE, c->id, me, err) != 0)
        return -1;
    return releases_get(s, c->id, ret, err);
}

static int releases_lease_in(struct store *s, const struct lease *me, struct release *ret, bool *ret_found,
                             struct err *err)
{
    struct candidate c;
    int rc;

    while ((rc = candidate_next(s, &c, err)) == 1) {
        /* One that was handed back after its objects were applied is canceled by a worker. */
        if (c.pending && c.cancel && !c.applied)
            rc = release_move_with_build(s, c.id, RELEASE_CANCELED, "canceled", err);
        else if (c.attempts >= RELEASE_GIVE_UP)
            rc = release_move_with_build(s, c.id, RELEASE_FAILED, "the release's worker died again and again; "
                                         "see the server's log", err);
        else
            break;
        if (rc != 0)
            return -1;
    }
    if (rc != 1)
        return rc;
    if (candidate_take(s, &c, me, ret, err) != 0)
        return -1;
    *ret_found = true;
    return 0;
}

int releases_lease(struct store *s, const struct lease *me, struct release *ret, struct err *err)
{
    bool own, found = false;

    if (store_enter(s, &own, err) != 0)
        return -1;
    if (store_leave(s, own, releases_lease_in(s, me, ret, &found, err), err) != 0) {
        if (found)
            release_release(ret);
        return -1;
    }
    return found;
}

int releases_renew(struct store *s, const struct lease *me, int64_t id, bool *ret_cancel, struct err *err)
{
    return leased_renew(s, LEASED_RELEASE, id, me, ret_cancel, err);
}

/* One UPDATE by the lease's holder. */
static int held_update(struct store *s, const struct lease *me, int64_t id, struct err *err, const char *sql,
                       const char *types, ...)
{
    va_list ap;
    bool own;
    int rc;

    if (store_enter(s, &own, err) != 0)
        return -1;
    rc = leased_held(s, LEASED_RELEASE, id, me, err);
    if (rc == 0) {
        va_start(ap, types);
        rc = store_vexec(s, err, sql, types, ap);
        va_end(ap);
    }
    return store_leave(s, own, rc, err);
}

int releases_step(struct store *s, const struct lease *me, int64_t id, const char *step, struct err *err)
{
    return held_update(s, me, id, err, "UPDATE releases SET step = ? WHERE id = ?", "si", step, id);
}

int releases_restoring(struct store *s, const struct lease *me, int64_t id, const char *reason, struct err *err)
{
    return held_update(s, me, id, err, "UPDATE releases SET step = 'restore', reason = coalesce(reason, ?) "
                       "WHERE id = ?", "si", reason, id);
}

int releases_resolved(struct store *s, const struct lease *me, int64_t id, const char *digest,
                      const struct processes *p, struct err *err)
{
    cleanup_free char *processes = processes_json(p), *json = NULL;
    struct formation wanted = { NULL, 0 }, formation = { NULL, 0 };
    int64_t app = 0;

    if (store_int(s, &app, err, "SELECT app_id FROM releases WHERE id = ?", "i", id) < 0
        || formation_get(s, app, &wanted, err) != 0)
        return -1;
    formation_fit(&wanted, p, &formation);
    json = formation_json(&formation);
    formation_release(&wanted);
    formation_release(&formation);
    return held_update(s, me, id, err, "UPDATE releases SET digest = ?, processes = ?, formation = ? WHERE id = ?",
                       "sssi", digest, processes, json, id);
}

int releases_published(struct store *s, const struct lease *me, int64_t id, const char *image, int64_t ms,
                       struct err *err)
{
    struct release r;
    bool own;
    int rc;

    if (store_enter(s, &own, err) != 0)
        return -1;
    rc = held_update(s, me, id, err, "UPDATE releases SET image = ?, publish_ms = ? WHERE id = ?", "sii", image, ms, id);
    if (rc == 0)
        rc = releases_get(s, id, &r, err);
    if (rc == 0) {
        rc = image_is_there(s, r.app_id, r.digest, err);
        release_release(&r);
    }
    return store_leave(s, own, rc, err);
}

int releases_command_done(struct store *s, const struct lease *me, int64_t id, int64_t ms, struct err *err)
{
    return held_update(s, me, id, err, "UPDATE releases SET command_done = 1, command_ms = ? WHERE id = ?", "ii", ms,
                       id);
}

int releases_postdeploy_done(struct store *s, const struct lease *me, int64_t id, struct err *err)
{
    return held_update(s, me, id, err, "UPDATE releases SET postdeploy_done = 1 WHERE id = ?", "i", id);
}

int releases_manifests(struct store *s, const struct lease *me, int64_t id, const char *manifests, int64_t apply_ms,
                       struct err *err)
{
    return held_update(s, me, id, err, "UPDATE releases SET manifests = ?, apply_ms = ? WHERE id = ?", "sii",
                       manifests, apply_ms, id);
}

static int releases_live_in(struct store *s, const struct lease *me, int64_t id, const char *url, int64_t rollout_ms,
                            struct err *err)
{
    int64_t app = 0, former = 0;

    if (leased_held(s, LEASED_RELEASE, id, me, err) != 0
        || store_int(s, &app, err, "SELECT app_id FROM releases WHERE id = ?", "i", id) < 0
        || store_int(s, &former, err, "SELECT live_release_id FROM apps WHERE id = ?", "i", app) < 0)
        return -1;
    if (former != 0 && former != id && release_move(s, former, RELEASE_SUPERSEDED, NULL, err) != 0)
        return -1;
    if (release_move_with_build(s, id, RELEASE_LIVE, NULL, err) != 0
        || store_exec(s, err, "UPDATE releases SET url = ?, rollout_ms = ? WHERE id = ?", "sii", url, rollout_ms,
                      id) != 0)
        return -1;
    if (store_exec(s, err, "INSERT OR IGNORE INTO leavings (app_id, target) SELECT a.id, a.target FROM apps a "
                   "JOIN releases r ON r.id = ? WHERE a.id = ? AND a.target NOT IN ('', r.target)", "ii", id, app) != 0)
        return -1;
    return store_exec(s, err, "UPDATE apps SET (live_release_id, target, name) = (SELECT r.id, r.target, "
                      "coalesce(r.rename_to, apps.name) FROM releases r WHERE r.id = ?) WHERE id = ?", "ii", id, app);
}

int releases_live(struct store *s, const struct lease *me, int64_t id, const char *url, int64_t rollout_ms,
                  struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, releases_live_in(s, me, id, url, rollout_ms, err), err);
}

int releases_down(struct store *s, const struct lease *me, int64_t id, struct err *err)
{
    return held_update(s, me, id, err, "UPDATE releases SET down = 1 WHERE id = ?", "i", id);
}

int releases_failed(struct store *s, const struct lease *me, int64_t id, bool canceled, const char *reason,
                    struct err *err)
{
    bool own;
    int rc;

    if (store_enter(s, &own, err) != 0)
        return -1;
    rc = leased_held(s, LEASED_RELEASE, id, me, err);
    if (rc == 0)
        rc = release_move_with_build(s, id, canceled ? RELEASE_CANCELED : RELEASE_FAILED, reason, err);
    return store_leave(s, own, rc, err);
}

int releases_hand_back(struct store *s, const struct lease *me, int64_t id, struct err *err)
{
    bool own;
    int rc;

    if (store_enter(s, &own, err) != 0)
        return -1;
    rc = leased_held(s, LEASED_RELEASE, id, me, err);
    if (rc == 0)
        rc = store_exec(s, err, "UPDATE releases SET attempts = attempts - 1 WHERE id = ?", "i", id);
    if (rc == 0)
        rc = release_move_with_build(s, id, RELEASE_PENDING, NULL, err);
    return store_leave(s, own, rc, err);
}
