#include "config.h"

#include "deployer/kubernetes/rollout.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/kubernetes/manifest.h"
#include "deployer/kubernetes/pod.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SUSPECT_MS 8000         /* the kubelet waits for a new Secret well within it */
#define PULL_REFUSED_MS 20000   /* the kubelet pulls again after 10 to 15 seconds */
#define UNSCHEDULABLE_MS 15000  /* for pods of the former release to end and make room */
#define CREATE_MS 3000          /* a ServiceAccount that was applied just now */
/* kept; of an app with more the rest is only counted by its Deployment */
#define PODS_MAX 4096

struct deployment {
    char *process;
    int64_t generation;      /* at least this one */
    bool seen;               /* a document of that generation has come and been observed */
    bool deleted;
    int wanted, replicas, updated, available;
    char *template, *restarted;
    char *create_error;      /* condition ReplicaFailure; NULL: none */
    int64_t create_error_since;
};

struct entry {
    struct pod pod;
    enum pod_trouble trouble;
    char *why;
    int64_t since;           /* when this trouble began */
    bool may_wait;           /* for a node */
};

struct rollout {
    int max_restarts, boot_limit_s;
    struct deployment *deployments;
    size_t n_deployments;
    struct entry *pods;
    size_t n_pods;
};

struct rollout *rollout_new(int max_restarts, int boot_limit_s)
{
    struct rollout *r = xcalloc(1, sizeof(*r));

    r->boot_limit_s = boot_limit_s;
    r->max_restarts = max_restarts;
    return r;
}

static void entry_release(struct entry *e)
{
    pod_release(&e->pod);
    free(e->why);
}

void rollout_free(struct rollout *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n_deployments; i++) {
        free(r->deployments[i].process);
        free(r->deployments[i].template);
        free(r->deployments[i].restarted);
        free(r->deployments[i].create_error);
    }
    for (size_t i = 0; i < r->n_pods; i++)
        entry_release(&r->pods[i]);
    free(r->deployments);
    free(r->pods);
    free(r);
}

void rollout_expect(struct rollout *r, const char *process, int64_t generation)
{
    struct deployment *d;

    r->deployments = xrealloc_n(r->deployments, r->n_deployments + 1, sizeof(*d));
    d = &r->deployments[r->n_deployments++];
    memset(d, 0, sizeof(*d));
    d->process = xstrdup(process);
    d->generation = generation;
    d->create_error_since = -1;
}

/* --- Deployments */

static int count_at(const json_t *doc, const char *path, int fallback)
{
    long long v = json_int(doc, path, fallback);

    return v < 0 || v > INT32_MAX ? fallback : (int) v;
}

static char *template_annotation(const json_t *doc, const char *name)
{
    const char *s = json_string_value(
        json_object_get(json_at(doc, "spec.template.metadata.annotations"), name));

    return text_plain(s != NULL ? s : "", POD_TEXT_MAX);
}

static void conditions_read(struct deployment *d, const json_t *doc)
{
    json_t *all = json_at(doc, "status.conditions"), *c;
    size_t i;

    free(d->create_error);
    d->create_error = NULL;
    json_array_foreach(all, i, c) {
        const char *type = json_str(c, "type", ""), *status = json_str(c, "status", "");

        if (strcmp(type, "ReplicaFailure") == 0 && strcmp(status, "True") == 0) {
            free(d->create_error);
            d->create_error = text_plain(json_str(c, "message", "no reason given"), POD_TEXT_MAX);
        }
    }
    if (d->create_error == NULL)
        d->create_error_since = -1;
}

void rollout_deployment(struct rollout *r, enum kube_event event, const json_t *doc)
{
    const char *name = json_str(doc, "metadata.name", "");

    for (size_t i = 0; i < r->n_deployments; i++) {
        struct deployment *d = &r->deployments[i];
        int64_t generation;

        if (event == KUBE_RESET) {
            d->seen = false;
            continue;
        }
        if (strcmp(d->process, name) != 0)
            continue;
        d->deleted = event == KUBE_DELETED;
        generation = json_int(doc, "metadata.generation", 0);
        if (generation < d->generation ||
            json_int(doc, "status.observedGeneration", 0) < generation) {
            d->seen = false; /* its status is of another spec */
            continue;
        }
        d->seen = true;
        d->wanted = count_at(doc, "spec.replicas", 1);
        d->replicas = count_at(doc, "status.replicas", 0);
        d->updated = count_at(doc, "status.updatedReplicas", 0);
        d->available = count_at(doc, "status.availableReplicas", 0);
        free(d->template);
        free(d->restarted);
        d->template = template_annotation(doc, ANNOTATION_TEMPLATE);
        d->restarted = template_annotation(doc, ANNOTATION_RESTARTED);
        conditions_read(d, doc);
    }
}

