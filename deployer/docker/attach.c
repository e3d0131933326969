#include "config.h"

#include "deployer/docker/attach.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define HIGH_WATER (256 * 1024)  /* bytes on their way in one direction before its source must wait */
#define READ_MAX (64 * 1024)
#define SIZE_MAX_CELLS 10000     /* of a terminal, either way */
#define END_OF_FILE 4            /* ^D, what a terminal makes an end of input of */

static void frame_put(struct attach *a, enum ipc_type type, const char *data, size_t n)
{
    while (n > 0) {
        size_t piece = n < IPC_PAYLOAD_MAX ? n : IPC_PAYLOAD_MAX;

        (void) ipc_put(&a->out, type, data, piece);
        data += piece;
        n -= piece;
    }
}

static void on_piece(void *arg, int stream, const char *data, size_t n)
{
    frame_put(arg, stream == 2 ? IPC_STDERR : IPC_STDOUT, data, n);
}

int attach_init(struct attach *a, struct engine *e, int session, bool tty, struct err *err)
{
    sigset_t set;

    *a = (struct attach) { .engine = e, .session = session, .tty = tty, .socket = -1, .signals = -1 };
    buf_init(&a->in, 2 * (IPC_PAYLOAD_MAX + IPC_HEADER) + READ_MAX);
    buf_init(&a->out, HIGH_WATER + 4 * READ_MAX); /* one read more than the mark may come, in frames with headers */
    buf_init(&a->to, HIGH_WATER + 2 * IPC_PAYLOAD_MAX + READ_MAX);
    demux_init(&a->demux, DEMUX_PIECES, READ_MAX, on_piece, a);
    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGTERM);
    a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (a->signals < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        (void) err_errno(err, "cannot wait for signals");
        attach_release(a);
        return -1;
    }
    return 0;
}

void attach_to(struct attach *a, int socket)
{
    a->socket = socket;
}

void attach_release(struct attach *a)
{
    if (a->socket >= 0)
        (void) close(a->socket);
    if (a->signals >= 0)
        (void) close(a->signals);
    a->socket = a->signals = -1;
    buf_release(&a->in);
    buf_release(&a->out);
    buf_release(&a->to);
    demux_release(&a->demux);
}

/* --- towards the container */

static void resize(struct attach *a, const char *payload, size_t n)
{
    json_auto_t *doc = json_parse(payload, n, "the terminal's size", NULL);
    long long cols = json_int(doc, "cols", 0), rows = json_int(doc, "rows", 0);
    cleanup_free char *path = NULL;

    if (!a->tty || a->resize == NULL || cols <= 0 || rows <= 0 || cols > SIZE_MAX_CELLS || rows > SIZE_MAX_CELLS)
        return;
    path = xasprintf("%s?h=%lld&w=%lld", a->resize, rows, cols);
    (void) engine_do(a->engine, "POST", path, NULL, NULL, NULL);
}

static void input_end(struct attach *a)
{
    static const char eof = END_OF_FILE;

    if (!a->input_ended && a->tty)
        (void) buf_add(&a->to, &eof, 1);
    a->input_ended = true;
}

/* -1: the session speaks nonsense. */
static int frames_take(struct attach *a)
{
    enum ipc_type type;
    const char *payload;
    size_t n;
    int rc;

    while ((rc = ipc_get(&a->in, &type, &payload, &n, NULL)) > 0) {
        if (type == IPC_STDIN && n == 0)
            input_end(a);
        else if (type == IPC_STDIN && !a->input_ended && !a->shut)
            (void) buf_add(&a->to, payload, n);
        else if (type == IPC_RESIZE)
            resize(a, payload, n);
        buf_consume(&a->in, IPC_HEADER + n);
    }
    return rc;
}

static enum attach_end session_read(struct attach *a)
{
    char *at = buf_reserve(&a->in, READ_MAX);
    ssize_t n = at != NULL ? recv(a->session, at, READ_MAX, MSG_DONTWAIT) : 0;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ATTACH_OPEN : ATTACH_GONE;
    if (n == 0)
        return ATTACH_GONE;
    buf_added(&a->in, (size_t) n);
    return frames_take(a) < 0 ? ATTACH_GONE : ATTACH_OPEN;
}

