#include "config.h"

#include "deployer/docker/runs.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/log_lines.h"
#include "deployer/rfc3339.h"
#include "sql/store.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_SHOWN_MAX 200
#define LOG_LINE_MAX (16 * 1024)         /* the engine's limit */
#define LOG_BYTES_MAX (32 * 1024 * 1024) /* between two looks at it; the engine keeps log_size * log_files of it */
#define CRON_KEEP 3                      /* runs of one task that are kept; Kubernetes keeps as many */

/* --- what the engine holds */

static const char *label(const json_t *doc, const char *name)
{
    return json_string_value(json_object_get(json_at(doc, "Config.Labels"), name));
}

static char *shown(const json_t *doc, const char *name)
{
    const char *s = label(doc, name);

    return text_plain(s != NULL ? s : "", COMMAND_SHOWN_MAX);
}

static int64_t ends_at(const json_t *doc)
{
    const char *s = label(doc, LABEL_ENDS);

    return s != NULL ? strtoll(s, NULL, 10) : 0;
}

static const char *state_text(const struct container_status *s)
{
    switch (s->state) {
    case CONTAINER_CREATED:
        return "pending";
    case CONTAINER_RUNNING:
    case CONTAINER_RESTARTING:
        return "running";
    case CONTAINER_EXITED:
        return s->exit_code == 0 ? "done" : "failed";
    default:
        return "stopping";
    }
}

int one_off_read(const json_t *doc, struct target_one_off *ret)
{
    const char *number = label(doc, LABEL_RUN);
    char checked[RUN_NUMBER_SIZE];
    struct container_status s;

    if (number == NULL || run_number_parse(number, checked, NULL) < 0)
        return -1;
    container_status_read(doc, &s);
    *ret = (struct target_one_off) { .exit_code = -1 };
    ret->name = run_name(checked);
    ret->command = shown(doc, LABEL_COMMAND);
    ret->user = shown(doc, LABEL_USER);
    ret->state = xstrdup(state_text(&s));
    ret->detached = label(doc, LABEL_OWNER) == NULL;
    ret->started_at = s.started_at;
    ret->ends_at = ends_at(doc);
    if (s.state == CONTAINER_EXITED) {
        ret->exit_code = s.exit_code;
        if (s.exit_code != 0)
            ret->reason = container_exit_text(s.exit_code);
    }
    container_status_release(&s);
    return 0;
}

/* The inspected containers of an app's one-off commands (NULL: of all apps), an array; number NULL: all of them. */
static json_t *runs_get(struct target *t, const char *app, const char *number, struct err *err)
{
    cleanup_free char *path = app_query(t->conf, "/containers/json", app, NULL, "&all=1");
    json_auto_t *list = NULL;
    json_t *all, *o;
    size_t i;

    if (engine_do(t->engine, "GET", path, NULL, &list, err) < 0)
        return NULL;
    all = json_array();
    json_array_foreach(list, i, o) {
        const char *of = json_string_value(json_object_get(json_object_get(o, "Labels"), LABEL_RUN));
        cleanup_free char *one = xasprintf("/containers/%s/json", json_str(o, "Id", ""));
        json_t *doc = NULL;

        if (of == NULL || (number != NULL && strcmp(of, number) != 0))
            continue;
        if (engine_do(t->engine, "GET", one, NULL, &doc, NULL) == 0) /* what went meanwhile is left out */
            json_array_append_new(all, doc);
    }
    return all;
}

/* --- ending them */

int run_end(struct target *t, const char *id, bool remove, struct err *err)
{
    cleanup_free char *path = xasprintf("/containers/%s/stop", id);
    struct err why = ERR_INIT;
    struct engine_call *c = engine_start(t->engine, "POST", path, -1, err);
    int rc;

    if (c == NULL)
        return -1;
    while ((rc = engine_done(c, &why)) == 0) {
        if (engine_wait(t->engine, -1, -1, NULL, err) < 0) {
            engine_cancel(c);
            return -1;
        }
    }
    if (rc < 0 && why.code != ERR_NOT_FOUND) {
        if (err != NULL)
            *err = why;
        return -1;
    }
    return remove ? container_remove(t, id, err) : 0;
}

static bool is_orphan(const json_t *doc)
{
    const char *owner = label(doc, LABEL_OWNER);

    return owner != NULL && run_owner_is_dead(owner);
}

/* ms since 1970 when it has to be looked at; 0: now; -1: at its end. */
static int64_t due_at(const json_t *doc)
{
    struct container_status s;
    int64_t due = -1;

    container_status_read(doc, &s);
    if (is_orphan(doc))
        due = 0;
    else if (label(doc, LABEL_OWNER) != NULL)
        due = -1; /* who is attached does it */
    else if (s.state == CONTAINER_EXITED)
        due = rfc3339_ms(json_str(doc, "State.FinishedAt", NULL)) + ONE_OFF_KEEP_S * 1000LL;
    else
        due = ends_at(doc);
    container_status_release(&s);
    return due;
}

