/* Where a release runs. Two implementations stand behind this table: deployer/kubernetes/ and
 * deployer/docker/; nothing else in the deployer, and nothing outside it, knows which is in use. */
#ifndef SLIPWAY_DEPLOYER_TARGET_H
#define SLIPWAY_DEPLOYER_TARGET_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "sql/model.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Where text for people goes: whole lines without a newline, plain text and SGR colour only. */
typedef void target_say_fn(void *arg, const char *line);

/* What every call needs besides its own arguments. */
struct target_call {
    target_say_fn *say;      /* progress, for the push's output; never NULL */
    void *say_arg;
    bool (*canceled)(void *arg); /* asked when wake_fd is readable, or oftener (and has to read it empty); true ends
                                  * the call with ERR_FAILED "canceled" */
    /* Asked after canceled said true: true where another process goes on with the same release, so that what runs
     * for it (the release command) is left to it. NULL: never. */
    bool (*handed_on)(void *arg);
    void *canceled_arg;      /* of both */
    int wake_fd;             /* -1: none, then canceled is asked after each event */
};

/* A release as the target gets it: opened config (run scope), image by digest. */
struct target_release {
    const struct app *app;
    const struct release *release;
    const char *image;                  /* host/name@sha256:… in the release registry */
    const struct config_set *config;    /* opened */
    bool restore;                       /* putting the last live release back */
    const struct certificate *certificate; /* the app's own, with its key; NULL or empty: none */
    const struct vec *suspended;        /* ids of cron tasks that shall not be started; NULL: none */
};

struct inventory_item; /* sql/tables.h */

/* An object that the target made for the app (goes to the inventory). */
typedef int target_object_fn(void *arg, const struct inventory_item *item, struct err *err);

struct target_applied {
    char *manifests;         /* JSON array of what was applied, secret values removed; owned */
    char *url;               /* where web answers; NULL: not exposed; owned */
};

/* One process that runs. */
struct target_instance {
    char *name;              /* "web.1" for people */
    char *id;                /* pod or container name */
    char *process;
    char *state;             /* "running", "starting", "crashed", "stopping", "pending" */
    char *reason;            /* NULL: none */
    int64_t release_version;
    int restarts;
    int64_t started_at;      /* ms since 1970; 0: not started */
    bool ready;
};

struct log_marks;

/* A log query: -n, -p, --since, -t. */
struct target_logs {
    const char *process;     /* NULL: all */
    const char *instance;    /* NULL: all */
    int tail;                /* lines of all instances together; -1: the last LOG_PAST_MAX (base/log_view.h) */
    int64_t since_s;         /* 0: no limit */
    bool follow;
    const struct log_marks *until; /* instead of following: no more than was read up to here; NULL: all there is */
};

/* Input and output of a command or a log stream; descriptors of a frame stream (base/ipc.h) to the session. */
struct target_stream { int fd; };

/* A person's terminal. */
struct target_tty {
    bool is;                 /* false: pipes */
    int cols, rows;          /* 0: unknown */
    const char *term;        /* TERM; "" where unknown; letters, digits and ._+- */
};

/* A command that runs once, beside the app's processes. */
struct target_run {
    char *const *argv;       /* the command's words, ended by NULL */
    bool shell;              /* argv[0] is a line for a shell; there are no more */
    const char *process;     /* runs what this process type runs, argv is empty; NULL: argv */
    const json_t *env;       /* object: more environment variables, before the config's */
    const char *user;        /* who, and */
    const char *text;        /* the command, to be shown in lists */
    int64_t ttl_s;           /* it is ended after so long */
    struct target_tty tty;
    bool detached;           /* no input, nobody follows */
    const char *number;      /* of a scheduled one (run_number_parse); NULL: one that is free */
};

/* A command in a process that runs. */
struct target_exec {
    const char *instance;    /* "web.1"; "web": one of them */
    char *const *argv;       /* NULL-terminated; empty: a shell */
    bool shell;              /* as in target_run */
    struct target_tty tty;
};

