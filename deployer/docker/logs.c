#include "config.h"

#include "deployer/docker/docker.h"

#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/log_fan.h"
#include "deployer/log_lines.h"
#include "deployer/rfc3339.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_LINE_MAX (16 * 1024 + 64) /* the engine's limit and a time stamp */
#define EVENT_MAX (256 * 1024)        /* an event carries all labels of its container's image */
#define EVENTS_BACK_S 2               /* events are asked for from before the list on: one too many does no harm */
#define AGAIN_MS 1000                 /* after a log's end it is looked whether its container runs again */

struct logs {
    struct target *target;
    const struct target_logs *query;
    struct log_lines lines;  /* came, not yet written */
    struct source **v;
    size_t n;
    uint64_t look_at;        /* when the list is to be read again; 0: not yet known */
};

/* The log of one container. */
struct source {
    struct logs *logs;
    char *id, *name;
    struct engine_stream *stream; /* NULL: at its end, for now */
    struct log_cursor cursor;
    bool ended;              /* was followed to the end of its container */
    const struct log_mark *until; /* its lines up to here are wanted; NULL: all that come */
    struct log_lines before; /* of one with a mark: what has come before it */
    bool reached;
};

static void source_free(struct source *s)
{
    engine_stream_close(s->stream);
    log_lines_release(&s->before);
    log_cursor_release(&s->cursor);
    free(s->id);
    free(s->name);
    free(s);
}

static void on_line(void *arg, int stream, const char *line, size_t n)
{
    struct source *s = arg;

    (void) stream;
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

static struct source *source_find(struct logs *l, const char *id)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i]->id, id) == 0)
            return l->v[i];
    return NULL;
}

/* Opens the log: of one that was read before from where it ended, else what the query asks for. Of one that comes while
 * others are followed, that is all. */
static int source_open(struct source *s, bool follow, struct err *err)
{
    const struct target_logs *q = s->logs->query;
    int64_t since = q->since_s > 0 ? (int64_t) time(NULL) - q->since_s : 0;
    cleanup_free char *path = NULL, *tail = NULL;

    if (s->cursor.last_ns > 0) {
        since = log_cursor_from(&s->cursor);
        log_cursor_again(&s->cursor);
    }
    tail = follow ? xstrdup("all") : xasprintf("%d", log_lines_asked(q->tail));
    s->ended = false;
    if (follow)
        log_cursor_watch(&s->cursor);
    path = xasprintf("/containers/%s/logs?stdout=1&stderr=1&timestamps=1&follow=%d&tail=%s&since=%" PRId64, s->id,
                     follow, tail, since);
    s->stream = engine_stream_open(s->logs->target->engine, "GET", path, NULL, DEMUX_FRAMES, LOG_LINE_MAX, on_line, s,
                                   err);
    return s->stream != NULL ? 0 : -1;
}

static bool is_asked_for(const struct target_logs *q, const struct container *c)
{
    cleanup_free char *name = container_instance(c);

    return deploy_is_service(c->process) && (q->process == NULL || strcmp(q->process, c->process) == 0) &&
           (q->instance == NULL || strcmp(q->instance, name) == 0);
}

/* Opens the logs of the containers that are there and not being read. */
static int sources_open(struct logs *l, const struct app *app, bool follow, struct err *err)
{
    struct containers have;
    int rc = 0;

    l->look_at = 0;
    if (app_containers(l->target, app->handle, &have, err) < 0)
        return -1;
    for (size_t i = 0; i < have.n && rc == 0; i++) {
        const struct container *c = &have.v[i];
        struct source *s = source_find(l, c->id);

        if (c->state == CONTAINER_CREATED || !is_asked_for(l->query, c) || (s != NULL && s->stream != NULL))
            continue;
        if (s != NULL && s->ended && c->state != CONTAINER_RUNNING)
            continue; /* it has said all */
        if (l->query->until != NULL && log_mark_find(l->query->until, c->id) == NULL)
            continue; /* it has come since */
        if (s == NULL) {
            s = xcalloc(1, sizeof(*s));
            s->logs = l;
            s->id = xstrdup(c->id);
            s->name = container_instance(c);
            s->until = l->query->until != NULL ? log_mark_find(l->query->until, c->id) : NULL;
            l->v = xrealloc_n(l->v, l->n + 1, sizeof(struct source *));
            l->v[l->n++] = s;
        }
        rc = source_open(s, follow, err);
    }
    containers_release(&have);
    return rc;
}

