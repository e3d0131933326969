#include "config.h"

#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/gate.h"
#include "deployer/kubernetes/pod.h"
#include "deployer/kubernetes/remote.h"
#include "deployer/kubernetes/runs.h"
#include "deployer/kubernetes/watch.h"
#include "deployer/process.h"

#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Numbers are short enough to type, and so many that two tries find a free one. */
#define NUMBER_MIN 10000
#define NUMBER_SPAN 90000
#define NUMBER_TRIES 8

#define TROUBLE_MS 20000      /* an image that is tried again, a node that becomes free */
#define ATTACH_TRY_MS 300     /* the node says "running" before it lets us attach */
#define ATTACH_MS 10000
#define END_MS 60000          /* the node tells how a container ended within a second or two */

struct run {
    struct target *target;
    const struct target_run *query;
    struct remote remote;
    struct gate gate;        /* of an attached one */
    char *namespace_, *path, *name, *uid;
    /* fed by the watch */
    struct kube_watch *watch;
    struct pod pod;
    bool has_pod, deleted;
    enum pod_trouble trouble;
    char *why;
    uint64_t trouble_since;
    bool may_wait;
};

/* --- making it */

static void command_make(const struct run *r, const struct release *release, struct vec *ret)
{
    const struct target_run *q = r->query;
    cleanup_free char *gate = q->detached ? xstrdup("") : gate_script(&r->gate, q->tty.cols, q->tty.rows);

    if (q->process == NULL) {
        run_command(ret, gate, q->argv, q->shell);
        return;
    }
    vec_addl(ret, "sh", "-c", NULL);
    vec_addf(ret, "%sexec \"$@\"", gate);
    vec_add(ret, "sh");
    process_words(release, q->process, ret);
}

static json_t *env_make(const struct target_run *q)
{
    json_t *env = json_object();

    if (q->tty.is && q->tty.term != NULL && q->tty.term[0] != '\0')
        json_object_set_new(env, "TERM", json_string(q->tty.term));
    if (q->env != NULL)
        json_object_update(env, (json_t *) q->env);
    return env;
}

/* Creates the Pod or Job under a number of its own. */
static int run_create(struct run *r, const struct target_release *release, char *number, struct err *err)
{
    const struct target_run *q = r->query;
    const char *kind = q->detached ? "Job" : "Pod";
    cleanup_free char *all = kind_path_of(kind, r->namespace_, NULL), *owner = NULL;
    cleanup_free char *post = xasprintf("%s?fieldManager=" KUBE_MANAGER, all);
    cleanup_vec struct vec command = VEC_INIT;
    json_auto_t *env = env_make(q), *made = NULL;
    struct manifest_run m = { .number = number, .command = &command, .env = env, .user = q->user,
                              .text = q->text, .ttl_s = q->ttl_s, .tty = q->tty.is };
    struct rendering g;
    struct err why = ERR_INIT;
    int rc = -1;

    if (!q->detached && (owner = run_owner(err)) == NULL)
        return -1;
    m.owner = owner;
    command_make(r, release->release, &command);
    if (rendering_make(r->target, release, &g, err) < 0)
        return -1;
    for (int i = 0; rc < 0 && i < NUMBER_TRIES; i++) {
        json_auto_t *doc = NULL;

        (void) snprintf(number, RUN_NUMBER_SIZE, "%u", NUMBER_MIN + randombytes_uniform(NUMBER_SPAN));
        doc = manifest_run(&g.input, &m);
        err_clear(&why);
        rc = kube_do(r->target->kube, "POST", post, NULL, doc, &made, &why);
        if (rc < 0 && why.code != ERR_BUSY)
            break;
    }
    rendering_release(&g);
    if (rc < 0) {
        *err = why;
        return err_wrap(err, "the command can't be started");
    }
    r->name = xasprintf("run.%s", number);
    r->uid = xstrdup(json_str(made, "metadata.uid", ""));
    return 0;
}

/* --- what the watch brings */

static void on_pod(void *arg, enum kube_event event, const json_t *doc)
{
    struct run *r = arg;
    enum pod_trouble before = r->trouble;
    struct pod p;

    if (event == KUBE_RESET || strcmp(json_str(doc, "metadata.uid", ""), r->uid) != 0)
        return;
    if (event == KUBE_DELETED)
        r->deleted = true;
    if (pod_read(doc, &p, NULL) < 0)
        return;
    pod_release(&r->pod);
    free(r->why);
    r->pod = p;
    r->has_pod = true;
    r->trouble = pod_judge(&p, INT_MAX, 0, &r->why);
    if (r->trouble != before)
        r->trouble_since = loop_now();
}

