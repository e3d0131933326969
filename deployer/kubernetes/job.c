#include "config.h"

#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/cluster.h"
#include "deployer/kubernetes/pod.h"
#include "deployer/kubernetes/watch.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SELECTOR_JOB SELECTOR_MANAGED "%2Capp.kubernetes.io%2Fcomponent%3D" PROCESS_RELEASE
#define LOG_LINE_MAX (16 * 1024)  /* the container runtime cuts lines at the same length */
#define TROUBLE_MS 20000          /* an image that is tried again, a node that becomes free */
#define NO_POD_MS 10000           /* then the Job's events are asked why it has no pod */
#define REPLACE_TRIES 3
#define DEADLINE_SLACK_S 10       /* the Job's own limit is for when nobody watches it: ours comes first and says so */

/* The release command, or the postdeploy script, while it runs. */
struct job {
    struct target *target;
    const struct target_call *call;
    const struct release *release;
    char *namespace_, *name, *path, *uid;
    /* fed by the watches */
    struct pod pod;
    bool has_pod;
    enum pod_trouble trouble;
    char *why;
    int64_t trouble_since, started;
    char *failed;            /* the Job's own verdict; NULL: none */
    /* its output */
    struct kube_stream *log;
    size_t said, skip;       /* lines; a log that is read again begins with those already said */
    bool log_ended;
    bool canceled;
    bool may_wait;           /* a node is coming */
    bool asked_events;
};

/* --- making the Job */

static bool is_this_release(const struct job *j, const json_t *live)
{
    cleanup_free char *id = xasprintf("%" PRId64, j->release->id);
    const char *of = json_string_value(json_object_get(json_at(live, "metadata.annotations"),
                                                       ANNOTATION_RELEASE_ID));

    return of != NULL && strcmp(of, id) == 0 && json_at(live, "metadata.deletionTimestamp") == NULL;
}

static int job_delete(struct job *j, struct err *err)
{
    json_auto_t *options = json_pack("{s:s, s:s, s:s}", "apiVersion", "v1", "kind", "DeleteOptions",
                                     "propagationPolicy", "Background");
    struct err why = ERR_INIT;

    if (kube_do(j->target->kube, "DELETE", j->path, NULL, options, NULL, &why) == 0 ||
        why.code == ERR_NOT_FOUND)
        return 0;
    *err = why;
    return err_wrap(err, "Job %s", j->name);
}

/* Makes the Job, or goes on with the one that a worker before us has made for this release. */
static int job_make(struct job *j, const json_t *doc, struct err *err)
{
    cleanup_free char *all = kind_path_of("Job", j->namespace_, NULL);
    cleanup_free char *post = xasprintf("%s?fieldManager=" KUBE_MANAGER, all);

    for (int i = 0; i < REPLACE_TRIES; i++) {
        json_auto_t *live = NULL;
        struct err why = ERR_INIT;

        if (kube_do(j->target->kube, "POST", post, NULL, doc, &live, &why) < 0) {
            if (why.code != ERR_BUSY) {
                *err = why;
                return err_wrap(err, "Job %s", j->name);
            }
            err_clear(&why);
            if (kube_do(j->target->kube, "GET", j->path, NULL, NULL, &live, &why) < 0) {
                if (why.code == ERR_NOT_FOUND)
                    continue;
                *err = why;
                return err_wrap(err, "Job %s", j->name);
            }
            if (!is_this_release(j, live)) {
                if (job_delete(j, err) < 0)
                    return -1;
                continue;
            }
        }
        j->uid = xstrdup(json_str(live, "metadata.uid", ""));
        return 0;
    }
    return err_set(err, ERR_BUSY, "Job %s is still being deleted: try again", j->name);
}

/* --- what the watches bring */

static bool is_owned(const struct job *j, const json_t *doc)
{
    json_t *owner = json_array_get(json_at(doc, "metadata.ownerReferences"), 0);

    return strcmp(json_str(owner, "uid", ""), j->uid) == 0;
}

