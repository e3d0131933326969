#include "config.h"

#include "sql/store.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/wake.h"
#include "sql/migrate.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long a statement waits for another process's transaction. Ours last milliseconds. */
#define STORE_BUSY_MS 5000

static int store_error(struct store *s, struct err *err)
{
    switch (sqlite3_errcode(s->db) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_DOWN, "the database has been busy for more than %d s",
                       STORE_BUSY_MS / 1000);
    case SQLITE_FULL:
        return err_set(err, ERR_DOWN, "the database can't grow: the server's disk is full; an admin finds what "
                       "takes it: storage:report");
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
        return err_set(err, ERR_DOWN, "the database cannot be used: %s", sqlite3_errmsg(s->db));
    default:
        return err_set(err, ERR_FAILED, "database: %s", sqlite3_errmsg(s->db));
    }
}

/* The WAL-reset defect (sqlite.org/wal.html#walresetbug): 3.7.0 to 3.51.2 can corrupt a WAL database
 * that has several connections; mended in 3.51.3 and in 3.44.6 and 3.50.7. */
bool store_wal_is_safe(int version)
{
    return version >= 3051003 || (version >= 3050007 && version < 3051000)
        || (version >= 3044006 && version < 3045000);
}

static int store_pragmas(struct store *s, bool read_only, struct err *err)
{
    /* TRUNCATE and not DELETE: the journal keeps its owner and mode. */
    const char *journal = store_wal_is_safe(sqlite3_libversion_number()) ? "PRAGMA journal_mode=WAL"
                                                                         : "PRAGMA journal_mode=TRUNCATE";
    const char *const common = "PRAGMA trusted_schema=OFF; PRAGMA foreign_keys=ON; "
        "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA cell_size_check=ON; "
        "PRAGMA mmap_size=0;";

    (void) sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    (void) sqlite3_extended_result_codes(s->db, 1);
    (void) sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void) sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void) sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (sqlite3_exec(s->db, common, NULL, NULL, NULL) != SQLITE_OK)
        return store_error(s, err);
    if (!read_only && sqlite3_exec(s->db, journal, NULL, NULL, NULL) != SQLITE_OK)
        return store_error(s, err);
    return 0;
}

int store_open_any(const char *state, bool read_only, struct store **ret, struct err *err)
{
    int flags = (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX
        | SQLITE_OPEN_NOFOLLOW;
    cleanup_free char *path = xasprintf("%s/slipway.db", state);
    struct store *s;

    if (!path_exists(path))
        return err_set(err, ERR_FAILED, "%s is not there; make it with: slipway init", path);
    s = xcalloc(1, sizeof(*s));
    s->state = xstrdup(state);
    if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK) {
        (void) store_error(s, err);
        store_close(s);
        return err_wrap(err, "opening %s", path);
    }
    if (store_pragmas(s, read_only, err) != 0) {
        store_close(s);
        return err_wrap(err, "opening %s", path);
    }
    *ret = s;
    return 0;
}

