#include "config.h"

#include "deployer/kubernetes/kube.h"

#include "base/http.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/channels.h"
#include "deployer/kubernetes/credential.h"
#include "deployer/kubernetes/websocket.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX (32 * 1024 * 1024) /* a list of a thousand pods has 10 MiB */
#define ERROR_MAX (64 * 1024)         /* a stream's Status */
#define REQUEST_MS 10000              /* a server that takes longer is not well */
#define TRIES_MAX 5                   /* with the waits below: gives up after about 8 s */
#define WAIT_MIN_MS 250               /* before the second try; doubles */
#define WAIT_MAX_MS 30000             /* a server that asks for more is down */

struct kube {
    struct kubeconfig config;
    struct credential credential;
    struct http *http;
    struct credential_wait wait; /* kube_attend */
    unsigned streams;        /* open ones: they keep the client from being made anew */
    bool remake;             /* the client certificate has changed */
};

struct kube_stream {
    struct kube *kube;
    struct http_call *call;  /* NULL: has ended */
    struct http_response response;
    struct buf line, error;
    kube_line_fn *fn;
    void *arg;
    int result;
    struct err err;
};

int64_t kube_now(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int client_make(struct kube *k, struct err *err)
{
    const struct kubeconfig *c = &k->config;
    struct http_options o = {
        .ca_file = c->ca_file, .ca_pem = c->ca_pem, .tls_server_name = c->tls_server_name,
        .insecure = c->insecure, .http2 = true,
        .cert_file = c->cert_file, .cert_pem = c->cert_pem,
        .key_file = c->key_file, .key_pem = c->key_pem,
    };
    struct http *h;

    if (k->credential.cert_pem != NULL) {
        o.cert_file = o.key_file = NULL;
        o.cert_pem = k->credential.cert_pem;
        o.key_pem = k->credential.key_pem;
    }
    h = http_new(&o, err);
    if (h == NULL)
        return -1;
    http_free(k->http);
    k->http = h;
    k->remake = false;
    return 0;
}

int kube_new(struct kubeconfig *config, struct kube **ret, struct err *err)
{
    struct kube *k = xcalloc(1, sizeof(*k));

    k->wait.fd = -1;
    k->config = *config;
    memset(config, 0, sizeof(*config));
    if (client_make(k, err) < 0) {
        kube_free(k);
        return -1;
    }
    *ret = k;
    return 0;
}

void kube_free(struct kube *k)
{
    if (k == NULL)
        return;
    http_free(k->http);
    credential_release(&k->credential);
    kubeconfig_release(&k->config);
    free(k);
}

void kube_attend(struct kube *k, int fd, bool (*stop)(void *arg), void *arg)
{
    k->wait = (struct credential_wait){ .fd = fd, .stop = stop, .arg = arg };
}

const char *kube_server(const struct kube *k)
{
    return k->config.server;
}

/* Before requests: the credential is current, and so is the client that holds its certificate.
 * `idle`: no call of the client is in flight besides streams. */
static int log_in(struct kube *k, bool rejected, bool idle, struct err *err)
{
    int rc = credential_refresh(&k->config, &k->credential, kube_now(), rejected, &k->wait, err);

    if (rc < 0)
        return err_wrap(err, "cannot log in to %s", k->config.server);
    if (rc > 0 && k->credential.cert_pem != NULL)
        k->remake = true;
    if (k->remake && idle && k->streams == 0)
        return client_make(k, err);
    return 0;
}

/* The request's headers hold the token; they are wiped after http_start has copied them. */
static struct http_call *start(struct kube *k, struct http_request *q, const char *path,
                               const char *type, const char *accept, struct http_response *r,
                               struct err *err)
{
    cleanup_vec struct vec headers = VEC_INIT;
    cleanup_free char *url = xasprintf("%s%s", k->config.server, path);
    struct http_call *call;

    vec_addf(&headers, "Accept: %s", accept != NULL ? accept : "application/json");
    if (type != NULL)
        vec_addf(&headers, "Content-Type: %s", type);
    if (k->credential.token != NULL)
        vec_addf(&headers, "Authorization: Bearer %s", k->credential.token);
    q->url = url;
    q->headers = &headers;
    call = http_start(k->http, q, r, err);
    if (k->credential.token != NULL)
        sodium_memzero(headers.v[headers.n - 1], strlen(headers.v[headers.n - 1]));
    return call;
}

/* --- requests */

struct try {
    struct http_call *call;
    struct http_response response;
    char *body;
    uint64_t again_at;       /* loop_now() at which it is sent again; 0: not waiting */
    int tries;
    bool logged_in_again;
    bool done;
};

void kube_op_release(struct kube_op *o)
{
    json_decref(o->answer);
    if (o->text != NULL)
        free(o->text);
    free(o->reason);
    o->answer = NULL;
    o->text = NULL;
    o->reason = NULL;
}

static int try_start(struct kube *k, struct kube_op *o, struct try *t, struct err *err)
{
    struct http_request q = { .method = o->method, .body_max = ANSWER_MAX,
                              .timeout_ms = REQUEST_MS };

    if (o->body != NULL) {
        q.body = t->body;
        q.body_len = strlen(t->body);
    }
    t->tries++;
    t->again_at = 0;
    t->call = start(k, &q, o->path,
                    o->body == NULL ? NULL : o->type != NULL ? o->type : "application/json",
                    o->accept, &t->response, err);
    return t->call != NULL ? 0 : -1;
}

/* Retry-After in seconds, else doubling; jitter keeps several clients apart. */
static uint64_t wait_ms(const struct try *t)
{
    const char *after = http_header(&t->response, "retry-after");
    uint64_t ms = (uint64_t) WAIT_MIN_MS << (t->tries - 1);
    long s;

    if (after != NULL && (s = strtol(after, NULL, 10)) > 0)
        ms = (uint64_t) s < WAIT_MAX_MS / 1000 ? (uint64_t) s * 1000 : WAIT_MAX_MS;
    return ms + randombytes_uniform((uint32_t) (ms / 4) + 1);
}

static bool status_is_later(long status)
{
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static void answer_take(struct kube_op *o, struct try *t)
{
    struct buf *body = &t->response.body;
    json_t *doc;

    o->status = t->response.status;
    if (o->status >= 200 && o->status < 300 && o->raw) {
        o->text_len = buf_len(body);
        o->text = buf_steal(body);
        return;
    }
    if (o->status >= 200 && o->status < 300) {
        o->answer = kube_document(buf_str(body), buf_len(body), &o->err);
        return;
    }
    doc = kube_document(buf_str(body), buf_len(body), NULL);
    if (json_str(doc, "reason", NULL) != NULL)
        o->reason = xstrdup(json_str(doc, "reason", ""));
    (void) kube_status_error(doc, o->status, &o->err);
    json_decref(doc);
}

/* Looks at one request that is not done. `idle`: it is the only one in flight. */
static void try_look(struct kube *k, struct kube_op *o, struct try *t, bool idle)
{
    int rc;

    if (t->call == NULL) {
        if (loop_now() >= t->again_at && try_start(k, o, t, &o->err) < 0)
            t->done = true;
        return;
    }
    err_clear(&o->err);
    rc = http_done(t->call, &o->err);
    if (rc == 0)
        return;
    t->call = NULL;
    if (rc > 0 && t->response.status == 401 && !t->logged_in_again) {
        t->logged_in_again = true;
        if (log_in(k, true, idle, &o->err) < 0 || try_start(k, o, t, &o->err) < 0)
            t->done = true;
        return;
    }
    if (t->tries < TRIES_MAX &&
        ((rc < 0 && o->err.code == ERR_DOWN) || (rc > 0 && status_is_later(t->response.status)))) {
        t->again_at = loop_now() + wait_ms(t);
        return;
    }
    t->done = true;
    if (rc > 0)
        answer_take(o, t);
}

static bool any_in_flight(const struct try *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (t[i].call != NULL)
            return true;
    return false;
}

/* Looks at all; the number of those not done. *ret_ms: until the next one is sent again; -1:
 * none waits. */
static size_t look_all(struct kube *k, struct kube_op *v, struct try *t, size_t n, int *ret_ms)
{
    size_t open = 0;
    uint64_t now;

    *ret_ms = -1;
    /* Asked anew for each: the one before may just have been sent again. */
    for (size_t i = 0; i < n; i++)
        if (!t[i].done)
            try_look(k, &v[i], &t[i], !any_in_flight(t, i) && !any_in_flight(t + i + 1, n - i - 1));
    now = loop_now();
    for (size_t i = 0; i < n; i++) {
        if (t[i].done)
            continue;
        open++;
        if (t[i].call == NULL) {
            int left = t[i].again_at > now ? (int) (t[i].again_at - now) : 0;

            *ret_ms = *ret_ms < 0 || left < *ret_ms ? left : *ret_ms;
        }
    }
    return open;
}

int kube_do_all(struct kube *k, struct kube_op *v, size_t n, struct err *err)
{
    cleanup_free struct try *t = xcalloc(n + 1, sizeof(*t));
    struct err poll_err = ERR_INIT;
    bool wake = false;
    int rc = 0, ms;

    if (log_in(k, false, true, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        http_response_init(&t[i].response);
        t[i].body = v[i].body != NULL ? json_text(v[i].body) : NULL;
        if (try_start(k, &v[i], &t[i], &v[i].err) < 0)
            t[i].done = true;
    }
    while (look_all(k, v, t, n, &ms) > 0) {
        if (kube_poll(k, ms, k->wait.fd, &wake, &poll_err) < 0) {
            rc = -1;
            break;
        }
        if (wake)
            (void) k->wait.stop(k->wait.arg);
    }
    for (size_t i = 0; i < n; i++) {
        if (t[i].call != NULL)
            http_cancel(t[i].call);
        if (!t[i].done)
            v[i].err = poll_err;
        if (v[i].err.code != ERR_NONE && rc == 0) {
            rc = -1;
            if (err != NULL)
                *err = v[i].err;
        }
        if (t[i].body != NULL)
            sodium_memzero(t[i].body, strlen(t[i].body)); /* may be a Secret */
        free(t[i].body);
        http_response_release(&t[i].response);
    }
    if (poll_err.code != ERR_NONE && err != NULL)
        *err = poll_err;
    return rc;
}

int kube_do(struct kube *k, const char *method, const char *path, const char *type,
            const json_t *body, json_t **ret, struct err *err)
{
    struct kube_op o = { .method = method, .path = path, .type = type, .body = body };
    int rc = kube_do_all(k, &o, 1, err);

    if (rc == 0 && ret != NULL) {
        *ret = o.answer;
        o.answer = NULL;
    }
    kube_op_release(&o);
    return rc;
}

int kube_get_text(struct kube *k, const char *path, char **ret, struct err *err)
{
    struct kube_op o = { .method = "GET", .path = path, .raw = true };
    int rc = kube_do_all(k, &o, 1, err);

    if (rc == 0) {
        *ret = o.text;
        o.text = NULL;
    }
    kube_op_release(&o);
    return rc;
}

/* --- streams */

static void line_end(struct kube_stream *s)
{
    s->fn(s->arg, buf_str(&s->line), buf_len(&s->line));
    buf_clear(&s->line);
}

static int on_data(const char *data, size_t n, void *arg)
{
    struct kube_stream *s = arg;

    if (s->response.status != 200) {
        size_t room = buf_room(&s->error);

        (void) buf_add(&s->error, data, n < room ? n : room);
        return 0;
    }
    while (n > 0) {
        const char *end = memchr(data, '\n', n);
        size_t len = end != NULL ? (size_t) (end - data) : n, room = buf_room(&s->line);

        if (len > room) {
            (void) buf_add(&s->line, data, room);
            line_end(s);
            data += room;
            n -= room;
            continue;
        }
        (void) buf_add(&s->line, data, len);
        if (end == NULL)
            return 0;
        line_end(s);
        data += len + 1;
        n -= len + 1;
    }
    return 0;
}

struct kube_stream *kube_stream_open(struct kube *k, const char *path, size_t line_max,
                                     long stall_ms, kube_line_fn *fn, void *arg, struct err *err)
{
    struct http_request q = { .method = "GET", .on_body = on_data, .timeout_ms = -1,
                              .stall_ms = stall_ms };
    struct kube_stream *s;

    if (log_in(k, false, false, err) < 0)
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->kube = k;
    s->fn = fn;
    s->arg = arg;
    buf_init(&s->line, line_max);
    buf_init(&s->error, ERROR_MAX);
    http_response_init(&s->response);
    q.on_body_arg = s;
    k->streams++;
    s->call = start(k, &q, path, NULL, NULL, &s->response, err);
    if (s->call == NULL) {
        kube_stream_close(s);
        return NULL;
    }
    return s;
}

int kube_stream_done(struct kube_stream *s, struct err *err)
{
    if (s->call != NULL) {
        s->result = http_done(s->call, &s->err);
        if (s->result == 0)
            return 0;
        s->call = NULL;
        if (s->result > 0 && s->response.status != 200) {
            json_auto_t *doc = kube_document(buf_str(&s->error), buf_len(&s->error), NULL);

            s->result = kube_status_error(doc, s->response.status, &s->err);
        }
        if (buf_len(&s->line) > 0)
            line_end(s);
    }
    if (s->result < 0 && err != NULL)
        *err = s->err;
    return s->result;
}

void kube_stream_close(struct kube_stream *s)
{
    if (s == NULL)
        return;
    if (s->call != NULL)
        http_cancel(s->call);
    s->kube->streams--;
    http_response_release(&s->response);
    buf_release(&s->line);
    buf_release(&s->error);
    free(s);
}

int kube_websocket(struct kube *k, const char *path, struct websocket **ret, struct err *err)
{
    cleanup_free char *url = xasprintf("%s%s", k->config.server, path);
    cleanup_buf struct buf refusal;
    json_auto_t *doc = NULL;
    long status = 0;
    int rc = 1;

    buf_init(&refusal, WEBSOCKET_REFUSAL_MAX);
    for (int i = 0; rc == 1 && i < 2; i++) {
        cleanup_vec struct vec headers = VEC_INIT;

        if (i > 0 && status != 401)
            break;
        buf_clear(&refusal);
        if (log_in(k, i > 0, false, err) < 0)
            return -1;
        if (k->credential.token != NULL)
            vec_addf(&headers, "Authorization: Bearer %s", k->credential.token);
        rc = websocket_open(k->http, url, &headers, CHANNELS_PROTOCOLS, ret, &status, &refusal, err);
        if (k->credential.token != NULL)
            sodium_memzero(headers.v[0], strlen(headers.v[0]));
    }
    if (rc < 0)
        return err_wrap(err, "%s", k->config.server);
    if (rc == 0)
        return 0;
    doc = kube_document(buf_str(&refusal), buf_len(&refusal), NULL);
    return kube_status_error(doc, status, err);
}

int kube_poll(struct kube *k, int timeout_ms, int extra_fd, bool *ret_extra, struct err *err)
{
    return http_poll(k->http, timeout_ms, extra_fd, ret_extra, err);
}
