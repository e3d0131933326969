/* Inside sql/: what builds and releases share as rows that a worker holds under a lease, and the
 * steps of their state machines. All of these run inside a transaction that is open already. */
#ifndef SLIPWAY_SQL_LEASED_H
#define SLIPWAY_SQL_LEASED_H

#include "sql/model.h"
#include "sql/store.h"

enum leased { LEASED_BUILD, LEASED_RELEASE };

/* A row whose workers died so often takes the others down with it, too. */
#define LEASE_ATTEMPTS_MAX 3

#define LEASE_COLUMNS "lease_boot, lease_pid, lease_start, lease_expires"
/* True where the lease in LEASE_COLUMNS, beginning at this column, has no living holder. */
bool leased_is_dead(sqlite3_stmt *st, int column);

/* Writes the lease into the row and counts an attempt. */
int leased_take(struct store *s, enum leased t, int64_t id, const struct lease *me, struct err *err);

/* 0 where the row is in work (building, releasing) and me holds it; else ERR_BUSY. */
int leased_held(struct store *s, enum leased t, int64_t id, const struct lease *me, struct err *err);

/* Moves the lease's end on, in a transaction of its own; *ret_cancel: cancellation is asked for. */
int leased_renew(struct store *s, enum leased t, int64_t id, const struct lease *me, bool *ret_cancel,
                 struct err *err);

/* To another state, if the table in states.c knows the step: the lease falls away unless the row is in work
 * then; end time and reason are set where the row has ended (a canceled row keeps the reason that
 * was noted with the request). Whoever follows is woken. */
int build_move(struct store *s, int64_t id, enum build_state to, const char *reason, struct err *err);
int release_move(struct store *s, int64_t id, enum release_state to, const char *reason, struct err *err);

/* release_move, and the build that waits for this release goes along. */
int release_move_with_build(struct store *s, int64_t id, enum release_state to, const char *reason,
                            struct err *err);

/* Of a row r of releases: its objects may be in the target. */
#define RELEASE_APPLIED "r.step IN ('apply', 'rollout', 'postdeploy', 'restore')"

/* Ends what has not begun; asks what is in work to stop. why: "canceled by anna". */
int build_cancel_in(struct store *s, int64_t id, const char *why, struct err *err);
int release_cancel_in(struct store *s, int64_t id, const char *why, struct err *err);

/* 0 where the app has no live release and none is under way: what a release would change may be changed without one.
 * ERR_FAILED, ERR_BUSY otherwise. */
int unreleased_check(struct store *s, const struct app *a, struct err *err);

/* The app's image is in the registry (again). */
int image_is_there(struct store *s, int64_t app_id, const char *digest, struct err *err);

/* A new release row, pending, with the app's next version. */
struct release_row {
    int64_t app_id, build_id, user_id; /* 0: NULL */
    const char *user, *description, *commit, *source_image, *digest, *image, *processes, *app_json;
    const char *image_ref;             /* NULL: built here */
    const char *image_file;            /* NULL: a registry has it */
    const struct formation *formation;
    int64_t config_version;
    bool run_release_command, from_live, cancel;
    const char *target;                /* moves the app there; NULL: where it is */
    const char *rename_to;             /* NULL: the name that it has */
};
int release_insert(struct store *s, const struct release_row *r, int64_t *ret_id, int64_t *ret_version,
                   struct err *err);

#endif
