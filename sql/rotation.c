/* Replacing the sealing keys while the server runs. Who has the secret key makes the new pair and seals every stored
 * value anew, some at a time; what is set meanwhile is sealed to the new key. Whatever is killed between, the next
 * worker goes on: the rows and the key files say how far it is. */
#include "config.h"

#include "base/log.h"
#include "base/mem.h"
#include "sql/tables.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64             /* values in one transaction; each has at most CONFIG_VALUE_MAX bytes */
#define AGAIN_BUSY_MS 1000   /* another process is at it; if it dies, nobody is told */
#define AGAIN_FAILED_MS 15000

static const char *const scope_names[] = { [SEAL_BUILD] = "build", [SEAL_RUN] = "run" };
static const char *const state_names[] = { "asked", "sealing", "done" };

/* What differs between the scopes in the statements. */
static const struct {
    const char *next, *put, *all;
} statements[] = {
    [SEAL_BUILD] = { "SELECT id, app_id, name, sealed_build FROM config_values WHERE id > ? AND sealed_build IS NOT NULL "
                     "ORDER BY id LIMIT ?", "UPDATE config_values SET sealed_build = ? WHERE id = ?",
                     "SELECT count(sealed_build) FROM config_values" },
    [SEAL_RUN] = { "SELECT id, app_id, name, sealed_run FROM config_values WHERE id > ? AND sealed_run IS NOT NULL "
                   "ORDER BY id LIMIT ?", "UPDATE config_values SET sealed_run = ? WHERE id = ?",
                   "SELECT count(sealed_run) FROM config_values" },
};

int rotation_get(struct store *s, enum seal_scope scope, struct rotation *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    *ret = (struct rotation) { .state = ROTATION_DONE };
    if (store_int(s, &ret->all, err, statements[scope].all, "") < 0
        || store_prepare(s, &st, err, "SELECT state, sealed, lost, reason FROM rotations WHERE scope = ?", "s",
                         scope_names[scope]) != 0
        || (rc = store_step(s, st, err)) < 0)
        return -1;
    if (rc == 0)
        return 0;
    for (size_t i = 0; i < countof(state_names); i++) {
        if (strcmp((const char *) sqlite3_column_text(st, 0), state_names[i]) == 0)
            ret->state = (enum rotation_state) i;
    }
    ret->sealed = sqlite3_column_int64(st, 1);
    ret->lost = sqlite3_column_int64(st, 2);
    ret->reason = store_text(st, 3);
    return 0;
}

int rotation_ask(struct store *s, struct err *err)
{
    bool own;
    int rc = 0;

    if (store_enter(s, &own, err) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < countof(scope_names); i++)
        rc = store_exec(s, err, "INSERT INTO rotations (scope, state, asked_at) VALUES (?1, 'asked', ?2) "
                        "ON CONFLICT DO UPDATE SET state = 'asked', sealed = 0, lost = 0, reason = NULL, "
                        "asked_at = ?2, ended_at = NULL WHERE state = 'done'", "si", scope_names[i], store_now());
    store_touch_builds(s);
    store_touch_releases(s);
    return store_leave(s, own, rc, err);
}

/* Changes the row, and wakes who follows. */
static int note(struct store *s, enum seal_scope scope, struct err *err, const char *sql, const char *types, ...)
{
    va_list ap;
    int rc;

    va_start(ap, types);
    rc = store_vexec(s, err, sql, types, ap);
    va_end(ap);
    if (rc != 0)
        return -1;
    if (scope == SEAL_BUILD)
        store_touch_builds(s);
    else
        store_touch_releases(s);
    return 0;
}

static int begin_in(struct store *s, enum seal_scope scope, struct err *err)
{
    if (seal_rotate_begin(s->state, scope, err) != 0)
        return -1;
    /* All values are looked at again after an interruption. */
    return store_exec(s, err, "UPDATE rotations SET state = 'sealing', lost = 0, reason = NULL WHERE scope = ?", "s",
                      scope_names[scope]);
}

/* The write lock keeps everybody from sealing while the key changes. */
static int begin(struct store *s, enum seal_scope scope, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, begin_in(s, scope, err), err);
}

static int end(struct store *s, enum seal_scope scope, struct err *err)
{
    if (seal_rotate_end(s->state, scope, err) != 0)
        return -1;
    log_info("the %s keys are replaced", scope_names[scope]);
    return note(s, scope, err, "UPDATE rotations SET state = 'done', ended_at = ? WHERE scope = ?", "is", store_now(),
                      scope_names[scope]);
}

struct box { int64_t id, app_id; char *name; void *sealed; size_t n; };

static void boxes_release(struct box *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].name);
        free(v[i].sealed);
    }
}

/* Up to BATCH boxes after `after`: their number, or -1. */
static int boxes_get(struct store *s, enum seal_scope scope, int64_t after, struct box v[BATCH], struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int n = 0, rc;

    if (store_prepare(s, &st, err, statements[scope].next, "ii", after, (int64_t) BATCH) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        v[n].id = sqlite3_column_int64(st, 0);
        v[n].app_id = sqlite3_column_int64(st, 1);
        v[n].name = store_text(st, 2);
        v[n].sealed = store_blob(st, 3, &v[n].n);
        n++;
    }
    if (rc < 0)
        boxes_release(v, (size_t) n);
    return rc < 0 ? -1 : n;
}