int store_open(const char *state, bool read_only, struct store **ret, struct err *err)
{
    int64_t version = 0, wanted = 0;
    struct store *s;

    for (const struct migration *m = migrations; m->version != 0; m++)
        wanted = m->version;
    if (store_open_any(state, read_only, &s, err) != 0)
        return -1;
    if (store_int(s, &version, err, "PRAGMA user_version", "") < 0) {
        store_close(s);
        return err_wrap(err, "opening %s/slipway.db", state);
    }
    if (version != wanted) {
        store_close(s);
        if (version > wanted)
            return err_set(err, ERR_FAILED, "%s/slipway.db was made by a newer Slipway (schema %lld, this "
                           "program knows %lld); install that version", state, (long long) version,
                           (long long) wanted);
        return err_set(err, ERR_FAILED, "%s/slipway.db has schema %lld and this program needs %lld; "
                       "run: slipway init", state, (long long) version, (long long) wanted);
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    (void) sqlite3_close_v2(s->db);
    free(s->state);
    vec_release(&s->touch);
    free(s);
}

static void touch_flush(struct store *s)
{
    for (size_t i = 0; i < s->touch.n; i++) {
        struct err err = ERR_INIT;

        if (wake_touch(s->touch.v[i], &err) != 0)
            log_warn("waking others: %s", err.msg);
    }
    vec_release(&s->touch);
}

static void touch_add(struct store *s, char *path)
{
    bool there = false;

    for (size_t i = 0; i < s->touch.n && !there; i++)
        there = strcmp(s->touch.v[i], path) == 0;
    if (!there)
        vec_add(&s->touch, path);
    free(path);
    if (sqlite3_get_autocommit(s->db) != 0)
        touch_flush(s);
}

void store_touch_builds(struct store *s)
{
    touch_add(s, store_builds_wake(s));
}

void store_touch_releases(struct store *s)
{
    touch_add(s, store_releases_wake(s));
}

void store_touch_build_log(struct store *s, int64_t id)
{
    touch_add(s, store_build_log(s, id));
}

void store_touch_release_log(struct store *s, int64_t id)
{
    touch_add(s, store_release_log(s, id));
}

int store_begin(struct store *s, struct err *err)
{
    if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return store_error(s, err);
    return 0;
}

int store_commit(struct store *s, struct err *err)
{
    if (sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        (void) store_error(s, err);
        store_rollback(s);
        return -1;
    }
    touch_flush(s);
    return 0;
}

void store_rollback(struct store *s)
{
    if (sqlite3_get_autocommit(s->db) == 0)
        (void) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    vec_release(&s->touch);
}

int store_enter(struct store *s, bool *ret_own, struct err *err)
{
    bool own = sqlite3_get_autocommit(s->db) != 0;

    if (own && store_begin(s, err) != 0)
        return -1;
    *ret_own = own;
    return 0;
}

int store_leave(struct store *s, bool own, int rc, struct err *err)
{
    if (!own)
        return rc;
    if (rc == 0)
        return store_commit(s, err);
    store_rollback(s);
    return rc;
}

static int bind_all(sqlite3_stmt *st, const char *types, va_list ap)
{
    int rc = SQLITE_OK;

    for (int i = 0; types[i] != '\0' && rc == SQLITE_OK; i++) {
        const void *p;
        size_t n;

        switch (types[i]) {
        case 'i':
            rc = sqlite3_bind_int64(st, i + 1, va_arg(ap, int64_t));
            break;
        case 's':
            rc = sqlite3_bind_text(st, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
            break;
        case 'b':
            p = va_arg(ap, const void *);
            n = va_arg(ap, size_t);
            rc = sqlite3_bind_blob64(st, i + 1, p, n, SQLITE_TRANSIENT);
            break;
        default:
            rc = sqlite3_bind_null(st, i + 1);
            break;
        }
    }
    return rc;
}

static int prepare(struct store *s, sqlite3_stmt **ret, struct err *err, const char *sql, const char *types,
                   va_list ap)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK || bind_all(st, types, ap) != SQLITE_OK)
        return store_error(s, err);
    *ret = steal_ptr(st);
    return 0;
}

int store_prepare(struct store *s, sqlite3_stmt **ret, struct err *err, const char *sql, const char *types, ...)
{
    va_list ap;
    int rc;

    va_start(ap, types);
    rc = prepare(s, ret, err, sql, types, ap);
    va_end(ap);
    return rc;
}

int store_step(struct store *s, sqlite3_stmt *st, struct err *err)
{
    switch (sqlite3_step(st)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return store_error(s, err);
    }
}

int store_vexec(struct store *s, struct err *err, const char *sql, const char *types, va_list ap)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (prepare(s, &st, err, sql, types, ap) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1)
        ;
    return rc;
}

int store_exec(struct store *s, struct err *err, const char *sql, const char *types, ...)
{
    va_list ap;
    int rc;

    va_start(ap, types);
    rc = store_vexec(s, err, sql, types, ap);
    va_end(ap);
    return rc;
}

int store_int(struct store *s, int64_t *ret, struct err *err, const char *sql, const char *types, ...)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    va_list ap;
    int rc;

    va_start(ap, types);
    rc = prepare(s, &st, err, sql, types, ap);
    va_end(ap);
    if (rc != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 1)
        *ret = sqlite3_column_int64(st, 0);
    return rc;
}

int store_changes(const struct store *s)
{
    return sqlite3_changes(s->db);
}

void *store_blob(sqlite3_stmt *st, int column, size_t *ret_n)
{
    const void *p = sqlite3_column_blob(st, column);
    size_t n = (size_t) sqlite3_column_bytes(st, column);

    *ret_n = n;
    if (sqlite3_column_type(st, column) == SQLITE_NULL)
        return NULL;
    return xmemdup(p, n);
}

char *store_text(sqlite3_stmt *st, int column)
{
    const unsigned char *p = sqlite3_column_text(st, column);

    return p != NULL ? xstrdup((const char *) p) : NULL;
}

void cleanup_stmt_p(sqlite3_stmt **st)
{
    (void) sqlite3_finalize(*st);
}

int64_t store_now(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

char *store_builds_wake(const struct store *s)
{
    return xasprintf("%s/run/builds.wake", s->state);
}

char *store_releases_wake(const struct store *s)
{
    return xasprintf("%s/run/releases.wake", s->state);
}

char *store_build_log(const struct store *s, int64_t id)
{
    return xasprintf("%s/logs/builds/%lld.log", s->state, (long long) id);
}

char *store_release_log(const struct store *s, int64_t id)
{
    return xasprintf("%s/logs/releases/%lld.log", s->state, (long long) id);
}
