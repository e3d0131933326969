#include "config.h"

#include "deployer/kubernetes/websocket.h"

#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/websocket_head.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define HEAD_MAX (64 * 1024)
#define HANDSHAKE_MS 10000      /* as other requests */
#define OUT_MAX 16384           /* one TLS record */
#define PING_MS 20000           /* proxies forget a silent connection after 30 s and more */
#define SILENCE_MS (3 * PING_MS)

struct websocket {
    struct http_link *link;
    wslay_event_context_ptr frames;
    struct buf early;           /* frames that came with the head */
    /* Bytes offered to TLS: after HTTP_AGAIN it wants to see the very same again. */
    uint8_t out[OUT_MAX];
    size_t out_len, out_start;
    char protocol[WEBSOCKET_PROTOCOL_MAX];
    uint64_t heard_at, ping_at;
    bool ended, failed;
    struct err err;
    /* of the call of websocket_service that is under way */
    websocket_message_fn *fn;
    websocket_room_fn *room;
    void *arg;
};

/* --- libwslay's side */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *data, size_t n, int flags, void *arg)
{
    struct websocket *w = arg;
    long got;

    (void) flags;
    if (buf_len(&w->early) > 0) {
        size_t have = buf_len(&w->early), take = have < n ? have : n;

        memcpy(data, buf_str(&w->early), take);
        buf_consume(&w->early, take);
        return (ssize_t) take;
    }
    got = w->room(w->arg) ? http_link_recv(w->link, data, n, &w->err) : HTTP_AGAIN;
    if (got > 0) {
        w->heard_at = loop_now();
        return got;
    }
    if (got == 0)
        w->ended = true;
    else if (got == -1)
        w->failed = true;
    wslay_event_set_error(ctx, got == HTTP_AGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

/* Gives the collected bytes to the connection; 1: all are out, 0: it takes no more now. */
static int out_flush(struct websocket *w)
{
    while (w->out_start < w->out_len) {
        long n = http_link_send(w->link, w->out + w->out_start, w->out_len - w->out_start, &w->err);

        if (n == HTTP_AGAIN)
            return 0;
        if (n < 0) {
            w->failed = true;
            return -1;
        }
        w->out_start += (size_t) n;
    }
    w->out_len = w->out_start = 0;
    return 1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t n, int flags, void *arg)
{
    struct websocket *w = arg;
    int rc = 1;

    (void) flags;
    /* Once a piece was offered, nothing may be added behind it. */
    if (w->out_start > 0 || w->out_len == sizeof(w->out))
        rc = out_flush(w);
    if (rc <= 0) {
        wslay_event_set_error(ctx, rc == 0 ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    if (n > sizeof(w->out) - w->out_len)
        n = sizeof(w->out) - w->out_len;
    memcpy(w->out + w->out_len, data, n);
    w->out_len += n;
    return (ssize_t) n;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *data, size_t n, void *arg)
{
    (void) ctx, (void) arg;
    randombytes_buf(data, n);
    return 0;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
    struct websocket *w = arg;

    (void) ctx;
    if (m->opcode == WSLAY_BINARY_FRAME || m->opcode == WSLAY_TEXT_FRAME)
        w->fn(w->arg, m->msg, m->msg_length);
}

static void frames_init(struct websocket *w)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .genmask_callback = on_mask,
        .on_msg_recv_callback = on_message,
    };

    if (wslay_event_context_client_init(&w->frames, &callbacks, w) != 0)
        abort(); /* out of memory */
    wslay_event_config_set_max_recv_msg_length(w->frames, WEBSOCKET_MESSAGE_MAX);
}

/* --- the handshake: one request, one answer, waited for */

static int link_wait(struct websocket *w, short events, uint64_t until, struct err *err)
{
    struct pollfd p = { .fd = http_link_fd(w->link), .events = events };
    uint64_t now = loop_now();

    if (now >= until)
        return err_set(err, ERR_DOWN, "no answer within %d s", HANDSHAKE_MS / 1000);
    if (poll(&p, 1, (int) (until - now)) < 0 && errno != EINTR)
        return err_errno(err, "cannot wait");
    return 0;
}

static int request_send(struct websocket *w, const char *text, uint64_t until, struct err *err)
{
    size_t n = strlen(text);

    while (n > 0) {
        long sent = http_link_send(w->link, text, n, err);

        if (sent == -1 || (sent == HTTP_AGAIN && link_wait(w, POLLOUT, until, err) < 0))
            return -1;
        if (sent > 0) {
            text += sent;
            n -= (size_t) sent;
        }
    }
    return 0;
}

/* More of the answer into b. 1, or 0 at the connection's end, or -1. */
static int answer_read(struct websocket *w, struct buf *b, uint64_t until, struct err *err)
{
    for (;;) {
        size_t room = buf_room(b) < 4096 ? buf_room(b) : 4096;
        char *at = room > 0 ? buf_reserve(b, room) : NULL;
        long n;

        if (at == NULL)
            return err_set(err, ERR_DOWN, "the answer is longer than is allowed");
        n = http_link_recv(w->link, at, room, err);
        if (n > 0) {
            buf_added(b, (size_t) n);
            return 1;
        }
        if (n != HTTP_AGAIN)
            return (int) n;
        if (link_wait(w, POLLIN, until, err) < 0)
            return -1;
    }
}

/* A URL's host with port, and its path with query. */
static void url_split(const char *url, char **ret_host, char **ret_path)
{
    const char *at = strstr(url, "://"), *path;

    at = at != NULL ? at + 3 : url;
    path = at + strcspn(at, "/?#");
    *ret_host = xstrndup(at, (size_t) (path - at));
    *ret_path = xasprintf("%s%s", *path == '/' ? "" : "/", path);
}

static char *request_text(const char *url, const struct vec *headers, const char *protocols, const char *key)
{
    cleanup_free char *host = NULL, *path = NULL;
    struct buf b;

    url_split(url, &host, &path);
    buf_init(&b, HEAD_MAX * 4);
    (void) buf_addf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: slipway/" PACKAGE_VERSION "\r\n"
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n", path, host, key, protocols);
    for (size_t i = 0; i < headers->n; i++)
        (void) buf_addf(&b, "%s\r\n", headers->v[i]);
    (void) buf_addstr(&b, "\r\n");
    return buf_steal(&b);
}

static int refusal_read(struct websocket *w, struct buf *in, const struct websocket_head *head, uint64_t until,
                        struct buf *refusal)
{
    size_t n;

    buf_consume(in, head->len);
    while (buf_len(in) < head->content_length && answer_read(w, in, until, NULL) == 1)
        ;
    n = buf_len(in) < head->content_length ? buf_len(in) : head->content_length;
    (void) buf_add(refusal, buf_str(in), n < buf_room(refusal) ? n : buf_room(refusal));
    return 1;
}

static int handshake(struct websocket *w, const char *url, const struct vec *headers, const char *protocols,
                     long *ret_status, struct buf *refusal, struct err *err)
{
    cleanup_buf struct buf in;
    uint64_t until = loop_now() + HANDSHAKE_MS;
    uint8_t random[16];
    char key[WEBSOCKET_KEY_SIZE], *text;
    struct websocket_head head;
    int rc;

    buf_init(&in, HEAD_MAX + WEBSOCKET_REFUSAL_MAX);
    randombytes_buf(random, sizeof(random));
    (void) sodium_bin2base64(key, sizeof(key), random, sizeof(random), sodium_base64_VARIANT_ORIGINAL);
    text = request_text(url, headers, protocols, key);
    rc = request_send(w, text, until, err);
    sodium_memzero(text, strlen(text)); /* holds the credential */
    free(text);
    while (rc == 0) {
        rc = websocket_head_parse(buf_str(&in), buf_len(&in), key, &head, err);
        if (rc != 0)
            break;
        rc = answer_read(w, &in, until, err);
        if (rc == 0)
            return err_set(err, ERR_DOWN, "the connection was closed");
        rc = rc < 0 ? -1 : 0;
    }
    if (rc < 0)
        return -1;
    *ret_status = head.status;
    if (head.status != 101)
        return refusal_read(w, &in, &head, until, refusal);
    buf_consume(&in, head.len);
    (void) buf_add(&w->early, buf_str(&in), buf_len(&in));
    memcpy(w->protocol, head.protocol, sizeof(w->protocol));
    return 0;
}

int websocket_open(struct http *h, const char *url, const struct vec *headers, const char *protocols,
                   struct websocket **ret, long *ret_status, struct buf *refusal, struct err *err)
{
    struct websocket *w = xcalloc(1, sizeof(*w));
    int rc = -1;

    buf_init(&w->early, HEAD_MAX + WEBSOCKET_REFUSAL_MAX);
    w->link = http_link_open(h, url, err);
    if (w->link != NULL)
        rc = handshake(w, url, headers, protocols, ret_status, refusal, err);
    if (rc != 0) {
        websocket_close(w);
        return rc;
    }
    frames_init(w);
    w->heard_at = loop_now();
    w->ping_at = w->heard_at + PING_MS;
    *ret = w;
    return 0;
}

void websocket_close(struct websocket *w)
{
    if (w == NULL)
        return;
    if (w->frames != NULL)
        wslay_event_context_free(w->frames);
    http_link_close(w->link);
    buf_release(&w->early);
    sodium_memzero(w->out, sizeof(w->out));
    free(w);
}

/* --- messages */

const char *websocket_protocol(const struct websocket *w)
{
    return w->protocol;
}

void websocket_send(struct websocket *w, const void *data, size_t n)
{
    const struct wslay_event_msg m = { .opcode = WSLAY_BINARY_FRAME, .msg = data, .msg_length = n };

    /* Refused only after a close frame, when nobody listens any more. */
    if (wslay_event_queue_msg(w->frames, &m) == WSLAY_ERR_NOMEM)
        abort();
}

size_t websocket_queued(const struct websocket *w)
{
    return wslay_event_get_queued_msg_length(w->frames) + w->out_len - w->out_start;
}

static void ping(struct websocket *w, uint64_t now)
{
    const struct wslay_event_msg m = { .opcode = WSLAY_PING };

    if (now < w->ping_at)
        return;
    w->ping_at = now + PING_MS;
    (void) wslay_event_queue_msg(w->frames, &m);
}

static int broken(struct websocket *w, const char *why, struct err *err)
{
    if (w->err.code != ERR_NONE && err != NULL)
        *err = w->err;
    else
        (void) err_set(err, ERR_DOWN, "%s", why);
    return -1;
}

int websocket_service(struct websocket *w, websocket_message_fn *fn, websocket_room_fn *room, void *arg,
                      struct err *err)
{
    uint64_t now = loop_now();
    int rc = 0;

    w->fn = fn;
    w->room = room;
    w->arg = arg;
    ping(w, now);
    if (wslay_event_want_read(w->frames))
        rc = wslay_event_recv(w->frames);
    if (rc == 0 && wslay_event_want_write(w->frames))
        rc = wslay_event_send(w->frames);
    if (!w->failed && !w->ended && out_flush(w) < 0)
        rc = -1;
    if (wslay_event_get_close_received(w->frames))
        return 1;
    if (w->ended)
        return broken(w, "the connection was closed", err);
    if (rc != 0 || w->failed)
        return broken(w, "the connection broke", err);
    /* What waits unread because there is no room was not heard, either. */
    if (room(arg) && now > w->heard_at + SILENCE_MS)
        return broken(w, "the connection has been silent for too long", err);
    return 0;
}

int websocket_fd(const struct websocket *w)
{
    return http_link_fd(w->link);
}

bool websocket_wants_write(const struct websocket *w)
{
    return w->out_len > w->out_start || wslay_event_want_write(w->frames);
}

int websocket_timeout(const struct websocket *w)
{
    uint64_t now = loop_now();

    return now >= w->ping_at ? 0 : (int) (w->ping_at - now);
}
