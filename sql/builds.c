#include "config.h"

#include "base/mem.h"
#include "sql/leased.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

#define BUILD_COLUMNS "SELECT b.id, b.app_id, a.name, b.user_name, b.branch, b.old_commit, b.commit_id, b.tree_id, " \
    "b.message, b.user_id, b.shallow, b.no_cache, b.cancel, b.config_version, b.state, b.attempts, b.input_hash, " \
    "b.image, b.digest, b.processes, b.reason, b.reused_from, b.exit_code, b.release_id, b.created_at, " \
    "b.started_at, b.built_at, b.ended_at, b.app_json, b.plan, a.handle FROM builds b JOIN apps a ON a.id = b.app_id "

static int build_fill(sqlite3_stmt *st, struct build *b, struct err *err)
{
    memset(b, 0, sizeof(*b));
    if (build_state_parse((const char *) sqlite3_column_text(st, 14), &b->state, err) != 0)
        return -1;
    b->id = sqlite3_column_int64(st, 0);
    b->app_id = sqlite3_column_int64(st, 1);
    b->app = store_text(st, 2);
    b->user = store_text(st, 3);
    b->branch = store_text(st, 4);
    b->old_commit = store_text(st, 5);
    b->commit = store_text(st, 6);
    b->tree = store_text(st, 7);
    b->message = store_text(st, 8);
    b->user_id = sqlite3_column_int64(st, 9);
    b->shallow = sqlite3_column_int(st, 10) != 0;
    b->no_cache = sqlite3_column_int(st, 11) != 0;
    b->cancel = sqlite3_column_int(st, 12) != 0;
    b->config_version = sqlite3_column_int64(st, 13);
    b->attempts = sqlite3_column_int(st, 15);
    b->input_hash = store_text(st, 16);
    b->image = store_text(st, 17);
    b->digest = store_text(st, 18);
    b->processes_json = store_text(st, 19);
    b->reason = store_text(st, 20);
    b->reused_from = sqlite3_column_int64(st, 21);
    b->exit_code = sqlite3_column_int(st, 22);
    b->release_id = sqlite3_column_int64(st, 23);
    b->created_at = sqlite3_column_int64(st, 24);
    b->started_at = sqlite3_column_int64(st, 25);
    b->built_at = sqlite3_column_int64(st, 26);
    b->ended_at = sqlite3_column_int64(st, 27);
    b->app_json = store_text(st, 28);
    b->plan = sqlite3_column_int(st, 29) != 0;
    if (b->state == BUILD_CANCELED && b->plan && b->digest != NULL)
        b->state = BUILD_PLANNED;
    b->handle = store_text(st, 30);
    return 0;
}

/* 1: filled, 0: no row. */
static int build_one(struct store *s, sqlite3_stmt *st, struct build *ret, struct err *err)
{
    int rc = store_step(s, st, err);

    if (rc == 1 && build_fill(st, ret, err) != 0)
        return -1;
    return rc;
}

static int builds_collect(struct store *s, sqlite3_stmt *st, struct build **ret, size_t *ret_n, struct err *err)
{
    struct build *v = NULL;
    size_t n = 0;
    int rc;

    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        if (build_fill(st, &v[n], err) != 0) {
            rc = -1;
            break;
        }
        n++;
    }
    if (rc < 0) {
        while (n > 0)
            build_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

static int builds_queue_in(struct store *s, const struct build_new *b, int64_t *ret_id, struct err *err)
{
    struct app a;
    int64_t id;
    int rc;

    if (apps_get_id(s, b->app_id, &a, err) != 0)
        return -1;
    if (a.deleting)
        rc = err_set(err, ERR_NOT_FOUND, "%s is being destroyed", a.name);
    else if (a.lock_reason != NULL)
        rc = err_set(err, ERR_BUSY, "%s is locked by %s: %s", a.name, a.locked_by, a.lock_reason);
    else
        rc = store_exec(s, err, "INSERT INTO builds (app_id, user_id, user_name, branch, old_commit, commit_id, "
                        "tree_id, shallow, message, no_cache, plan, app_json, config_version, state, created_at) "
                        "VALUES (?1, nullif(?2, 0), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 OR (SELECT fresh_build FROM apps WHERE id = ?1), "
                        "?11, ?12, ?13, 'queued', ?14)", "iisssssisiisii",
                        b->app_id, b->user_id, b->user, b->branch, b->old_commit, b->commit, b->tree,
                        (int64_t) b->shallow, b->message != NULL ? b->message : "", (int64_t) b->no_cache,
                        (int64_t) b->plan, b->app_json, a.config_version, store_now());
    app_release(&a);
    if (rc != 0)
        return -1;
    id = sqlite3_last_insert_rowid(s->db);
    store_touch_build_log(s, id);
    store_touch_builds(s);
    *ret_id = id;
    return 0;
}

int builds_queue(struct store *s, const struct build_new *b, int64_t *ret_id, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, builds_queue_in(s, b, ret_id, err), err);
}

