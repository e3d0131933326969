#include "config.h"

#include "deployer/docker/docker.h"
#include "deployer/docker/probe.h"

#include "base/http.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENT_MAX (256 * 1024)     /* an event carries all labels of its container's image */
#define EVENTS_BACK_S 2            /* events are asked for from before the list on: one too many does no harm */
#define CONNECT_MS 100             /* on one machine it is there at once, refused at once, or hangs */
#define KNOCK_MIN_MS 10            /* between two tries of a port that refuses: nothing tells when it listens */
#define KNOCK_MAX_MS 200
#define LAST_LINES "20"            /* of a crashed process; a stack trace's end */
#define LINE_MAX_BYTES (8 * 1024)  /* of one line that is shown to the pusher */
#define PROGRESS_MAX 4096

bool port_answers(const char *address, int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port) };
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    socklen_t n = sizeof(int);
    int why = 0;

    if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1)
        return false;
    if (connect(fd, (struct sockaddr *) &a, sizeof(a)) == 0)
        return true;
    if (errno != EINPROGRESS || poll(&p, 1, CONNECT_MS) != 1)
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) == 0 && why == 0;
}

/* --- last lines */

static void on_log_line(void *arg, int stream, const char *line, size_t n)
{
    (void) stream;
    target_say_output(arg, line, n);
}

void say_log_end(struct target *t, const char *process, const char *id, const struct target_call *c)
{
    cleanup_free char *path = xasprintf("/containers/%s/logs?stdout=1&stderr=1&tail=" LAST_LINES, id);
    cleanup_free char *head = xasprintf(" !     Last lines of %s:", process);
    struct target_call *say = (struct target_call *) (uintptr_t) c;
    struct engine_stream *s;

    c->say(c->say_arg, head);
    s = engine_stream_open(t->engine, "GET", path, NULL, DEMUX_FRAMES, LINE_MAX_BYTES, on_log_line, say, NULL);
    while (s != NULL && engine_stream_done(s, NULL) == 0 && engine_wait(t->engine, -1, -1, NULL, NULL) == 0)
        ;
    engine_stream_close(s);
}

/* --- waiting */

struct waiting {
    struct target *target;
    struct boot *boot;
    struct vec news;         /* ids of containers to be looked at */
    char *progress;          /* said last */
    int knock_ms;
    const struct app_json *checks;
    struct http *http;
    struct probe *probes;    /* of the boot's instances, in their order */
};

static void news_add(struct waiting *w, const char *id)
{
    for (size_t i = 0; i < w->news.n; i++)
        if (strcmp(w->news.v[i], id) == 0)
            return;
    vec_add(&w->news, id);
}

/* Source: Docker Engine API, "Monitor events". */
static void on_event(void *arg, int stream, const char *line, size_t n)
{
    struct waiting *w = arg;
    json_auto_t *doc = json_parse(line, n, "an event", NULL);
    const char *action = json_str(doc, "Action", ""), *id = json_str(doc, "Actor.ID", "");
    const char *code = json_str(doc, "Actor.Attributes.exitCode", NULL);
    struct boot_instance *i = boot_find(w->boot, id);

    (void) stream;
    if (i == NULL)
        return;
    if (strcmp(action, "die") == 0)
        boot_died(i, code != NULL ? (int) strtol(code, NULL, 10) : 0);
    else if (strcmp(action, "oom") == 0)
        i->oom = true;
    else if (strcmp(action, "destroy") == 0)
        i->gone = true;
    else if (strcmp(action, "start") != 0 && strcmp(action, "stop") != 0)
        return;
    news_add(w, id);
}

/* Looks at the containers of which something was heard. */
static int news_read(struct waiting *w, struct err *err)
{
    cleanup_vec struct vec ids = w->news;

    w->news = (struct vec) VEC_INIT;
    for (size_t k = 0; k < ids.n; k++) {
        cleanup_free char *path = xasprintf("/containers/%s/json", ids.v[k]);
        struct boot_instance *i = boot_find(w->boot, ids.v[k]);
        struct container_status status;
        json_auto_t *doc = NULL;
        struct err why = ERR_INIT;

        if (i == NULL)
            continue;
        if (engine_do(w->target->engine, "GET", path, NULL, &doc, &why) < 0) {
            if (why.code != ERR_NOT_FOUND) {
                *err = why;
                return -1;
            }
            i->gone = true;
            continue;
        }
        container_status_read(doc, &status);
        boot_status(i, &status, (int64_t) loop_now());
    }
    return 0;
}

