#include "config.h"

#include "deployer/kubernetes/remote.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/gate.h"
#include "deployer/kubernetes/websocket.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes on their way in one direction before its source must wait. */
#define HIGH_WATER (256 * 1024)
#define READ_MAX (64 * 1024)
#define STDIN_PIECE 32768        /* of one message, as kubectl sends it */
#define SIZE_MAX_CELLS 10000     /* of a terminal, either way */
#define ASK_MS 250               /* an answer takes milliseconds; one that was lost is asked for again */
#define GATE_MS 30000            /* a node that is so slow is not well */
#define END_OF_FILE 4            /* ^D, what a terminal makes an end of input of */

enum { EVENT_SESSION, EVENT_SOCKET, EVENT_SIGNAL };

static int watch_fd(struct remote *r, int op, int fd, uint32_t events, uint32_t what)
{
    struct epoll_event e = { .events = events, .data.u32 = what };

    return epoll_ctl(r->epoll, op, fd, &e);
}

int remote_init(struct remote *r, struct kube *k, int fd, bool tty, struct err *err)
{
    sigset_t set;

    *r = (struct remote) { .kube = k, .fd = fd, .tty = tty, .epoll = -1, .signals = -1 };
    buf_init(&r->in, 2 * (IPC_PAYLOAD_MAX + IPC_HEADER) + READ_MAX);
    /* One message more than the mark may come, in pieces with a header each. */
    buf_init(&r->out, HIGH_WATER + 2 * WEBSOCKET_MESSAGE_MAX);
    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGTERM);
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r->epoll < 0 || r->signals < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
        watch_fd(r, EPOLL_CTL_ADD, r->signals, EPOLLIN, EVENT_SIGNAL) < 0 ||
        watch_fd(r, EPOLL_CTL_ADD, r->fd, EPOLLRDHUP, EVENT_SESSION) < 0) {
        (void) err_errno(err, "cannot wait for events");
        remote_release(r);
        return -1;
    }
    return 0;
}

void remote_disconnect(struct remote *r)
{
    websocket_close(r->ws);
    r->ws = NULL;
}

void remote_release(struct remote *r)
{
    remote_disconnect(r);
    if (r->epoll >= 0)
        (void) close(r->epoll);
    if (r->signals >= 0)
        (void) close(r->signals);
    buf_release(&r->in);
    buf_release(&r->out);
    r->epoll = r->signals = -1;
}

/* --- towards the container */

static void stdin_send(struct remote *r, const char *data, size_t n)
{
    char message[1 + STDIN_PIECE];

    message[0] = CHANNEL_STDIN;
    while (n > 0) {
        size_t piece = n < STDIN_PIECE ? n : STDIN_PIECE;

        memcpy(message + 1, data, piece);
        websocket_send(r->ws, message, 1 + piece);
        data += piece;
        n -= piece;
    }
}

static void stdin_end(struct remote *r)
{
    static const unsigned char end[] = { CHANNEL_CLOSE, CHANNEL_STDIN };
    static const char eof = END_OF_FILE;

    if (r->input_ended)
        return;
    r->input_ended = true;
    if (r->tty)
        stdin_send(r, &eof, 1);
    else
        websocket_send(r->ws, end, sizeof(end));
}

static void resize_send(struct remote *r, int cols, int rows)
{
    cleanup_buf struct buf b;

    buf_init(&b, 128);
    if (!r->tty || cols <= 0 || rows <= 0 || cols > SIZE_MAX_CELLS || rows > SIZE_MAX_CELLS)
        return;
    channels_resize(&b, cols, rows);
    websocket_send(r->ws, buf_str(&b), buf_len(&b));
}

static void resize_take(struct remote *r, const char *payload, size_t n)
{
    json_auto_t *doc = json_parse(payload, n, "the terminal's size", NULL);
    long long cols = json_int(doc, "cols", 0), rows = json_int(doc, "rows", 0);

    if (cols > 0 && cols <= SIZE_MAX_CELLS && rows > 0 && rows <= SIZE_MAX_CELLS)
        resize_send(r, (int) cols, (int) rows);
}

