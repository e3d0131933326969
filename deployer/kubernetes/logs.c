#include "config.h"

#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/instances.h"
#include "deployer/kubernetes/watch.h"
#include "deployer/log_fan.h"
#include "deployer/log_lines.h"
#include "deployer/rfc3339.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LOG_LINE_MAX (16 * 1024 + 64)       /* the container runtime's limit and a time stamp */
/* of one instance; a node keeps 10 MiB of a container by default */
#define HISTORY_BYTES (16 * 1024 * 1024)
/* before a log that ended is asked for again: the watch says why meanwhile */
#define AGAIN_MS 1000

struct logs {
    struct target *target;
    const struct target_logs *query;
    char *namespace_;
    struct instances all;
    struct log_lines lines;  /* came, not yet written */
};

/* The log of one instance. */
struct source {
    struct logs *logs;
    char *name;
    struct kube_stream *stream;
    struct log_cursor cursor;
    const struct log_mark *until; /* its lines up to here are wanted; NULL: all that come */
    struct log_lines before; /* of one with a mark: what has come before it */
    bool reached;
    int ended_restarts;      /* the container (by its number) whose log is at its end; -1: none */
    uint64_t again_at;
    bool gone;               /* the pod is no more */
};

/* --- lines */

static void on_line(void *arg, const char *line, size_t n)
{
    struct source *s = arg;

    if (n == 0 || s->reached)
        return;
    if (s->until == NULL) {
        log_lines_take(&s->logs->lines, &s->cursor, s->name, line, n);
        return;
    }
    log_lines_take(&s->before, &s->cursor, s->name, line, n);
    s->reached = log_mark_reached(s->until, &s->cursor);
    if (s->reached)
        log_lines_move(&s->logs->lines, &s->before);
}

/* --- sources */

static void source_make(struct logs *l, struct instance *i)
{
    struct source *s = xcalloc(1, sizeof(*s));

    s->logs = l;
    s->name = instance_name(i);
    s->ended_restarts = -1;
    s->until = l->query->until != NULL ? log_mark_find(l->query->until, i->pod.uid) : NULL;
    i->data = s;
}

static void source_free(struct source *s)
{
    if (s == NULL)
        return;
    kube_stream_close(s->stream);
    log_lines_release(&s->before);
    free(s->name);
    free(s);
}

/* Numbers the new ones, and makes sources for those that are asked for. What a release command prints is no process's
 * log: the release's own has it, with config values masked. */
static void sources_make(struct logs *l)
{
    instances_number(&l->all);
    for (size_t i = 0; i < l->all.n; i++) {
        struct instance *one = &l->all.v[i];
        cleanup_free char *name = instance_name(one);

        if (l->query->until != NULL && log_mark_find(l->query->until, one->pod.uid) == NULL)
            continue; /* it has come since */
        if (one->data == NULL && manifest_is_service(one->pod.process) &&
            (l->query->process == NULL || strcmp(l->query->process, one->pod.process) == 0) &&
            (l->query->instance == NULL || strcmp(l->query->instance, name) == 0))
            source_make(l, one);
    }
}

static bool has_log(const struct pod *p)
{
    return p->running || p->end.is;
}

/* Where the log that was read so far ends, it goes on. */
static char *follow_path(const struct logs *l, const struct instance *i)
{
    struct source *s = i->data;
    cleanup_free char *pod = kind_path_of("Pod", l->namespace_, i->pod.name);
    char since[RFC3339_SIZE];

    if (s->cursor.last_ns == 0 && l->query->since_s > 0)
        return xasprintf("%s/log?container=" CONTAINER
                         "&follow=true&timestamps=true&sinceSeconds=%" PRId64,
                         pod, l->query->since_s);
    if (s->cursor.last_ns == 0)
        return xasprintf("%s/log?container=" CONTAINER "&follow=true&timestamps=true", pod);
    rfc3339_format(log_cursor_from(&s->cursor) * 1000, since);
    return xasprintf("%s/log?container=" CONTAINER "&follow=true&timestamps=true&sinceTime=%s", pod,
                     since);
}