static int box_seal(struct store *s, enum seal_scope scope, const struct box *b, int64_t *sealed, int64_t *lost,
                    struct err *err)
{
    cleanup_free void *again = NULL;
    struct err why = ERR_INIT;
    size_t n = 0;

    switch (seal_again(s->state, scope, b->app_id, b->name, b->sealed, b->n, &again, &n, &why)) {
    case SEAL_AGAIN:
        ++*sealed;
        return store_exec(s, err, statements[scope].put, "bi", again, n, b->id);
    case SEAL_IS_NEW:
        return 0;
    case SEAL_DAMAGED:
        log_error("the %s keys' rotation: app id %" PRId64 ": %s", scope_names[scope], b->app_id, why.msg);
        ++*lost;
        return 0;
    default:
        return err_set(err, why.code, "%s", why.msg);
    }
}

static int batch_in(struct store *s, enum seal_scope scope, int64_t *after, struct err *err)
{
    struct box v[BATCH] = { 0 };
    int64_t sealed = 0, lost = 0;
    int n = boxes_get(s, scope, *after, v, err), rc = n < 0 ? -1 : 0;

    for (int i = 0; rc == 0 && i < n; i++) {
        rc = box_seal(s, scope, &v[i], &sealed, &lost, err);
        *after = v[i].id;
    }
    if (n > 0)
        boxes_release(v, (size_t) n);
    if (rc == 0 && sealed + lost > 0)
        rc = store_exec(s, err, "UPDATE rotations SET sealed = sealed + ?, lost = lost + ? WHERE scope = ?", "iis",
                        sealed, lost, scope_names[scope]);
    return rc < 0 ? -1 : n;
}

/* The number of values that were looked at; 0: none are left. */
static int batch(struct store *s, enum seal_scope scope, int64_t *after, struct err *err)
{
    bool own;
    int n;

    if (store_enter(s, &own, err) != 0)
        return -1;
    n = batch_in(s, scope, after, err);
    return store_leave(s, own, n < 0 ? -1 : 0, err) != 0 ? -1 : n;
}

/* 1: all is sealed to the new key, 0: told to stop, -1. */
static int seal_all(struct store *s, enum seal_scope scope, const struct rotation_worker *w, struct err *err)
{
    int64_t after = 0;
    int n;

    do {
        if (!w->goes_on(w->arg))
            return 0;
        n = batch(s, scope, &after, err);
    } while (n > 0);
    return n < 0 ? -1 : 1;
}

/* A former key that is gone again was destroyed by a process that then died: only the row is left to be written. */
static int run(struct store *s, enum seal_scope scope, enum rotation_state state, const struct rotation_worker *w,
               struct err *err)
{
    int rc;

    if (state == ROTATION_SEALING && !seal_rotate_is_open(s->state, scope))
        return end(s, scope, err);
    if (begin(s, scope, err) != 0)
        return -1;
    rc = seal_all(s, scope, w, err);
    if (rc != 1)
        return rc;
    /* A clone's values that wait may be sealed to the former key; what is cloned from here on is not. */
    if (scope == SEAL_BUILD && config_copies_do(s, err) != 0)
        return -1;
    return end(s, scope, err);
}

/* 1: there is one to do, and it is this process's while *ret_lock is open. */
static int take(struct store *s, enum seal_scope scope, enum rotation_state *ret, int *ret_lock, int *ret_again_ms,
                struct err *err)
{
    struct rotation r;
    int rc;

    if (rotation_get(s, scope, &r, err) != 0)
        return -1;
    free(r.reason);
    if (r.state == ROTATION_DONE)
        return 0;
    rc = seal_rotate_lock(s->state, scope, ret_lock, err);
    if (rc == 0)
        *ret_again_ms = AGAIN_BUSY_MS;
    /* Only who has the lock may believe the row. */
    if (rc == 1 && rotation_get(s, scope, &r, err) != 0)
        return -1;
    if (rc == 1) {
        free(r.reason);
        *ret = r.state;
        rc = r.state != ROTATION_DONE;
    }
    return rc;
}

int rotation_work(struct store *s, enum seal_scope scope, const struct rotation_worker *w, int *ret_again_ms,
                  struct err *err)
{
    enum rotation_state state;
    struct err why = ERR_INIT;
    cleanup_close int lock = -1;
    int rc;

    *ret_again_ms = -1;
    rc = take(s, scope, &state, &lock, ret_again_ms, &why);
    if (rc == 0)
        return 0;
    if (rc == 1) {
        w->busy();
        rc = run(s, scope, state, w, &why);
        if (rc == 0)
            return 1;
    }
    log_error("replacing the %s keys: %s; tried again in %d s", scope_names[scope], why.msg, AGAIN_FAILED_MS / 1000);
    *ret_again_ms = AGAIN_FAILED_MS;
    return note(s, scope, err, "UPDATE rotations SET reason = ?2 WHERE scope = ?1 AND state <> 'done'", "ss",
                scope_names[scope], why.msg);
}
