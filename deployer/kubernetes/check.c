#include "config.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/kubernetes/cluster.h"

#include <stdlib.h>
#include <string.h>

#define MINOR_MIN 30 /* preStop's sleep, matchLabelKeys */

/* What this target asks of the cluster: the role that it needs, and no more. Whoever watches lists first; whoever meets
 * another manager's field, or shows what a release would change, gets the object. A WebSocket to a pod is a "get" to older
 * clusters and a "create" to newer ones. */
static const struct { const char *group, *resource, *subresource, *verbs; } needs[] = {
    { "", "namespaces", "", "get list watch create patch delete" },
    { "", "serviceaccounts", "", "get create patch delete" },
    { "", "secrets", "", "get list create patch delete" },
    { "", "services", "", "get create patch delete" },
    { "apps", "deployments", "", "get list watch create patch delete" },
    { "apps", "replicasets", "", "list" },
    { "batch", "jobs", "", "get list watch create delete" },
    { "batch", "cronjobs", "", "get create patch delete" },
    { "", "pods", "", "get list watch create delete" },
    { "", "pods", "log", "get" },
    { "", "pods", "exec", "get create" },
    { "", "pods", "attach", "get create" },
    { "", "events", "", "list" },
};
static const struct { const char *group, *resource, *subresource, *verbs; } needs_ingress[] = {
    { "networking.k8s.io", "ingresses", "", "get create patch delete" },
    { "networking.k8s.io", "ingressclasses", "", "list" },
};

#define CLASSES_PATH "/apis/networking.k8s.io/v1/ingressclasses"
#define CLASS_DEFAULT "ingressclass.kubernetes.io/is-default-class"
#define CLASSES_MAX 300 /* bytes of names in a message */

struct question {
    const char *group, *resource, *subresource;
    char verb[16];
};

#define QUESTIONS_MAX 64

static size_t ask_verbs(struct question *q, size_t n, const char *group, const char *resource,
                        const char *subresource, const char *verbs)
{
    for (const char *v = verbs; *v != '\0' && n < QUESTIONS_MAX;) {
        size_t len = strcspn(v, " ");

        q[n] = (struct question) { group, resource, subresource, "" };
        (void) snprintf(q[n].verb, sizeof(q[n].verb), "%.*s", (int) len, v);
        n++;
        v += len + (v[len] == ' ');
    }
    return n;
}

static json_t *review(const struct question *q)
{
    return json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s, s:s}}}", "apiVersion",
                     "authorization.k8s.io/v1", "kind", "SelfSubjectAccessReview", "spec",
                     "resourceAttributes", "group", q->group, "resource", q->resource,
                     "subresource", q->subresource, "verb", q->verb);
}

static void say_line(target_say_fn *say, void *say_arg, char *line)
{
    say(say_arg, line);
    free(line);
}

static bool by_ingress(const struct target *t)
{
    return strcmp(t->conf->expose, "ingress") == 0;
}

static int permissions(struct target *t, target_say_fn *say, void *say_arg, struct err *err)
{
    struct question q[QUESTIONS_MAX];
    struct kube_op ops[QUESTIONS_MAX];
    size_t n = 0, missing = 0;

    for (size_t i = 0; i < countof(needs); i++)
        n = ask_verbs(q, n, needs[i].group, needs[i].resource, needs[i].subresource,
                      needs[i].verbs);
    for (size_t i = 0; by_ingress(t) && i < countof(needs_ingress); i++)
        n = ask_verbs(q, n, needs_ingress[i].group, needs_ingress[i].resource, needs_ingress[i].subresource,
                      needs_ingress[i].verbs);
    for (size_t i = 0; i < n; i++)
        ops[i] = (struct kube_op) {
            .method = "POST", .body = review(&q[i]),
            .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        };
    if (kube_do_all(t->kube, ops, n, err) < 0)
        missing = n + 1;
    for (size_t i = 0; i < n; i++) {
        bool allowed = json_bool(ops[i].answer, "status.allowed", 0);

        if (missing <= n && !allowed) {
            missing++;
            say_line(say, say_arg,
                     xasprintf("cluster: may not %s %s%s%s%s%s: grant it by a ClusterRole",
                               q[i].verb, q[i].resource, q[i].subresource[0] != '\0' ? "/" : "",
                               q[i].subresource, q[i].group[0] != '\0' ? "." : "", q[i].group));
        }
        json_decref((json_t *) (uintptr_t) ops[i].body);
        kube_op_release(&ops[i]);
    }
    if (missing > n)
        return err_wrap(err, "the cluster's permissions can't be asked");
    if (missing > 0)
        return err_set(err, ERR_DENIED, "%zu of the cluster's permissions are missing", missing);
    say_line(say, say_arg, xasprintf("ok cluster: has the %zu permissions that are needed", n));
    return 0;
}

