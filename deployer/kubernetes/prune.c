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

/* What is known of the app's Secrets: which are in use, and all that there are, without values. */
struct secrets {
    json_t *used;            /* names as keys */
    json_t *all;             /* a list of metadata */
};

static void secrets_release(struct secrets *s)
{
    json_decref(s->used);
    json_decref(s->all);
}

static int secrets_read(struct target *t, const char *namespace_, struct secrets *ret,
                        struct err *err)
{
    cleanup_free char *sets = kind_path_of("ReplicaSet", namespace_, NULL);
    cleanup_free char *jobs = kind_path_of("Job", namespace_, NULL);
    cleanup_free char *secrets = kind_path_of("Secret", namespace_, NULL);
    cleanup_free char *ours = xasprintf("%s?labelSelector=%s", secrets, SELECTOR_MANAGED);
    struct kube_op ops[] = {
        { .method = "GET", .path = sets },
        { .method = "GET", .path = jobs },
        { .method = "GET", .path = ours, .accept = KUBE_METADATA },
    };
    int rc = kube_do_all(t->kube, ops, countof(ops), err);

    if (rc == 0) {
        secrets_used(ops[0].answer, ret->used);
        secrets_used(ops[1].answer, ret->used);
        ret->all = json_incref(json_at(ops[2].answer, "items"));
    }
    for (size_t i = 0; i < countof(ops); i++)
        kube_op_release(&ops[i]);
    return rc;
}

/* True for what prune may delete: an object of a kind that we make, not the Namespace, not a
 * Secret in use. */
static bool is_prunable(const struct inventory_item *i, const struct secrets *s)
{
    if (kind_find(i->api_version, i->kind) == NULL || strcmp(i->kind, "Namespace") == 0)
        return false;
    return strcmp(i->kind, "Secret") != 0 || json_object_get(s->used, i->name) == NULL;
}

static bool is_listed(const struct inventory_item *v, size_t n, const char *uid)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].uid, uid) == 0)
            return true;
    return false;
}

static json_t *delete_options(const char *uid)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                     "propagationPolicy", "Background", "preconditions", "uid", uid);
}

struct deletions {
    struct kube_op *ops;
    const struct inventory_item **items; /* NULL: in no inventory */
    size_t n;
};

static void deletion_add(struct deletions *d, char *path, const char *uid,
                         const struct inventory_item *item)
{
    d->ops[d->n] = (struct kube_op) { .method = "DELETE", .path = path,
                                      .body = delete_options(uid) };
    d->items[d->n++] = item;
}

/* Configs of releases that failed before they were applied: no inventory knows them. */
static void orphans_add(struct deletions *d, const char *namespace_, const struct secrets *s,
                        const struct inventory_item *v, size_t n)
{
    json_t *o;
    size_t i;

    json_array_foreach(s->all, i, o) {
        const char *name = json_str(o, "metadata.name", ""), *uid = json_str(o, "metadata.uid", "");

        if (strncmp(name, CONFIG_SECRET, strlen(CONFIG_SECRET)) == 0 &&
            json_object_get(s->used, name) == NULL && !is_listed(v, n, uid))
            deletion_add(d, kind_path_of("Secret", namespace_, name), uid, NULL);
    }
}

static int deletions_run(struct target *t, struct deletions *d, target_object_fn *removed,
                         void *removed_arg, struct err *err)
{
    struct err first = ERR_INIT;
    int rc = 0;

    (void) kube_do_all(t->kube, d->ops, d->n, &first);
    for (size_t i = 0; i < d->n; i++) {
        const struct kube_op *o = &d->ops[i];
        const struct inventory_item *item = d->items[i];
        /* 409: an object of that name, but not the one that we made: somebody else's by now. */
        bool gone = o->answer != NULL || o->status == 404 || o->status == 409;

        if (item == NULL)
            continue;
        if (gone && removed(removed_arg, item, err) < 0)
            rc = -1;
        else if (!gone && rc == 0) {
            *err = o->err.code != ERR_NONE ? o->err : first;
            rc = err_wrap(err, "%s %s", item->kind, item->name);
        }
    }
    return rc;
}

int kubernetes_prune(struct target *t, const struct app *app, const struct inventory_item *v,
                     size_t n, target_object_fn *removed, void *removed_arg, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app);
    struct secrets s = { json_object(), NULL };
    struct deletions d = { 0 };
    bool any_secret = false;
    int rc;

    for (size_t i = 0; i < n; i++)
        any_secret = any_secret || strcmp(v[i].kind, "Secret") == 0;
    if (any_secret && secrets_read(t, namespace_, &s, err) < 0) {
        secrets_release(&s);
        return -1;
    }
    d.ops = xcalloc(n + json_array_size(s.all) + 1, sizeof(*d.ops));
    d.items = xcalloc(n + json_array_size(s.all) + 1, sizeof(*d.items));
    for (size_t i = 0; i < n; i++)
        if (is_prunable(&v[i], &s))
            deletion_add(&d, kind_path(kind_find(v[i].api_version, v[i].kind), v[i].namespace,
                                       v[i].name), v[i].uid, &v[i]);
    orphans_add(&d, namespace_, &s, v, n);
    rc = deletions_run(t, &d, removed, removed_arg, err);
    for (size_t i = 0; i < d.n; i++) {
        free((void *) (uintptr_t) d.ops[i].path);
        json_decref((json_t *) (uintptr_t) d.ops[i].body);
        kube_op_release(&d.ops[i]);
    }
    free(d.ops);
    free(d.items);
    secrets_release(&s);
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
                                            SELECTOR_MANAGED, app->handle);
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
