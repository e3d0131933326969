#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/kubernetes/cluster.h"
#include "sql/seal.h"
#include "sql/tables.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES_MAX (2 * CONFIG_TOTAL_MAX) /* with names and lengths */
#define SECRET_HASH_BYTES 8                     /* 16 digits: no two configs of an app share them */

/* --- rendering */

/* The Secret is named by its content, so that each release keeps its own, and an unchanged config
 * restarts nothing. The hash is keyed: a name must not let a value be guessed. */
static int secret_name(struct target *t, const struct target_release *r, char **ret,
                       struct err *err)
{
    unsigned char hash[32];
    char hex[SECRET_HASH_BYTES * 2 + 1];
    struct buf b;
    int rc = 0;

    buf_init(&b, CONFIG_BYTES_MAX);
    if (manifest_config_bytes(r->config, &b)) {
        rc = seal_digest(t->conf->state, r->app->id, "", buf_str(&b), buf_len(&b), hash, err);
        if (rc == 0) {
            (void) sodium_bin2hex(hex, sizeof(hex), hash, SECRET_HASH_BYTES);
            *ret = xasprintf(CONFIG_SECRET "%s", hex);
        }
        sodium_memzero(b.data, b.cap);
    }
    buf_release(&b);
    return rc;
}

int rendering_make(struct target *t, const struct target_release *r, struct rendering *ret,
                   struct err *err)
{
    struct rendering g = { 0 };

    if (secret_name(t, r, &g.secret, err) < 0)
        return -1;
    g.app_json = xcalloc(1, sizeof(*g.app_json));
    if (app_json_of(r->release->app_json, g.app_json, err) < 0) {
        rendering_release(&g);
        return -1;
    }
    g.namespace_ = manifest_namespace_name(t->conf, r->app);
    g.input = (struct manifest_input) {
        .conf = t->conf, .app = r->app, .release = r->release, .image = r->image,
        .config = r->config, .certificate = r->certificate, .secret = g.secret, .pull_config = t->pull_config,
        .app_json = g.app_json, .suspended = r->suspended,
    };
    if (manifest_render(&g.input, &g.manifest, err) < 0) {
        rendering_release(&g);
        return -1;
    }
    *ret = g;
    return 0;
}

/* jansson frees a Secret's text without wiping it; this process ends when the release has. */
void rendering_release(struct rendering *g)
{
    manifest_release(&g->manifest);
    if (g->app_json != NULL)
        app_json_release(g->app_json);
    free(g->app_json);
    free(g->namespace_);
    free(g->secret);
    memset(g, 0, sizeof(*g));
}

/* --- generations */

void generation_set(struct target *t, const char *process, int64_t generation)
{
    for (size_t i = 0; i < t->n_generations; i++) {
        if (strcmp(t->generations[i].process, process) == 0) {
            t->generations[i].generation = generation;
            return;
        }
    }
    t->generations = xrealloc_n(t->generations, t->n_generations + 1, sizeof(*t->generations));
    t->generations[t->n_generations++] = (struct generation) { xstrdup(process), generation };
}

int64_t generation_get(const struct target *t, const char *process)
{
    for (size_t i = 0; i < t->n_generations; i++)
        if (strcmp(t->generations[i].process, process) == 0)
            return t->generations[i].generation;
    return 0;
}

/* --- objects */

char *apply_path(const json_t *doc, bool force)
{
    const struct kind *k = kind_find(json_str(doc, "apiVersion", ""), json_str(doc, "kind", ""));
    cleanup_free char *path = kind_path(k, json_str(doc, "metadata.namespace", ""),
                                        json_str(doc, "metadata.name", ""));

    return xasprintf("%s?fieldManager=" KUBE_MANAGER "&force=%s", path, force ? "true" : "false");
}

/* Putting the live release back: an object that a person has changed, but the failed release has
 * not, stays as the person wants it; else the failed release must go, whatever else goes with
 * it. */
static int restore_conflict(struct target *t, const struct target_release *r, const json_t *doc,
                            struct kube_op *o)
{
    cleanup_free char *path = kind_path_of(json_str(doc, "kind", ""),
                                           json_str(doc, "metadata.namespace", ""),
                                           json_str(doc, "metadata.name", ""));
    cleanup_free char *version = xasprintf("%" PRId64, r->release->version);
    cleanup_free char *forced = NULL;
    json_auto_t *live = NULL;
    const char *of;

    err_clear(&o->err);
    if (kube_do(t->kube, "GET", path, NULL, NULL, &live, &o->err) < 0)
        return -1;
    of = json_string_value(json_object_get(json_at(live, "metadata.annotations"),
                                           ANNOTATION_RELEASE));
    if (of != NULL && strcmp(of, version) == 0) {
        o->answer = json_incref(live);
        return 0;
    }
    forced = apply_path(doc, true);
    return kube_do(t->kube, "PATCH", forced, KUBE_APPLY, doc, &o->answer, &o->err);
}

