#include "config.h"

#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/cluster.h"
#include "deployer/kubernetes/watch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LAST_LINES 20                /* of a crashed process; a stack trace's end */
#define LAST_BYTES (64 * 1024)
#define PROGRESS_MAX 4096

void say_last_lines(struct target *t, const struct app *app, const char *process, const char *pod,
                    bool previous, const struct target_call *c)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app);
    cleanup_free char *base = kind_path_of("Pod", namespace_, pod);
    cleanup_free char *path = xasprintf("%s/log?container=" CONTAINER
                                        "&tailLines=%d&limitBytes=%d%s", base, LAST_LINES,
                                        LAST_BYTES, previous ? "&previous=true" : "");
    cleanup_free char *text = NULL, *head = NULL;

    if (kube_get_text(t->kube, path, &text, NULL) < 0 || text[0] == '\0')
        return;
    head = xasprintf(" !     Last lines of %s:", process);
    c->say(c->say_arg, head);
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, "\n");

        target_say_output(c, p, n);
        p += n + (p[n] == '\n');
    }
}

int call_wait(struct target *t, const struct target_call *c, int timeout_ms, struct err *err)
{
    bool wake = false;

    /* What made wake_fd readable may have been read away by a request (kube_attend). */
    if (c->canceled != NULL && c->wake_fd >= 0 && c->canceled(c->canceled_arg))
        return err_set(err, ERR_FAILED, "canceled");
    if (kube_poll(t->kube, timeout_ms, c->wake_fd, &wake, err) < 0)
        return -1;
    if (c->canceled != NULL && (wake || c->wake_fd < 0) && c->canceled(c->canceled_arg))
        return err_set(err, ERR_FAILED, "canceled");
    return 0;
}

/* What the autoscalers write about a pod that they make a node for. */
static const char *const scaling_reasons[] = {
    "TriggeredScaleUp", /* cluster-autoscaler, also of GKE and AKS */
    "Nominated",        /* Karpenter */
};

bool node_is_coming(struct target *t, const char *namespace_, const char *pod_uid)
{
    cleanup_free char *path = xasprintf(
        "/api/v1/namespaces/%s/events?limit=100&fieldSelector=involvedObject.uid%%3D%s",
        namespace_, pod_uid);
    json_auto_t *events = NULL;
    json_t *items, *e;
    size_t i;

    (void) kube_do(t->kube, "GET", path, NULL, NULL, &events, NULL);
    items = json_at(events, "items");
    json_array_foreach(items, i, e)
        for (size_t k = 0; k < countof(scaling_reasons); k++)
            if (strcmp(json_str(e, "reason", ""), scaling_reasons[k]) == 0)
                return true;
    return false;
}

/* --- following a rollout */

static void on_deployment(void *arg, enum kube_event event, const json_t *doc)
{
    rollout_deployment(arg, event, doc);
}

static void on_pod(void *arg, enum kube_event event, const json_t *doc)
{
    rollout_pod(arg, event, doc, (int64_t) loop_now());
}

struct follow {
    struct target *target;
    const char *namespace_;
    struct rollout *rollout;
    struct kube_watch *deployments, *pods;
    char *progress;          /* said last */
};