/* One round of waiting for the cluster; -1 with err where that makes no sense any more. */
static enum remote_end cluster_wait(struct run *r, int ms, struct err *err)
{
    int again = kube_watch_service(r->watch, err);

    if (again == KUBE_WATCH_FAILED) {
        (void) err_wrap(err, "%s can't be watched", r->name);
        return REMOTE_BROKEN;
    }
    return remote_wait(&r->remote, again >= 0 && (ms < 0 || again < ms) ? again : ms);
}

static bool has_ended(const struct run *r)
{
    return r->has_pod && (r->pod.end.is || strcmp(r->pod.phase, "Failed") == 0);
}

/* --- its beginning */

/* 1: it can't come up (err), 0: it may; *ret_ms: when to look again. */
static int trouble_judge(struct run *r, int *ret_ms, struct err *err)
{
    uint64_t lasted = loop_now() - r->trouble_since;

    *ret_ms = -1;
    if (r->deleted) {
        (void) err_set(err, ERR_FAILED, "%s was stopped before it had begun", r->name);
        return 1;
    }
    if (!r->has_pod || r->trouble == POD_FINE || (r->trouble == POD_UNSCHEDULABLE && r->may_wait))
        return 0;
    if (r->trouble != POD_HOPELESS && lasted < TROUBLE_MS) {
        *ret_ms = (int) (TROUBLE_MS - lasted);
        return 0;
    }
    if (r->trouble == POD_UNSCHEDULABLE && node_is_coming(r->target, r->namespace_, r->uid)) {
        r->may_wait = true;
        return 0;
    }
    (void) err_set(err, ERR_FAILED, "the command %s", r->why);
    return 1;
}

/* Waits until the container runs or has ended. */
static enum remote_end begin_wait(struct run *r, struct err *err)
{
    for (;;) {
        enum remote_end end;
        int ms;

        if (has_ended(r) || (r->has_pod && r->pod.running))
            return REMOTE_OPEN;
        if (trouble_judge(r, &ms, err) != 0)
            return REMOTE_BROKEN;
        end = cluster_wait(r, ms, err);
        if (end != REMOTE_OPEN)
            return end;
    }
}

static char *attach_path(const struct run *r)
{
    return xasprintf("%s/attach?container=" CONTAINER "&stdin=true&stdout=true&stderr=%s&tty=%s", r->path,
                     r->query->tty.is ? "false" : "true", r->query->tty.is ? "true" : "false");
}

/* Attaches. REMOTE_OPEN: attached, or it has ended before. */
static enum remote_end attach(struct run *r, struct err *err)
{
    const struct target_tty *tty = &r->query->tty;
    cleanup_free char *path = attach_path(r);
    uint64_t until = loop_now() + ATTACH_MS, again;

    while (!has_ended(r)) {
        enum remote_end end = REMOTE_OPEN;

        err_clear(err);
        if (remote_connect(&r->remote, path, tty->cols, tty->rows, err) == 0)
            return REMOTE_OPEN;
        /* Nothing runs yet behind the gate, so it can be tried again. */
        if (r->remote.ws != NULL || err->code == ERR_DENIED || loop_now() >= until)
            return REMOTE_BROKEN;
        again = loop_now() + ATTACH_TRY_MS;
        while (end == REMOTE_OPEN && !has_ended(r) && loop_now() < again)
            end = cluster_wait(r, (int) (again - loop_now()), err);
        if (end != REMOTE_OPEN)
            return end;
    }
    err_clear(err);
    return REMOTE_OPEN;
}

/* --- its end */

static enum remote_end end_wait(struct run *r, struct err *err)
{
    uint64_t until = loop_now() + END_MS;

    while (!has_ended(r)) {
        uint64_t now = loop_now();
        enum remote_end end;

        if (r->deleted || now >= until) {
            (void) err_set(err, ERR_FAILED, r->deleted ? "%s was deleted; its exit code is lost"
                                                       : "%s has ended, but its exit code doesn't come", r->name);
            return REMOTE_BROKEN;
        }
        end = cluster_wait(r, (int) (until - now), err);
        if (end != REMOTE_OPEN)
            return end;
    }
    return REMOTE_OPEN;
}

/* What a container printed that ended before its gate was open: why it could not begin. */
static void late_output(struct run *r)
{
    cleanup_free char *path = xasprintf("%s/log?container=" CONTAINER, r->path), *text = NULL;

    if (kube_get_text(r->target->kube, path, &text, NULL) < 0)
        return;
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, "\n");

        n += p[n] == '\n';
        if (!gate_is_line(p, n) && remote_error(&r->remote, p, n) < 0)
            return;
        p += n;
    }
}