/* A one-off command that runs, or has ended not long ago. */
struct target_one_off {
    char *name;              /* "run.48213" */
    char *command, *user;
    char *state;             /* "pending", "starting", "running", "stopping", "done", "failed" */
    char *reason;            /* NULL: none */
    int exit_code;           /* of one that is done or failed; -1: unknown */
    bool detached;
    int64_t started_at;      /* ms since 1970; 0: not started */
    int64_t ends_at;         /* when its time is over; 0: unknown */
};

/* What people ask of a target before they choose one, or move. */
enum target_trait {
    TRAIT_MACHINES, TRAIT_ADDRESS, TRAIT_DOMAINS, TRAIT_HTTPS, TRAIT_ROLLOUT, TRAIT_RESTART, TRAIT_COMMAND, TRAIT_LOGS, TRAIT_ROUTER,
    TRAIT_RUN, TRAIT_EXEC, TRAIT_CHECKS, TRAIT_CRON, TRAIT_LIMITS, TRAIT_REQUESTS, TRAIT_PIDS, TRAIT_READ_ONLY,
    TRAIT_MAINTENANCE, TRAITS,
};

/* A target's answer: yes or no, and how ("": no more to say). What it says no to has no function below. */
struct target_says { bool can; const char *how; };

struct target;
struct log_fan;

struct target_ops {
    const char *name;        /* "kubernetes", "docker" */
    struct target_says says[TRAITS]; /* docs/targets.md is made from it */

    /* Reads credentials; opens no connection yet. */
    int (*open)(const struct conf *c, struct target **ret, struct err *err);
    void (*close)(struct target *t);

    /* From now on until close, c->canceled is asked whenever c->wake_fd is readable, also in functions that get no call and
     * while a program logs in, so that who holds a lease renews it; it has a wake_fd, and lives as long. NULL: nothing of
     * this target waits for longer than a lease without a call. */
    void (*attend)(struct target *t, const struct target_call *c);

    /* For `slipway check`: says one line a finding ("ok …", or what to do). -1 where something is missing. */
    int (*check)(struct target *t, target_say_fn *say, void *say_arg, struct err *err);

    /* Runs the release command once (script NULL), or the postdeploy script, a line for a shell, and waits for its end, its
     * output through say. ERR_FAILED with exit code and reason: "failed (exit 1)". Where an earlier call for the same
     * release was cut off, goes on with what that one began. */
    int (*release_command)(struct target *t, const struct target_release *r, const char *script,
                           const struct target_call *c, int64_t timeout_ms, struct err *err);

    /* Makes the target hold the release's objects: idempotent; object is called for each. */
    int (*apply)(struct target *t, const struct target_release *r, const struct target_call *c,
                 target_object_fn *object, void *object_arg, struct target_applied *ret, struct err *err);

    /* Waits until the applied release serves with all its instances, or has failed: then *err says why in one
     * sentence ("web crashed 3 times (exit 1)") after its last log lines went through say. */
    int (*watch)(struct target *t, const struct target_release *r, const struct target_call *c,
                 int64_t timeout_ms, struct err *err);

    /* What applying the release would change; changes nothing. *ret: an array, an object for each change
     * (target_plan_add), the caller decrefs it. items: the inventory. Where applying would fail for what is known
     * already, that is the error, or stands in the object's note. */
    int (*plan)(struct target *t, const struct target_release *r, const struct inventory_item *items, size_t n_items,
                json_t **ret, struct err *err);

    /* Removes objects of the inventory (only if the uid is still the stored one); removed is called for each that is gone. */
    int (*prune)(struct target *t, const struct app *app, const struct inventory_item *v, size_t n,
                 target_object_fn *removed, void *removed_arg, struct err *err);

    /* Removes all that the app has. Missing things are fine. */
    int (*remove)(struct target *t, const struct app *app, struct err *err);

    /* What runs now. The caller releases each and frees the array. */
    int (*list)(struct target *t, const struct app *app, struct target_instance **ret, size_t *ret_n, struct err *err);