static void progress_say(struct follow *f, const struct target_call *c)
{
    cleanup_buf struct buf b;
    cleanup_free char *line = NULL;

    buf_init(&b, PROGRESS_MAX);
    rollout_progress(f->rollout, &b);
    if (buf_len(&b) == 0 || (f->progress != NULL && strcmp(f->progress, buf_str(&b)) == 0))
        return;
    free(f->progress);
    f->progress = buf_steal(&b);
    line = xasprintf("       %s", f->progress);
    c->say(c->say_arg, line);
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

/* Opens ended watches again. *ret_ms as in kube_watch_service, of whichever is sooner. */
static int watches_service(struct follow *f, int *ret_ms, struct err *err)
{
    int a = kube_watch_service(f->deployments, err), b;

    if (a == KUBE_WATCH_FAILED)
        return err_wrap(err, "the Deployments can't be watched");
    b = kube_watch_service(f->pods, err);
    if (b == KUBE_WATCH_FAILED)
        return err_wrap(err, "the pods can't be watched");
    *ret_ms = sooner(a, b);
    return 0;
}

/* The time is over: is the app to blame, or is there no cluster to hear of it from? */
static int follow_overdue(struct follow *f, int64_t timeout_ms, struct rollout_failure *failure, struct err *err)
{
    cleanup_free char *path = kind_path_of("Deployment", f->namespace_, NULL);
    cleanup_free char *one = xasprintf("%s?limit=1", path);
    json_auto_t *doc = NULL;
    struct err why = ERR_INIT;

    rollout_overdue(f->rollout, timeout_ms / 1000, failure);
    if (kube_do(f->target->kube, "GET", one, NULL, NULL, &doc, &why) < 0 && why.code == ERR_DOWN)
        return err_set(err, ERR_DOWN, "%s, and the cluster does not answer any more: %s", failure->why, why.msg);
    return err_set(err, ERR_FAILED, "%s", failure->why);
}

static int follow_run(struct follow *f, const struct target_call *c, int64_t timeout_ms,
                      struct rollout_failure *failure, struct err *err)
{
    int64_t deadline = (int64_t) loop_now() + timeout_ms;

    for (;;) {
        int64_t now = (int64_t) loop_now(), left = deadline - now;
        int again, service = -1;

        switch (rollout_judge(f->rollout, now, &again, failure)) {
        case ROLLOUT_DONE:
            progress_say(f, c);
            return 0;
        case ROLLOUT_FAILED:
            if (failure->no_node != NULL &&
                node_is_coming(f->target, f->namespace_, failure->no_node)) {
                c->say(c->say_arg, "       no node has room; the cluster is adding one");
                rollout_allow_wait(f->rollout, failure->no_node);
                rollout_failure_release(failure);
                continue;
            }
            return err_set(err, ERR_FAILED, "%s", failure->why);
        case ROLLOUT_GOING:
            break;
        }
        progress_say(f, c);
        if (left <= 0)
            return follow_overdue(f, timeout_ms, failure, err);
        if (watches_service(f, &service, err) < 0)
            return -1;
        again = sooner(sooner(again, service), left < INT_MAX ? (int) left : INT_MAX);
        if (call_wait(f->target, c, again, err) < 0)
            return -1;
    }
}

int rollout_wait(struct target *t, const struct app *app, struct rollout *rollout,
                 const struct target_call *c, int64_t timeout_ms, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app);
    cleanup_free char *deployments = kind_path_of("Deployment", namespace_, NULL);
    cleanup_free char *pods = kind_path_of("Pod", namespace_, NULL);
    struct follow f = { .target = t, .namespace_ = namespace_, .rollout = rollout };
    struct rollout_failure failure = { 0 };
    int rc = -1;

    f.deployments = kube_watch_open(t->kube, deployments, SELECTOR_MANAGED, on_deployment, rollout,
                                    err);
    if (f.deployments != NULL)
        f.pods = kube_watch_open(t->kube, pods, SELECTOR_MANAGED, on_pod, rollout, err);
    if (f.pods != NULL)
        rc = follow_run(&f, c, timeout_ms, &failure, err);
    kube_watch_close(f.deployments);
    kube_watch_close(f.pods);
    if (failure.pod != NULL)
        say_last_lines(t, app, failure.process, failure.pod, failure.previous, c);
    rollout_failure_release(&failure);
    free(f.progress);
    return rc;
}

int kubernetes_watch(struct target *t, const struct target_release *r, const struct target_call *c,
                     int64_t timeout_ms, struct err *err)
{
    struct rollout *rollout = rollout_new((int) t->conf->max_restarts, manifest_boot_limit(r->release));
    int rc;

    for (size_t i = 0; i < r->release->processes.n; i++) {
        const char *type = r->release->processes.v[i].type;

        if (manifest_is_service(type))
            rollout_expect(rollout, type, generation_get(t, type));
    }
    rc = rollout_wait(t, r->app, rollout, c, timeout_ms, err);
    rollout_free(rollout);
    return rc;
}