static void on_pod(void *arg, enum kube_event event, const json_t *doc)
{
    struct job *j = arg;
    enum pod_trouble before = j->trouble;
    struct pod p;

    if (event == KUBE_RESET || !is_owned(j, doc) || pod_read(doc, &p, NULL) < 0)
        return;
    if (event == KUBE_DELETED || p.deleting) {
        /* How it ended stays known; a pod that went before its end is the Job's to judge. */
        pod_release(&p);
        return;
    }
    pod_release(&j->pod);
    free(j->why);
    j->pod = p;
    j->has_pod = true;
    j->trouble = pod_judge(&p, INT_MAX, 0, &j->why);
    if (j->trouble != before)
        j->trouble_since = (int64_t) loop_now();
}

static void on_job(void *arg, enum kube_event event, const json_t *doc)
{
    struct job *j = arg;
    json_t *conditions = json_at(doc, "status.conditions"), *c;
    size_t i;

    if (event == KUBE_RESET || strcmp(json_str(doc, "metadata.uid", ""), j->uid) != 0)
        return;
    if (event == KUBE_DELETED && j->failed == NULL)
        j->failed = xstrdup("somebody deleted its Job");
    json_array_foreach(conditions, i, c) {
        if (j->failed == NULL && strcmp(json_str(c, "type", ""), "Failed") == 0 &&
            strcmp(json_str(c, "status", ""), "True") == 0)
            j->failed = xstrdup(strcmp(json_str(c, "reason", ""), "DeadlineExceeded") == 0
                                    ? "ran out of time" : "was stopped from outside");
    }
}

/* --- its output */

static void on_line(void *arg, const char *line, size_t n)
{
    struct job *j = arg;

    if (j->skip > 0) {
        j->skip--;
        return;
    }
    j->said++;
    target_say_output(j->call, line, n);
}

static int log_service(struct job *j, struct err *err)
{
    cleanup_free char *pod = NULL, *path = NULL;
    struct err why = ERR_INIT;
    int rc;

    if (j->log_ended || !j->has_pod || !(j->pod.running || j->pod.end.is))
        return 0;
    if (j->log == NULL) {
        pod = kind_path_of("Pod", j->namespace_, j->pod.name);
        path = xasprintf("%s/log?container=" CONTAINER "&follow=true", pod);
        j->skip = j->said;
        j->log = kube_stream_open(j->target->kube, path, LOG_LINE_MAX, 0, on_line, j, err);
        return j->log != NULL ? 0 : -1;
    }
    rc = kube_stream_done(j->log, &why);
    if (rc == 0)
        return 0;
    kube_stream_close(j->log);
    j->log = NULL;
    /* The end of the log of a process that runs is a broken connection: it is read again. What is
     * left of an ended one can't be had where even that fails. */
    if (j->pod.end.is)
        j->log_ended = true;
    return 0;
}

/* --- verdict */

/* Why a Job gets no pod (a quota, a policy) stands only in its events. NULL: there is none. */
static char *creation_error(struct job *j)
{
    cleanup_free char *path = xasprintf(
        "/api/v1/namespaces/%s/events?limit=20&fieldSelector=involvedObject.uid%%3D%s%%2Creason"
        "%%3DFailedCreate", j->namespace_, j->uid);
    json_auto_t *events = NULL;

    (void) kube_do(j->target->kube, "GET", path, NULL, NULL, &events, NULL);
    if (json_array_size(json_at(events, "items")) == 0)
        return NULL;
    return xasprintf("gets no pod: %.300s",
                     json_str(json_array_get(json_at(events, "items"), 0), "message", ""));
}

static int fail(struct err *err, const char *why)
{
    return err_set(err, ERR_FAILED, "%s", why);
}

static int end_judge(const struct pod_end *e, const struct pod *p, struct err *err)
{
    if (e->code == 0)
        return 0;
    if (e->reason != NULL && strcmp(e->reason, "OOMKilled") == 0)
        return err_set(err, ERR_FAILED, "ran out of memory (limit %s)",
                       p->memory_limit != NULL ? p->memory_limit : "of its node");
    return err_set(err, ERR_FAILED, "failed (exit %d)", e->code);
}

/* 1: it has ended well, 0: it goes on, -1: it has failed. *ret_ms: when to look again; -1: at
 * the next event. */