int builds_get(struct store *s, int64_t id, struct build *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, BUILD_COLUMNS "WHERE b.id = ?", "i", id) != 0)
        return -1;
    rc = build_one(s, st, ret, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no build %lld", (long long) id);
    return rc == 1 ? 0 : -1;
}

int builds_list(struct store *s, int64_t app_id, int limit, struct build **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (store_prepare(s, &st, err, BUILD_COLUMNS "WHERE ?1 = 0 OR b.app_id = ?1 ORDER BY b.id DESC LIMIT ?2", "ii",
                      app_id, (int64_t) limit) != 0)
        return -1;
    return builds_collect(s, st, ret, ret_n, err);
}

int builds_ahead(struct store *s, int64_t id, struct build **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (store_prepare(s, &st, err, BUILD_COLUMNS "WHERE b.app_id = (SELECT app_id FROM builds WHERE id = ?1) "
                      "AND b.id < ?1 AND b.state IN ('queued', 'building', 'built', 'releasing') ORDER BY b.id",
                      "i", id) != 0)
        return -1;
    return builds_collect(s, st, ret, ret_n, err);
}

int builds_find_input(struct store *s, const char *input_hash, struct build *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, BUILD_COLUMNS "WHERE b.input_hash = ? AND b.image IS NOT NULL "
                      "AND b.digest IS NOT NULL AND b.image_gone = 0 ORDER BY b.id DESC LIMIT 1", "s", input_hash) != 0)
        return -1;
    rc = build_one(s, st, ret, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no earlier build has these inputs");
    return rc == 1 ? 0 : -1;
}

struct candidate { int64_t id; int attempts; bool cancel; };

/* What may be leased next: a row whose worker died, or the first queued one of an app that has nothing in work. */
static int candidate_next(struct store *s, struct candidate *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err,
                      "SELECT b.id, b.attempts, b.cancel, b.state = 'building', " LEASE_COLUMNS " FROM builds b "
                      "WHERE b.state = 'building' OR (b.state = 'queued' AND NOT EXISTS (SELECT 1 FROM builds o "
                      "WHERE o.app_id = b.app_id AND o.id <> b.id AND (o.state IN ('building', 'built', 'releasing') "
                      "OR (o.state = 'queued' AND o.id < b.id)))) ORDER BY b.id", "") != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        if (sqlite3_column_int(st, 3) != 0 && !leased_is_dead(st, 4))
            continue;
        ret->id = sqlite3_column_int64(st, 0);
        ret->attempts = sqlite3_column_int(st, 1);
        ret->cancel = sqlite3_column_int(st, 2) != 0;
        return 1;
    }
    return rc;
}

static int builds_lease_in(struct store *s, const struct lease *me, struct build *ret, bool *ret_found,
                           struct err *err)
{
    struct candidate c;
    int rc;

    while ((rc = candidate_next(s, &c, err)) == 1) {
        if (c.cancel)
            rc = build_move(s, c.id, BUILD_CANCELED, "canceled", err);
        else if (c.attempts >= LEASE_ATTEMPTS_MAX)
            rc = build_move(s, c.id, BUILD_FAILED, "the build's worker died three times; see the server's log", err);
        else
            break;
        if (rc != 0)
            return -1;
    }
    if (rc != 1)
        return rc;
    if (build_move(s, c.id, BUILD_BUILDING, NULL, err) != 0 || leased_take(s, LEASED_BUILD, c.id, me, err) != 0
        || builds_get(s, c.id, ret, err) != 0)
        return -1;
    *ret_found = true;
    return 0;
}

int builds_lease(struct store *s, const struct lease *me, struct build *ret, struct err *err)
{
    bool own, found = false;

    if (store_enter(s, &own, err) != 0)
        return -1;
    if (store_leave(s, own, builds_lease_in(s, me, ret, &found, err), err) != 0) {
        if (found)
            build_release(ret);
        return -1;
    }
    return found;
}

int builds_renew(struct store *s, const struct lease *me, int64_t id, bool *ret_cancel, struct err *err)
{
    return leased_renew(s, LEASED_BUILD, id, me, ret_cancel, err);
}

