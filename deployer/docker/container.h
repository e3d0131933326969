/* The containers of an app: how one is named, labelled and configured, and how the engine's documents are read
 * back. Pure: the same input makes the same document, byte for byte; an unchanged template means that a
 * container is kept.
 * Source: Docker Engine API, "Create a container", "List containers", "Inspect a container". */
#ifndef SLIPWAY_DEPLOYER_DOCKER_CONTAINER_H
#define SLIPWAY_DEPLOYER_DOCKER_CONTAINER_H

#include "base/conf.h"
#include "base/err.h"
#include "sql/model.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Labels. The state folder tells one Slipway's containers from another's on the same engine. */
#define LABEL_STATE "dev.slipway/state"
#define LABEL_APP "dev.slipway/app"
#define LABEL_PROCESS "dev.slipway/process"
#define LABEL_NUMBER "dev.slipway/number"     /* from 1 */
#define LABEL_RELEASE "dev.slipway/release"   /* version of the release that made it */
#define LABEL_TEMPLATE "dev.slipway/template" /* hash of its configuration */
#define LABEL_SET "dev.slipway/set"           /* of web: which set of addresses it has one of */

#define PROCESS_WEB "web"
#define PROCESS_RELEASE "release"
#define WEB_PORT 8080        /* PORT; above 1023, because the processes aren't root */
#define TEMPLATE_SIZE 17     /* 8 bytes in hex and a NUL */

/* What the engine's machine and the settings mean for a container, checked once. */
struct container_limits {
    int64_t memory;          /* bytes; 0: none */
    int64_t nano_cpus;       /* 0: none */
};
/* cpus: of the engine's machine; a limit that is no less is none, because the engine refuses it. */
int container_limits_read(const struct conf *c, int cpus, struct container_limits *ret, struct err *err);

struct container_input {
    const struct conf *conf;
    const struct app *app;
    const struct release *release;
    const char *image;                 /* host/name@sha256:… */
    const struct config_set *config;   /* opened; only the run scope is used */
    const char *network;               /* its name */
    struct container_limits limits;
    bool init;                         /* the engine has an init that hands signals on */
};

/* The document that makes a container of a process: all but what differs between its instances. ERR_USAGE where a
 * value can't be an environment variable. The caller decrefs; it holds config values. */
int container_render(const struct container_input *in, const char *process, json_t **ret, struct err *err);

/* The hash of it. */
void container_template(const json_t *body, char ret[TEMPLATE_SIZE]);

/* Adds what is of one instance: labels, and the address (NULL: any of the network). set: -1 for others than web. */
void container_place(json_t *body, const struct container_input *in, const char *process, int number, int set,
                     const char *template, const char *address);

/* A copy without the values of the environment. */
json_t *container_public(const json_t *body);

/* "slipway-shop.web.1.v7.a3f1": mark tells two apart of which one replaces the other. The caller frees. */
char *container_name(const struct conf *c, const char *app, const char *process, int number, int64_t version,
                     unsigned mark);
/* The name after a release that kept it; after it was taken out of service. NULL where the name is not ours. */
char *container_renamed(const char *name, int64_t version);
char *container_retired(const char *name);

/* --- what the engine says */

enum container_state { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_RESTARTING, CONTAINER_EXITED, CONTAINER_GONE };

struct container {
    char *id, *name, *app, *process, *template, *image;
    char *address;           /* in its network; "": none */
    int number, set;         /* set -1: none */
    int64_t version;         /* of the release that it is of, from its name */
    bool retired;            /* taken out of service: to be stopped and removed */
    enum container_state state;
    int64_t created_at;      /* s since 1970 */
};
struct containers { struct container *v; size_t n; };

/* Reads a document of the list. False where it isn't one of ours. */
bool container_read(const json_t *doc, const char *state_folder, struct container *ret);
void container_release(struct container *c);
/* A whole list; others than ours are left out. Sorted by process and number. */
void containers_read(const json_t *list, const char *state_folder, struct containers *ret);
void containers_release(struct containers *all);

/* "web.1"; the caller frees it. */
char *container_instance(const struct container *c);

/* What inspecting one says. */
struct container_status {
    enum container_state state;
    bool oom;
    int exit_code;           /* of its last end */
    int restarts;
    int64_t started_at;      /* ms since 1970; 0: never */
    char *error;             /* why it could not be started; NULL: none; owned */
};
void container_status_read(const json_t *doc, struct container_status *ret);
void container_status_release(struct container_status *s);

/* "exit 1", "SIGKILL"; the caller frees it. */
char *container_exit_text(int code);

#endif