/* "traefik, nginx", or "none"; the caller frees it. */
static char *class_names(const json_t *items)
{
    cleanup_buf struct buf names;
    json_t *item;
    size_t i;

    buf_init(&names, CLASSES_MAX);
    json_array_foreach(items, i, item)
        (void) buf_addf(&names, "%s%s", i > 0 ? ", " : "", json_str(item, "metadata.name", ""));
    return text_plain(buf_len(&names) > 0 ? buf_str(&names) : "none", CLASSES_MAX);
}

/* The one of this name, or the default where it is "". Borrowed; NULL: there is none. */
static const char *class_find(const json_t *items, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        const char *is_default = json_string_value(json_object_get(json_at(item, "metadata.annotations"), CLASS_DEFAULT));
        const char *its = json_str(item, "metadata.name", "");

        if (name[0] != '\0' ? strcmp(its, name) == 0 : is_default != NULL && strcmp(is_default, "true") == 0)
            return its;
    }
    return NULL;
}

/* The API accepts an Ingress of a class that isn't there, and no controller takes it. One without a class is taken by the
 * controllers that choose to, which can't be known from here.
 * Source: kubernetes.io "Ingress", IngressClass. */
static int ingress_class(struct target *t, target_say_fn *say, void *say_arg, struct err *err)
{
    const char *wanted = t->conf->ingress_class != NULL ? t->conf->ingress_class : "", *found;
    json_auto_t *list = NULL;
    cleanup_free char *there = NULL, *plain = NULL;

    if (kube_do(t->kube, "GET", CLASSES_PATH, NULL, NULL, &list, err) < 0)
        return err_wrap(err, "the cluster's IngressClasses can't be read");
    found = class_find(json_object_get(list, "items"), wanted);
    there = class_names(json_object_get(list, "items"));
    if (found != NULL) {
        plain = text_plain(found, CLASSES_MAX);
        say_line(say, say_arg, xasprintf("ok cluster: has the IngressClass %s%s", plain, wanted[0] == '\0' ? ", its default" : ""));
    } else if (wanted[0] == '\0')
        say_line(say, say_arg, xasprintf("note cluster: has no default IngressClass (there are: %s), so apps answer only where a "
                                         "controller takes an Ingress without a class: set ingress_class in [kubernetes]", there));
    else
        return err_set(err, ERR_NOT_FOUND, "the cluster has no IngressClass \"%.256s\" (there are: %s), so no app would answer: "
                       "install its controller, or correct ingress_class in [kubernetes]", wanted, there);
    return 0;
}

int kubernetes_check(struct target *t, target_say_fn *say, void *say_arg, struct err *err)
{
    json_auto_t *version = NULL;
    const char *minor;

    if (kube_do(t->kube, "GET", "/version", NULL, NULL, &version, err) < 0)
        return err_wrap(err, "the cluster at %s", kube_server(t->kube));
    minor = json_str(version, "minor", "0");
    if (strcmp(json_str(version, "major", ""), "1") != 0 || strtol(minor, NULL, 10) < MINOR_MIN)
        return err_set(err, ERR_FAILED, "the cluster at %s is Kubernetes %.32s.%.32s; 1.%d or "
                       "later is needed", kube_server(t->kube), json_str(version, "major", "?"), minor,
                       MINOR_MIN);
    say_line(say, say_arg, xasprintf("ok cluster: %s answers, Kubernetes %.64s",
                                     kube_server(t->kube), json_str(version, "gitVersion", "?")));
    if (permissions(t, say, say_arg, err) < 0)
        return -1;
    return by_ingress(t) ? ingress_class(t, say, say_arg, err) : 0;
}
