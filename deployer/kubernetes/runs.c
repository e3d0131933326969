#include "config.h"

#include "deployer/kubernetes/runs.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/kubernetes/gate.h"
#include "deployer/kubernetes/pod.h"
#include "deployer/log_lines.h"

#include <stdlib.h>
#include <string.h>

#define LOG_LINE_MAX (16 * 1024)      /* the container runtime's limit */
#define LOG_BYTES_MAX (32 * 1024 * 1024) /* between two looks at it; a node keeps 10 MiB by default */
#define COMMAND_SHOWN_MAX 200
#define SWEEP_MAX 64 /* at a time */

/* --- what the cluster holds */

static char *note(const json_t *pod, const char *name)
{
    const char *s = json_string_value(json_object_get(json_at(pod, "metadata.annotations"), name));

    return text_plain(s != NULL ? s : "", COMMAND_SHOWN_MAX);
}

/* A scheduled one has its Job's name, which the CronJob has given it. */
static const char *number_of(const json_t *pod)
{
    const json_t *labels = json_at(pod, "metadata.labels");
    const char *number = json_string_value(json_object_get(labels, LABEL_RUN));
    const char *job = json_string_value(json_object_get(labels, LABEL_JOB));

    if (number == NULL || strcmp(number, RUN_CRON) != 0)
        return number;
    return job != NULL && strncmp(job, CRON_NAME, strlen(CRON_NAME)) == 0 ? job + strlen(CRON_NAME) : NULL;
}

int run_read(const json_t *doc, struct target_one_off *ret)
{
    const char *number = number_of(doc);
    char checked[RUN_NUMBER_SIZE];
    long long ttl = json_int(doc, "spec.activeDeadlineSeconds", 0);
    const char *state;
    struct pod p;

    if (number == NULL || run_number_parse(number, checked, NULL) < 0 || pod_read(doc, &p, NULL) < 0)
        return -1;
    *ret = (struct target_one_off) { .exit_code = -1 };
    ret->name = run_name(checked);
    ret->command = note(doc, ANNOTATION_COMMAND);
    ret->user = note(doc, ANNOTATION_USER);
    state = pod_state(&p);
    /* Nothing probes it: it is ready as soon as it runs. */
    ret->state = xstrdup(strcmp(state, "crashed") == 0 ? "failed"
                         : p.running && !p.deleting ? "running" : state);
    ret->reason = pod_reason(&p);
    ret->detached = json_object_get(json_at(doc, "metadata.annotations"), ANNOTATION_OWNER) == NULL;
    ret->started_at = p.running ? p.running_since : p.end.started_at;
    ret->ends_at = ttl > 0 && p.created_at != 0 ? p.created_at + ttl * 1000 : 0;
    if (p.end.is)
        ret->exit_code = p.end.code;
    pod_release(&p);
    return 0;
}

static json_t *pods_get(struct target *t, const char *namespace_, const char *number, struct err *err)
{
    cleanup_free char *pods = kind_path_of("Pod", namespace_, NULL);
    bool cron = number != NULL && run_is_cron(number);
    cleanup_free char *path = xasprintf("%s?labelSelector=%s%s%s", pods, cron ? SELECTOR_CRON : SELECTOR_RUN,
                                        number != NULL && !cron ? "%3D" : "", number != NULL ? number : "");
    json_t *list = NULL;

    return kube_do(t->kube, "GET", path, NULL, NULL, &list, err) == 0 ? list : NULL;
}

int run_delete(struct target *t, const char *path, struct err *err)
{
    json_auto_t *options = json_pack("{s:s, s:s, s:s}", "apiVersion", "v1", "kind", "DeleteOptions",
                                     "propagationPolicy", "Background");
    struct err why = ERR_INIT;

    if (kube_do(t->kube, "DELETE", path, NULL, options, NULL, &why) == 0 || why.code == ERR_NOT_FOUND)
        return 0;
    if (err != NULL)
        *err = why;
    return -1;
}

void runs_sweep(struct target *t, const char *namespace_, const json_t *list)
{
    json_t *items = json_at(list, "items"), *o;
    size_t i, n = 0;

    json_array_foreach(items, i, o) {
        cleanup_free char *owner = note(o, ANNOTATION_OWNER), *path = NULL;

        if (owner[0] == '\0' || n == SWEEP_MAX || json_at(o, "metadata.deletionTimestamp") != NULL ||
            !run_owner_is_dead(owner))
            continue;
        path = kind_path_of("Pod", namespace_, json_str(o, "metadata.name", ""));
        (void) run_delete(t, path, NULL);
        n++;
    }
}

static int by_start(const void *a, const void *b)
{
    const struct target_one_off *p = a, *q = b;

    return p->started_at != q->started_at ? (p->started_at > q->started_at) - (p->started_at < q->started_at)
                                          : strcmp(p->name, q->name);
}