/* -1: the session has ended, or speaks nonsense. */
static int frames_take(struct remote *r)
{
    enum ipc_type type;
    const char *payload;
    size_t n;
    int rc;

    while ((rc = ipc_get(&r->in, &type, &payload, &n, NULL)) > 0) {
        if (type == IPC_STDIN && n == 0)
            stdin_end(r);
        else if (type == IPC_STDIN && !r->input_ended)
            stdin_send(r, payload, n);
        else if (type == IPC_RESIZE)
            resize_take(r, payload, n);
        buf_consume(&r->in, IPC_HEADER + n);
    }
    return rc;
}

static bool wants_input(const struct remote *r)
{
    return r->ws != NULL && (r->gate == NULL || r->gone_through) && websocket_queued(r->ws) < HIGH_WATER;
}

/* 1: something came, 0: nothing is there, -1: the session has ended. */
static int session_read(struct remote *r)
{
    char *at = buf_reserve(&r->in, READ_MAX);
    ssize_t n = at != NULL ? recv(r->fd, at, READ_MAX, MSG_DONTWAIT) : 0;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (n == 0)
        return -1;
    buf_added(&r->in, (size_t) n);
    return frames_take(r) < 0 ? -1 : 1;
}

/* True where the person's input ended before it began. The end of an input must not reach a container that may end at
 * the same moment: containerd (1.6) then drops the last of its output. */
static bool input_is_none(struct remote *r)
{
    enum ipc_type type;
    const char *payload;
    size_t n;

    if (r->tty)
        return false;
    /* Nothing more than what is there: it has been on its way since before the pod was made. What it is, the session's
     * end, too, is seen again by who reads next. */
    if (buf_len(&r->in) == 0) {
        char *at = buf_reserve(&r->in, READ_MAX);
        ssize_t got = at != NULL ? recv(r->fd, at, READ_MAX, MSG_DONTWAIT) : 0;

        if (got > 0)
            buf_added(&r->in, (size_t) got);
    }
    if (ipc_get(&r->in, &type, &payload, &n, NULL) <= 0 || type != IPC_STDIN || n != 0)
        return false;
    buf_consume(&r->in, IPC_HEADER);
    r->input_ended = true;
    return true;
}

/* --- towards the person */

static void frame_put(struct remote *r, enum ipc_type type, const char *data, size_t n)
{
    while (n > 0) {
        size_t piece = n < IPC_PAYLOAD_MAX ? n : IPC_PAYLOAD_MAX;

        (void) ipc_put(&r->out, type, data, piece);
        data += piece;
        n -= piece;
    }
}

static void on_message(void *arg, const uint8_t *message, size_t n)
{
    struct remote *r = arg;
    enum channel channel;
    const char *data;

    if (channels_take(message, n, &r->status, &channel, &data, &n) &&
        (r->gate == NULL || gate_take(r->gate, channel, data, n, &data, &n)))
        frame_put(r, channel == CHANNEL_STDERR ? IPC_STDERR : IPC_STDOUT, data, n);
}

static bool has_room(void *arg)
{
    return buf_len(&((struct remote *) arg)->out) < HIGH_WATER;
}

