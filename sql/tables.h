/* The rows' functions, a section for each table family; each family is a file of its own.
 * "get" functions fill a struct whose former contents are not read; ERR_NOT_FOUND where there is no row.
 * "list" functions fill an array that the caller releases element by element and then frees.
 * Functions that touch several rows are one transaction each. After the commit they touch the wake
 * or log files that store.h names, so callers need not. */
#ifndef SLIPWAY_SQL_TABLES_H
#define SLIPWAY_SQL_TABLES_H

#include "sql/model.h"
#include "sql/seal.h"
#include "sql/store.h"

/* --- users.c */
int users_add(struct store *s, const char *name, bool admin, bool may_create, int64_t *ret_id, struct err *err);
int users_get(struct store *s, const char *name, struct user *ret, struct err *err);
int users_get_id(struct store *s, int64_t id, struct user *ret, struct err *err);
int users_list(struct store *s, struct user **ret, size_t *ret_n, struct err *err);
/* What a user may do on the server. The last admin stays one (ERR_FAILED). */
int users_set(struct store *s, const char *name, bool admin, bool may_create, struct err *err);
/* Refused (ERR_FAILED) for the last admin and for owners of apps (names them). */
int users_remove(struct store *s, const char *name, struct err *err);

/* --- keys.c: an authorized_keys line without options ("ssh-ed25519 AAAA… comment") */
/* Parses and checks: type on the list (ssh-ed25519, ecdsa-sha2-nistp256/384/521, sk-*, ssh-rsa >= 2048 bits),
 * blob consistent. Fills type, blob, fingerprint; name from the comment where name is NULL in ret. */
int key_parse(const char *line, struct key *ret, struct err *err);
int keys_add(struct store *s, int64_t user_id, const char *name, const char *line, struct key *ret, struct err *err);
/* The same for a deploy key; app_id 0: a person's key, without bounds. */
struct key_bounds { int64_t app_id; const char *verbs, *source; int64_t expires_at; };
int keys_add_bound(struct store *s, int64_t user_id, const char *name, const char *line,
                   const struct key_bounds *bounds, struct key *ret, struct err *err);
int keys_find(struct store *s, const void *blob, size_t n, struct key *ret, struct err *err);
/* 0 where a key that was found is still there and the same user's, with the same bounds to an app; ERR_DENIED where not. */
int keys_still(struct store *s, const struct key *k, struct err *err);
int keys_used(struct store *s, int64_t id, struct err *err);
int keys_list(struct store *s, int64_t user_id /* 0: all */, struct key **ret, size_t *ret_n, struct err *err);
/* By name or fingerprint. */
int keys_remove(struct store *s, int64_t user_id, const char *which, struct err *err);

/* --- apps.c */
int apps_create(struct store *s, const char *name, const char *deploy_branch, int64_t owner_id,
                struct app *ret /* may be NULL */, struct err *err); /* owner gets ROLE_OWN */
int apps_get(struct store *s, const char *name, struct app *ret, struct err *err);
int apps_get_id(struct store *s, int64_t id, struct app *ret, struct err *err);
/* By what its objects are called in a target. */
int apps_get_handle(struct store *s, const char *handle, struct app *ret, struct err *err);
/* user_id 0: all; else those in which the user has a role. Sorted by name. */
int apps_list(struct store *s, int64_t user_id, struct app **ret, size_t *ret_n, struct err *err);
/* May the app get this name? ERR_FAILED, ERR_BUSY: why not. In a transaction that is open already. */
int rename_check(struct store *s, const struct app *a, const char *to, struct err *err);
/* Of an app without a live release (one with is renamed by a release, release_new.rename_to). */
int apps_rename(struct store *s, int64_t id, const char *to, struct err *err);
int apps_lock(struct store *s, int64_t id, const char *reason /* NULL: unlock */, const char *who, struct err *err);
/* Marks it (deleting) and wakes the deployer, which removes the objects and then calls apps_delete. */
/* Ends its builds and releases that have not begun and asks the others to stop. */
int apps_destroy(struct store *s, int64_t id, struct err *err);
/* Removes the rows. ERR_BUSY while a worker that lives still has a build or release of it. */
int apps_delete(struct store *s, int64_t id, struct err *err);
int apps_deleting(struct store *s, struct app **ret, size_t *ret_n, struct err *err);