static int object_error(const json_t *doc, const struct kube_op *o, struct err *err)
{
    const char *kind = json_str(doc, "kind", ""), *name = json_str(doc, "metadata.name", "");
    bool conflict = o->status == 409 && strcmp(o->reason != NULL ? o->reason : "", "Conflict") == 0;

    if (conflict)
        return err_set(err, ERR_FAILED, "%s %s: %.600s: undo that change there, or release the "
                       "same value", kind, name, o->err.msg);
    *err = o->err;
    return err_wrap(err, "%s %s", kind, name);
}

static int object_report(const struct target_release *r, const json_t *answer,
                         target_object_fn *object, void *object_arg, struct err *err)
{
    const char *kind = json_str(answer, "kind", ""), *uid = json_str(answer, "metadata.uid", "");
    struct inventory_item item = {
        .api_version = (char *) (uintptr_t) json_str(answer, "apiVersion", ""),
        .kind = (char *) (uintptr_t) kind,
        .namespace = (char *) (uintptr_t) json_str(answer, "metadata.namespace", ""),
        .name = (char *) (uintptr_t) json_str(answer, "metadata.name", ""),
        .uid = (char *) (uintptr_t) uid,
        .release_id = r->release->id,
    };

    return object != NULL ? object(object_arg, &item, err) : 0;
}

/* Applies all documents of an array at once. answers[i] (the caller's) gets what the server made of
 * the i-th. */
static int objects_apply(struct target *t, const struct target_release *r, const json_t *docs,
                         json_t **answers, target_object_fn *object, void *object_arg,
                         struct err *err)
{
    size_t n = json_array_size(docs);
    cleanup_free struct kube_op *ops = xcalloc(n + 1, sizeof(*ops));
    struct err first = ERR_INIT;
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        const json_t *doc = json_array_get(docs, i);

        ops[i] = (struct kube_op) { .method = "PATCH", .path = apply_path(doc, false),
                                    .type = KUBE_APPLY, .body = doc };
    }
    (void) kube_do_all(t->kube, ops, n, &first);
    for (size_t i = 0; i < n; i++) {
        const json_t *doc = json_array_get(docs, i);
        bool ok = ops[i].answer != NULL;

        if (!ok && r->restore && ops[i].status == 409)
            ok = restore_conflict(t, r, doc, &ops[i]) == 0;
        if (!ok && ops[i].err.code == ERR_NONE)
            ops[i].err = first; /* none was sent: no login */
        /* All are reported, so that the inventory knows of them, also where another failed. */
        if (ok && object_report(r, ops[i].answer, object, object_arg, err) < 0)
            rc = -1;
        else if (!ok && rc == 0)
            rc = object_error(doc, &ops[i], err);
        answers[i] = ops[i].answer;
        ops[i].answer = NULL;
        free((void *) (uintptr_t) ops[i].path);
        kube_op_release(&ops[i]);
    }
    return rc;
}

static void answers_free(json_t **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_decref(v[i]);
    free(v);
}

/* --- the Namespace and what pods refer to */

/* Every label that we want is there. */
static bool has_labels(const json_t *live, const json_t *doc)
{
    json_t *wanted = json_at(doc, "metadata.labels"), *have = json_at(live, "metadata.labels"), *v;
    const char *name;

    json_object_foreach(wanted, name, v)
        if (!json_equal(json_object_get(have, name), v))
            return false;
    return true;
}

/* A namespace that exists and isn't ours is never taken over: apps:destroy would delete it. */
int namespace_read(struct target *t, const struct rendering *g, json_t **ret, struct err *err)
{
    cleanup_free char *path = kind_path_of("Namespace", NULL, g->namespace_);
    json_auto_t *live = NULL;
    struct err why = ERR_INIT;
    const char *manager;

    if (kube_do(t->kube, "GET", path, NULL, NULL, &live, &why) < 0 && why.code != ERR_NOT_FOUND) {
        *err = why;
        return err_wrap(err, "Namespace %s", g->namespace_);
    }
    if (live != NULL) {
        manager = json_string_value(json_object_get(json_at(live, "metadata.labels"),
                                                    LABEL_MANAGED));
        if (manager == NULL || strcmp(manager, MANAGED_BY) != 0)
            return err_set(err, ERR_FAILED, "Namespace %s exists and is not Slipway's: make the app "
                           "under another name (apps:clone), or set another namespace_prefix", g->namespace_);
        if (json_at(live, "metadata.deletionTimestamp") != NULL)
            return err_set(err, ERR_BUSY, "Namespace %s is still being deleted: try again in a "
                           "minute", g->namespace_);
    }
    *ret = json_incref(live);
    return 0;
}