    /* Restarts all instances of a process (NULL: of all) without downtime, and waits as watch does. */
    int (*restart)(struct target *t, const struct target_release *r, const char *process,
                   const struct target_call *c, int64_t timeout_ms, struct err *err);

    /* Writes log lines as IPC_STDOUT frames ("2026-01-02T03:04:05Z web.1 text\n") until the end, or until the peer is gone. */
    int (*logs)(struct target *t, const struct app *app, const struct target_logs *q,
                const struct target_stream *io, struct err *err);

    /* Reads what all instances print from now on, for all who follow (deployer/log_fan.h), until nobody does. */
    int (*follow)(struct target *t, const struct app *app, struct log_fan *fan, struct err *err);

    /* What follows may be NULL: the target can't do it. */

    /* Writes what the router has seen of the app, as IPC_STDOUT frames of "2026-01-02T03:04:05Z router at=info …\n"; follows
     * for itself. */
    int (*requests)(struct target *t, const struct app *app, const struct target_logs *q,
                    const struct target_stream *io, struct err *err);
    /* Runs a command with the release's image and config: frames as in base/ipc.h, from a stream whose request was
     * read. 0 when it has ended: *ret_exit is its exit code, and nothing of it is left; where the session goes away
     * it is ended. Detached: 0 once it is on its way. *ret_name is the caller's, NULL where it never got one. */
    int (*run)(struct target *t, const struct target_release *r, const struct target_run *q,
               const struct target_stream *io, char **ret_name, int *ret_exit, struct err *err);
    /* The same inside a process that runs. */
    int (*exec)(struct target *t, const struct app *app, const struct target_exec *q,
                const struct target_stream *io, int *ret_exit, struct err *err);
    /* One-off commands, oldest first. The caller releases each and frees the array. */
    int (*run_list)(struct target *t, const struct app *app, struct target_one_off **ret, size_t *ret_n,
                    struct err *err);
    /* Writes what one has printed, as IPC_STDOUT; follow: until it ends, or the peer is gone. */
    int (*run_logs)(struct target *t, const struct app *app, const char *name, bool follow,
                    const struct target_stream *io, struct err *err);
    /* Ends one, or forgets one that has ended. ERR_NOT_FOUND. */
    int (*run_stop)(struct target *t, const struct app *app, const char *name, struct err *err);
    /* From now on web's address answers with a maintenance page, or with the app again. */
    int (*maintenance)(struct target *t, const struct app *app, bool on, struct err *err);
    /* The certificates that are shown for the app's host names, as an array that the caller decrefs: {"host", "issuer" (null:
     * none is shown), "not_before", "not_after" (ms), "error": why none comes, or no new one, or null, "error_at"}. */
    int (*certificates)(struct target *t, const struct app *app, json_t **ret, struct err *err);
};

/* What is asked, in a few words. */
const char *target_trait_text(enum target_trait t);

/* What each target says of itself, as a document: docs/targets.md. */
void target_print_markdown(struct buf *out);

/* The targets, in the table's order, ended by NULL. */
extern const struct target_ops *const target_all[];

/* Adds {"kind", "name", "before": …, "after": …, "note": text or null}: an object as it is (NULL: it isn't there) and as
 * it would be (NULL: it goes away), without what the target writes into it by itself and without values of the
 * config. Takes both documents. Nothing is added where they are equal. note: what else has to be known; NULL. */
void target_plan_add(json_t *all, const char *kind, const char *name, json_t *before, json_t *after, const char *note);

void target_one_off_release(struct target_one_off *o);

void target_instance_release(struct target_instance *i);
void target_applied_release(struct target_applied *a);

/* Says one line (n bytes) of a process's output, made fit for people. */
void target_say_output(const struct target_call *c, const char *line, size_t n);

/* The implementation with this name, or NULL. */
typedef const struct target_ops *target_find_fn(const char *name);
target_find_fn target_find;
extern const struct target_ops target_kubernetes, target_docker;

#endif