/* 1: something went, 0: nothing can, -1: the session has ended. */
static int session_write(struct remote *r)
{
    ssize_t n;

    if (buf_len(&r->out) == 0)
        return 0;
    n = send(r->fd, buf_str(&r->out), buf_len(&r->out), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    buf_consume(&r->out, (size_t) n);
    return 1;
}

/* --- waiting */

static void interest_set(struct remote *r)
{
    uint32_t session = EPOLLRDHUP, socket = 0;

    if (wants_input(r))
        session |= EPOLLIN;
    if (buf_len(&r->out) > 0)
        session |= EPOLLOUT;
    (void) watch_fd(r, EPOLL_CTL_MOD, r->fd, session, EVENT_SESSION);
    if (r->ws == NULL)
        return;
    if (has_room(r))
        socket |= EPOLLIN;
    if (websocket_wants_write(r->ws))
        socket |= EPOLLOUT;
    (void) watch_fd(r, EPOLL_CTL_MOD, websocket_fd(r->ws), socket, EVENT_SOCKET);
}

enum remote_end remote_wait(struct remote *r, int timeout_ms)
{
    struct epoll_event v[3];
    int n;

    interest_set(r);
    if (kube_poll(r->kube, timeout_ms, r->epoll, NULL, NULL) < 0)
        return REMOTE_BROKEN;
    n = epoll_wait(r->epoll, v, (int) countof(v), 0);
    for (int i = 0; i < n; i++) {
        if (v[i].data.u32 == EVENT_SIGNAL)
            return REMOTE_STOPPING;
        /* The session closes its end only when nobody reads there any more. */
        if (v[i].data.u32 == EVENT_SESSION && (v[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
            return REMOTE_GONE;
    }
    return REMOTE_OPEN;
}

static enum remote_end flush(struct remote *r)
{
    while (buf_len(&r->out) > 0) {
        enum remote_end end;

        if (session_write(r) < 0)
            return REMOTE_GONE;
        end = buf_len(&r->out) > 0 ? remote_wait(r, -1) : REMOTE_OPEN;
        if (end != REMOTE_OPEN)
            return end;
    }
    return REMOTE_OPEN;
}

void remote_say(struct remote *r, const char *line)
{
    cleanup_free char *text = xasprintf("%s%s\n", line, r->tty ? "\r" : "");

    frame_put(r, IPC_STDERR, text, strlen(text));
    (void) flush(r);
}

int remote_error(struct remote *r, const char *data, size_t n)
{
    while (n > 0) {
        size_t piece = n < HIGH_WATER ? n : HIGH_WATER;

        frame_put(r, IPC_STDERR, data, piece);
        if (flush(r) != REMOTE_OPEN)
            return -1;
        data += piece;
        n -= piece;
    }
    return 0;
}

int remote_connect(struct remote *r, const char *path, int cols, int rows, struct err *err)
{
    if (kube_websocket(r->kube, path, &r->ws, err) < 0)
        return -1;
    if (!r->tty && strcmp(websocket_protocol(r->ws), CHANNELS_V5) != 0)
        return err_set(err, ERR_FAILED, "the cluster is older than Kubernetes 1.30 and can't be told where "
                       "standard input ends; a terminal (ssh -t) works");
    if (watch_fd(r, EPOLL_CTL_ADD, websocket_fd(r->ws), EPOLLIN, EVENT_SOCKET) < 0)
        return err_errno(err, "cannot wait for events");
    resize_send(r, cols, rows);
    r->ask_at = loop_now();
    r->give_up_at = r->ask_at + GATE_MS;
    return 0;
}

/* Asks, asks again, goes. Returns ms until it wants to be called again; -1: no time; -2: nobody answers; -3: the session
 * speaks nonsense. */
static int gate_pass(struct remote *r)
{
    uint64_t now = loop_now();

    if (r->gate == NULL || r->gone_through)
        return -1;
    if (gate_answered(r->gate)) {
        const char *word = input_is_none(r) ? GATE_NONE : GATE_GO;

        r->gone_through = true;
        stdin_send(r, word, strlen(word));
        return frames_take(r) < 0 ? -3 : 0;
    }
    if (now >= r->give_up_at)
        return -2;
    if (now >= r->ask_at) {
        r->ask_at = now + ASK_MS;
        stdin_send(r, GATE_ASK, strlen(GATE_ASK));
        return 0;
    }
    return (int) (r->ask_at - now);
}

enum remote_end remote_pump(struct remote *r, struct err *err)
{
    for (;;) {
        int rc = websocket_service(r->ws, on_message, has_room, r, err), in, out;
        int again = rc == 0 ? gate_pass(r) : -1, ms;
        enum remote_end end;

        if (again == -2)
            return err_set(err, ERR_FAILED, "the container doesn't answer"), REMOTE_BROKEN;
        if (again == -3)
            return REMOTE_GONE;
        out = session_write(r);
        in = rc == 0 && wants_input(r) ? session_read(r) : 0;
        if (in < 0 || out < 0)
            return REMOTE_GONE;
        if (rc != 0) {
            (void) epoll_ctl(r->epoll, EPOLL_CTL_DEL, websocket_fd(r->ws), NULL);
            end = flush(r);
            /* A server that has said how it ended need not close in order. */
            return end != REMOTE_OPEN ? end : rc > 0 || r->status.is ? REMOTE_ENDED : REMOTE_BROKEN;
        }
        if (in > 0 || out > 0 || again == 0)
            continue;
        ms = websocket_timeout(r->ws);
        end = remote_wait(r, again > 0 && again < ms ? again : ms);
        if (end != REMOTE_OPEN)
            return end;
    }
}
