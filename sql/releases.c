#include "config.h"

#include "base/mem.h"
#include "sql/leased.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

#define RELEASE_COLUMNS "SELECT r.id, r.app_id, a.name, r.version, r.build_id, r.user_id, r.user_name, " \
    "r.description, r.commit_id, r.source_image, r.digest, r.image, r.config_version, r.formation, r.processes, " \
    "r.run_release_command, r.command_done, r.cancel, r.manifests, r.state, r.attempts, r.step, r.reason, r.url, " \
    "r.publish_ms, r.command_ms, r.apply_ms, r.rollout_ms, r.created_at, r.started_at, r.ended_at, " \
    "r.app_json, r.postdeploy_done, r.target, r.image_ref, r.rename_to, r.down, r.image_gone, r.image_file FROM releases r JOIN apps a ON a.id = r.app_id "

static int64_t ms_column(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(st, column);
}

static int release_fill(sqlite3_stmt *st, struct release *r, struct err *err)
{
    memset(r, 0, sizeof(*r));
    if (release_state_parse((const char *) sqlite3_column_text(st, 19), &r->state, err) != 0
        || formation_parse((const char *) sqlite3_column_text(st, 13), &r->formation, err) != 0)
        return -1;
    if (processes_parse((const char *) sqlite3_column_text(st, 14), &r->processes, err) != 0) {
        formation_release(&r->formation);
        return -1;
    }
    r->id = sqlite3_column_int64(st, 0);
    r->app_id = sqlite3_column_int64(st, 1);
    r->app = store_text(st, 2);
    r->version = sqlite3_column_int64(st, 3);
    r->build_id = sqlite3_column_int64(st, 4);
    r->user_id = sqlite3_column_int64(st, 5);
    r->user = store_text(st, 6);
    r->description = store_text(st, 7);
    r->commit = store_text(st, 8);
    r->source_image = store_text(st, 9);
    r->digest = store_text(st, 10);
    r->image = store_text(st, 11);
    r->config_version = sqlite3_column_int64(st, 12);
    r->run_release_command = sqlite3_column_int(st, 15) != 0;
    r->command_done = sqlite3_column_int(st, 16) != 0;
    r->cancel = sqlite3_column_int(st, 17) != 0;
    r->manifests = store_text(st, 18);
    r->attempts = sqlite3_column_int(st, 20);
    r->step = store_text(st, 21);
    r->reason = store_text(st, 22);
    r->url = store_text(st, 23);
    r->publish_ms = ms_column(st, 24);
    r->command_ms = ms_column(st, 25);
    r->apply_ms = ms_column(st, 26);
    r->rollout_ms = ms_column(st, 27);
    r->created_at = sqlite3_column_int64(st, 28);
    r->started_at = sqlite3_column_int64(st, 29);
    r->ended_at = sqlite3_column_int64(st, 30);
    r->app_json = store_text(st, 31);
    r->postdeploy_done = sqlite3_column_int(st, 32) != 0;
    r->target = store_text(st, 33);
    r->image_ref = store_text(st, 34);
    r->rename_to = store_text(st, 35);
    r->down = sqlite3_column_int(st, 36) != 0;
    r->image_gone = sqlite3_column_int(st, 37) != 0;
    r->image_file = store_text(st, 38);
    return 0;
}

int releases_get(struct store *s, int64_t id, struct release *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, RELEASE_COLUMNS "WHERE r.id = ?", "i", id) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no release with id %lld", (long long) id);
    return rc == 1 ? release_fill(st, ret, err) : -1;
}

int releases_of_digest(struct store *s, int64_t app_id, const char *digest, int64_t *ret_id, struct err *err)
{
    *ret_id = 0;
    return store_int(s, ret_id, err, "SELECT id FROM releases WHERE app_id = ? AND digest = ? AND image_gone = 0 "
                     "AND state IN ('live', 'superseded') "
                     "ORDER BY id DESC LIMIT 1", "is", app_id, digest) < 0 ? -1 : 0;
}

int releases_get_version(struct store *s, int64_t app_id, int64_t version, struct release *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, RELEASE_COLUMNS "WHERE r.app_id = ? AND r.version = ?", "ii", app_id,
                      version) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no release v%lld; see: releases", (long long) version);
    return rc == 1 ? release_fill(st, ret, err) : -1;
}