/* Opens and closes the log of one instance as its pod demands. Returns ms until it wants to be
 * called again, -1: at the next event, -2 with err. */
static int source_service(struct logs *l, struct instance *i, struct err *err)
{
    struct source *s = i->data;
    struct err why = ERR_INIT;
    uint64_t now = loop_now();
    cleanup_free char *path = NULL;

    if (s->stream != NULL) {
        if (kube_stream_done(s->stream, &why) == 0)
            return -1;
        kube_stream_close(s->stream);
        s->stream = NULL;
        s->again_at = now + AGAIN_MS;
        if (why.code == ERR_NOT_FOUND)
            s->gone = true;
        if (!i->pod.running)
            s->ended_restarts = i->pod.restarts;
    }
    if (s->gone || !has_log(&i->pod) || s->ended_restarts >= i->pod.restarts)
        return -1;
    if (now < s->again_at)
        return (int) (s->again_at - now);
    log_cursor_again(&s->cursor);
    path = follow_path(l, i);
    s->stream = kube_stream_open(l->target->kube, path, LOG_LINE_MAX, 0, on_line, s, err);
    return s->stream != NULL ? -1 : -2;
}

/* --- history */

/* Takes the lines of a log, if it could be had. */
static void history_take(struct source *s, const struct kube_op *op)
{
    const char *p = op->text, *end = p != NULL ? p + op->text_len : NULL;

    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t) (end - p)), *stop = nl != NULL ? nl : end;

        on_line(s, p, (size_t) (stop - p));
        p = stop + 1;
    }
}

static char *history_path(const struct logs *l, const struct instance *i, bool previous)
{
    const struct target_logs *q = l->query;
    cleanup_free char *pod = kind_path_of("Pod", l->namespace_, i->pod.name);
    cleanup_free char *since = q->since_s > 0 ? xasprintf("&sinceSeconds=%" PRId64, q->since_s)
                                              : xstrdup("");

    return xasprintf("%s/log?container=" CONTAINER "&timestamps=true&limitBytes=%d&tailLines=%d%s%s", pod,
                     HISTORY_BYTES, log_lines_asked(q->tail), since, previous ? "&previous=true" : "");
}

/* Reads what all instances have said so far, two requests each, all at once. A log that can't be
 * had (not started yet, gone meanwhile) is empty. */
static void history_read(struct logs *l)
{
    cleanup_free struct kube_op *ops = xcalloc(l->all.n * 2 + 1, sizeof(*ops));
    size_t n = 0;

    for (size_t i = 0; i < l->all.n; i++) {
        struct instance *one = &l->all.v[i];

        if (one->data == NULL)
            continue;
        ops[n++] = (struct kube_op) { .method = "GET", .raw = true,
                                      .path = history_path(l, one, one->pod.last.is) };
        if (one->pod.last.is)
            ops[n++] = (struct kube_op) { .method = "GET", .raw = true,
                                          .path = history_path(l, one, false) };
    }
    (void) kube_do_all(l->target->kube, ops, n, NULL);
    n = 0;
    for (size_t i = 0; i < l->all.n; i++) {
        struct instance *one = &l->all.v[i];

        if (one->data == NULL)
            continue;
        if (one->pod.last.is) {
            history_take(one->data, &ops[n++]);
            /* Of one that waits to be started again, both requests are answered with the same container's log. */
            log_cursor_again(&((struct source *) one->data)->cursor);
        }
        history_take(one->data, &ops[n++]);
    }
    for (size_t i = 0; i < n; i++) {
        free((void *) (uintptr_t) ops[i].path);
        kube_op_release(&ops[i]);
    }
}

/* --- following */

static void on_pod(void *arg, enum kube_event event, const json_t *doc)
{
    struct logs *l = arg;
    struct instance *i;

    if (event == KUBE_RESET)
        return;
    i = instances_take(&l->all, doc);
    if (i != NULL && i->data != NULL && event == KUBE_DELETED)
        ((struct source *) i->data)->gone = true;
    else if (i != NULL && event == KUBE_DELETED)
        instances_drop(&l->all, i);
}