/* --- pods */

static struct entry *entry_find(struct rollout *r, const char *uid)
{
    for (size_t i = 0; i < r->n_pods; i++)
        if (strcmp(r->pods[i].pod.uid, uid) == 0)
            return &r->pods[i];
    return NULL;
}

static void entry_remove(struct rollout *r, struct entry *e)
{
    entry_release(e);
    *e = r->pods[--r->n_pods];
}

void rollout_pod(struct rollout *r, enum kube_event event, const json_t *doc, int64_t now)
{
    enum pod_trouble before = POD_FINE;
    struct entry *e;
    struct pod p;

    if (event == KUBE_RESET) {
        while (r->n_pods > 0)
            entry_release(&r->pods[--r->n_pods]);
        return;
    }
    if (pod_read(doc, &p, NULL) < 0)
        return;
    e = entry_find(r, p.uid);
    if (event == KUBE_DELETED) {
        if (e != NULL)
            entry_remove(r, e);
        pod_release(&p);
        return;
    }
    if (e == NULL && r->n_pods >= PODS_MAX) {
        pod_release(&p);
        return;
    }
    if (e == NULL) {
        r->pods = xrealloc_n(r->pods, r->n_pods + 1, sizeof(*r->pods));
        e = &r->pods[r->n_pods++];
        e->since = now;
        e->may_wait = false;
    } else {
        before = e->trouble;
        entry_release(e);
    }
    e->pod = p;
    e->trouble = pod_judge(&e->pod, r->max_restarts,
                           strcmp(e->pod.process, PROCESS_WEB) == 0 ? r->boot_limit_s : 0, &e->why);
    if (e->trouble != before)
        e->since = now;
}

/* True for a pod that the Deployment's present template has made. */
static bool is_of(const struct entry *e, const struct deployment *d)
{
    return strcmp(e->pod.process, d->process) == 0 && strcmp(e->pod.template, d->template) == 0 &&
           strcmp(e->pod.restarted, d->restarted) == 0;
}

/* --- verdict */

void rollout_failure_release(struct rollout_failure *f)
{
    free(f->why);
    free(f->process);
    free(f->pod);
    free(f->no_node);
    memset(f, 0, sizeof(*f));
}

static void fail_pod(const struct deployment *d, const struct entry *e, struct rollout_failure *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->why = xasprintf("%s %s", d->process, e->why);
    ret->process = xstrdup(d->process);
    if (pod_last_end(&e->pod) != NULL || e->pod.running)
        ret->pod = xstrdup(e->pod.name);
    ret->previous = e->pod.running && e->pod.last.is;
    if (e->trouble == POD_UNSCHEDULABLE)
        ret->no_node = xstrdup(e->pod.uid);
}

static void fail_plain(const struct deployment *d, char *why, struct rollout_failure *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->why = why;
    ret->process = xstrdup(d->process);
}

static void again(int *ret_again_ms, int64_t ms)
{
    if (*ret_again_ms < 0 || ms < *ret_again_ms)
        *ret_again_ms = (int) ms;
}

/* True where the trouble is final; else *ret_again_ms is when it will be. */
static bool is_final(const struct entry *e, int64_t now, int *ret_again_ms)
{
    int64_t patience = e->trouble == POD_SUSPECT ? SUSPECT_MS
        : e->trouble == POD_PULL_REFUSED ? PULL_REFUSED_MS : UNSCHEDULABLE_MS;

    if (e->trouble == POD_HOPELESS)
        return true;
    if (e->trouble == POD_FINE || (e->trouble == POD_UNSCHEDULABLE && e->may_wait))
        return false;
    if (now - e->since >= patience)
        return true;
    again(ret_again_ms, patience - (now - e->since));
    return false;
}

static bool is_complete(const struct deployment *d)
{
    return d->seen && d->updated >= d->wanted && d->replicas <= d->updated &&
           d->available >= d->wanted;
}

