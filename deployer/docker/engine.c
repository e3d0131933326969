#include "config.h"

#include "deployer/docker/engine.h"

#include "base/http.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define BASE "http://docker"             /* the host is not looked up: the socket is the address */
#define VERSION_MIN 41                   /* 1.41: Docker 20.10, the oldest that this was tried with */
#define VERSION_MAX 48                   /* 1.48: Docker 28; a newer engine still serves it */
#define ANSWER_MAX (16 * 1024 * 1024)    /* a list of some thousand containers */
#define MESSAGE_MAX 400                  /* of an engine's error: the start of a container fails with long ones */
#define ERROR_MAX (64 * 1024)            /* a stream's error document */
#define REQUEST_MS 60000                 /* an engine under load takes its time to start a container */
#define PARALLEL 8                       /* requests at a time: the engine works on that many at once at best */

struct engine {
    struct http *http;
    char *socket;
    int version;             /* 0: not negotiated yet */
    const struct target_call *call;
};

struct engine_call {
    struct http_call *call;
    struct http_response response;
};

struct engine_stream {
    struct engine *engine;
    struct http_call *call;
    struct http_response response;
    struct demux demux;
    struct buf error;
    struct err err;
    bool broken;
    int result;
};

struct engine *engine_new(const char *socket, struct err *err)
{
    struct http_options o = { .unix_socket = socket };
    struct engine *e = xcalloc(1, sizeof(*e));

    e->http = http_new(&o, err);
    if (e->http == NULL) {
        free(e);
        return NULL;
    }
    e->socket = xstrdup(socket);
    return e;
}

void engine_free(struct engine *e)
{
    if (e == NULL)
        return;
    http_free(e->http);
    free(e->socket);
    free(e);
}

struct http *engine_http(struct engine *e)
{
    return e->http;
}

void engine_set_call(struct engine *e, const struct target_call *call)
{
    e->call = call;
}

int engine_wait(struct engine *e, int timeout_ms, int extra_fd, bool *ret_extra, struct err *err)
{
    const struct target_call *c = e->call;
    bool extra = false, has_wake = c != NULL && c->wake_fd >= 0;

    if (http_poll(e->http, timeout_ms, has_wake ? c->wake_fd : extra_fd, &extra, err) < 0)
        return -1;
    if (ret_extra != NULL)
        *ret_extra = extra && !has_wake;
    if (c != NULL && c->canceled != NULL && (extra || !has_wake) && c->canceled(c->canceled_arg))
        return err_set(err, ERR_FAILED, "canceled");
    return 0;
}

int engine_refused(long status, const char *body, size_t n, struct err *err)
{
    json_auto_t *doc = n > 0 ? json_parse(body, n, "the engine's answer", NULL) : NULL;
    cleanup_free char *message = text_plain(json_str(doc, "message", "no reason given"), MESSAGE_MAX);
    enum err_code code = status == 404 ? ERR_NOT_FOUND : status == 409 ? ERR_BUSY
                       : status == 401 || status == 403 ? ERR_DENIED
                       : status == 502 || status == 503 ? ERR_DOWN : ERR_FAILED;

    return err_set(err, code, "the Docker engine: %s", message);
}

static bool is_good(long status)
{
    return (status >= 200 && status <= 299) || status == 304;
}

static int down(const struct engine *e, struct err *err)
{
    return err_wrap(err, "the Docker engine at %s does not answer", e->socket);
}

/* Waits for a request's end. */
static int finish(struct engine *e, struct http_call *c, struct err *err)
{
    int rc;

    while ((rc = http_done(c, err)) == 0) {
        if (engine_wait(e, -1, -1, NULL, err) < 0) {
            http_cancel(c);
            return -1;
        }
    }
    return rc < 0 ? down(e, err) : 0;
}

