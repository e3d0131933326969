#include "config.h"

#include "base/mem.h"
#include "deployer/kubernetes/cluster.h"

#include <string.h>

static const struct kind kinds[] = {
    { "v1", "Namespace", "/api/v1", "namespaces" },
    { "v1", "ServiceAccount", "/api/v1", "serviceaccounts" },
    { "v1", "Secret", "/api/v1", "secrets" },
    { "v1", "Service", "/api/v1", "services" },
    { "v1", "Pod", "/api/v1", "pods" },
    { "apps/v1", "Deployment", "/apis/apps/v1", "deployments" },
    { "apps/v1", "ReplicaSet", "/apis/apps/v1", "replicasets" },
    { "batch/v1", "Job", "/apis/batch/v1", "jobs" },
    { "batch/v1", "CronJob", "/apis/batch/v1", "cronjobs" },
    { "networking.k8s.io/v1", "Ingress", "/apis/networking.k8s.io/v1", "ingresses" },
};

const struct kind *kind_find(const char *api_version, const char *kind)
{
    for (size_t i = 0; i < countof(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0 &&
            (api_version == NULL || strcmp(kinds[i].api_version, api_version) == 0))
            return &kinds[i];
    return NULL;
}

char *kind_path(const struct kind *k, const char *namespace_, const char *name)
{
    const char *slash = name != NULL ? "/" : "";

    name = name != NULL ? name : "";
    if (strcmp(k->kind, "Namespace") == 0)
        return xasprintf("%s/%s%s%s", k->prefix, k->plural, slash, name);
    return xasprintf("%s/namespaces/%s/%s%s%s", k->prefix, namespace_, k->plural, slash, name);
}

char *kind_path_of(const char *kind, const char *namespace_, const char *name)
{
    return kind_path(kind_find(NULL, kind), namespace_, name);
}
