/* The objects of a release, as documents for server-side apply. Pure: the same input makes the same
 * documents, byte for byte, and an unchanged pod template means that no pod is restarted.
 * Source: kubernetes.io "Recommended Labels", "Pod Security Standards" (restricted). */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_MANIFEST_H
#define SLIPWAY_DEPLOYER_KUBERNETES_MANIFEST_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/vec.h"
#include "sql/app_json.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* On a Deployment: which release it is of. Not on the pods: a release that changes neither image
 * nor config restarts nothing; the Deployment controller copies them to the newest ReplicaSet. */
#define ANNOTATION_RELEASE "slipway/release"       /* version */
#define ANNOTATION_RELEASE_ID "slipway/release-id"
#define ANNOTATION_BUILD "slipway/build"
#define ANNOTATION_COMMIT "slipway/commit"
/* On a pod: a hash of the template that it was made from, and when it was last asked to restart.
 * They tell the pods of a rollout from the ones before. */
#define ANNOTATION_TEMPLATE "slipway/template"
#define ANNOTATION_RESTARTED "slipway/restarted-at"

#define LABEL_NAME "app.kubernetes.io/name"            /* the app */
#define LABEL_INSTANCE "app.kubernetes.io/instance"    /* the app */
#define LABEL_PROCESS "app.kubernetes.io/component"    /* the process type */
#define LABEL_MANAGED "app.kubernetes.io/managed-by"
#define MANAGED_BY "slipway"
#define SELECTOR_MANAGED "app.kubernetes.io%2Fmanaged-by%3Dslipway"

#define PROCESS_WEB "web"
#define PROCESS_RELEASE "release"  /* the command that runs before the rollout; no Deployment */
#define CONTAINER "app"            /* the one container's name in each pod */
#define SERVICE_ACCOUNT "app"
#define CERTIFICATE_SECRET "web-certificate"
#define CONFIG_SECRET "config-"    /* and a hash */
#define WEB_PORT 8080              /* PORT; above 1023, because the processes aren't root */
#define BOOT_LIMIT_S 60            /* until web listens on $PORT; Heroku's R10 is the same */

struct manifest_input {
    const struct conf *conf;
    const struct app *app;
    const struct release *release;
    const char *image;              /* host/name@sha256:… */
    const struct config_set *config;/* opened; only the run scope is used */
    /* name of the config's Secret (manifest_config_bytes); NULL where empty */
    const char *secret;
    const struct certificate *certificate; /* the app's own, with its key; NULL or empty: none */
    const char *pull_config;        /* content of a docker config.json; NULL: none */
    const struct vec *suspended;    /* ids of cron tasks; NULL: none */
    const struct app_json *app_json;/* what the release keeps of it; NULL: nothing */
};

struct manifest {
    json_t *namespace_;      /* one document */
    json_t *base;            /* array: ServiceAccount, Secrets: what pods refer to */
    json_t *workload;        /* array: Deployments, Service, Ingress */
};

/* Renders all of a release. ERR_USAGE where a value can't be an environment variable, or a
 * setting is missing. Release with manifest_release. */
int manifest_render(const struct manifest_input *in, struct manifest *ret, struct err *err);
void manifest_release(struct manifest *m);

/* The Job that runs the release command (script NULL), or the postdeploy script, a line for a shell; timeout_s ends it in the
 * cluster too. */
json_t *manifest_job(const struct manifest_input *in, const char *script, int64_t timeout_s);
/* Its name: "release-v7", "postdeploy-v7". The caller frees it. */
char *manifest_job_name(const struct release *r, const char *script);

/* A one-off command: a pod that is none of the processes, so no label says a process type. */
#define LABEL_RUN "slipway/run"                 /* its number: "48213" of run.48213 */
#define SELECTOR_RUN SELECTOR_MANAGED "%2Cslipway%2Frun"
#define ANNOTATION_USER "slipway/user"
#define ANNOTATION_COMMAND "slipway/command"
#define ANNOTATION_OWNER "slipway/owner"        /* of an attached one: the process that it ends with */
/* One that a schedule starts: the label is the same for all, and the Job's name says which. */
#define RUN_CRON "cron"
#define CRON_NAME "cron-"                       /* and the task's id; the Job's has the minute behind it */
#define LABEL_JOB "job-name"                    /* set by the Job controller */
#define SELECTOR_CRON SELECTOR_MANAGED "%2Cslipway%2Frun%3D" RUN_CRON "%2C" LABEL_JOB "%3D" CRON_NAME

struct manifest_run {
    const char *number;
    const struct vec *command;  /* the container's command */
    const json_t *env;          /* object of texts; NULL: none */
    const char *user, *text;    /* for the list */
    const char *owner;          /* NULL: detached */
    int64_t ttl_s;
    bool tty;
};
/* Its Pod, or, detached, the Job around it, which forgets itself. */
json_t *manifest_run(const struct manifest_input *in, const struct manifest_run *r);

/* "slipway-shop"; the caller frees it. */
char *manifest_namespace_name(const struct conf *c, const struct app *app);

/* What the name of the config's Secret is a hash of: names and values of the run scope. False
 * where there are none. Zero and release it. */
bool manifest_config_bytes(const struct config_set *config, struct buf *ret);

/* How many instances of a process a release has: what the formation says, else 1 of web and 0 of
 * others. */
int manifest_count(const struct release *r, const char *process);

/* True for process types that run as a Deployment. */
bool manifest_is_service(const char *process);

/* Seconds until web has to listen, else it is ended; 0: its own healthchecks say when. */
int manifest_boot_limit(const struct release *r);

/* Sets a container's probes to a process's healthchecks; those that it has keep the rest. manifest_checks.c */
void manifest_checks(const struct app_json *a, const char *process, json_t *container);

/* A copy of the documents as an array with each Secret's values left out. */
json_t *manifest_public(const struct manifest *m);

#endif