/* The newest version that both sides know. */
static int negotiate(struct engine *e, struct err *err)
{
    struct http_request q = { .method = "GET", .url = BASE "/_ping" };
    struct http_response r;
    struct http_call *c;
    const char *text;
    int rc = -1, newest;

    if (e->version != 0)
        return 0;
    http_response_init(&r);
    c = http_start(e->http, &q, &r, err);
    if (c == NULL || finish(e, c, err) < 0)
        goto out;
    text = http_header(&r, "api-version");
    if (r.status != 200 || text == NULL || strncmp(text, "1.", 2) != 0) {
        (void) err_set(err, ERR_FAILED, "what listens on %s is no Docker engine (it answered %ld)", e->socket,
                       r.status);
        goto out;
    }
    newest = (int) strtol(text + 2, NULL, 10);
    if (newest < VERSION_MIN) {
        (void) err_set(err, ERR_FAILED, "the Docker engine at %s has API 1.%d; 1.%d (Docker 20.10) or later is "
                       "needed", e->socket, newest, VERSION_MIN);
        goto out;
    }
    e->version = newest < VERSION_MAX ? newest : VERSION_MAX;
    rc = 0;
out:
    http_response_release(&r);
    return rc;
}

int engine_version(struct engine *e, const char **ret_socket, struct err *err)
{
    *ret_socket = e->socket;
    return negotiate(e, err) < 0 ? -1 : e->version;
}

static char *url_of(const struct engine *e, const char *path)
{
    return xasprintf(BASE "/v1.%d%s", e->version, path);
}

/* Starts a request; the body's text must stay until its end. */
static struct http_call *start(struct engine *e, const char *method, const char *path, const char *body,
                               const struct vec *more, struct http_request *q, struct http_response *r,
                               struct err *err)
{
    cleanup_vec struct vec headers = VEC_INIT;
    cleanup_free char *url = url_of(e, path);

    for (size_t i = 0; more != NULL && i < more->n; i++)
        vec_add(&headers, more->v[i]);
    if (body != NULL)
        vec_add(&headers, "Content-Type: application/json");
    q->method = method;
    q->url = url;
    q->headers = &headers;
    q->body = body;
    q->body_len = body != NULL ? strlen(body) : 0;
    return http_start(e->http, q, r, err);
}

/* What came of a request that has ended. */
static int answer_take(const struct http_response *r, json_t **ret, struct err *err)
{
    if (!is_good(r->status))
        return engine_refused(r->status, buf_str(&r->body), buf_len(&r->body), err);
    if (ret == NULL)
        return 0;
    *ret = NULL;
    if (buf_len(&r->body) == 0)
        return 0;
    *ret = json_parse(buf_str(&r->body), buf_len(&r->body), "the Docker engine's answer", err);
    return *ret != NULL ? 0 : -1;
}

/* --- requests side by side */

struct flight {
    struct http_call *call;
    struct http_response response;
    char *body;
};

static void flight_land(struct flight *f)
{
    if (f->call != NULL)
        http_cancel(f->call);
    f->call = NULL;
    http_response_release(&f->response);
    if (f->body != NULL)
        explicit_bzero(f->body, strlen(f->body)); /* environments hold config values */
    free(f->body);
    f->body = NULL;
}

static int flight_start(struct engine *e, struct flight *f, struct engine_op *op, struct err *err)
{
    struct http_request q = { .body_max = ANSWER_MAX, .timeout_ms = REQUEST_MS };

    f->body = op->body != NULL ? json_text(op->body) : NULL;
    http_response_init(&f->response);
    f->call = start(e, op->method, op->path, f->body, NULL, &q, &f->response, err);
    return f->call != NULL ? 0 : -1;
}

/* Starts what there is room for, collects what has ended. Returns how many are still to be waited for, or -1. */
static int flights_service(struct engine *e, struct flight *f, struct engine_op *v, size_t n, size_t *next,
                           struct err *err)
{
    int running = 0;

    for (size_t i = 0; i < *next; i++) {
        int rc = f[i].call != NULL ? http_done(f[i].call, &v[i].err) : 2;

        if (rc == 0) {
            running++;
            continue;
        }
        if (rc == 2)
            continue;
        f[i].call = NULL;
        if (rc < 0)
            (void) down(e, &v[i].err);
        else
            (void) answer_take(&f[i].response, &v[i].answer, &v[i].err);
        flight_land(&f[i]);
    }
    for (; *next < n && running < PARALLEL; running++) {
        if (flight_start(e, &f[*next], &v[*next], err) < 0)
            return -1;
        (*next)++;
    }
    return running;
}