/* Lets go of instances that are gone and have said all. */
static void sources_drop(struct logs *l)
{
    for (size_t i = l->all.n; i > 0; i--) {
        struct source *s = l->all.v[i - 1].data;

        if (s == NULL || !s->gone || s->stream != NULL)
            continue;
        source_free(s);
        instances_drop(&l->all, &l->all.v[i - 1]);
    }
}

/* How far each log was read. */
static json_t *marks(void *arg)
{
    const struct logs *l = arg;
    json_t *all = json_array();

    for (size_t i = 0; i < l->all.n; i++)
        if (l->all.v[i].data != NULL)
            json_array_append_new(all, log_mark_json(l->all.v[i].pod.uid, &((struct source *) l->all.v[i].data)->cursor));
    return all;
}

/* The sooner of two times, -1: none. */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int follow(struct logs *l, struct log_fan *fan, struct err *err)
{
    cleanup_free char *pods = kind_path_of("Pod", l->namespace_, NULL);
    struct kube_watch *w = kube_watch_open(l->target->kube, pods, SELECTOR_MANAGED, on_pod, l, err);
    int rc = w != NULL ? 0 : -1;

    while (rc == 0 && log_fan_service(fan, &l->lines, marks, l)) {
        int ms = kube_watch_service(w, err);

        if (ms == KUBE_WATCH_FAILED)
            rc = err_wrap(err, "the pods can't be watched");
        sources_make(l);
        for (size_t i = 0; rc == 0 && i < l->all.n; i++) {
            int again = l->all.v[i].data != NULL ? source_service(l, &l->all.v[i], err) : -1;

            if (again == -2)
                rc = -1;
            else
                ms = sooner(ms, again);
        }
        sources_drop(l);
        if (rc == 0)
            rc = kube_poll(l->target->kube, sooner(ms, log_fan_ms(fan, &l->lines)), log_fan_fd(fan), NULL, err);
    }
    kube_watch_close(w);
    return rc;
}

/* Reads what all that there are have said so far. */
static int history(struct logs *l, struct err *err)
{
    cleanup_free char *pods = kind_path_of("Pod", l->namespace_, NULL);
    cleanup_free char *ours = xasprintf("%s?labelSelector=%s", pods, SELECTOR_MANAGED);
    json_auto_t *list = NULL;
    json_t *items, *o;
    size_t i;

    if (kube_do(l->target->kube, "GET", ours, NULL, NULL, &list, err) < 0)
        return -1;
    items = json_at(list, "items");
    json_array_foreach(items, i, o)
        (void) instances_take(&l->all, o);
    sources_make(l);
    history_read(l);
    return 0;
}

static void logs_release(struct logs *l)
{
    log_lines_release(&l->lines);
    for (size_t i = 0; i < l->all.n; i++)
        source_free(l->all.v[i].data);
    instances_release(&l->all);
    free(l->namespace_);
}

int kubernetes_logs(struct target *t, const struct app *app, const struct target_logs *q,
                    const struct target_stream *io, struct err *err)
{
    struct logs l = { .target = t, .query = q, .namespace_ = manifest_namespace_name(t->conf, app) };
    int rc = history(&l, err);

    if (rc == 0)
        log_lines_cut(&l.lines, q->tail);
    if (rc == 0)
        rc = log_lines_write(&l.lines, io->fd, err);
    logs_release(&l);
    return rc < 0 ? -1 : 0;
}

int kubernetes_follow(struct target *t, const struct app *app, struct log_fan *fan, struct err *err)
{
    const struct target_logs last = { .tail = 0 }; /* of each log, where it ends */
    struct logs l = { .target = t, .query = &last, .namespace_ = manifest_namespace_name(t->conf, app) };
    int rc = history(&l, err);

    log_lines_clear(&l.lines);
    if (rc == 0)
        rc = follow(&l, fan, err);
    logs_release(&l);
    return rc;
}
