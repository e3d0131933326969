/* What applying a release would change: each object is applied as apply.c does it, but only for the answer.
 * Source: kubernetes.io "Kubernetes API Concepts", "Dry-run"; "Server-Side Apply", "Conflicts". */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/kubernetes/cluster.h"
#include "deployer/kubernetes/shown.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

static void change_add(json_t *all, const json_t *of, json_t *before, json_t *after, const char *note)
{
    if (strcmp(json_str(of, "kind", ""), "Secret") == 0)
        object_hide_values(before, after);
    target_plan_add(all, json_str(of, "kind", ""), json_str(of, "metadata.name", ""), before, after, note);
}

/* --- objects that the release has */

static char *dry_path(const json_t *doc, bool force)
{
    cleanup_free char *path = apply_path(doc, force);

    return xasprintf("%s&dryRun=All", path);
}

static bool is_conflict(const struct kube_op *o)
{
    return o->status == 409 && o->reason != NULL && strcmp(o->reason, "Conflict") == 0;
}

/* One object: get and apply have been asked. */
static int object_compare(struct target *t, const json_t *doc, const struct kube_op *get, const struct kube_op *apply,
                          json_t *all, struct err *err)
{
    bool there = get->answer != NULL;
    cleanup_free char *note = NULL;
    json_auto_t *after = json_incref(apply->answer);

    if (!there && get->err.code != ERR_NOT_FOUND) {
        *err = get->err;
        return err_wrap(err, "%s %s", json_str(doc, "kind", ""), json_str(doc, "metadata.name", ""));
    }
    if (after == NULL && (apply->err.code == ERR_DOWN || apply->err.code == ERR_DENIED)) {
        *err = apply->err;
        return err_wrap(err, "%s %s", json_str(doc, "kind", ""), json_str(doc, "metadata.name", ""));
    }
    if (is_conflict(apply)) {
        cleanup_free char *path = dry_path(doc, true);

        if (kube_do(t->kube, "PATCH", path, KUBE_APPLY, doc, &after, err) < 0)
            return err_wrap(err, "%s %s", json_str(doc, "kind", ""), json_str(doc, "metadata.name", ""));
        note = xasprintf("the release would fail: %.600s: undo that change there, or release the same value",
                         apply->err.msg);
    } else if (after == NULL) {
        note = xasprintf("the cluster refuses it in a dry run: %.600s", apply->err.msg);
    }
    /* Of a new object what we say, not what the server would add. */
    change_add(all, doc, there ? object_shown(get->answer) : NULL, object_shown(there && after != NULL ? after : doc), note);
    return 0;
}

static int objects_compare(struct target *t, const json_t *docs, json_t *all, struct err *err)
{
    size_t n = json_array_size(docs);
    struct kube_op *ops = xcalloc(2 * n + 1, sizeof(*ops));
    struct err first = ERR_INIT;
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        const json_t *doc = json_array_get(docs, i);

        ops[2 * i] = (struct kube_op) {
            .method = "GET",
            .path = kind_path(kind_find(json_str(doc, "apiVersion", ""), json_str(doc, "kind", "")),
                              json_str(doc, "metadata.namespace", ""), json_str(doc, "metadata.name", "")),
        };
        ops[2 * i + 1] = (struct kube_op) { .method = "PATCH", .path = dry_path(doc, false), .type = KUBE_APPLY,
                                            .body = doc };
    }
    (void) kube_do_all(t->kube, ops, 2 * n, &first);
    for (size_t i = 0; i < 2 * n; i++) {
        if (ops[i].answer == NULL && ops[i].err.code == ERR_NONE)
            ops[i].err = first; /* none was sent: no login */
        if (rc == 0 && i % 2 == 1)
            rc = object_compare(t, json_array_get(docs, i / 2), &ops[i - 1], &ops[i], all, err);
    }
    for (size_t i = 0; i < 2 * n; i++) {
        free((void *) (uintptr_t) ops[i].path);
        kube_op_release(&ops[i]);
    }
    free(ops);
    return rc;
}

/* --- objects that it hasn't */

static bool is_among(const json_t *docs, const struct inventory_item *item)
{
    const json_t *doc;
    size_t i;

    json_array_foreach(docs, i, doc)
        if (strcmp(json_str(doc, "kind", ""), item->kind) == 0 &&
            strcmp(json_str(doc, "metadata.name", ""), item->name) == 0)
            return true;
    return false;
}

/* What prune would delete. Secrets stay as long as a ReplicaSet refers to them. */
static int leftovers_add(struct target *t, const json_t *docs, const struct inventory_item *v, size_t n, json_t *all,
                         struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct kind *k = kind_find(v[i].api_version, v[i].kind);
        cleanup_free char *path = NULL;
        json_auto_t *live = NULL;
        struct err why = ERR_INIT;

        if (k == NULL || strcmp(v[i].kind, "Namespace") == 0 || strcmp(v[i].kind, "Secret") == 0 ||
            is_among(docs, &v[i]))
            continue;
        path = kind_path(k, v[i].namespace, v[i].name);
        if (kube_do(t->kube, "GET", path, NULL, NULL, &live, &why) < 0 && why.code != ERR_NOT_FOUND) {
            *err = why;
            return err_wrap(err, "%s %s", v[i].kind, v[i].name);
        }
        if (live != NULL && strcmp(json_str(live, "metadata.uid", ""), v[i].uid) == 0)
            change_add(all, live, object_shown(live), NULL, NULL);
    }
    return 0;
}

/* --- all */

/* Nothing can be asked about objects in a namespace that is not there. */
static void objects_new(const json_t *docs, json_t *all)
{
    const json_t *doc;
    size_t i;

    json_array_foreach(docs, i, doc)
        change_add(all, doc, NULL, object_shown(doc), NULL);
}

int kubernetes_plan(struct target *t, const struct target_release *r, const struct inventory_item *items,
                    size_t n_items, json_t **ret, struct err *err)
{
    json_auto_t *all = json_array(), *docs = json_array(), *live = NULL;
    struct rendering g;
    int rc;

    if (rendering_make(t, r, &g, err) < 0)
        return -1;
    json_array_append(docs, g.manifest.namespace_);
    json_array_extend(docs, g.manifest.base);
    json_array_extend(docs, g.manifest.workload);
    rc = namespace_read(t, &g, &live, err);
    if (rc == 0 && live == NULL)
        objects_new(docs, all);
    else if (rc == 0)
        rc = objects_compare(t, docs, all, err) < 0 || leftovers_add(t, docs, items, n_items, all, err) < 0 ? -1 : 0;
    rendering_release(&g);
    if (rc == 0)
        *ret = json_incref(all);
    return rc;
}