int engine_do_all(struct engine *e, struct engine_op *v, size_t n, struct err *err)
{
    cleanup_free struct flight *f = xcalloc(n + 1, sizeof(*f));
    size_t next = 0;
    int rc;

    if (n == 0)
        return 0;
    if (negotiate(e, err) < 0)
        return -1;
    while ((rc = flights_service(e, f, v, n, &next, err)) > 0) {
        if (engine_wait(e, -1, -1, NULL, err) < 0) {
            rc = -1;
            break;
        }
    }
    for (size_t i = 0; i < next; i++)
        flight_land(&f[i]);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (v[i].err.code == ERR_NONE)
            continue;
        if (err != NULL)
            *err = v[i].err;
        rc = -1;
    }
    return rc;
}

void engine_op_release(struct engine_op *op)
{
    free(op->path);
    json_decref(op->body);
    json_decref(op->answer);
    memset(op, 0, sizeof(*op));
}

int engine_do(struct engine *e, const char *method, const char *path, const json_t *body, json_t **ret,
              struct err *err)
{
    struct engine_op op = { .method = method, .path = xstrdup(path),
                            .body = json_incref((json_t *) (uintptr_t) body) };
    int rc = engine_do_all(e, &op, 1, err);

    if (rc == 0 && ret != NULL)
        *ret = steal_ptr(op.answer);
    engine_op_release(&op);
    return rc;
}

/* --- a request in flight */

struct engine_call *engine_start(struct engine *e, const char *method, const char *path, long timeout_ms,
                                 struct err *err)
{
    struct http_request q = { .body_max = ANSWER_MAX, .timeout_ms = timeout_ms };
    struct engine_call *c;

    if (negotiate(e, err) < 0)
        return NULL;
    c = xcalloc(1, sizeof(*c));
    http_response_init(&c->response);
    c->call = start(e, method, path, NULL, NULL, &q, &c->response, err);
    if (c->call == NULL) {
        engine_cancel(c);
        return NULL;
    }
    return c;
}

int engine_done(struct engine_call *c, struct err *err)
{
    int rc = http_done(c->call, err);

    if (rc == 0)
        return 0;
    c->call = NULL;
    if (rc > 0 && answer_take(&c->response, NULL, err) < 0)
        rc = -1;
    engine_cancel(c);
    return rc;
}

void engine_cancel(struct engine_call *c)
{
    if (c == NULL)
        return;
    if (c->call != NULL)
        http_cancel(c->call);
    http_response_release(&c->response);
    free(c);
}

/* --- streams */

static int on_data(const char *data, size_t n, void *arg)
{
    struct engine_stream *s = arg;

    if (!is_good(s->response.status)) {
        size_t room = buf_room(&s->error);

        (void) buf_add(&s->error, data, n < room ? n : room);
        return 0;
    }
    if (demux_feed(&s->demux, data, n, &s->err) == 0)
        return 0;
    s->broken = true;
    return -1;
}

struct engine_stream *engine_stream_open(struct engine *e, const char *method, const char *path,
                                         const struct vec *headers, enum demux_form form, size_t line_max,
                                         demux_line_fn *fn, void *arg, struct err *err)
{
    struct http_request q = { .on_body = on_data, .timeout_ms = -1 };
    struct engine_stream *s;

    if (negotiate(e, err) < 0)
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->engine = e;
    demux_init(&s->demux, form, line_max, fn, arg);
    buf_init(&s->error, ERROR_MAX);
    http_response_init(&s->response);
    q.on_body_arg = s;
    s->call = start(e, method, path, NULL, headers, &q, &s->response, err);
    if (s->call == NULL) {
        engine_stream_close(s);
        return NULL;
    }
    return s;
}

int engine_stream_done(struct engine_stream *s, struct err *err)
{
    if (s->call != NULL) {
        struct err why = ERR_INIT;

        s->result = http_done(s->call, &why);
        if (s->result == 0)
            return 0;
        s->call = NULL;
        if (s->result > 0 && !is_good(s->response.status))
            s->result = engine_refused(s->response.status, buf_str(&s->error), buf_len(&s->error), &s->err);
        else if (s->result > 0)
            demux_end(&s->demux);
        else if (!s->broken) {
            s->err = why;
            (void) down(s->engine, &s->err);
        }
    }
    if (s->result < 0 && err != NULL)
        *err = s->err;
    return s->result;
}

void engine_stream_close(struct engine_stream *s)
{
    if (s == NULL)
        return;
    if (s->call != NULL)
        http_cancel(s->call);
    demux_release(&s->demux);
    buf_release(&s->error);
    http_response_release(&s->response);
    free(s);
}