int apps_maintenance(struct store *s, int64_t id, bool on, struct err *err);
int apps_settings(struct store *s, int64_t id, const char *deploy_branch, const char *on_disconnect, struct err *err);

/* --- domains.c: in a transaction that is open already; struct app has them all */
/* A host name as it is stored: small letters; the caller frees it. NULL: ERR_USAGE. Pure. */
char *domain_parse(const char *text, struct err *err);
/* Nothing is done where the app has it already; ERR_FAILED where it is another's. */
int domains_add(struct store *s, int64_t app_id, const char *domain, bool *ret_changed, struct err *err);
/* True where another app has the domain. */
int domains_taken(struct store *s, int64_t app_id, const char *domain, bool *ret, struct err *err);
int domains_remove(struct store *s, int64_t app_id, const char *domain, struct err *err);

/* --- certificates.c */
/* True where one of a certificate's names is the host's: itself, or "*" for its first part (RFC 6125 section 6.4.3). Pure. */
bool certificate_covers(const struct certificate *c, const char *host);
/* Gives the app this certificate instead of the one that it has; hash is not read. In a transaction that is open already. */
int certificates_put(struct store *s, int64_t app_id, const struct certificate *c, struct err *err);
/* Without its key. ERR_NOT_FOUND where the app has none. */
int certificates_get(struct store *s, int64_t app_id, struct certificate *ret, struct err *err);
/* With its key, for the role that has the run key. Without one *ret is empty. */
int certificates_open(struct store *s, const struct app *a, struct certificate *ret, struct err *err);
int certificates_remove(struct store *s, int64_t app_id, struct err *err);
/* "has ended on 2026-12-01" or, in the last 14 days, "ends on 2026-12-01"; NULL before. The caller frees it. */
char *certificate_end_text(int64_t not_after);
/* Says, of each of the apps' own certificates of which there is something to say: "certificate of shop (www.example.com): it
 * ends on 2026-12-01". */
int certificates_ending(struct store *s, void (*say)(void *arg, const char *line), void *arg, struct err *err);

/* --- clone.c */
/* Gives a new app what another one has: settings, counts, suspended tasks; values in build scope alone are left to the
 * builder. In a transaction that is open already. */
int apps_clone(struct store *s, int64_t from, int64_t to, struct err *err);
/* The builder's part: opens the values that wait for it and seals them for their new apps. */
int config_copies_do(struct store *s, struct err *err);

/* --- access.c */
/* The role of a user in an app: the highest of the user's own and those of the user's teams; admins have ROLE_OWN everywhere,
 * as the database knows them now, not *u. Who came in with a deploy key has none but in its app, and there at most ROLE_OPERATE. */
int access_role(struct store *s, const struct user *u, int64_t app_id, enum role *ret, struct err *err);
int access_grant(struct store *s, int64_t app_id, int64_t user_id, enum role r, struct err *err);
/* Gives the app to another user (who gets ROLE_OWN; the former owner keeps it). */
int access_owner(struct store *s, int64_t app_id, int64_t user_id, struct err *err);
/* The owner's access is neither lowered nor revoked (ERR_FAILED). */
int access_revoke(struct store *s, int64_t app_id, int64_t user_id, struct err *err);
/* Who was given a role, users first: "carl", and "@ops" for a team. */
struct access_row {
    char *who;
    char *through;           /* the team whose member a user is who has the role by that; NULL: it was given to who */
    enum role role;
};
/* members: with a team's members behind it. Free with access_rows_free. */
int access_list(struct store *s, int64_t app_id, bool members, struct access_row **ret, size_t *ret_n, struct err *err);
void access_rows_free(struct access_row *v, size_t n);

