/* The database: opening, transactions, statements. One connection per process, opened after exec. */
#ifndef SLIPWAY_SQL_STORE_H
#define SLIPWAY_SQL_STORE_H

#include "base/conf.h"
#include "base/err.h"
#include "base/vec.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct store {
    sqlite3 *db;
    char *state;       /* the state folder, for the wake and log files */
    struct vec touch;  /* files to touch after the commit */
};

/* Opens state/slipway.db: foreign keys, trusted_schema=OFF, synchronous=FULL, busy timeout 5 s; journal
 * mode WAL only with a library in which several processes may use it safely, else the rollback
 * journal. The schema must be of this program's version (ERR_FAILED says to run `slipway init`,
 * or that the database is newer than the program). read_only opens it so. Free with store_close. */
int store_open(const char *state, bool read_only, struct store **ret, struct err *err);
void store_close(struct store *s);

/* Makes the database or brings its schema up to date, one transaction per migration, after
 * integrity_check; used by `slipway init` and at the start of `slipway serve`. */
int store_migrate(const char *state, struct err *err);

/* BEGIN IMMEDIATE, COMMIT, ROLLBACK. Nothing slow may happen between. store_rollback is harmless outside. */
int store_begin(struct store *s, struct err *err);
int store_commit(struct store *s, struct err *err);
void store_rollback(struct store *s);

/* For functions that may run inside the caller's transaction: store_enter begins one where none is open
 * (*ret_own), store_leave commits it where rc is 0 and rolls it back otherwise; a caller's stays open.
 * Return 0 or -1, store_leave -1 also where rc was. */
int store_enter(struct store *s, bool *ret_own, struct err *err);
int store_leave(struct store *s, bool own, int rc, struct err *err);

/* The files of store_*_wake and store_*_log below are touched once the open transaction has been
 * committed, or at once where there is none. A touch that fails is logged: the row is the truth. */
void store_touch_builds(struct store *s);
void store_touch_releases(struct store *s);
void store_touch_build_log(struct store *s, int64_t id);
void store_touch_release_log(struct store *s, int64_t id);

/* Prepares, binds by `types` and steps through. Letters: i int64_t, s const char * (NULL: NULL),
 * b const void * and size_t, n (no argument) NULL. Used by the files of this folder only. */
int store_exec(struct store *s, struct err *err, const char *sql, const char *types, ...);
int store_vexec(struct store *s, struct err *err, const char *sql, const char *types, va_list ap);
int store_prepare(struct store *s, sqlite3_stmt **ret, struct err *err, const char *sql, const char *types, ...);
/* 1: a row, 0: the end, -1: failed. */
int store_step(struct store *s, sqlite3_stmt *st, struct err *err);
/* Column as an owned string; NULL where NULL. */
char *store_text(sqlite3_stmt *st, int column);
void cleanup_stmt_p(sqlite3_stmt **st);
#define cleanup_stmt __attribute__((cleanup(cleanup_stmt_p)))

/* Column as owned bytes and their number; NULL and 0 where NULL. */
void *store_blob(sqlite3_stmt *st, int column, size_t *ret_n);
/* One integer of the first row into *ret: 1, 0 where there is no row (*ret untouched), -1. */
int store_int(struct store *s, int64_t *ret, struct err *err, const char *sql, const char *types, ...);
/* Rows that the last INSERT, UPDATE or DELETE changed. */
int store_changes(const struct store *s);
/* True with a library version that several processes may use in WAL mode. */
bool store_wal_is_safe(int sqlite_version_number);

/* The numbered files of sql/, made into the program; sql/migrations.c is generated. */
struct migration { int version; const char *sql; };
extern const struct migration migrations[]; /* ascending, ended by version 0 */

/* Milliseconds since 1970. */
int64_t store_now(void);

/* Who holds a lease: this process. boot id, pid and start time (from /proc) tell a living owner
 * from a dead one, so a lease of a dead process is free at once and not only when it expires. */
struct lease { char owner[64]; char boot[40]; int64_t pid, start; };
int lease_self(const char *owner, struct lease *ret, struct err *err);
/* True where that process is not alive on this boot, or expires <= now. */
bool lease_is_dead(const char *boot, int64_t pid, int64_t start, int64_t expires);
#define LEASE_MS 15000      /* long enough for a paused machine, short enough for "within 30 s" */
#define LEASE_RENEW_MS 5000

/* Paths of the files that are touched (base/wake.h) after a commit that concerns them. Free. */
char *store_builds_wake(const struct store *s);              /* run/builds.wake: a build was queued, ended or canceled */
char *store_releases_wake(const struct store *s);            /* run/releases.wake */
char *store_build_log(const struct store *s, int64_t id);    /* logs/builds/N.log: output; touched when the build's row changes */
char *store_release_log(const struct store *s, int64_t id);  /* logs/releases/N.log (by id) */

#endif