static int job_judge(struct job *j, int *ret_ms, struct err *err)
{
    int64_t now = (int64_t) loop_now(), waited = now - j->started;

    *ret_ms = -1;
    if (j->has_pod && j->pod.end.is)
        return !j->log_ended ? 0 : end_judge(&j->pod.end, &j->pod, err) < 0 ? -1 : 1;
    if (j->failed != NULL)
        return fail(err, j->failed);
    if (j->trouble == POD_HOPELESS)
        return fail(err, j->why);
    if (j->trouble != POD_FINE && !(j->trouble == POD_UNSCHEDULABLE && j->may_wait)) {
        int64_t lasted = now - j->trouble_since;

        if (lasted < TROUBLE_MS)
            *ret_ms = (int) (TROUBLE_MS - lasted);
        else if (j->trouble == POD_UNSCHEDULABLE &&
                 node_is_coming(j->target, j->namespace_, j->pod.uid))
            j->may_wait = true;
        else
            return fail(err, j->why);
    }
    if (!j->has_pod && !j->asked_events) {
        cleanup_free char *why = NULL;

        if (waited < NO_POD_MS) {
            *ret_ms = (int) (NO_POD_MS - waited);
            return 0;
        }
        j->asked_events = true;
        why = creation_error(j);
        if (why != NULL)
            return fail(err, why);
    }
    return 0;
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static int job_follow(struct job *j, struct kube_watch *pods, struct kube_watch *jobs,
                      int64_t timeout_ms, struct err *err)
{
    for (;;) {
        int64_t left = j->started + timeout_ms - (int64_t) loop_now();
        int again, a, b, rc;

        if (log_service(j, err) < 0)
            return -1;
        rc = job_judge(j, &again, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (left <= 0)
            return err_set(err, ERR_FAILED, "not done after %" PRId64 " s",
                           timeout_ms / 1000);
        a = kube_watch_service(pods, err);
        b = a != KUBE_WATCH_FAILED ? kube_watch_service(jobs, err) : a;
        if (a == KUBE_WATCH_FAILED || b == KUBE_WATCH_FAILED)
            return err_wrap(err, "its pod can't be watched");
        again = sooner(sooner(again, sooner(a, b)), left < INT_MAX ? (int) left : INT_MAX);
        if (call_wait(j->target, j->call, again, err) < 0) {
            j->canceled = true;
            return -1;
        }
    }
}

static int job_run(struct job *j, const json_t *doc, int64_t timeout_ms, struct err *err)
{
    cleanup_free char *pods_path = kind_path_of("Pod", j->namespace_, NULL);
    cleanup_free char *jobs_path = kind_path_of("Job", j->namespace_, NULL);
    struct kube_watch *pods = NULL, *jobs = NULL;
    int rc = -1;

    j->started = (int64_t) loop_now();
    if (job_make(j, doc, err) < 0)
        return -1;
    pods = kube_watch_open(j->target->kube, pods_path, SELECTOR_JOB, on_pod, j, err);
    if (pods != NULL)
        jobs = kube_watch_open(j->target->kube, jobs_path, SELECTOR_JOB, on_job, j, err);
    if (jobs != NULL)
        rc = job_follow(j, pods, jobs, timeout_ms, err);
    kube_stream_close(j->log);
    kube_watch_close(pods);
    kube_watch_close(jobs);
    if (rc < 0 && j->canceled && j->call->handed_on != NULL &&
        j->call->handed_on(j->call->canceled_arg))
        return rc; /* the release's next worker finds it by its name */
    /* It has ended, or must not go on. Where this fails it deletes itself in a while. */
    (void) job_delete(j, &(struct err) ERR_INIT);
    return rc;
}

int kubernetes_release_command(struct target *t, const struct target_release *r, const char *script,
                               const struct target_call *c, int64_t timeout_ms, struct err *err)
{
    struct job j = { .target = t, .call = c, .release = r->release };
    json_auto_t *doc = NULL;
    struct rendering g;
    int rc;

    if (rendering_make(t, r, &g, err) < 0)
        return -1;
    j.namespace_ = xstrdup(g.namespace_);
    j.name = manifest_job_name(r->release, script);
    j.path = kind_path_of("Job", j.namespace_, j.name);
    rc = base_apply(t, r, &g, NULL, NULL, err);
    if (rc == 0) {
        doc = manifest_job(&g.input, script, (timeout_ms + 999) / 1000 + DEADLINE_SLACK_S);
        rc = job_run(&j, doc, timeout_ms, err);
    }
    rendering_release(&g);
    pod_release(&j.pod);
    free(j.why);
    free(j.failed);
    free(j.namespace_);
    free(j.name);
    free(j.path);
    free(j.uid);
    return rc;
}