/* --- teams.c */
int teams_create(struct store *s, const char *name, struct err *err);
int teams_get(struct store *s, const char *name, struct team *ret, struct err *err);
/* user_id 0: all; else those that the user is a member of. Sorted by name. */
int teams_list(struct store *s, int64_t user_id, struct team **ret, size_t *ret_n, struct err *err);
/* With all memberships and roles. */
int teams_destroy(struct store *s, int64_t id, struct err *err);
/* ERR_FAILED where the user is a member already. */
int team_add(struct store *s, int64_t id, int64_t user_id, struct err *err);
/* ERR_NOT_FOUND where the user is no member. */
int team_remove(struct store *s, int64_t id, int64_t user_id, struct err *err);
/* Names of the members, sorted, added to *ret. */
int team_members(struct store *s, int64_t id, struct vec *ret, struct err *err);
/* The apps that the team has a role in, sorted. The caller frees each app, and the array. */
struct team_app { char *app; enum role role; };
int team_apps(struct store *s, int64_t id, struct team_app **ret, size_t *ret_n, struct err *err);
int team_grant(struct store *s, int64_t app_id, int64_t id, enum role r, struct err *err);
/* ERR_NOT_FOUND where the team has no role in the app. */
int team_revoke(struct store *s, int64_t app_id, int64_t id, struct err *err);

/* --- config.c */
struct config_change {
    const char *name;
    const void *value; size_t value_len; /* NULL: unset */
    bool run, build;                     /* scopes of the new value */
};
/* The set of one version (sealed), with what a clone has got and the builder has not sealed for it yet: config_copies_do. */
int config_get(struct store *s, int64_t app_id, int64_t version, struct config_set *ret, struct err *err);
/* Makes a new version out of the newest with all changes applied, sealing values with the public keys in
 * state/keys. All or nothing. *ret_version is the newest version (the old one where nothing changed).
 * Must run inside a transaction that the caller has begun (a config change and its release are one). */
int config_change(struct store *s, int64_t app_id, const struct config_change *v, size_t n,
                  int64_t *ret_version, struct err *err);

/* Puts a value into all versions that lack it: one that belonged there from the start, and comes late (apps_clone). In a
 * transaction that is open already. */
int config_backfill(struct store *s, int64_t app_id, const struct config_change *c, struct err *err);

/* Makes the set of an earlier version the newest again (a rollback): a new version with the same values, so
 * that the next change builds on it. *ret_version is the newest where it holds the same already. In a
 * transaction as above, or its own. */
int config_restore(struct store *s, int64_t app_id, int64_t version, int64_t *ret_version, struct err *err);

/* --- rotation.c: the replacement of the sealing keys of both scopes */
enum rotation_state { ROTATION_ASKED, ROTATION_SEALING, ROTATION_DONE };
struct rotation {
    enum rotation_state state;
    int64_t sealed; /* values that were sealed to the new key */
    int64_t all;    /* values of the scope now */
    int64_t lost;   /* values that no key opens: they were damaged before */
    char *reason;   /* why it could not go on last time; NULL. The caller frees it. */
};
/* Asks for it, and wakes who does it. One that goes on already is the one that is asked for. */
int rotation_ask(struct store *s, struct err *err);
/* What is asked for, or has been; ROTATION_DONE where there never was one. */
int rotation_get(struct store *s, enum seal_scope scope, struct rotation *ret, struct err *err);

/* For the role that has the scope's secret key: does what was asked for, to its end or until goes_on says no (asked
 * between transactions); the next call goes on there. A value that no key opens is logged, counted and left as it is. What
 * keeps it from going on is logged and in the row. `busy` is called where there is work. 1: there was, 0: there was none
 * (*ret_again_ms: -1, or after how long to look again: another process is at it, or something failed); -1. */
struct rotation_worker { void (*busy)(void); bool (*goes_on)(void *arg); void *arg; };
int rotation_work(struct store *s, enum seal_scope scope, const struct rotation_worker *w, int *ret_again_ms,
                  struct err *err);

/* --- formation.c: what the next release shall run; missing types: web 1, others 0 */
int formation_get(struct store *s, int64_t app_id, struct formation *ret, struct err *err);
int formation_put(struct store *s, int64_t app_id, const struct formation *f, struct err *err);

/* --- cron.c: tasks are those of the live release's app.json; id as there */
int cron_suspend(struct store *s, int64_t app_id, const char *id, bool suspended, struct err *err);
/* Adds the ids of those that are suspended. */
int cron_suspended(struct store *s, int64_t app_id, struct vec *ret, struct err *err);
/* Up to when its times are done, ms since 1970; 0: it is new. */
int cron_done_at(struct store *s, int64_t app_id, const char *id, int64_t *ret, struct err *err);
int cron_done(struct store *s, int64_t app_id, const char *id, int64_t at, struct err *err);
/* 1: another target may start its tasks, one that it moves to, or that what it has there is being removed from; 0; -1. */
int cron_elsewhere(struct store *s, int64_t app_id, struct err *err);
/* The apps on this target whose live release has tasks. The caller frees the array. */
int cron_apps(struct store *s, const char *target, int64_t **ret, size_t *ret_n, struct err *err);

