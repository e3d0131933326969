#include "config.h"

#include "gateway/live.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/mem.h"
#include "gateway/stopping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOCUMENT_MAX (4 << 20) /* a config of CONFIG_TOTAL_MAX bytes with every byte escaped fits */
#define LIVE_READ 65536

struct live {
    struct command_ctx *c;
    live_fn *fn;
    void *arg;
    bool gone, ended;   /* the person is; the result has come */
};

/* The stream's last word. */
static int result_take(struct live *l, const char *payload, size_t n, struct err *err)
{
    json_auto_t *doc = json_parse(payload, n, "the deployer's answer", err);
    long long code;

    if (doc == NULL)
        return -1;
    l->ended = true;
    code = json_int(doc, "code", ERR_FAILED);
    if (code == 0)
        return 0;
    return err_set(err, code > 0 && code <= ERR_DOWN ? (enum err_code) code : ERR_FAILED, "%s",
                   json_str(doc, "error", "the deployer could not do it"));
}

static int frame_take(struct live *l, enum ipc_type type, const char *payload, size_t n, struct err *err)
{
    switch (type) {
    case IPC_STDOUT:
        l->gone = l->fn(l->arg, payload, n) != 0;
        return 0;
    case IPC_STDERR:
        l->gone = l->c->io->err(l->c->io, payload, n) != 0;
        return 0;
    case IPC_RESULT:
        return result_take(l, payload, n, err);
    default:
        return err_set(err, ERR_FAILED, "the deployer sent a frame that nobody expects");
    }
}

static int frames_take(struct live *l, struct buf *in, struct err *err)
{
    enum ipc_type type;
    const char *payload;
    size_t n;
    int rc;

    while (!l->gone && !l->ended && (rc = ipc_get(in, &type, &payload, &n, err)) != 0) {
        if (rc < 0 || frame_take(l, type, payload, n, err) != 0)
            return -1;
        buf_consume(in, IPC_HEADER + n);
    }
    return 0;
}

/* Reads what is there; the descriptor is known to be readable. */
static int input_read(int fd, struct buf *in, struct err *err)
{
    char *at = buf_reserve(in, LIVE_READ);
    ssize_t n = at != NULL ? read(fd, at, LIVE_READ) : -1;

    if (n > 0) {
        buf_added(in, (size_t) n);
        return 0;
    }
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    return err_set(err, ERR_DOWN, "the deployer ended before it had answered; try again");
}

static int live_loop(struct live *l, int fd, struct err *err)
{
    struct buf in;
    int rc = 0;

    buf_init(&in, 2 * (IPC_PAYLOAD_MAX + IPC_HEADER) + LIVE_READ);
    while (rc == 0 && !l->gone && !l->ended) {
        int bits = l->c->io->wait(l->c->io, fd, false, -1);

        l->gone = (bits & IO_GONE) != 0;
        if (!l->gone && (bits & IO_FD) != 0 && (rc = input_read(fd, &in, err)) == 0)
            rc = frames_take(l, &in, err);
    }
    buf_release(&in);
    return rc;
}

/* 1: the person went away. */
static int live_run(struct command_ctx *c, const json_t *request, live_fn *fn, void *arg, struct err *err)
{
    cleanup_free char *path = conf_state_path(c->conf, "run/deployer.sock"), *text = json_text(request);
    struct live l = { .c = c, .fn = fn, .arg = arg };
    cleanup_close int fd = ipc_connect(path, err);

    if (fd < 0 && server_is_stopping(c->conf->state))
        return err_set(err, ERR_BUSY, "the server is stopping; try again in a moment");
    if (fd < 0)
        return err_set(err, ERR_DOWN, "the deployer does not answer; is `slipway serve` running? Try again in a moment");
    /* One that refuses answers without reading the question, which then can't be sent. */
    (void) ipc_write(fd, IPC_REQUEST, text, strlen(text), NULL);
    if (live_loop(&l, fd, err) == 0)
        return l.gone;
    if (err->code == ERR_DOWN && server_is_stopping(c->conf->state))
        return err_set(err, ERR_BUSY, "the server is stopping; try again in a moment");
    return -1;
}

int live_request(struct command_ctx *c, const json_t *request, live_fn *fn, void *arg, struct err *err)
{
    return live_run(c, request, fn, arg, err) < 0 ? -1 : 0;
}

static int document_add(void *arg, const char *data, size_t n)
{
    return buf_add(arg, data, n);
}

json_t *live_document(struct command_ctx *c, const json_t *request, struct err *err)
{
    struct buf b;
    json_t *doc = NULL;
    int rc;

    buf_init(&b, DOCUMENT_MAX);
    rc = live_run(c, request, document_add, &b, err);
    if (rc >= 0 && b.overflow)
        (void) err_set(err, ERR_FAILED, "the deployer's answer is larger than %d MiB", DOCUMENT_MAX >> 20);
    else if (rc == 0)
        doc = json_parse(buf_str(&b), buf_len(&b), "the deployer's answer", err);
    if (b.data != NULL) /* may hold config values */
        explicit_bzero(b.data, b.cap);
    buf_release(&b);
    return doc;
}