int kubernetes_run_list(struct target *t, const struct app *app, struct target_one_off **ret, size_t *ret_n,
                        struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app);
    json_auto_t *list = pods_get(t, namespace_, NULL, err);
    json_t *items = json_at(list, "items"), *o;
    struct target_one_off *v;
    size_t i, n = 0;

    if (list == NULL)
        return -1;
    v = xcalloc(json_array_size(items) + 1, sizeof(*v));
    json_array_foreach(items, i, o)
        n += run_read(o, &v[n]) == 0;
    qsort(v, n, sizeof(*v), by_start);
    *ret = v;
    *ret_n = n;
    runs_sweep(t, namespace_, list);
    return 0;
}

/* The one pod of a one-off command; err where there is none. */
static json_t *pod_get(struct target *t, const char *namespace_, const char *number, struct err *err)
{
    json_auto_t *list = pods_get(t, namespace_, number, err);
    json_t *pod = json_array_get(json_at(list, "items"), 0);

    if (list != NULL && pod == NULL)
        (void) err_set(err, ERR_NOT_FOUND, "there is no %s%s; see: run:list",
                       run_is_cron(number) ? RUN_CRON_PREFIX : RUN_NAME_PREFIX, number);
    return json_incref(pod);
}

int kubernetes_run_stop(struct target *t, const struct app *app, const char *name, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app), *job = NULL, *own = NULL, *path = NULL;
    json_auto_t *pod = NULL;
    char number[RUN_NUMBER_SIZE];

    if (run_number_parse(name, number, err) < 0)
        return -1;
    pod = pod_get(t, namespace_, number, err);
    if (pod == NULL)
        return -1;
    own = xasprintf("%s%s", run_is_cron(number) ? CRON_NAME : "run-", number);
    job = kind_path_of("Job", namespace_, own);
    path = kind_path_of("Pod", namespace_, json_str(pod, "metadata.name", ""));
    return run_delete(t, job, err) < 0 || run_delete(t, path, err) < 0 ? -1 : 0;
}

/* --- their output */

struct run_log {
    struct buf out;
    int fd;
};

static void on_line(void *arg, const char *line, size_t n)
{
    struct run_log *l = arg;

    if (gate_is_line(line, n))
        return;
    (void) buf_add(&l->out, line, n);
    (void) buf_addch(&l->out, '\n');
}

/* 0, 1 where the session is gone, -1. */
static int log_write(struct run_log *l, struct err *err)
{
    const char *p = buf_str(&l->out);
    size_t n = buf_len(&l->out);

    if (l->out.overflow)
        return err_set(err, ERR_FAILED, "the output comes faster than it can be shown");
    while (n > 0) {
        size_t piece = n < IPC_PAYLOAD_MAX ? n : IPC_PAYLOAD_MAX;

        if (ipc_write(l->fd, IPC_STDOUT, p, piece, NULL) < 0)
            return 1;
        p += piece;
        n -= piece;
    }
    buf_clear(&l->out);
    return 0;
}

static int log_follow(struct target *t, struct run_log *l, struct kube_stream *s, struct err *err)
{
    for (;;) {
        int done = kube_stream_done(s, err), rc = log_write(l, err);
        bool readable = false;

        if (done != 0 || rc != 0)
            return done < 0 || rc < 0 ? -1 : 0;
        if (kube_poll(t->kube, -1, l->fd, &readable, err) < 0)
            return -1;
        if (readable && log_peer_gone(l->fd))
            return 0;
    }
}

int kubernetes_run_logs(struct target *t, const struct app *app, const char *name, bool follow,
                        const struct target_stream *io, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app), *path = NULL, *log = NULL;
    struct run_log l = { .fd = io->fd };
    json_auto_t *doc = NULL;
    char number[RUN_NUMBER_SIZE];
    struct kube_stream *s;
    struct pod p;
    bool has_log;
    int rc = -1;

    if (run_number_parse(name, number, err) < 0)
        return -1;
    doc = pod_get(t, namespace_, number, err);
    if (doc == NULL || pod_read(doc, &p, err) < 0)
        return -1;
    has_log = p.running || p.end.is;
    pod_release(&p);
    if (!has_log)
        return err_set(err, ERR_BUSY, "%s has not started yet; try again in a moment", name);
    path = kind_path_of("Pod", namespace_, json_str(doc, "metadata.name", ""));
    log = xasprintf("%s/log?container=" CONTAINER "%s", path, follow ? "&follow=true" : "");
    buf_init(&l.out, LOG_BYTES_MAX);
    s = kube_stream_open(t->kube, log, LOG_LINE_MAX, 0, on_line, &l, err);
    if (s != NULL)
        rc = log_follow(t, &l, s, err);
    kube_stream_close(s);
    buf_release(&l.out);
    return rc;
}