int runs_service(struct target *t)
{
    struct err err = ERR_INIT;
    json_auto_t *all = runs_get(t, NULL, NULL, &err);
    int64_t soonest = -1, now = store_now();
    json_t *doc;
    size_t i;

    json_array_foreach(all, i, doc) {
        int64_t due = due_at(doc);
        bool running = json_bool(doc, "State.Running", 0);

        if (due < 0)
            continue;
        if (due > now) {
            if (soonest < 0 || due - now < soonest)
                soonest = due - now;
            continue;
        }
        err_clear(&err);
        /* A detached one whose time is over can still be looked at. */
        if (run_end(t, json_str(doc, "Id", ""), is_orphan(doc) || !running, &err) < 0)
            log_warn("%s: %s", json_str(doc, "Name", ""), err.msg);
    }
    return soonest > INT_MAX ? INT_MAX : (int) soonest;
}

/* --- scheduled ones */

int runs_busy(struct target *t, const char *app, const char *cron_id, struct err *err)
{
    json_auto_t *all = runs_get(t, app, NULL, err);
    size_t ended = 0, n = strlen(cron_id);
    int busy = 0;

    if (all == NULL)
        return -1;
    for (size_t i = 0; i < json_array_size(all); i++) { /* the engine lists the newest first */
        const json_t *doc = json_array_get(all, i);
        const char *number = label(doc, LABEL_RUN);

        if (strncmp(number, cron_id, n) != 0 || number[n] != '-')
            continue;
        if (json_bool(doc, "State.Running", 0))
            busy = 1;
        else if (++ended >= CRON_KEEP)
            (void) container_remove(t, json_str(doc, "Id", ""), NULL);
    }
    return busy;
}

/* --- what people ask for */

static int by_start(const void *a, const void *b)
{
    const struct target_one_off *p = a, *q = b;

    return p->started_at != q->started_at ? (p->started_at > q->started_at) - (p->started_at < q->started_at)
                                          : strcmp(p->name, q->name);
}

int docker_run_list(struct target *t, const struct app *app, struct target_one_off **ret, size_t *ret_n,
                    struct err *err)
{
    json_auto_t *all = runs_get(t, app->handle, NULL, err);
    struct target_one_off *v;
    json_t *doc;
    size_t i, n = 0;

    if (all == NULL)
        return -1;
    v = xcalloc(json_array_size(all) + 1, sizeof(*v));
    json_array_foreach(all, i, doc)
        n += one_off_read(doc, &v[n]) == 0;
    qsort(v, n, sizeof(*v), by_start);
    *ret = v;
    *ret_n = n;
    /* Nobody is left who would end these. */
    json_array_foreach(all, i, doc)
        if (is_orphan(doc))
            (void) container_remove(t, json_str(doc, "Id", ""), NULL);
    return 0;
}

/* The one of a name; err where there is none. The caller decrefs. */
static json_t *run_get(struct target *t, const struct app *app, const char *name, struct err *err)
{
    char number[RUN_NUMBER_SIZE];
    json_auto_t *all = NULL;
    json_t *doc;

    if (run_number_parse(name, number, err) < 0 || (all = runs_get(t, app->handle, number, err)) == NULL)
        return NULL;
    doc = json_array_get(all, 0);
    if (doc == NULL)
        (void) err_set(err, ERR_NOT_FOUND, "there is no %s; see: run:list", name);
    return json_incref(doc);
}

int docker_run_stop(struct target *t, const struct app *app, const char *name, struct err *err)
{
    json_auto_t *doc = run_get(t, app, name, err);

    if (doc == NULL)
        return -1;
    return run_end(t, json_str(doc, "Id", ""), label(doc, LABEL_OWNER) == NULL || is_orphan(doc), err);
}

struct run_log {
    struct buf out;
    int fd;
};

static void on_line(void *arg, int stream, const char *line, size_t n)
{
    struct run_log *l = arg;

    (void) stream;
    (void) buf_add(&l->out, line, n);
    (void) buf_addch(&l->out, '\n');
}

/* 0, 1 where the session is gone, -1. */
static int output_write(struct run_log *l, struct err *err)
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

static int output_follow(struct target *t, struct run_log *l, struct engine_stream *s, struct err *err)
{
    for (;;) {
        int done = engine_stream_done(s, err), rc = output_write(l, err);
        bool readable = false;

        if (done != 0 || rc != 0)
            return done < 0 || rc < 0 ? -1 : 0;
        if (engine_wait(t->engine, -1, l->fd, &readable, err) < 0)
            return -1;
        if (readable && log_peer_gone(l->fd))
            return 0;
    }
}

int docker_run_logs(struct target *t, const struct app *app, const char *name, bool follow,
                    const struct target_stream *io, struct err *err)
{
    json_auto_t *doc = NULL;
    struct run_log l = { .fd = io->fd };
    cleanup_free char *path = NULL;
    struct engine_stream *s;
    int rc = -1;

    engine_set_call(t->engine, NULL);
    doc = run_get(t, app, name, err);
    if (doc == NULL)
        return -1;
    if (strcmp(json_str(doc, "State.Status", ""), "created") == 0)
        return err_set(err, ERR_BUSY, "%s has not started yet; try again in a moment", name);
    path = xasprintf("/containers/%s/logs?stdout=1&stderr=1&follow=%d", json_str(doc, "Id", ""), follow);
    buf_init(&l.out, LOG_BYTES_MAX);
    s = engine_stream_open(t->engine, "GET", path, NULL,
                           json_bool(doc, "Config.Tty", 0) ? DEMUX_LINES : DEMUX_FRAMES, LOG_LINE_MAX, on_line, &l,
                           err);
    if (s != NULL)
        rc = output_follow(t, &l, s, err);
    engine_stream_close(s);
    buf_release(&l.out);
    return rc;
}