static int release_from_build(struct store *s, const struct build *b, const char *image, const char *digest,
                              const char *processes_json, int64_t *ret_release_id, struct err *err)
{
    cleanup_free char *description = xasprintf("deploy %.7s", b->commit);
    struct formation wanted = { NULL, 0 }, formation = { NULL, 0 };
    struct processes processes = { NULL, 0 };
    struct release_row row = {
        .app_id = b->app_id, .build_id = b->id, .user_id = b->user_id, .user = b->user,
        .description = description, .commit = b->commit, .source_image = image, .digest = digest,
        .processes = processes_json, .app_json = b->app_json, .formation = &formation, .run_release_command = true, .cancel = b->cancel,
    };
    int rc = -1;

    if (processes_parse(processes_json, &processes, err) == 0 && formation_get(s, b->app_id, &wanted, err) == 0
        && store_int(s, &row.config_version, err, "SELECT config_version FROM apps WHERE id = ?", "i",
                     b->app_id) >= 0) {
        formation_fit(&wanted, &processes, &formation);
        rc = release_insert(s, &row, ret_release_id, NULL, err);
    }
    processes_release(&processes);
    formation_release(&wanted);
    formation_release(&formation);
    return rc;
}

static int builds_built_in(struct store *s, const struct lease *me, int64_t id, const char *image, const char *digest,
                           const char *processes_json, const char *input_hash, int64_t reused_from,
                           int64_t *ret_release_id, struct err *err)
{
    int64_t app_id;
    struct build b;
    bool plan;
    int rc = 0;

    if (leased_held(s, LEASED_BUILD, id, me, err) != 0 || builds_get(s, id, &b, err) != 0)
        return -1;
    plan = b.plan;
    app_id = b.app_id;
    *ret_release_id = 0;
    if (!plan)
        rc = release_from_build(s, &b, image, digest, processes_json, ret_release_id, err);
    build_release(&b);
    if (rc != 0)
        return -1;
    if (store_exec(s, err, "UPDATE builds SET image = ?, digest = ?, processes = ?, input_hash = ?, "
                   "reused_from = nullif(?, 0), exit_code = 0, built_at = ?, release_id = nullif(?, 0) WHERE id = ?",
                   "ssssiiii", image, digest, processes_json, input_hash, reused_from, store_now(), *ret_release_id,
                   id) != 0)
        return -1;
    if (image_is_there(s, app_id, digest, err) != 0
        || store_exec(s, err, "UPDATE apps SET fresh_build = 0 WHERE id = ?", "i", app_id) != 0)
        return -1;
    return plan ? build_move(s, id, BUILD_CANCELED, "planned only", err) : build_move(s, id, BUILD_BUILT, NULL, err);
}

int builds_built(struct store *s, const struct lease *me, int64_t id, const char *image, const char *digest,
                 const char *processes_json, const char *input_hash, int64_t reused_from, int64_t *ret_release_id,
                 struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, builds_built_in(s, me, id, image, digest, processes_json, input_hash, reused_from,
                                               ret_release_id, err), err);
}

static int builds_failed_in(struct store *s, const struct lease *me, int64_t id, bool canceled, int exit_code,
                            const char *reason, struct err *err)
{
    if (leased_held(s, LEASED_BUILD, id, me, err) != 0
        || store_exec(s, err, "UPDATE builds SET exit_code = ? WHERE id = ?", "ii", (int64_t) exit_code, id) != 0)
        return -1;
    return build_move(s, id, canceled ? BUILD_CANCELED : BUILD_FAILED, reason, err);
}

int builds_failed(struct store *s, const struct lease *me, int64_t id, bool canceled, int exit_code,
                  const char *reason, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, builds_failed_in(s, me, id, canceled, exit_code, reason, err), err);
}

static int builds_hand_back_in(struct store *s, const struct lease *me, int64_t id, struct err *err)
{
    if (leased_held(s, LEASED_BUILD, id, me, err) != 0
        || store_exec(s, err, "UPDATE builds SET attempts = attempts - 1 WHERE id = ?", "i", id) != 0)
        return -1;
    return build_move(s, id, BUILD_QUEUED, NULL, err);
}

int builds_hand_back(struct store *s, const struct lease *me, int64_t id, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, builds_hand_back_in(s, me, id, err), err);
}

int builds_cancel(struct store *s, int64_t id, const char *who, struct err *err)
{
    cleanup_free char *why = xasprintf("canceled by %s", who);
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, build_cancel_in(s, id, why, err), err);
}