int releases_need_file(struct store *s, const char *image_file, bool *ret, struct err *err)
{
    int64_t n = 0;

    if (store_int(s, &n, err, "SELECT count(*) FROM releases WHERE image_file = ? AND image IS NULL AND state IN ('pending', 'releasing')",
                  "s", image_file) < 0)
        return -1;
    *ret = n > 0;
    return 0;
}

int releases_list(struct store *s, int64_t app_id, int limit, struct release **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct release *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, RELEASE_COLUMNS "WHERE ?1 = 0 OR r.app_id = ?1 ORDER BY r.id DESC LIMIT ?2", "ii",
                      app_id, (int64_t) limit) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        if (release_fill(st, &v[n], err) != 0) {
            rc = -1;
            break;
        }
        n++;
    }
    if (rc < 0) {
        while (n > 0)
            release_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int release_insert(struct store *s, const struct release_row *r, int64_t *ret_id, int64_t *ret_version,
                   struct err *err)
{
    cleanup_free char *formation = formation_json(r->formation);
    int64_t version = 0, id;
    int rc = store_int(s, &version, err, "UPDATE apps SET release_version = release_version + 1 WHERE id = ? "
                       "RETURNING release_version", "i", r->app_id);

    if (rc <= 0)
        return rc < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "the app is gone");
    if (store_exec(s, err, "INSERT INTO releases (app_id, version, build_id, user_id, user_name, description, "
                   "commit_id, from_live, source_image, digest, image, config_version, formation, processes, "
                   "app_json, run_release_command, cancel, target, image_ref, image_file, rename_to, state, created_at) VALUES (?, ?, nullif(?, 0), "
                   "nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?, ''), ?, ?, ?, 'pending', ?)",
                   "iiiisssisssisssiissssi", r->app_id, version, r->build_id, r->user_id, r->user, r->description,
                   r->commit, (int64_t) r->from_live, r->source_image, r->digest, r->image, r->config_version,
                   formation, r->processes, r->app_json, (int64_t) r->run_release_command, (int64_t) r->cancel,
                   r->target, r->image_ref, r->image_file, r->rename_to, store_now()) != 0)
        return -1;
    id = sqlite3_last_insert_rowid(s->db);
    store_touch_release_log(s, id);
    store_touch_releases(s);
    *ret_id = id;
    if (ret_version != NULL)
        *ret_version = version;
    return 0;
}

/* Fills the row from the release that it is made from. */
static int create_from(struct store *s, const struct release_new *n, const struct app *a, const struct release *from,
                       int64_t *ret_id, int64_t *ret_version, struct err *err)
{
    cleanup_free char *processes = processes_json(&from->processes);
    struct formation wanted = { NULL, 0 }, formation = { NULL, 0 };
    struct release_row row = {
        .app_id = a->id, .build_id = from->build_id, .user_id = n->user_id, .user = n->user,
        .description = n->description, .commit = from->commit, .source_image = from->source_image,
        .digest = from->digest, .image = from->image, .processes = processes, .app_json = from->app_json, .formation = &formation,
        .config_version = n->config_version != 0 ? n->config_version : a->config_version,
        .run_release_command = n->run_release_command, .from_live = n->from_release_id == 0, .target = n->target, .rename_to = n->rename_to,
        .image_ref = from->image_ref,
    };
    int rc;

    if (n->formation == NULL && formation_get(s, a->id, &wanted, err) != 0)
        return -1;
    formation_fit(n->formation != NULL ? n->formation : &wanted, &from->processes, &formation);
    rc = release_insert(s, &row, ret_id, ret_version, err);
    formation_release(&wanted);
    formation_release(&formation);
    return rc;
}

/* Of an image that a person sent: what it runs is known. */
static int create_sent(struct store *s, const struct release_new *n, const struct app *a, int64_t *ret_id,
                       int64_t *ret_version, struct err *err)
{
    cleanup_free char *processes = processes_json(n->processes);
    struct formation wanted = { NULL, 0 }, formation = { NULL, 0 };
    int rc = formation_get(s, a->id, &wanted, err);

    if (rc == 0) {
        formation_fit(&wanted, n->processes, &formation);
        rc = release_insert(s, &(struct release_row) {
            .app_id = a->id, .user_id = n->user_id, .user = n->user, .description = n->description,
            .source_image = n->source_image, .image_ref = n->image_ref, .digest = n->image_ref, .image_file = n->image_file,
            .processes = processes, .formation = &formation, .config_version = a->config_version,
            .run_release_command = n->run_release_command,
        }, ret_id, ret_version, err);
    }
    formation_release(&wanted);
    formation_release(&formation);
    return rc;
}