static int namespace_apply(struct target *t, const struct target_release *r,
                           const struct rendering *g, target_object_fn *object, void *object_arg,
                           struct err *err)
{
    json_t *doc = g->manifest.namespace_;
    json_auto_t *live = NULL, *docs = NULL;
    json_t *answer = NULL;
    int rc;

    if (namespace_read(t, g, &live, err) < 0)
        return -1;
    if (live != NULL && has_labels(live, doc))
        return object_report(r, live, object, object_arg, err);
    docs = json_pack("[O]", doc);
    rc = objects_apply(t, r, docs, &answer, object, object_arg, err);
    json_decref(answer);
    return rc;
}

int base_apply(struct target *t, const struct target_release *r, const struct rendering *g,
               target_object_fn *object, void *object_arg, struct err *err)
{
    size_t n = json_array_size(g->manifest.base);
    json_t **answers;
    int rc;

    if (namespace_apply(t, r, g, object, object_arg, err) < 0)
        return -1;
    answers = xcalloc(n + 1, sizeof(*answers));
    rc = objects_apply(t, r, g->manifest.base, answers, object, object_arg, err);
    answers_free(answers, n);
    return rc;
}

/* --- web's address */

/* An address of a node for people; the API server's host where nodes may not be listed. */
static char *node_host(struct target *t)
{
    json_auto_t *nodes = NULL;
    json_t *addresses, *a;
    const char *found = NULL;
    const char *server = kube_server(t->kube), *at = strstr(server, "://") + 3;
    size_t i, len;

    if (t->conf->node_address != NULL && t->conf->node_address[0] != '\0')
        return xstrdup(t->conf->node_address);
    (void) kube_do(t->kube, "GET", "/api/v1/nodes?limit=1", NULL, NULL, &nodes, NULL);
    addresses = json_at(json_array_get(json_at(nodes, "items"), 0), "status.addresses");
    json_array_foreach(addresses, i, a) {
        const char *type = json_str(a, "type", "");

        if (strcmp(type, "ExternalIP") == 0 || (found == NULL && strcmp(type, "InternalIP") == 0))
            found = json_str(a, "address", NULL);
    }
    if (found != NULL)
        return strchr(found, ':') != NULL ? xasprintf("[%s]", found) : xstrdup(found);
    len = at[0] == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":/");
    return xstrndup(at, len);
}

static char *web_url(struct target *t, const struct target_release *r, json_t *const *answers, size_t n)
{
    const struct conf *c = t->conf;
    const json_t *service = NULL, *balancer;
    const char *host;

    for (size_t i = 0; i < n; i++)
        if (strcmp(json_str(answers[i], "kind", ""), "Service") == 0)
            service = answers[i];
    if (service == NULL || strcmp(c->expose, "none") == 0)
        return NULL;
    if (strcmp(c->expose, "nodeport") == 0) {
        json_t *port = json_array_get(json_at(service, "spec.ports"), 0);
        cleanup_free char *node = node_host(t);

        return xasprintf("http://%s:%lld", node, json_int(port, "nodePort", 0));
    }
    if (c->domain != NULL && c->domain[0] != '\0') {
        cleanup_free char *name = xasprintf("%s.%s", r->app->name, c->domain);
        bool own = r->certificate != NULL && r->certificate->key != NULL && certificate_covers(r->certificate, name);

        return xasprintf("%s://%s", c->tls || own ? "https" : "http", name);
    }
    balancer = json_array_get(json_at(service, "status.loadBalancer.ingress"), 0);
    host = json_str(balancer, "hostname", json_str(balancer, "ip", NULL));
    return host != NULL ? xasprintf("http://%s", host) : NULL;
}

int kubernetes_apply(struct target *t, const struct target_release *r, const struct target_call *c,
                     target_object_fn *object, void *object_arg, struct target_applied *ret,
                     struct err *err)
{
    struct rendering g;
    json_auto_t *shown = NULL;
    json_t **answers;
    size_t n;
    int rc;

    (void) c;
    if (rendering_make(t, r, &g, err) < 0)
        return -1;
    n = json_array_size(g.manifest.workload);
    answers = xcalloc(n + 1, sizeof(*answers));
    rc = base_apply(t, r, &g, object, object_arg, err);
    if (rc == 0)
        rc = objects_apply(t, r, g.manifest.workload, answers, object, object_arg, err);
    for (size_t i = 0; i < n; i++)
        if (strcmp(json_str(answers[i], "kind", ""), "Deployment") == 0)
            generation_set(t, json_str(answers[i], "metadata.name", ""),
                           json_int(answers[i], "metadata.generation", 0));
    if (rc == 0) {
        shown = manifest_public(&g.manifest);
        ret->manifests = json_text(shown);
        ret->url = web_url(t, r, answers, n);
    }
    answers_free(answers, n);
    rendering_release(&g);
    return rc;
}