/* --- builds.c */
struct build_new {
    int64_t app_id, user_id;
    const char *user, *branch, *old_commit, *commit, *tree, *message;
    const char *app_json;    /* what its release keeps of app.json (app_json_kept); NULL: nothing */
    bool shallow, no_cache;
    bool plan;               /* its image is built, and that is all */
};
/* ERR_BUSY where the app is locked, ERR_NOT_FOUND where it is being destroyed. Inside the caller's transaction, or its
 * own where none is open. */
int builds_queue(struct store *s, const struct build_new *b, int64_t *ret_id, struct err *err);
int builds_get(struct store *s, int64_t id, struct build *ret, struct err *err);
/* Newest first; app_id 0: all apps. */
int builds_list(struct store *s, int64_t app_id, int limit, struct build **ret, size_t *ret_n, struct err *err);
/* The builds of the same app that are before it and have not ended, oldest first: what it waits for. */
int builds_ahead(struct store *s, int64_t id, struct build **ret, size_t *ret_n, struct err *err);
/* Leases the oldest queued build whose app has no other build that has not ended, also one whose lease holder
 * is dead in state building (attempts counted; the fourth attempt fails the build instead). 1: *ret is filled, 0: nothing to do. */
int builds_lease(struct store *s, const struct lease *me, struct build *ret, struct err *err);
int builds_renew(struct store *s, const struct lease *me, int64_t id, bool *ret_cancel, struct err *err);
/* building → built: digest known; makes the release row (next version, config and formation of now) in the
 * same transaction and wakes the deployer. One that is only planned with has ended then, and *ret_release_id is 0.
 * Only the lease's holder may (ERR_BUSY otherwise). */
int builds_built(struct store *s, const struct lease *me, int64_t id, const char *image, const char *digest,
                 const char *processes_json, const char *input_hash, int64_t reused_from,
                 int64_t *ret_release_id, struct err *err);
int builds_failed(struct store *s, const struct lease *me, int64_t id, bool canceled, int exit_code,
                  const char *reason, struct err *err);
/* Back to queued, lease dropped: the server is stopping and the next start shall do it. */
int builds_hand_back(struct store *s, const struct lease *me, int64_t id, struct err *err);
/* Newest build with this input hash whose image is known (any app). ERR_NOT_FOUND. */
int builds_find_input(struct store *s, const char *input_hash, struct build *ret, struct err *err);
/* Asks for cancellation: a queued one ends at once, else its worker does it. ERR_FAILED where it has ended. */
int builds_cancel(struct store *s, int64_t id, const char *who, struct err *err);
/* Earliest expiry of a lease of a row not ended, of builds or releases; 0: none. For the dispatchers' timer. */
int leases_next_expiry(struct store *s, int64_t *ret, struct err *err);

/* --- releases.c */
struct release_new {
    int64_t app_id, user_id;
    const char *user, *description;
    /* Taken from this release (image, digest, processes, commit): an older one for a rollback. 0, for a change
     * of config or scale: from the one that is live when the new release's turn comes, because a deploy
     * may be before it. ERR_FAILED where the app has no live release. */
    int64_t from_release_id;
    /* Or another app's release, whose image is copied to this app's repository; no commit is known here then. */
    int64_t clone_of;
    /* Of an image that wasn't built here instead: host/name, and the tag or digest; its worker looks up the rest. */
    const char *source_image, *image_ref;
    /* And where a person sent it: the file in images/ that it is in until then, and what it runs; image_ref is its digest. */
    const char *image_file;
    const struct processes *processes;
    int64_t config_version;            /* 0: the app's newest */
    const struct formation *formation; /* NULL: the app's current */
    bool run_release_command;
    const char *target;                /* moves the app there (target_move_check); NULL: where it is */
    const char *rename_to;             /* renames the app when it is live (rename_check); NULL: the name that it has */
};
/* Inside the caller's transaction, or its own where none is open. */
int releases_create(struct store *s, const struct release_new *r, int64_t *ret_id, int64_t *ret_version, struct err *err);
int releases_get(struct store *s, int64_t id, struct release *ret, struct err *err);
/* The app's newest release of this image that was live and whose image is kept; *ret_id 0: there is none. */
int releases_of_digest(struct store *s, int64_t app_id, const char *digest, int64_t *ret_id, struct err *err);
/* Does a release that isn't published yet need this file in images/? */
int releases_need_file(struct store *s, const char *image_file, bool *ret, struct err *err);
int releases_get_version(struct store *s, int64_t app_id, int64_t version, struct release *ret, struct err *err);
int releases_list(struct store *s, int64_t app_id, int limit, struct release **ret, size_t *ret_n, struct err *err);
/* As builds_lease: the oldest pending release of an app that has none releasing, or a dead holder's. After three
 * dead workers it comes with cancel set: the worker puts the last live release back and ends it
 * with releases_failed(canceled); after six it is failed here. */
