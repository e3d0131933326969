/* app.json of the pushed tree: Heroku's schema with Dokku's additions (docs/app-json.md). Pure.
 * Source: devcenter.heroku.com "app.json Schema"; dokku.com "File formats: app.json". */
#ifndef SLIPWAY_SQL_APP_JSON_H
#define SLIPWAY_SQL_APP_JSON_H

#include "base/cron.h"
#include "base/err.h"
#include "base/vec.h"
#include "sql/model.h"

#include <stdbool.h>
#include <stddef.h>

#define APP_JSON_MAX (64 * 1024)   /* bytes of the file; it is copied into each release's row */
#define APP_JSON_ENV_MAX 200
#define APP_JSON_CRON_MAX 50
#define APP_JSON_COMMAND_MAX 4096  /* bytes of a command line */
#define CRON_ID_SIZE 9             /* 8 hex digits and a NUL */

struct app_json_env {
    char *name;
    char *value;             /* NULL: none */
    bool secret;             /* generator: a random value is made */
    bool required;           /* and has neither of these: somebody has to set it before */
    size_t line;             /* of the file */
};

enum check_type { CHECK_STARTUP, CHECK_READINESS, CHECK_LIVENESS };
const char *check_type_name(enum check_type t);

/* How to find out whether a process is well: exactly one of path, command and listening. */
struct app_json_check {
    char *process;
    size_t index;            /* in its process's list */
    enum check_type type;
    char *path;              /* HTTP GET: 200 to 399 is well; NULL: none */
    struct vec command;      /* in the container: exit 0 is well */
    bool listening;          /* the port accepts a connection */
    int port;                /* 0: $PORT */
    int timeout_s, attempts, wait_s, initial_delay_s;
};

struct app_json_cron {
    char id[CRON_ID_SIZE];   /* of schedule and command: the same in each release that has it */
    char *schedule;          /* as written */
    char *command;           /* a line for a shell */
    struct cron when;
};

struct app_json {
    struct app_json_env *env;
    size_t n_env;
    struct formation formation;
    struct app_json_check *checks;
    size_t n_checks;
    struct app_json_cron *cron;
    size_t n_cron;
    char *postdeploy;        /* a line for a shell; NULL: none */
    struct vec warnings;     /* what stands in it and has no effect here, where one might count on it */
};

/* Reads n bytes of the file. ERR_FAILED: "app.json line 7: cron[1].schedule …". Release *ret. */
int app_json_parse(const char *text, size_t n, struct app_json *ret, struct err *err);
void app_json_release(struct app_json *a);

/* What a release keeps of it, an app.json again: healthchecks, cron and scripts.postdeploy. NULL: nothing. The caller
 * frees it. */
char *app_json_kept(const struct app_json *a);

/* Reads what a release has kept; empty for NULL. Release *ret. */
int app_json_of(const char *kept, struct app_json *ret, struct err *err);

/* The check of this kind that a process has; NULL: none. */
const struct app_json_check *app_json_check_find(const struct app_json *a, const char *process, enum check_type t);

/* The task of this id; NULL: none. */
const struct app_json_cron *app_json_cron_find(const struct app_json *a, const char *id);

/* A place in a JSON document: of a member (key) or an element (key NULL, index). */
struct app_json_at {
    const struct app_json_at *up; /* NULL: the document itself */
    const char *key;
    size_t index;
};
/* The line, from 1, on which that value begins; 0 where it isn't found. The text must be well-formed. */
size_t app_json_line(const char *text, size_t n, const struct app_json_at *at);

#endif