#define EXIT_TIMED_OUT 124 /* as timeout(1) */

static int exit_take(struct run *r, int *ret_exit, struct err *err)
{
    const struct pod *p = &r->pod;
    bool overdue = p->phase_reason != NULL && strcmp(p->phase_reason, "DeadlineExceeded") == 0;
    cleanup_free char *text = NULL;

    if (overdue)
        text = xasprintf(" !     %s was ended because its time was over (--ttl)", r->name);
    else if (p->end.is && p->end.reason != NULL && strcmp(p->end.reason, "OOMKilled") == 0)
        text = xasprintf(" !     %s ran out of memory (limit %s)", r->name,
                         p->memory_limit != NULL ? p->memory_limit : "of its node");
    if (text != NULL)
        remote_say(&r->remote, text);
    if (p->end.is && p->end.reason != NULL && strcmp(p->end.reason, "StartError") == 0)
        return err_set(err, ERR_FAILED, "%s can't be started: %s", r->name,
                       p->end.message != NULL ? p->end.message : "the cluster doesn't say why");
    if (!p->end.is && !overdue)
        return err_set(err, ERR_FAILED, "%s was ended by the cluster: %s", r->name,
                       p->phase_reason != NULL ? p->phase_reason : "no reason is known");
    if (!r->remote.gone_through && p->end.is && p->end.code == GATE_EXIT)
        return err_set(err, ERR_DOWN, "%s did not begin: the connection to it was lost", r->name);
    *ret_exit = p->end.is ? p->end.code : EXIT_TIMED_OUT;
    return 0;
}

/* From the pod's creation to its end. */
static enum remote_end run_follow(struct run *r, struct err *err)
{
    enum remote_end end = begin_wait(r, err);

    if (end == REMOTE_OPEN && !has_ended(r))
        end = attach(r, err);
    if (end != REMOTE_OPEN)
        return end;
    if (r->remote.ws == NULL) {
        late_output(r);
        return REMOTE_OPEN;
    }
    if (r->query->tty.is) {
        cleanup_free char *text = xasprintf("Running %s... up, %s", r->query->text, r->name);

        remote_say(&r->remote, text);
    }
    end = remote_pump(&r->remote, err);
    if (end == REMOTE_BROKEN)
        return err_wrap(err, "%s lost its connection and was ended", r->name), REMOTE_BROKEN;
    if (end == REMOTE_ENDED)
        end = end_wait(r, err);
    if (end == REMOTE_OPEN && !r->remote.gone_through)
        late_output(r);
    return end;
}

static int run_attached(struct run *r, const struct target_release *release, char *number, int *ret_exit,
                        struct err *err)
{
    cleanup_free char *pods = kind_path_of("Pod", r->namespace_, NULL), *selector = NULL, *name = NULL;
    enum remote_end end = REMOTE_BROKEN;
    int rc = -1;

    if (run_create(r, release, number, err) < 0)
        return -1;
    name = xasprintf("run-%s", number);
    r->path = kind_path_of("Pod", r->namespace_, name);
    selector = xasprintf("%s%%3D%s", SELECTOR_RUN, number);
    r->watch = kube_watch_open(r->target->kube, pods, selector, on_pod, r, err);
    if (r->watch != NULL)
        end = run_follow(r, err);
    if (end == REMOTE_OPEN)
        rc = exit_take(r, ret_exit, err);
    else if (end == REMOTE_STOPPING)
        (void) err_set(err, ERR_BUSY, "the server is stopping; %s was ended", r->name);
    else if (end == REMOTE_GONE)
        rc = 0;
    remote_disconnect(&r->remote);
    kube_watch_close(r->watch);
    (void) run_delete(r->target, r->path, NULL);
    return rc;
}

int kubernetes_run(struct target *t, const struct target_release *release, const struct target_run *q,
                   const struct target_stream *io, char **ret_name, int *ret_exit, struct err *err)
{
    struct run r = { .target = t, .query = q, .namespace_ = manifest_namespace_name(t->conf, release->app) };
    char number[RUN_NUMBER_SIZE];
    int rc;

    if (q->detached) {
        rc = run_create(&r, release, number, err);
    } else {
        rc = remote_init(&r.remote, t->kube, io->fd, q->tty.is, err);
        if (rc == 0) {
            gate_init(&r.gate, q->tty.is);
            r.remote.gate = &r.gate;
            rc = run_attached(&r, release, number, ret_exit, err);
            remote_release(&r.remote);
            gate_release(&r.gate);
        }
    }
    pod_release(&r.pod);
    *ret_name = r.name;
    free(r.why);
    free(r.uid);
    free(r.path);
    free(r.namespace_);
    return rc;
}