/* Of an image that is still to be looked up. */
static int create_image(struct store *s, const struct release_new *n, const struct app *a, int64_t *ret_id,
                        int64_t *ret_version, struct err *err)
{
    struct formation none = { NULL, 0 };
    struct release_row row = {
        .app_id = a->id, .user_id = n->user_id, .user = n->user, .description = n->description,
        .source_image = n->source_image, .image_ref = n->image_ref, .digest = "", .processes = "[]",
        .formation = &none, .config_version = a->config_version, .run_release_command = n->run_release_command,
    };

    return release_insert(s, &row, ret_id, ret_version, err);
}

/* With the image of another app's release. */
static int create_clone(struct store *s, const struct release_new *n, const struct app *a, int64_t *ret_id,
                        int64_t *ret_version, struct err *err)
{
    cleanup_free char *processes = NULL, *image = NULL;
    struct formation wanted = { NULL, 0 }, formation = { NULL, 0 };
    struct release from;
    int rc;

    if (releases_get(s, n->clone_of, &from, err) != 0)
        return -1;
    processes = processes_json(&from.processes);
    image = from.image != NULL ? xstrndup(from.image, strcspn(from.image, "@")) : xstrdup(from.source_image);
    rc = formation_get(s, a->id, &wanted, err);
    if (rc == 0) {
        formation_fit(&wanted, &from.processes, &formation);
        rc = release_insert(s, &(struct release_row) {
            .app_id = a->id, .user_id = n->user_id, .user = n->user, .description = n->description, .source_image = image,
            .image_ref = from.digest, .digest = from.digest, .processes = processes, .app_json = from.app_json,
            .formation = &formation, .config_version = a->config_version, .run_release_command = n->run_release_command,
        }, ret_id, ret_version, err);
    }
    formation_release(&wanted);
    formation_release(&formation);
    release_release(&from);
    return rc;
}

static int releases_create_in(struct store *s, const struct release_new *n, int64_t *ret_id, int64_t *ret_version,
                              struct err *err)
{
    struct release from = { 0 };
    struct app a;
    int rc;

    if (apps_get_id(s, n->app_id, &a, err) != 0)
        return -1;
    if (a.deleting)
        rc = err_set(err, ERR_NOT_FOUND, "%s is being destroyed", a.name);
    else if (n->image_file != NULL)
        rc = create_sent(s, n, &a, ret_id, ret_version, err);
    else if (n->source_image != NULL)
        rc = create_image(s, n, &a, ret_id, ret_version, err);
    else if (n->clone_of != 0)
        rc = create_clone(s, n, &a, ret_id, ret_version, err);
    else if (n->from_release_id == 0 && a.live_release_id == 0)
        rc = err_set(err, ERR_FAILED, "%s has no live release yet; push first", a.name);
    else
        rc = releases_get(s, n->from_release_id != 0 ? n->from_release_id : a.live_release_id, &from, err);
    if (rc != 0 || n->source_image != NULL || n->clone_of != 0) {
        app_release(&a);
        return rc;
    }
    if (n->target != NULL)
        rc = target_move_check(s, &a, n->target, err);
    if (rc == 0 && n->rename_to != NULL)
        rc = rename_check(s, &a, n->rename_to, err);
    if (rc == 0 && from.app_id != a.id)
        rc = err_set(err, ERR_NOT_FOUND, "that release is not one of %s", a.name);
    if (rc == 0 && from.image_file != NULL && from.image == NULL)
        rc = err_set(err, ERR_FAILED, "the image of v%lld never came to the registry; send it again: git:load-image %s -",
                     (long long) from.version, a.name);
    if (rc == 0)
        rc = image_gone_check(&from, err);
    if (rc == 0)
        rc = create_from(s, n, &a, &from, ret_id, ret_version, err);
    release_release(&from);
    app_release(&a);
    return rc;
}

int releases_create(struct store *s, const struct release_new *r, int64_t *ret_id, int64_t *ret_version,
                    struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, releases_create_in(s, r, ret_id, ret_version, err), err);
}

int releases_cancel(struct store *s, int64_t id, const char *who, struct err *err)
{
    cleanup_free char *why = xasprintf("canceled by %s", who);
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, release_cancel_in(s, id, why, err), err);
}
