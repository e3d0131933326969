/* What the cmd_*.c files share: their functions (the table in commands.c names them) and how they show things. */
#ifndef SLIPWAY_GATEWAY_CMD_H
#define SLIPWAY_GATEWAY_CMD_H

#include "base/image_ref.h"
#include "gateway/command.h"
#include "sql/tables.h"

#include <jansson.h>

typedef int command_fn(struct command_ctx *c, char *const *argv, int argc, struct err *err);

command_fn cmd_access_grant, cmd_access_list, cmd_access_revoke;
command_fn cmd_apps_apply, cmd_apps_clone, cmd_apps_create, cmd_apps_destroy, cmd_apps_exists;
command_fn cmd_apps_export, cmd_apps_import, cmd_apps_info, cmd_apps_list, cmd_apps_lock;
command_fn cmd_apps_locked, cmd_apps_move, cmd_apps_plan, cmd_apps_rename, cmd_apps_set, cmd_apps_unlock;
command_fn cmd_audit;
command_fn cmd_builds_attach, cmd_builds_cancel, cmd_builds_list, cmd_builds_output;
command_fn cmd_certs_add, cmd_certs_auto, cmd_certs_info, cmd_certs_remove;
command_fn cmd_completion;
command_fn cmd_config_clear, cmd_config_diff, cmd_config_export, cmd_config_import, cmd_config_keys;
command_fn cmd_config_get, cmd_config_list, cmd_config_set, cmd_config_unset;
command_fn cmd_cron_list, cmd_cron_resume, cmd_cron_run, cmd_cron_suspend;
command_fn cmd_domains_add, cmd_domains_clear, cmd_domains_list, cmd_domains_remove;
command_fn cmd_enter;
command_fn cmd_git_from_archive, cmd_git_from_image, cmd_git_load_image;
command_fn cmd_help, cmd_version, cmd_whoami;
command_fn cmd_keys_add, cmd_keys_list, cmd_keys_remove;
command_fn cmd_logs, cmd_logs_failed;
command_fn cmd_maintenance_off, cmd_maintenance_on, cmd_maintenance_report;
command_fn cmd_ps, cmd_ps_report, cmd_ps_restart, cmd_ps_scale, cmd_ps_start, cmd_ps_stop;
command_fn cmd_releases, cmd_releases_diff, cmd_releases_info, cmd_releases_output, cmd_releases_retry, cmd_rollback;
command_fn cmd_repo_gc, cmd_repo_purge_cache;
command_fn cmd_storage_report;
command_fn cmd_run, cmd_run_detached, cmd_run_list, cmd_run_logs, cmd_run_stop;
command_fn cmd_secrets_rotate;
command_fn cmd_teams_add, cmd_teams_create, cmd_teams_destroy, cmd_teams_info, cmd_teams_list, cmd_teams_remove;
command_fn cmd_users_add, cmd_users_list, cmd_users_remove, cmd_users_set;

/* --- show.c */

/* One JSON document and a newline to standard output; takes the document. Returns 0. */
int show_json(struct command_ctx *c, json_t *doc);

/* Times, from milliseconds since 1970. JSON: "2026-01-02T03:04:05Z", null where 0. */
json_t *show_json_time(int64_t ms);
json_t *show_json_text(const char *s);   /* null where NULL */
json_t *show_json_scopes(bool run, bool build); /* ["run", "build"] */
struct show_text { char s[40]; };
struct show_text show_time(int64_t ms);  /* "2026-01-02 03:04:05", UTC; "-" where 0 */
struct show_text show_age(int64_t ms);   /* since then: "12m", "3h", "5d"; "-" where 0 */
struct show_text show_size(uint64_t bytes); /* "34 KiB" */
struct show_text show_took(int64_t ms);  /* a length of time: "1.2 s"; "-" where negative */

/* Rows whose columns are as wide as their widest cell. Cells lose control characters. */
struct table { struct vec cells; size_t columns; };
#define TABLE_INIT(n) { VEC_INIT, (n) }
void table_add(struct table *t, const char *cell); /* NULL: "-" */
void table_addf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *t, struct command_ctx *c);
/* A list as what was asked for: its rows as JSON, or the table. Takes both; 0, a command's exit code. */
int show_list(struct command_ctx *c, json_t *all, struct table *t);
void table_release(struct table *t);

/* A whole number from a word, min to max, or ERR_USAGE that names `what` ("-n"). */
int show_number(const char *s, const char *what, long long min, long long max, long long *ret, struct err *err);