/* Closes those that are at their end. Returns how many are still open. A container that went meanwhile is no error. One
 * that is being started again may have been seen before its log's end was. */
static size_t sources_service(struct logs *l)
{
    size_t open = 0;
    int rc;

    for (size_t i = 0; i < l->n; i++) {
        struct source *s = l->v[i];

        if (s->stream == NULL)
            continue;
        rc = engine_stream_done(s->stream, NULL);
        if (rc == 0) {
            open++;
            continue;
        }
        engine_stream_close(s->stream);
        s->stream = NULL;
        s->ended = rc > 0;
        if (l->look_at == 0)
            l->look_at = loop_now() + AGAIN_MS;
    }
    return open;
}

/* Reads what there is, to its end; all logs at once, so that they can be put into one order. */
static int history(struct logs *l, const struct app *app, struct err *err)
{
    if (sources_open(l, app, false, err) < 0)
        return -1;
    while (sources_service(l) > 0)
        if (engine_wait(l->target->engine, -1, -1, NULL, err) < 0)
            return -1;
    for (size_t i = 0; i < l->n; i++)
        l->v[i]->ended = false;
    return 0;
}

static void on_event(void *arg, int stream, const char *line, size_t n)
{
    struct logs *l = arg;
    json_auto_t *doc = json_parse(line, n, "an event", NULL);

    (void) stream;
    if (strcmp(json_str(doc, "Action", ""), "start") == 0)
        l->look_at = loop_now();
}

/* -1: no time is known. */
static int ms_until(uint64_t at)
{
    uint64_t now = loop_now();

    return at == 0 ? -1 : at > now ? (int) (at - now) : 0;
}

/* How far each log was read. */
static json_t *marks(void *arg)
{
    const struct logs *l = arg;
    json_t *all = json_array();

    for (size_t i = 0; i < l->n; i++)
        json_array_append_new(all, log_mark_json(l->v[i]->id, &l->v[i]->cursor));
    return all;
}

/* The sooner of two times, -1: none. */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int follow(struct logs *l, const struct app *app, struct log_fan *fan, struct err *err)
{
    cleanup_free char *since = xasprintf("&since=%lld", (long long) time(NULL) - EVENTS_BACK_S);
    cleanup_free char *path = app_query(l->target->conf, "/events", app->handle, "container", since);
    struct engine_stream *events = engine_stream_open(l->target->engine, "GET", path, NULL, DEMUX_LINES, EVENT_MAX,
                                                      on_event, l, err);
    int rc = events != NULL ? sources_open(l, app, true, err) : -1;

    while (rc == 0 && log_fan_service(fan, &l->lines, marks, l)) {
        (void) sources_service(l);
        if (l->look_at != 0 && loop_now() >= l->look_at)
            rc = sources_open(l, app, true, err);
        if (rc == 0 && engine_stream_done(events, err) != 0)
            rc = err_set(err, ERR_DOWN, "the Docker engine stopped sending events");
        if (rc == 0)
            rc = engine_wait(l->target->engine, sooner(ms_until(l->look_at), log_fan_ms(fan, &l->lines)),
                             log_fan_fd(fan), NULL, err);
    }
    engine_stream_close(events);
    return rc;
}

static void logs_release(struct logs *l)
{
    log_lines_release(&l->lines);
    for (size_t i = 0; i < l->n; i++)
        source_free(l->v[i]);
    free(l->v);
}

int docker_logs(struct target *t, const struct app *app, const struct target_logs *q,
                const struct target_stream *io, struct err *err)
{
    struct logs l = { .target = t, .query = q };
    int rc;

    engine_set_call(t->engine, NULL);
    rc = history(&l, app, err);
    if (rc == 0)
        log_lines_cut(&l.lines, q->tail);
    if (rc == 0)
        rc = log_lines_write(&l.lines, io->fd, err);
    logs_release(&l);
    return rc < 0 ? -1 : 0;
}

int docker_follow(struct target *t, const struct app *app, struct log_fan *fan, struct err *err)
{
    const struct target_logs last = { .tail = 0 }; /* of each log, where it ends */
    struct logs l = { .target = t, .query = &last };
    int rc;

    engine_set_call(t->engine, NULL);
    rc = history(&l, app, err);
    log_lines_clear(&l.lines);
    if (rc == 0)
        rc = follow(&l, app, fan, err);
    logs_release(&l);
    return rc;
}