/* Tries those that run and have not answered. *ret_ms: when to try again; -1: none is left. */
static void knock(struct waiting *w, int *ret_ms)
{
    *ret_ms = -1;

    for (size_t k = 0; k < w->boot->n; k++) {
        struct boot_instance *i = &w->boot->v[k];
        int ms;

        if (!i->web || i->answered || i->running_since < 0)
            continue;
        i->checked = app_json_check_find(w->checks, PROCESS_WEB, CHECK_STARTUP) != NULL;
        ms = probe_service(&w->probes[k], w->http, w->checks, i->address, i->running_since, &i->failed);
        i->answered = ms == PROBE_PASSED;
        if (ms == PROBE_KNOCKING)
            ms = w->knock_ms;
        if (ms >= 0 && (*ret_ms < 0 || ms < *ret_ms))
            *ret_ms = ms;
    }
}

static void progress_say(struct waiting *w, const struct target_call *c)
{
    cleanup_buf struct buf b;
    cleanup_free char *line = NULL;

    buf_init(&b, PROGRESS_MAX);
    boot_progress(w->boot, (int64_t) loop_now(), &b);
    if (buf_len(&b) == 0 || (w->progress != NULL && strcmp(w->progress, buf_str(&b)) == 0))
        return;
    free(w->progress);
    w->progress = buf_steal(&b);
    line = xasprintf("       %s", w->progress);
    c->say(c->say_arg, line);
}

static int sooner(int a, int64_t b)
{
    return b >= 0 && (a < 0 || b < a) ? (int) (b < INT_MAX ? b : INT_MAX) : a;
}

static int wait_run(struct waiting *w, struct engine_stream *events, const struct target_call *c, int64_t timeout_ms,
                    struct boot_failure *failure, struct err *err)
{
    int64_t deadline = (int64_t) loop_now() + timeout_ms;

    for (;;) {
        int64_t now;
        int ms, again, rc;

        if (news_read(w, err) < 0)
            return -1;
        knock(w, &again);
        now = (int64_t) loop_now();
        switch (boot_judge(w->boot, now, &ms, failure)) {
        case BOOT_DONE:
            progress_say(w, c);
            return 0;
        case BOOT_FAILED:
            return err_set(err, ERR_FAILED, "%s", failure->why);
        case BOOT_GOING:
            break;
        }
        progress_say(w, c);
        if (now >= deadline) {
            boot_overdue(w->boot, now, timeout_ms / 1000, failure);
            return err_set(err, ERR_FAILED, "%s", failure->why);
        }
        rc = engine_stream_done(events, err);
        if (rc != 0)
            return rc < 0 ? err_wrap(err, "the containers can't be watched")
                          : err_set(err, ERR_DOWN, "the Docker engine stopped sending events");
        if (w->news.n > 0)
            continue;
        ms = sooner(ms, deadline - now);
        if (again >= 0) {
            ms = sooner(ms, again);
            w->knock_ms = w->knock_ms * 3 / 2 < KNOCK_MAX_MS ? w->knock_ms * 3 / 2 : KNOCK_MAX_MS;
        }
        if (engine_wait(w->target->engine, ms, -1, NULL, err) < 0)
            return -1;
    }
}

int boot_wait(struct target *t, const char *app, struct boot *b, const struct app_json *checks,
              const struct target_call *c, int64_t timeout_ms, struct boot_failure *failure, struct err *err)
{
    struct waiting w = { .target = t, .boot = b, .knock_ms = KNOCK_MIN_MS, .checks = checks };
    struct http_options shared = { .share = engine_http(t->engine) };
    cleanup_free char *since = xasprintf("&since=%lld", (long long) time(NULL) - EVENTS_BACK_S);
    cleanup_free char *path = app_query(t->conf, "/events", app, "container", since);
    struct engine_stream *events = engine_stream_open(t->engine, "GET", path, NULL, DEMUX_LINES, EVENT_MAX, on_event,
                                                      &w, err);
    int rc = -1;

    w.probes = xcalloc(b->n + 1, sizeof(*w.probes));
    w.http = http_new(&shared, err);
    if (events != NULL && w.http != NULL) {
        for (size_t i = 0; i < b->n; i++)
            news_add(&w, b->v[i].id);
        rc = wait_run(&w, events, c, timeout_ms, failure, err);
    }
    engine_stream_close(events);
    for (size_t i = 0; i < b->n; i++)
        probe_release(&w.probes[i]);
    free(w.probes);
    http_free(w.http);
    vec_release(&w.news);
    free(w.progress);
    return rc;
}