/* A length of time with its unit ("30s", "10m", "1h", "2d") of at most max seconds, or ERR_USAGE that names
 * `what` ("--since"). */
int show_duration(const char *s, const char *what, long long max, long long *ret_s, struct err *err);

/* "A, B and 3 more": at most `most` of the words. The caller frees it. */
char *show_words(const struct vec *words, size_t most);

/* --- cmd_access.c */

/* Gives c->app's role to who is named, a user or "@" and a team; ROLE_NONE takes it away. */
int access_change(struct command_ctx *c, const char *who, enum role role, struct err *err);

/* --- cmd_apps.c */

/* The name of a branch as --branch takes it (git-check-ref-format(1)). */
int app_branch_check(const char *s, struct err *err);

/* May the person create apps here? */
int app_create_check(const struct command_ctx *c, struct err *err);
/* What people type behind `git remote add`. The caller frees it. */
char *app_git_url(const struct conf *conf, const char *app);

/* --- cmd_set.c */

/* True where s says what becomes of a build whose pusher goes away: "continue" or "cancel". */
bool app_disconnect_known(const char *s);

/* --- cmd_domains.c */

/* Where the app is; an app without releases is where the server's setting will put it. */
const char *app_target(const struct command_ctx *c, const struct app *a);
/* ERR_FAILED where apps on that target can't have host names of their own. */
int domains_possible(const struct command_ctx *c, const char *target, struct err *err);
/* ERR_FAILED where the domain is what an app of some name has by itself. */
int domain_free_check(const struct command_ctx *c, const char *domain, struct err *err);

/* --- cmd_certs.c */

/* ERR_FAILED where apps on that target can't have certificates of their own. */
int certs_possible(const struct command_ctx *c, const char *target, struct err *err);

/* --- cmd_git.c */

/* May c->app have this image? The server's own login reads all apps' images: whose they are, is asked here. */
int image_allowed(struct command_ctx *c, struct image_ref ref, struct err *err);

/* --- cmd_builds.c */

/* The lines of a log file, made fit for a terminal. A file that is not there yet is an empty one. */
int show_log(struct command_ctx *c, const char *path, struct err *err);
/* The same of n files as the member "output" of the document, which is taken and printed. */
int show_log_json(struct command_ctx *c, json_t *doc, const char *const *paths, size_t n, struct err *err);

/* --- cmd_run.c */

/* Runs a line in a shell as a one-off command with the live release's image and config; attached like cmd_run, or
 * detached like cmd_run_detached. */
int run_line(struct command_ctx *c, const char *line, bool detached, struct err *err);

/* --- cmd_releases.c */

/* The release as `releases --json` shows it. */
json_t *release_json(const struct release *r);

/* "v7" or "7". */
int release_version_parse(const char *s, int64_t *ret, struct err *err);
/* FROM [TO]: two versions, of which the second is the live one where it is left out; 0 where none is. */
int release_pair_parse(const struct command_ctx *c, char *const *argv, int argc, int64_t ret[2], struct err *err);

/* With --json, progress goes to standard error: standard output holds one document. Returns where progress is to
 * be written: *p, which lives as long as the caller, or without --json c's own. */
struct progress_io {
    struct command_io io; /* first */
    struct command_io *real;
};
struct command_io *progress_io_init(struct progress_io *p, const struct command_ctx *c);

/* Makes a release of the app's live one within the open transaction, commits, and follows it to its end. Where the
 * app has no live release, or `restart` is false, it only commits. `doing` ("Setting A and restarting shop") is
 * said with "... done, v10" at the end. Fills *ret_release (0: none was made) for --json. A release that
 * failed is -1 with the reason and what stays as it was; `kept` ends that sentence. */
struct release_ask {
    const char *description;         /* "set A" */
    const char *doing;
    const char *kept;                /* "A stays set and is used from the next release on" */
    int64_t from_release_id;         /* 0: the live one */
    int64_t clone_of;                /* another app's release instead, as in struct release_new */
    const char *source_image, *image_ref; /* an image that wasn't built here instead, as in struct release_new */
    const char *image_file;          /* and of one that a person sent, the same */
    const struct processes *processes;
    int64_t config_version;          /* 0: the newest */
    const struct formation *formation; /* NULL: the app's */
    bool run_release_command;
    const char *rename_to;           /* NULL: the app keeps its name */
    bool restart;
};
struct release_made { int64_t id, version; char *url; };
int release_ask(struct command_ctx *c, const struct release_ask *ask, struct release_made *ret, struct err *err);

#endif