int releases_lease(struct store *s, const struct lease *me, struct release *ret, struct err *err);
int releases_renew(struct store *s, const struct lease *me, int64_t id, bool *ret_cancel, struct err *err);
int releases_step(struct store *s, const struct lease *me, int64_t id, const char *step, struct err *err);
/* The step "restore" and why the release has failed, so that a worker that takes over can still say it. */
int releases_restoring(struct store *s, const struct lease *me, int64_t id, const char *reason, struct err *err);
/* Its failure is that a part did not answer; said before what is decided from it (releases_restoring, releases_failed). */
int releases_down(struct store *s, const struct lease *me, int64_t id, struct err *err);
/* What the tag or digest of an image release is: its processes make the formation. */
int releases_resolved(struct store *s, const struct lease *me, int64_t id, const char *digest, const struct processes *p, struct err *err);
int releases_published(struct store *s, const struct lease *me, int64_t id, const char *image, int64_t ms, struct err *err);
int releases_command_done(struct store *s, const struct lease *me, int64_t id, int64_t ms, struct err *err);
/* scripts.postdeploy has ended, well or not. */
int releases_postdeploy_done(struct store *s, const struct lease *me, int64_t id, struct err *err);
int releases_manifests(struct store *s, const struct lease *me, int64_t id, const char *manifests, int64_t apply_ms, struct err *err);
/* One transaction: this release live, the former superseded, apps.live_release_id, its build live; where it moves the
 * app, the app's target, and what it has on the old one is among the leavings; where it renames it, its name. */
int releases_live(struct store *s, const struct lease *me, int64_t id, const char *url, int64_t rollout_ms, struct err *err);
int releases_failed(struct store *s, const struct lease *me, int64_t id, bool canceled, const char *reason, struct err *err);
int releases_hand_back(struct store *s, const struct lease *me, int64_t id, struct err *err);
int releases_cancel(struct store *s, int64_t id, const char *who, struct err *err);

/* --- errands.c: what the gateway asks the builder for, woken by run/builds.wake */
enum errand_kind { ERRAND_PURGE_CACHE, ERRAND_REPORT };
struct errand {
    int64_t id, app_id;      /* app_id 0: of all apps */
    enum errand_kind kind;
    bool ended, failed;
    char *answer;            /* why it failed; of a report, JSON; NULL */
};
void errand_release(struct errand *e);
/* A purge is ERR_BUSY while a build of the app runs; the builds that come after it begin without a cache, until one has an
 * image. A purge for app_id 0 is of the apps that are gone, and nobody waits for it. */
int errands_ask(struct store *s, enum errand_kind kind, int64_t app_id, int64_t *ret_id, struct err *err);
int errands_get(struct store *s, int64_t id, struct errand *ret, struct err *err);
int errands_drop(struct store *s, int64_t id, struct err *err);
/* The builder's part: the oldest that is asked for, of those behind number `after`: 1, 0 where there is none, -1. */
int errands_next(struct store *s, int64_t after, struct errand *ret, struct err *err);
int errands_end(struct store *s, int64_t id, bool failed, const char *answer, struct err *err);
/* Is a purge of the app's cache asked for? And: it is done. */
int errands_purge_asked(struct store *s, int64_t app_id, bool *ret, struct err *err);
int errands_purged(struct store *s, int64_t app_id, struct err *err);

