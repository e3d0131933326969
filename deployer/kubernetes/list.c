#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/kubernetes/instances.h"

#include <stdlib.h>
#include <string.h>

static int64_t owner_version(const json_t *sets, const char *owner)
{
    json_t *items = json_at(sets, "items"), *o;
    size_t i;

    json_array_foreach(items, i, o) {
        const char *version = json_string_value(
            json_object_get(json_at(o, "metadata.annotations"), ANNOTATION_RELEASE));

        if (version != NULL && strcmp(json_str(o, "metadata.name", ""), owner) == 0)
            return strtoll(version, NULL, 10);
    }
    return 0;
}

static void instance_fill(const struct instance *i, const json_t *sets, struct target_instance *ret)
{
    const struct pod *p = &i->pod;

    ret->name = instance_name(i);
    ret->id = xstrdup(p->name);
    ret->process = xstrdup(p->process);
    ret->state = xstrdup(pod_state(p));
    ret->reason = pod_reason(p);
    ret->release_version = owner_version(sets, p->owner);
    ret->restarts = p->restarts;
    ret->started_at = p->running ? p->running_since : 0;
    ret->ready = p->ready;
}

int kubernetes_list(struct target *t, const struct app *app, struct target_instance **ret,
                    size_t *ret_n, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app);
    cleanup_free char *pods = kind_path_of("Pod", namespace_, NULL);
    cleanup_free char *sets = kind_path_of("ReplicaSet", namespace_, NULL);
    cleanup_free char *pods_ours = xasprintf("%s?labelSelector=%s", pods,
                                             SELECTOR_MANAGED);
    cleanup_free char *sets_ours = xasprintf("%s?labelSelector=%s", sets,
                                             SELECTOR_MANAGED);
    struct kube_op ops[] = { { .method = "GET", .path = pods_ours },
                             { .method = "GET", .path = sets_ours } };
    struct instances all = { 0 };
    json_t *items, *o;
    size_t i;
    int rc = kube_do_all(t->kube, ops, countof(ops), err);

    if (rc == 0) {
        items = json_at(ops[0].answer, "items");
        json_array_foreach(items, i, o)
            (void) instances_take(&all, o);
        instances_number(&all);
        *ret = xcalloc(all.n + 1, sizeof(**ret));
        for (i = 0; i < all.n; i++)
            instance_fill(&all.v[i], ops[1].answer, &(*ret)[i]);
        *ret_n = all.n;
    }
    instances_release(&all);
    for (i = 0; i < countof(ops); i++)
        kube_op_release(&ops[i]);
    return rc;
}
