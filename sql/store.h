/* The database: opening, transactions, statements. One connection per process, opened after exec. */
#ifndef SLIPWAY_SQL_STORE_H
#define SLIPWAY_SQL_STORE_H

#include "base/conf.h"
#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct store {
    sqlite3 *db;
    char *state;     /* the state folder, for the wake and log files */
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

/* Prepares, binds by `types` and steps through. Letters: i int64_t, s const char * (NULL: NULL),
 * b const void * and size_t, n (no argument) NULL. Used by the files of this folder only. */
int store_exec(struct store *s, struct err *err, const char *sql, const char *types, ...);
int store_prepare(struct store *s, sqlite3_stmt **ret, struct err *err, const char *sql, const char *types, ...);
/* 1: a row, 0: the end, -1: failed. */
int store_step(struct store *s, sqlite3_stmt *st, struct err *err);
/* Column as an owned string; NULL where NULL. */
char *store_text(sqlite3_stmt *st, int column);
void cleanup_stmt_p(sqlite3_stmt **st);
#define cleanup_stmt __attribute__((cleanup(cleanup_stmt_p)))

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
