#include "config.h"

#include "builder/caps.h"

#include "base/buf.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENT_MAX (1024 * 1024) /* one event: it repeats the container's labels, and a buildpack's are long */
#define EVENTS_BACK_S 1         /* the engine counts whole seconds */
#define SETTLE_MS 10000         /* pack has ended: the engine has only to say what it knows */
#define MIB ((int64_t) 1 << 20)

struct caps {
    struct docker *docker;
    json_t *limits;             /* the update's document */
    int64_t memory;
    char *dir, *tag;
    struct http_call *call;     /* of the events; NULL: ended */
    struct http_response head;
    struct buf text;            /* a line that is not whole yet */
    struct vec volumes, own;    /* names; ids of the build's containers */
    struct vec gone;            /* ids of containers that were removed */
    struct vec oom;             /* ids of containers whose memory was used up, of any build */
    bool news;                  /* a container was made */
};

int64_t caps_default_memory(int64_t machine, long long builders)
{
    return machine / 4 * 3 / (builders > 0 ? builders : 1) / MIB * MIB;
}

static void take_event(struct caps *c, const char *line, size_t n)
{
    json_t *j = json_parse(line, n, "the Docker engine's event", NULL);
    const char *action = json_str(j, "Action", ""), *id = json_str(j, "Actor.ID", "");

    if (strcmp(action, "create") == 0)
        c->news = true;
    else if (strcmp(action, "destroy") == 0)
        vec_add(&c->gone, id);
    else if (strcmp(action, "oom") == 0)
        vec_add(&c->oom, id);
    json_decref(j);
}

/* Inside a wait: only notes what came. */
static int on_events(const char *data, size_t n, void *arg)
{
    struct caps *c = arg;
    const char *text, *end;

    if (buf_add(&c->text, data, n) != 0)
        return -1;
    text = buf_str(&c->text);
    while ((end = memchr(text, '\n', buf_len(&c->text) - (size_t) (text - buf_str(&c->text)))) != NULL) {
        take_event(c, text, (size_t) (end - text));
        text = end + 1;
    }
    buf_consume(&c->text, (size_t) (text - buf_str(&c->text)));
    return 0;
}

struct caps *caps_open(struct docker *d, const struct caps_limits *limits, const char *dir, const char *tag,
                       struct err *err)
{
    /* {"type":["container"],"event":["create","oom","destroy"],"label":["author=pack"]}; since: pack may be faster than this
     * request. */
    cleanup_free char *url = xasprintf(
        DOCKER_BASE "/events?since=%lld&filters=%%7B%%22type%%22%%3A%%5B%%22container%%22%%5D%%2C%%22event%%22%%3A%%5B"
        "%%22create%%22%%2C%%22oom%%22%%2C%%22destroy%%22%%5D%%2C%%22label%%22%%3A%%5B%%22author%%3Dpack%%22%%5D%%7D",
        (long long) time(NULL) - EVENTS_BACK_S);
    struct http_request q = { .method = "GET", .url = url, .on_body = on_events, .timeout_ms = -1 };
    struct caps *c = xcalloc(1, sizeof(*c));

    c->docker = d;
    c->memory = limits->memory;
    c->limits = json_pack("{s:I,s:I,s:I,s:I}", "Memory", (json_int_t) limits->memory, "MemorySwap",
                          (json_int_t) limits->memory, "CpuShares", (json_int_t) limits->cpu_shares, "PidsLimit",
                          (json_int_t) limits->pids);
    c->dir = xstrdup(dir);
    c->tag = xstrdup(tag);
    buf_init(&c->text, EVENT_MAX);
    http_response_init(&c->head);
    q.on_body_arg = c;
    c->call = http_start(docker_http(d), &q, &c->head, err);
    if (c->call == NULL) {
        caps_close(c);
        return NULL;
    }
    return c;
}

void caps_close(struct caps *c)
{
    if (c == NULL)
        return;
    if (c->call != NULL)
        http_cancel(c->call);
    http_response_release(&c->head);
    buf_release(&c->text);
    vec_release(&c->volumes);
    vec_release(&c->own);
    vec_release(&c->gone);
    vec_release(&c->oom);
    json_decref(c->limits);
    free(c->dir);
    free(c->tag);
    free(c);
}

/* The containers that are new: all are looked at, because one may only be recognized by a later one's volumes. */
static int limit_new(struct caps *c, struct err *err)
{
    cleanup_vec struct vec ids = VEC_INIT;

    if (docker_own(c->docker, c->dir, c->tag, &c->volumes, &ids, err) != 0)
        return -1;
    for (size_t i = 0; i < ids.n; i++) {
        if (vec_has(&c->own, ids.v[i]))
            continue;
        vec_add(&c->own, ids.v[i]);
        if (docker_update(c->docker, ids.v[i], c->limits, err) != 0)
            return -1;
    }
    return 0;
}

/* -1 where the engine says nothing more. */
static int check_call(struct caps *c, struct err *err)
{
    int rc = c->call != NULL ? http_done(c->call, err) : 1;

    if (rc == 0)
        return 0;
    c->call = NULL; /* http_done has freed it */
    if (rc < 0)
        return -1;
    if (c->head.status != 200)
        return err_set(err, ERR_FAILED, "the Docker engine answers %ld when it is asked for its events", c->head.status);
    return err_set(err, ERR_DOWN, "the Docker engine stopped sending events");
}

int caps_wait(struct caps *c, int ms, int fd, struct err *err)
{
    if (!c->news && http_poll(docker_http(c->docker), ms, fd, NULL, err) != 0)
        return -1;
    while (c->news) { /* more may come while the engine is asked */
        c->news = false;
        if (limit_new(c, err) != 0)
            return -1;
    }
    return check_call(c, err);
}

bool caps_exceeded(struct caps *c)
{
    uint64_t due = loop_now() + SETTLE_MS;
    struct err why = ERR_INIT;

    for (size_t i = 0; i < c->own.n; i++) {
        while (!vec_has(&c->gone, c->own.v[i]) && c->call != NULL && loop_now() < due) {
            if (http_poll(docker_http(c->docker), (int) (due - loop_now()), -1, NULL, &why) != 0
                || check_call(c, &why) != 0) {
                log_debug("%s", why.msg);
                break;
            }
        }
    }
    for (size_t i = 0; i < c->own.n; i++) {
        if (vec_has(&c->oom, c->own.v[i]))
            return true;
    }
    return false;
}

int64_t caps_memory(const struct caps *c)
{
    return c->memory;
}
