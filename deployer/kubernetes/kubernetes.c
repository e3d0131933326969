#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "deployer/kubernetes/cluster.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PULL_CONFIG_MAX (64 * 1024)

static void kubernetes_close(struct target *t)
{
    if (t == NULL)
        return;
    kube_free(t->kube);
    for (size_t i = 0; i < t->n_generations; i++)
        free(t->generations[i].process);
    free(t->generations);
    if (t->pull_config != NULL)
        sodium_memzero(t->pull_config, strlen(t->pull_config));
    free(t->pull_config);
    free(t);
}

static int pull_config_read(struct target *t, struct err *err)
{
    const char *path = t->conf->image_pull_secret;
    struct buf b;

    if (path == NULL || path[0] == '\0')
        return 0;
    buf_init(&b, PULL_CONFIG_MAX);
    if (path_read(path, &b, err) < 0) {
        buf_release(&b);
        return err_wrap(err, "image_pull_secret");
    }
    t->pull_config = buf_steal(&b);
    return 0;
}

static int kubernetes_open(const struct conf *c, struct target **ret, struct err *err)
{
    bool has_file = c->kubeconfig != NULL && c->kubeconfig[0] != '\0';
    struct target *t = xcalloc(1, sizeof(*t));
    struct kubeconfig k;
    int rc;

    t->conf = c;
    if (sodium_init() < 0)
        abort();
    rc = has_file ? kubeconfig_load(c->kubeconfig, c->kube_context, &k, err)
                  : kubeconfig_in_cluster(&k, err);
    if (rc == 0) {
        rc = kube_new(&k, &t->kube, err);
        kubeconfig_release(&k);
    }
    if (rc < 0 || pull_config_read(t, err) < 0) {
        kubernetes_close(t);
        return -1;
    }
    *ret = t;
    return 0;
}

static void kubernetes_attend(struct target *t, const struct target_call *c)
{
    kube_attend(t->kube, c->wake_fd, c->canceled, c->canceled_arg);
}

const struct target_ops target_kubernetes = {
    .name = "kubernetes",
    .says = {
        [TRAIT_MACHINES] = { true, "wherever the cluster has room" },
        [TRAIT_ADDRESS] = { true, "`expose` of [kubernetes]: a port of the nodes, APP.`domain` by an Ingress, or a load balancer" },
        [TRAIT_DOMAINS] = { true, "with `expose = ingress` of [kubernetes]" },
        [TRAIT_HTTPS] = { true, "by an Ingress, with an app's own certificate (`certs:add`) or, where `tls` of [kubernetes] is on, its Secret `web-tls`, which is the cluster's matter" },
        [TRAIT_ROLLOUT] = { true, "" },
        [TRAIT_RESTART] = { true, "also on other machines, when one is lost" },
        [TRAIT_COMMAND] = { true, "" },
        [TRAIT_LOGS] = { true, "as long as the nodes keep them" },
        [TRAIT_ROUTER] = { false, "what answers there belongs to the cluster, and has a log of its own" },
        [TRAIT_RUN] = { true, "" },
        [TRAIT_EXEC] = { true, "" },
        [TRAIT_CHECKS] = { true, "startup, readiness and liveness of all processes, also by a command, all the time" },
        [TRAIT_CRON] = { true, "by the cluster, also while Slipway is down" },
        [TRAIT_LIMITS] = { true, "" },
        [TRAIT_REQUESTS] = { true, "" },
        [TRAIT_PIDS] = { false, "the kubelets have a setting for all pods" },
        [TRAIT_READ_ONLY] = { false, "" },
        [TRAIT_MAINTENANCE] = { false, "what answers there belongs to the cluster" },
    },
    .open = kubernetes_open,
    .close = kubernetes_close,
    .attend = kubernetes_attend,
    .check = kubernetes_check,
    .release_command = kubernetes_release_command,
    .apply = kubernetes_apply,
    .watch = kubernetes_watch,
    .plan = kubernetes_plan,
    .prune = kubernetes_prune,
    .remove = kubernetes_remove,
    .list = kubernetes_list,
    .restart = kubernetes_restart,
    .logs = kubernetes_logs,
    .follow = kubernetes_follow,
    .run = kubernetes_run,
    .exec = kubernetes_exec,
    .run_list = kubernetes_run_list,
    .run_logs = kubernetes_run_logs,
    .run_stop = kubernetes_run_stop,
};