/* A command that reads no more is no error: its output still comes. */
static void socket_write(struct attach *a)
{
    while (buf_len(&a->to) > 0) {
        ssize_t n = send(a->socket, buf_str(&a->to), buf_len(&a->to), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            a->shut = true;
            buf_clear(&a->to);
            return;
        }
        buf_consume(&a->to, (size_t) n);
    }
    if (a->input_ended && !a->shut && !a->tty) {
        (void) shutdown(a->socket, SHUT_WR);
        a->shut = true;
    }
}

/* --- towards the person */

static enum attach_end session_write(struct attach *a)
{
    while (buf_len(&a->out) > 0) {
        ssize_t n = send(a->session, buf_str(&a->out), buf_len(&a->out), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? ATTACH_OPEN : ATTACH_GONE;
        buf_consume(&a->out, (size_t) n);
    }
    return ATTACH_OPEN;
}

static enum attach_end socket_read(struct attach *a, struct err *err)
{
    char data[READ_MAX];
    ssize_t n = recv(a->socket, data, sizeof(data), MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ATTACH_OPEN : ATTACH_ENDED; /* reset: it ended with input unread */
    if (n == 0)
        return ATTACH_ENDED;
    if (a->tty)
        frame_put(a, IPC_STDOUT, data, (size_t) n);
    else if (demux_feed(&a->demux, data, (size_t) n, err) < 0)
        return ATTACH_BROKEN;
    return ATTACH_OPEN;
}

/* --- waiting */

static int time_left(const struct attach *a)
{
    uint64_t now = loop_now();

    if (a->deadline == 0)
        return -1;
    return now >= a->deadline ? 0 : a->deadline - now < INT_MAX ? (int) (a->deadline - now) : INT_MAX;
}

/* Writes what is left for the person. */
static enum attach_end flush(struct attach *a)
{
    while (buf_len(&a->out) > 0) {
        struct pollfd p = { .fd = a->session, .events = POLLOUT };

        if (session_write(a) == ATTACH_GONE)
            return ATTACH_GONE;
        if (buf_len(&a->out) > 0)
            (void) poll(&p, 1, -1);
    }
    return ATTACH_OPEN;
}

void attach_say(struct attach *a, const char *line)
{
    cleanup_free char *text = xasprintf("%s%s\n", line, a->tty ? "\r" : "");

    frame_put(a, IPC_STDERR, text, strlen(text));
    (void) flush(a);
}

static enum attach_end round_do(struct attach *a, struct err *err)
{
    bool takes = buf_len(&a->to) < HIGH_WATER, gives = buf_len(&a->out) < HIGH_WATER;
    struct pollfd p[] = {
        { .fd = a->session, .events = (short) (POLLRDHUP | (takes ? POLLIN : 0) |
                                               (buf_len(&a->out) > 0 ? POLLOUT : 0)) },
        { .fd = a->socket, .events = (short) ((gives ? POLLIN : 0) | (buf_len(&a->to) > 0 ? POLLOUT : 0)) },
        { .fd = a->signals, .events = POLLIN },
    };
    enum attach_end end = ATTACH_OPEN;

    if (poll(p, countof(p), time_left(a)) < 0 && errno != EINTR) {
        (void) err_errno(err, "cannot wait");
        return ATTACH_BROKEN;
    }
    if (p[2].revents != 0)
        return ATTACH_STOPPING;
    if (time_left(a) == 0)
        return ATTACH_OVERDUE;
    /* The session closes its end only when nobody reads there any more. */
    if ((p[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
        return ATTACH_GONE;
    if ((p[0].revents & POLLIN) != 0)
        end = session_read(a);
    if (end == ATTACH_OPEN && (p[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && gives)
        end = socket_read(a, err);
    socket_write(a);
    if (end == ATTACH_OPEN)
        end = session_write(a);
    return end;
}

enum attach_end attach_pump(struct attach *a, struct err *err)
{
    enum attach_end end;

    while ((end = round_do(a, err)) == ATTACH_OPEN)
        ;
    if (end == ATTACH_ENDED && flush(a) == ATTACH_GONE)
        return ATTACH_GONE;
    return end;
}
