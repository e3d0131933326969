/* What the parts of the Kubernetes target share. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_CLUSTER_H
#define SLIPWAY_DEPLOYER_KUBERNETES_CLUSTER_H

#include "deployer/kubernetes/kube.h"
#include "deployer/kubernetes/manifest.h"
#include "deployer/kubernetes/rollout.h"
#include "deployer/target.h"

/* The generation of a Deployment as this process last changed it. */
struct generation {
    char *process;
    int64_t generation;
};

struct target {
    const struct conf *conf;
    struct kube *kube;
    char *pull_config;       /* content of the pods' docker config.json; NULL: none; secret */
    struct generation *generations;
    size_t n_generations;
};

/* A kind of object that a release may hold. */
struct kind {
    const char *api_version, *kind;
    const char *prefix;      /* of its path: "/apis/apps/v1" */
    const char *plural;
};
/* NULL: none of ours. */
const struct kind *kind_find(const char *api_version, const char *kind);
/* "/apis/apps/v1/namespaces/NAMESPACE/deployments/NAME"; name NULL: the collection. The caller
 * frees it. */
char *kind_path(const struct kind *k, const char *namespace_, const char *name);
/* The same of a kind by its name alone, which must be one of ours. */
char *kind_path_of(const char *kind, const char *namespace_, const char *name);

/* --- apply.c */

/* A release rendered, with what its manifest_input borrows. */
struct rendering {
    struct manifest_input input;
    struct manifest manifest;
    char *namespace_;
    char *secret;            /* name; NULL: no config */
    struct app_json *app_json;
};
int rendering_make(struct target *t, const struct target_release *r, struct rendering *ret,
                   struct err *err);
void rendering_release(struct rendering *g);

/* Reads the app's Namespace; *ret NULL: there is none. ERR_FAILED where it isn't ours, ERR_BUSY while it is deleted. */
int namespace_read(struct target *t, const struct rendering *g, json_t **ret, struct err *err);

/* The path that applies a document as this program's. The caller frees it. */
char *apply_path(const json_t *doc, bool force);

/* Makes the Namespace and what pods refer to. object may be NULL. */
int base_apply(struct target *t, const struct target_release *r, const struct rendering *g,
               target_object_fn *object, void *object_arg, struct err *err);

void generation_set(struct target *t, const char *process, int64_t generation);
int64_t generation_get(const struct target *t, const char *process);

/* --- wait.c */

/* Follows the cluster until rollout says done or failed; what watch and restart have in common. */
int rollout_wait(struct target *t, const struct app *app, struct rollout *rollout,
                 const struct target_call *c, int64_t timeout_ms, struct err *err);

/* One round of waiting: until something happens, at most timeout_ms (-1: no limit). -1 with
 * ERR_FAILED "canceled" where the caller doesn't want to wait any longer. */
int call_wait(struct target *t, const struct target_call *c, int timeout_ms, struct err *err);

/* Says a pod's last lines; says nothing where they can't be had. */
void say_last_lines(struct target *t, const struct app *app, const char *process, const char *pod,
                    bool previous, const struct target_call *c);

/* True where the cluster is adding a node for a pod that found none. */
bool node_is_coming(struct target *t, const char *namespace_, const char *pod_uid);

/* --- the functions of target_ops, each in the file of its name */
int kubernetes_apply(struct target *t, const struct target_release *r, const struct target_call *c,
                     target_object_fn *object, void *object_arg, struct target_applied *ret,
                     struct err *err);
int kubernetes_plan(struct target *t, const struct target_release *r, const struct inventory_item *items,
                    size_t n_items, json_t **ret, struct err *err);
int kubernetes_watch(struct target *t, const struct target_release *r, const struct target_call *c,
                     int64_t timeout_ms, struct err *err);
int kubernetes_release_command(struct target *t, const struct target_release *r, const char *script,
                               const struct target_call *c, int64_t timeout_ms, struct err *err);
int kubernetes_prune(struct target *t, const struct app *app, const struct inventory_item *v,
                     size_t n, target_object_fn *removed, void *removed_arg, struct err *err);
int kubernetes_remove(struct target *t, const struct app *app, struct err *err);
int kubernetes_list(struct target *t, const struct app *app, struct target_instance **ret,
                    size_t *ret_n, struct err *err);
int kubernetes_restart(struct target *t, const struct target_release *r, const char *process,
                       const struct target_call *c, int64_t timeout_ms, struct err *err);
int kubernetes_logs(struct target *t, const struct app *app, const struct target_logs *q,
                    const struct target_stream *io, struct err *err);
int kubernetes_follow(struct target *t, const struct app *app, struct log_fan *fan, struct err *err);
int kubernetes_run(struct target *t, const struct target_release *r, const struct target_run *q,
                   const struct target_stream *io, char **ret_name, int *ret_exit, struct err *err);
int kubernetes_exec(struct target *t, const struct app *app, const struct target_exec *q,
                    const struct target_stream *io, int *ret_exit, struct err *err);
int kubernetes_run_list(struct target *t, const struct app *app, struct target_one_off **ret,
                        size_t *ret_n, struct err *err);
int kubernetes_run_logs(struct target *t, const struct app *app, const char *name, bool follow,
                        const struct target_stream *io, struct err *err);
int kubernetes_run_stop(struct target *t, const struct app *app, const char *name, struct err *err);
int kubernetes_check(struct target *t, target_say_fn *say, void *say_arg, struct err *err);

#endif