/* --- images.c: which images of an app are kept in the registry. `history`: how many that were live before the live one */
/* Adds the digests that the app may still need. */
int images_kept(struct store *s, int64_t app_id, int history, struct vec *ret, struct err *err);
/* Adds the digests that it needs no more to *ret (some of them, where there are very many) and those that it needs to
 * *ret_kept. Of the first no release can be made from now on, until one is built or published anew. */
int images_take(struct store *s, int64_t app_id, int history, struct vec *ret_kept, struct vec *ret, struct err *err);
/* Adds the digests of all images of the app that the registry may have, newest first. */
int images_of(struct store *s, int64_t app_id, struct vec *ret, struct err *err);
/* What came of it: it is gone, or stays as it was. */
int images_mark(struct store *s, int64_t app_id, const char *digest, bool gone, struct err *err);
/* ERR_FAILED where the release's image was taken, with what to do instead. */
int image_gone_check(const struct release *r, struct err *err);
/* Nothing of the app's images is removed while this descriptor is open (-1: err): for who makes one, up to the row that
 * names it. Waits for a removal that is at it. */
int images_hold(struct store *s, int64_t app_id, struct err *err);
/* The same for who removes: nobody makes one. -1 with ERR_BUSY where somebody does. */
int images_claim(struct store *s, int64_t app_id, struct err *err);

/* --- targets.c */
/* Apps that had begun a release before they had a target get this one; the first start after an upgrade does it. */
int targets_fill(struct store *s, const char *target, struct err *err);
/* The targets that apps are on or have left something on, added to *ret. */
int targets_used(struct store *s, struct vec *ret, struct err *err);
/* The targets that may hold something of the app: its own, those with leavings, that of a release in work. */
int targets_of(struct store *s, int64_t app_id, struct vec *ret, struct err *err);
/* May the app be moved there? ERR_FAILED where it is there already, ERR_BUSY while it is being moved or what it has left
 * there is still being removed, ERR_NOT_FOUND where it is being destroyed. */
int target_move_check(struct store *s, const struct app *a, const char *target, struct err *err);
/* The same for an app without a live release, which is just noted: what a failed first release has left is removed. */
int target_set(struct store *s, int64_t app_id, const char *target, struct err *err);
/* The target of the app's first release, and thereby of the app. */
int releases_target(struct store *s, const struct lease *me, int64_t id, const char *target, struct err *err);

/* What an app has on a target that it doesn't live on. None of an app's own target, and none of a target that a release
 * in work is for: target_move_check sees to that. */
struct leaving { struct app app; char *target; };
void leaving_release(struct leaving *l);
/* 1: the app has left something on that target that is not removed yet, 0: it has not, -1. */
int leavings_are(struct store *s, int64_t app_id, const char *target, struct err *err);
int leavings_add(struct store *s, int64_t app_id, const char *target, struct err *err);
/* Where this release, which has failed, was to move its app. */
int leavings_of_release(struct store *s, int64_t id, struct err *err);
int leavings_list(struct store *s, struct leaving **ret, size_t *ret_n, struct err *err);
/* It is removed: with it, what the inventory says of it. */
int leavings_drop(struct store *s, int64_t app_id, const char *target, struct err *err);

/* --- inventory.c */
struct inventory_item { char *api_version, *kind, *namespace, *name, *uid; int64_t release_id; };
void inventory_item_release(struct inventory_item *i);
int inventory_put(struct store *s, int64_t app_id, const struct inventory_item *i, struct err *err);
/* Of what the app has on this target. */
int inventory_list(struct store *s, int64_t app_id, const char *target, struct inventory_item **ret, size_t *ret_n, struct err *err);
int inventory_drop(struct store *s, int64_t app_id, const struct inventory_item *i, struct err *err);

/* --- audit.c */
int audit_add(struct store *s, const struct audit_row *a, struct err *err);
/* Newest first. app NULL: all; else the app's, under all names that it had, and what was tried with its name by those for whom
 * there is no such app. */
int audit_list(struct store *s, const struct app *app, int limit, struct audit_row **ret, size_t *ret_n, struct err *err);

#endif
