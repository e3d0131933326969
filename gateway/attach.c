#include "config.h"

#include "gateway/attach.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/mem.h"
#include "gateway/stopping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* One read of the person's input. As large as an SSH channel's window: a read opens the window again, and what
 * is left unread behind it would pile up (gateway/connection.h). */
#define INPUT_MAX (2 * 1024 * 1024)
/* That in frames. */
#define PENDING_MAX (INPUT_MAX + (INPUT_MAX / IPC_PAYLOAD_MAX + 4) * (IPC_HEADER + 64))
#define READ_MAX 65536

struct attach {
    struct command_io *io;
    int fd;                  /* to the stream */
    int epoll;               /* fd's readiness, both ways, as one descriptor that can be read */
    bool tty;
    struct buf in, pending;  /* frames from and to the stream */
    char *input;
    bool input_ended, gone, ended;
    int exit_code;
};

static void size_put(struct attach *a)
{
    json_auto_t *doc = json_pack("{s:i, s:i}", "cols", a->io->cols, "rows", a->io->rows);
    cleanup_free char *text = json_text(doc);

    if (a->tty)
        (void) ipc_put(&a->pending, IPC_RESIZE, text, strlen(text));
}

static void input_take(struct attach *a)
{
    long n = a->io->read(a->io, a->input, INPUT_MAX);

    if (n < 0) {
        a->gone = true;
        return;
    }
    if (n == 0) {
        a->input_ended = true;
        (void) ipc_put(&a->pending, IPC_STDIN, "", 0);
    }
    for (long at = 0; at < n; at += IPC_PAYLOAD_MAX)
        (void) ipc_put(&a->pending, IPC_STDIN, a->input + at,
                       n - at < IPC_PAYLOAD_MAX ? (size_t) (n - at) : IPC_PAYLOAD_MAX);
}

static int result_take(struct attach *a, const char *payload, size_t n, struct err *err)
{
    json_auto_t *doc = json_parse(payload, n, "the deployer's answer", err);
    long long code;

    if (doc == NULL)
        return -1;
    a->ended = true;
    code = json_int(doc, "code", ERR_FAILED);
    a->exit_code = (int) (json_int(doc, "exit", 0) & 0xff);
    if (code == 0)
        return 0;
    return err_set(err, code > 0 && code <= ERR_DOWN ? (enum err_code) code : ERR_FAILED, "%s",
                   json_str(doc, "error", "the deployer could not do it"));
}

static int frames_take(struct attach *a, struct err *err)
{
    enum ipc_type type;
    const char *payload;
    size_t n;
    int rc;

    while (!a->gone && !a->ended && (rc = ipc_get(&a->in, &type, &payload, &n, err)) != 0) {
        if (rc < 0)
            return -1;
        if (type == IPC_STDOUT)
            a->gone = a->io->out(a->io, payload, n) != 0;
        else if (type == IPC_STDERR)
            a->gone = a->io->err(a->io, payload, n) != 0;
        else if (type == IPC_RESULT)
            rc = result_take(a, payload, n, err);
        else
            rc = err_set(err, ERR_FAILED, "the deployer sent a frame that nobody expects");
        if (rc < 0)
            return -1;
        buf_consume(&a->in, IPC_HEADER + n);
    }
    return 0;
}

static int stream_read(struct attach *a, struct err *err)
{
    char *at = buf_reserve(&a->in, READ_MAX);
    ssize_t n = at != NULL ? recv(a->fd, at, READ_MAX, MSG_DONTWAIT) : -1;

    if (n > 0) {
        buf_added(&a->in, (size_t) n);
        return frames_take(a, err);
    }
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    return err_set(err, ERR_DOWN, "the deployer ended before the command did; where the command had begun it is ended, too");
}