static enum rollout_verdict judge_one(struct rollout *r, struct deployment *d, int64_t now,
                                      int *ret_again_ms, struct rollout_failure *ret)
{
    if (d->deleted) {
        fail_plain(d, xasprintf("%s: somebody deleted its Deployment", d->process), ret);
        return ROLLOUT_FAILED;
    }
    if (!d->seen)
        return ROLLOUT_GOING;
    if (is_complete(d))
        return ROLLOUT_DONE;
    for (size_t i = 0; i < r->n_pods; i++) {
        if (is_of(&r->pods[i], d) && is_final(&r->pods[i], now, ret_again_ms)) {
            fail_pod(d, &r->pods[i], ret);
            return ROLLOUT_FAILED;
        }
    }
    if (d->create_error != NULL) {
        if (d->create_error_since < 0)
            d->create_error_since = now;
        if (now - d->create_error_since >= CREATE_MS) {
            fail_plain(d, xasprintf("%s gets no pods: %s", d->process, d->create_error), ret);
            return ROLLOUT_FAILED;
        }
        again(ret_again_ms, CREATE_MS - (now - d->create_error_since));
    }
    return ROLLOUT_GOING;
}

enum rollout_verdict rollout_judge(struct rollout *r, int64_t now, int *ret_again_ms,
                                   struct rollout_failure *ret)
{
    enum rollout_verdict all = ROLLOUT_DONE;

    *ret_again_ms = -1;
    for (size_t i = 0; i < r->n_deployments; i++) {
        enum rollout_verdict v = judge_one(r, &r->deployments[i], now, ret_again_ms, ret);

        if (v == ROLLOUT_FAILED)
            return v;
        if (v == ROLLOUT_GOING)
            all = ROLLOUT_GOING;
    }
    return all;
}

void rollout_allow_wait(struct rollout *r, const char *uid)
{
    struct entry *e = entry_find(r, uid);

    if (e != NULL)
        e->may_wait = true;
}

/* Pods of the present template that are ready; old ones serve too, but aren't the release's. */
static int ready_pods(const struct rollout *r, const struct deployment *d)
{
    int n = 0;

    for (size_t i = 0; i < r->n_pods; i++)
        n += is_of(&r->pods[i], d) && r->pods[i].pod.ready && !r->pods[i].pod.deleting;
    return n;
}

static int shown_ready(const struct rollout *r, const struct deployment *d)
{
    int n = is_complete(d) ? d->wanted : ready_pods(r, d);

    return n < d->wanted ? n : d->wanted;
}

void rollout_progress(const struct rollout *r, struct buf *out)
{
    bool any = false;

    for (size_t i = 0; i < r->n_deployments; i++)
        if (!r->deployments[i].seen)
            return;
    for (size_t i = 0; i < r->n_deployments; i++) {
        const struct deployment *d = &r->deployments[i];

        if (d->wanted == 0)
            continue;
        (void) buf_addf(out, "%s%s %d/%d ready", any ? ", " : "", d->process, shown_ready(r, d),
                        d->wanted);
        any = true;
    }
}

void rollout_overdue(struct rollout *r, int64_t seconds, struct rollout_failure *ret)
{
    const struct deployment *late = NULL;

    for (size_t i = 0; i < r->n_deployments && late == NULL; i++)
        if (!is_complete(&r->deployments[i]))
            late = &r->deployments[i];
    memset(ret, 0, sizeof(*ret));
    if (late == NULL) {
        ret->why = xasprintf("the release is not ready after %" PRId64 " s", seconds);
        return;
    }
    for (size_t i = 0; late->seen && i < r->n_pods; i++) {
        const struct entry *e = &r->pods[i];

        if (!is_of(e, late) || e->pod.ready)
            continue;
        if (e->why != NULL) {
            fail_pod(late, e, ret);
            return;
        }
        fail_plain(late, NULL, ret);
        if (e->pod.running)
            ret->pod = xstrdup(e->pod.name);
        /* The probes of web only connect; other processes have none. */
        if (e->pod.running && strcmp(late->process, PROCESS_WEB) == 0)
            ret->why = xasprintf("web did not listen on 0.0.0.0:$PORT (port %d) within %" PRId64 " s", WEB_PORT,
                                 seconds);
        else
            ret->why = xasprintf("%s is not ready after %" PRId64 " s: %d of %d ready",
                                 late->process, seconds, shown_ready(r, late), late->wanted);
        return;
    }
    fail_plain(late, xasprintf("%s is not ready after %" PRId64 " s", late->process, seconds), ret);
}
