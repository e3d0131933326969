#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/kubernetes/cluster.h"
#include "deployer/rfc3339.h"

#include <string.h>

/* Marks a Deployment's template, as `kubectl rollout restart` does, but under a manager of its
 * own: the next apply leaves the mark where it is and so restarts nothing. */
static int deployment_restart(struct target *t, const char *namespace_, const char *process,
                              const char *mark, struct err *err)
{
    cleanup_free char *path = kind_path_of("Deployment", namespace_, process);
    cleanup_free char *patch = xasprintf("%s?fieldManager=" KUBE_MANAGER_RESTART, path);
    json_auto_t *answer = NULL, *body = json_pack("{s:{s:{s:{s:{s:s}}}}}", "spec", "template",
                                                  "metadata", "annotations", ANNOTATION_RESTARTED,
                                                  mark);

    if (kube_do(t->kube, "PATCH", patch, KUBE_MERGE, body, &answer, err) < 0)
        return err_wrap(err, "Deployment %s", process);
    generation_set(t, process, json_int(answer, "metadata.generation", 0));
    return 0;
}

int kubernetes_restart(struct target *t, const struct target_release *r, const char *process,
                       const struct target_call *c, int64_t timeout_ms, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, r->app);
    struct rollout *rollout = rollout_new((int) t->conf->max_restarts, manifest_boot_limit(r->release));
    char mark[RFC3339_SIZE];
    bool any = false;
    int rc = 0;

    rfc3339_format(kube_now(), mark);
    for (size_t i = 0; rc == 0 && i < r->release->processes.n; i++) {
        const char *type = r->release->processes.v[i].type;

        if (!manifest_is_service(type) || (process != NULL && strcmp(process, type) != 0))
            continue;
        any = true;
        rc = deployment_restart(t, namespace_, type, mark, err);
        if (rc == 0)
            rollout_expect(rollout, type, generation_get(t, type));
    }
    if (rc == 0 && !any)
        rc = err_set(err, ERR_NOT_FOUND, "%s has no process %s", r->app->name,
                     process != NULL ? process : "that could be restarted");
    if (rc == 0)
        rc = rollout_wait(t, r->app, rollout, c, timeout_ms, err);
    rollout_free(rollout);
    return rc;
}