/* What the stream takes now. That it has gone is seen by reading. */
static void stream_write(struct attach *a)
{
    while (buf_len(&a->pending) > 0) {
        ssize_t n = send(a->fd, buf_str(&a->pending), buf_len(&a->pending), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (errno != EAGAIN)
                buf_clear(&a->pending);
            return;
        }
        buf_consume(&a->pending, (size_t) n);
    }
}

static int attach_loop(struct attach *a, struct err *err)
{
    struct epoll_event e = { .events = EPOLLIN };

    if (epoll_ctl(a->epoll, EPOLL_CTL_ADD, a->fd, &e) < 0)
        return err_errno(err, "cannot wait for the deployer");
    while (!a->gone && !a->ended) {
        bool idle = buf_len(&a->pending) == 0;
        int bits;

        e.events = EPOLLIN | (idle ? 0 : EPOLLOUT);
        (void) epoll_ctl(a->epoll, EPOLL_CTL_MOD, a->fd, &e);
        bits = a->io->wait(a->io, a->epoll, idle && !a->input_ended, -1);
        if ((bits & IO_GONE) != 0) {
            a->gone = true;
            break;
        }
        if ((bits & IO_RESIZE) != 0 && idle)
            size_put(a);
        if ((bits & IO_INPUT) != 0 && idle && !a->input_ended)
            input_take(a);
        stream_write(a);
        if ((bits & IO_FD) != 0 && stream_read(a, err) != 0)
            return -1;
    }
    return 0;
}

static int request_send(struct command_ctx *c, const json_t *request, struct err *err)
{
    cleanup_free char *path = conf_state_path(c->conf, "run/deployer.sock"), *text = json_text(request);
    cleanup_close int fd = -1;
    int rc;

    if (strlen(text) > IPC_PAYLOAD_MAX) {
        explicit_bzero(text, strlen(text));
        return err_set(err, ERR_USAGE, "the command is longer than %d KiB; long input can come from standard input",
                       IPC_PAYLOAD_MAX / 1024 / 2);
    }
    fd = ipc_connect(path, err);
    if (fd < 0 && server_is_stopping(c->conf->state))
        return err_set(err, ERR_BUSY, "the server is stopping; try again in a moment");
    if (fd < 0) {
        (void) err_set(err, ERR_DOWN, "the deployer does not answer; is `slipway serve` running? Try again in a moment");
        return -1;
    }
    rc = ipc_write(fd, IPC_REQUEST, text, strlen(text), err);
    explicit_bzero(text, strlen(text)); /* -e may bring secrets */
    if (rc != 0) {
        err->code = ERR_DOWN;
        return err_wrap(err, "asking the deployer");
    }
    return steal_fd(fd);
}

int attach_run(struct command_ctx *c, json_t *request, bool no_tty, int *ret_exit, struct err *err)
{
    struct attach a = { .io = c->io, .tty = c->io->tty && !no_tty };
    cleanup_close int epoll = epoll_create1(EPOLL_CLOEXEC), fd = -1;
    bool was_tty = c->io->tty;
    int rc;

    json_object_set_new(request, "tty", json_boolean(a.tty));
    json_object_set_new(request, "cols", json_integer(c->io->cols));
    json_object_set_new(request, "rows", json_integer(c->io->rows));
    json_object_set_new(request, "term", json_string(c->io->term));
    if (epoll < 0)
        return err_errno(err, "cannot wait for the deployer");
    fd = request_send(c, request, err);
    if (fd < 0)
        return -1;
    a.epoll = epoll;
    a.fd = fd;
    a.input = xmalloc(INPUT_MAX);
    buf_init(&a.in, 2 * (IPC_PAYLOAD_MAX + IPC_HEADER) + READ_MAX);
    buf_init(&a.pending, PENDING_MAX);
    /* The terminal in the container has put the carriage returns in. */
    c->io->tty = was_tty && !a.tty;
    rc = attach_loop(&a, err);
    c->io->tty = was_tty;
    buf_release(&a.in);
    buf_release(&a.pending);
    free(a.input);
    *ret_exit = a.exit_code;
    return rc;
}
