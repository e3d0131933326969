#include "config.h"

#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/cluster.h"
#include "deployer/kubernetes/watch.h"
#include "sql/tables.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define GONE_EXTRA_MS 120000 /* that a namespace may need beyond its pods' grace period */

/* --- prune */

/* The Secrets that the app's ReplicaSets and Jobs name: those of the releases that Kubernetes
 * itself can still go back to (revisionHistoryLimit). */
static void secrets_used(const json_t *owners, json_t *used)
{
    json_t *items = json_at(owners, "items"), *o;
    size_t i;

    json_array_foreach(items, i, o) {
        json_t *c = json_array_get(json_at(o, "spec.template.spec.containers"), 0);
        json_t *from = json_array_get(json_object_get(c, "envFrom"), 0);
        const char *name = json_str(from, "secretRef.name", NULL);

        if (name != NULL)
            json_object_set_new(used, name, json_true());
    }
}

static int used_read(struct target *t, const char *namespace_, json_t *used, struct err *err)
{
    cleanup_free char *sets = kind_path_of("ReplicaSet", namespace_, NULL);
    cleanup_free char *jobs = kind_path_of("Job", namespace_, NULL);
    struct kube_op ops[] = { { .method = "GET", .path = sets }, { .method = "GET", .path = jobs } };
    int rc = kube_do_all(t->kube, ops, countof(ops), err);

    for (size_t i = 0; i < countof(ops); i++) {
        if (rc == 0)
            secrets_used(ops[i].answer, used);
        kube_op_release(&ops[i]);
    }
    return rc;
}

/* True for what prune may delete: an object of a kind that we make, not the Namespace, not a
 * Secret in use. */
static bool is_prunable(const struct inventory_item *i, const json_t *used)
{
    if (kind_find(i->api_version, i->kind) == NULL || strcmp(i->kind, "Namespace") == 0)
        return false;
    return strcmp(i->kind, "Secret") != 0 || json_object_get(used, i->name) == NULL;
}

static json_t *delete_options(const char *uid)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                     "propagationPolicy", "Background", "preconditions", "uid", uid);
}

int kubernetes_prune(struct target *t, const struct app *app, const struct inventory_item *v,
                     size_t n, target_object_fn *removed, void *removed_arg, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app);
    cleanup_free struct kube_op *ops = xcalloc(n + 1, sizeof(*ops));
    cleanup_free size_t *of = xcalloc(n + 1, sizeof(*of));
    json_auto_t *used = json_object();
    struct err first = ERR_INIT;
    size_t n_ops = 0;
    int rc = 0;

    for (size_t i = 0; i < n && json_object_size(used) == 0; i++)
        if (strcmp(v[i].kind, "Secret") == 0 && used_read(t, namespace_, used, err) < 0)
            return -1;
    for (size_t i = 0; i < n; i++) {
        if (!is_prunable(&v[i], used))
            continue;
        ops[n_ops].method = "DELETE";
        ops[n_ops].path = kind_path(kind_find(v[i].api_version, v[i].kind), v[i].namespace,
                                    v[i].name);
        ops[n_ops].body = delete_options(v[i].uid);
        of[n_ops++] = i;
    }
    (void) kube_do_all(t->kube, ops, n_ops, &first);
    for (size_t i = 0; i < n_ops; i++) {
        const struct inventory_item *item = &v[of[i]];
        /* 409: an object of that name, but not the one that we made: somebody else's by now. */
        bool gone = ops[i].answer != NULL || ops[i].status == 404 || ops[i].status == 409;

        if (gone && removed(removed_arg, item, err) < 0)
            rc = -1;
        else if (!gone && rc == 0) {
            *err = ops[i].err.code != ERR_NONE ? ops[i].err : first;
            rc = err_wrap(err, "%s %s", item->kind, item->name);
        }
        free((void *) (uintptr_t) ops[i].path);
        json_decref((json_t *) (uintptr_t) ops[i].body);
        kube_op_release(&ops[i]);
    }
    return rc;
}

/* --- remove */

struct gone {
    const char *uid;
    bool is;
};

static void on_namespace(void *arg, enum kube_event event, const json_t *doc)
{
    struct gone *g = arg;

    if (event == KUBE_DELETED && strcmp(json_str(doc, "metadata.uid", ""), g->uid) == 0)
        g->is = true;
}

/* Waits until the Namespace is gone, so that an app of the same name can be made again. */
static int gone_wait(struct target *t, const struct app *app, const char *path, const char *uid,
                     struct err *err)
{
    cleanup_free char *all = kind_path_of("Namespace", NULL, NULL);
    cleanup_free char *selector = xasprintf("%s%%2Capp.kubernetes.io%%2Fname%%3D%s",
                                            SELECTOR_MANAGED, app->name);
    int64_t deadline = (int64_t) loop_now() + t->conf->grace_period + t->conf->pre_stop +
                       GONE_EXTRA_MS;
    struct gone g = { .uid = uid };
    struct kube_watch *w = kube_watch_open(t->kube, all, selector, on_namespace, &g, err);
    int rc = w != NULL ? 0 : -1;

    while (rc == 0 && !g.is) {
        json_auto_t *live = NULL;
        struct err why = ERR_INIT;
        int64_t left;
        int again;

        /* Also the answer where it went before the watch began, or while it was opened again. */
        if (kube_do(t->kube, "GET", path, NULL, NULL, &live, &why) < 0) {
            if (why.code == ERR_NOT_FOUND)
                break;
            *err = why;
            rc = -1;
            break;
        }
        if (strcmp(json_str(live, "metadata.uid", ""), uid) != 0)
            break;
        left = deadline - (int64_t) loop_now();
        if (left <= 0) {
            rc = err_set(err, ERR_BUSY, "the cluster is still deleting it");
            break;
        }
        again = kube_watch_service(w, err);
        if (again == KUBE_WATCH_FAILED) {
            rc = -1;
            break;
        }
        if (again < 0 || again > left)
            again = left < INT_MAX ? (int) left : INT_MAX;
        rc = kube_poll(t->kube, again, -1, NULL, err);
    }
    kube_watch_close(w);
    return rc;
}

int kubernetes_remove(struct target *t, const struct app *app, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app);
    cleanup_free char *path = kind_path_of("Namespace", NULL, namespace_);
    json_auto_t *live = NULL, *options = NULL;
    struct err why = ERR_INIT;
    const char *manager, *uid;

    if (kube_do(t->kube, "GET", path, NULL, NULL, &live, &why) < 0) {
        if (why.code == ERR_NOT_FOUND)
            return 0;
        *err = why;
        return err_wrap(err, "Namespace %s", namespace_);
    }
    manager = json_string_value(json_object_get(json_at(live, "metadata.labels"), LABEL_MANAGED));
    if (manager == NULL || strcmp(manager, MANAGED_BY) != 0)
        return 0; /* never ours: the app has nothing here */
    uid = json_str(live, "metadata.uid", "");
    options = delete_options(uid);
    if (kube_do(t->kube, "DELETE", path, NULL, options, NULL, &why) < 0 &&
        why.code != ERR_NOT_FOUND && why.code != ERR_BUSY) {
        *err = why;
        return err_wrap(err, "Namespace %s", namespace_);
    }
    if (gone_wait(t, app, path, uid, err) < 0)
        return err_wrap(err, "Namespace %s", namespace_);
    return 0;
}
