/* What the rows are, in C. Everything here is target-neutral: a release says what shall run,
 * deployer/target.h's implementations say how. Strings are owned by the struct; each has a
 * _release function in sql/model.c that frees them and zeroes it. */
#ifndef SLIPWAY_SQL_MODEL_H
#define SLIPWAY_SQL_MODEL_H

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APP_NAME_MAX 30      /* "slipway-" + app + "-" + process + hashes stays within a DNS label's 63 */
#define USER_NAME_MAX 32
#define CONFIG_NAME_MAX 128
#define CONFIG_VALUE_MAX (64 * 1024)
#define CONFIG_TOTAL_MAX (900 * 1024) /* a Kubernetes Secret holds 1 MiB in all */
#define PROCESS_NAME_MAX 63
#define PROCESSES_MAX 50     /* of one app; a Procfile with more is a mistake */
#define PROCESS_COUNT_MAX 1000 /* instances of one type; more is a slip of the finger */

/* Names, checked once at the border. Each returns 0, or -1 with ERR_USAGE and what was expected. */
int app_name_check(const char *name, struct err *err);      /* ^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$ */
int user_name_check(const char *name, struct err *err);     /* ^[a-z]([a-z0-9._-]{0,30}[a-z0-9])?$ */
int team_name_check(const char *name, struct err *err);     /* as a user's */
/* Whom a role can be given to: a user's name, or "@" and a team's. */
int grantee_name_check(const char *name, struct err *err);
int config_name_check(const char *name, struct err *err);   /* ^[A-Za-z_][A-Za-z0-9_]*$, not PORT */
int process_name_check(const char *name, struct err *err);  /* ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$ */

/* Ordered: a later one includes the earlier ones. */
enum role { ROLE_NONE, ROLE_VIEW, ROLE_DEPLOY, ROLE_OPERATE, ROLE_OWN };
const char *role_name(enum role r);
int role_parse(const char *s, enum role *ret, struct err *err);

struct user {
    int64_t id;
    char *name;
    bool admin, may_create;
    int64_t created_at;
    /* Came in with a deploy key: not admin, nothing may be created, and no role in any other app; the role in this
     * one is the user's own, at most operate. 0: not bound. */
    int64_t bound_app;
};
void user_release(struct user *u);

struct team {
    int64_t id;
    char *name;
    int64_t created_at;
    int64_t members, apps;   /* how many */
};
void team_release(struct team *t);

struct key {
    int64_t id, user_id;
    char *user_name, *name, *type, *fingerprint;
    void *blob;
    size_t blob_len;
    int64_t created_at, last_used_at; /* last_used_at 0: never */
    int64_t app_id;                  /* a deploy key's; 0: a person's key */
    char *app, *verbs, *source;      /* verbs separated by spaces; source NULL: anywhere */
    int64_t expires_at;              /* 0: never */
};
void key_release(struct key *k);

struct app {
    int64_t id;
    char *name, *owner, *deploy_branch;
    char *handle;                    /* what its objects and images are called: its first name, mostly */
    char *lock_reason, *locked_by;   /* NULL: not locked */
    int64_t locked_at;
    int64_t live_release_id;         /* 0: none */
    int64_t live_version;            /* 0: none */
    char *live_commit;               /* NULL: none, or an image release: then the branch in the repository stays at
                                      * the last commit that was live, and pushes aren't told of it */
    int64_t config_version;
    char *on_disconnect;
    char *target;                    /* where it runs; "": the server's setting, when its first release begins */
    bool maintenance;                /* web's address shows a page that says so */
    struct vec domains;              /* host names of its own, sorted */
    char *certificate;               /* its own certificate's hash; NULL: none */
    bool deleting;
    int64_t created_at;
};
void app_release(struct app *a);

/* An app's own certificate. */
struct certificate {
    char *chain;                     /* PEM, the app's first */
    char *key;                       /* PEM; NULL where it was not opened */
    char *hash;                      /* names it in the target: of other letters than 0-9 and a-f it has none */
    struct vec names;                /* host names: "example.com", "*.example.com" */
    char *subject, *issuer, *fingerprint;
    int64_t not_before, not_after;   /* ms since 1970 */
};
void certificate_release(struct certificate *c); /* zeroes the key */

/* A process type of an image. */
struct process {
    char *type;
    struct vec command, args;
    bool is_default;
};
struct processes { struct process *v; size_t n; };
void processes_release(struct processes *p);
/* JSON as in builds.processes, both ways. */
int processes_parse(const char *json, struct processes *ret, struct err *err);
char *processes_json(const struct processes *p);
const struct process *processes_find(const struct processes *p, const char *type);

struct formation_item { char *process; int count; };
struct formation { struct formation_item *v; size_t n; };
void formation_release(struct formation *f);
int formation_parse(const char *json, struct formation *ret, struct err *err);
char *formation_json(const struct formation *f);
/* -1 where the process is not named. */
int formation_count(const struct formation *f, const char *process);
void formation_set(struct formation *f, const char *process, int count);
/* What a release of these processes runs: the wanted counts, web 1 and others 0 where none is wanted,
 * types that the image lacks dropped, "release" (the release command) left out. Release *ret. */
void formation_fit(const struct formation *wanted, const struct processes *p, struct formation *ret);

/* One row of the tables of states (sql/states.c), ended by why == NULL. */
struct state_change { int from, to; const char *why; };
extern const struct state_change build_changes[], release_changes[];

enum build_state {
    BUILD_QUEUED, BUILD_BUILDING, BUILD_BUILT, BUILD_RELEASING, BUILD_LIVE, BUILD_FAILED, BUILD_CANCELED,
    BUILD_PLANNED, /* in its row 'canceled', plan and a digest */
};
const char *build_state_name(enum build_state s);
bool build_state_ended(enum build_state s);
int build_state_parse(const char *name, enum build_state *ret, struct err *err);
bool build_state_may(enum build_state from, enum build_state to);

struct build {
    int64_t id, app_id;
    char *app, *handle, *user, *branch, *old_commit, *commit, *tree, *message;
    int64_t user_id;
    bool shallow, no_cache, cancel;
    bool plan;               /* makes no release */
    int64_t config_version;
    enum build_state state;
    int attempts;
    char *input_hash, *image, *digest, *processes_json, *reason;
    char *app_json;          /* as in struct release */
    int64_t reused_from;
    int exit_code;
    int64_t release_id;      /* 0: none yet */
    int64_t created_at, started_at, built_at, ended_at;
};
void build_release(struct build *b);

enum release_state {
    RELEASE_PENDING, RELEASE_RELEASING, RELEASE_LIVE, RELEASE_SUPERSEDED, RELEASE_FAILED, RELEASE_CANCELED,
};
const char *release_state_name(enum release_state s);
bool release_state_ended(enum release_state s); /* everything but pending and releasing */
int release_state_parse(const char *name, enum release_state *ret, struct err *err);
bool release_state_may(enum release_state from, enum release_state to);

struct release {
    int64_t id, app_id, version, build_id, user_id;
    char *app, *user, *description, *commit;
    char *source_image, *digest, *image;
    char *image_ref;         /* of an image that wasn't built here: the tag or digest asked for; else NULL */
    char *image_file;        /* of an image that a person sent: its file (base/image_file.h); else NULL */
    int64_t config_version;
    struct formation formation;
    struct processes processes;
    char *app_json;          /* what is kept of app.json: app_json_kept; NULL: nothing */
    bool run_release_command, command_done, postdeploy_done, cancel;
    char *manifests;
    enum release_state state;
    int attempts;
    char *step, *reason, *url;
    bool down;               /* it failed because a part did not answer: ERR_DOWN */
    char *target;            /* where it runs; "" until its worker begins. Another than the app's: it moves the app */
    char *rename_to;         /* the app's name from then on; NULL: the one that it has */
    bool image_gone;         /* the registry's copy is removed, or about to be */
    int64_t publish_ms, command_ms, apply_ms, rollout_ms; /* -1: not measured */
    int64_t created_at, started_at, ended_at;
};
void release_release(struct release *r);

/* A config variable. value is NULL until opened with a secret key (sql/seal.h). */
struct config_var {
    char *name;
    bool run, build;         /* scopes */
    void *sealed_run; size_t sealed_run_len;
    void *sealed_build; size_t sealed_build_len;
    char *hint;
    unsigned char digest[32]; /* equal for equal values of one name */
    int64_t value_id;
    int64_t version;         /* the version in which this value was set */
    char *value; size_t value_len;
};
struct config_set { struct config_var *v; size_t n; };
void config_set_release(struct config_set *c); /* zeroes opened values */

struct audit_row {
    int64_t id, at;
    int64_t app_id;          /* 0: of no app, or of one that was not found */
    char *user, *fingerprint, *address, *app, *verb, *detail;
    int result;
};
void audit_row_release(struct audit_row *a);

#endif
