#include "config.h"

#include "deployer/log_fan.h"

#include "base/buf.h"
#include "base/ipc.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/rfc3339.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEPT_MAX (4 * 1024 * 1024) /* bytes of lines that some follower has not taken, of those who follow the same */
#define TOGETHER_MS 100            /* a session's process wakes up so often at most */
#define TOGETHER_LINES 4000        /* nor do more lines wait */
#define FIRST_MS 10000             /* in which the first follower comes */
#define ONLY_MAX 128               /* of a process type or instance */
#define REQUEST_MAX 4096
#define EVENTS 64

/* Lines that are sent together. The last of a list is empty: it is what comes next. */
struct frame {
    struct frame *next;
    char *data;                    /* as base/ipc.h has it */
    size_t n;
    uint64_t lines;
    size_t refs;                   /* followers who are at it */
    bool dropped;                  /* no longer in the list */
};

/* What is sent to all who follow the same. */
struct channel {
    struct channel *next;
    char *only;                    /* NULL: all */
    struct frame *head, *tail;
    size_t bytes;                  /* of the list */
    uint64_t lines;                /* that ever came */
    size_t users;
};

enum state { ASKS, HELD, FOLLOWS };

struct peer {
    struct peer *next;
    int fd;
    enum state state;
    bool blocked, gone;
    struct channel *channel;       /* NULL while it asks */
    struct frame *at;              /* being sent, or next */
    size_t sent;                   /* bytes of it, or of the note */
    char *note;                    /* goes first; NULL: none */
    size_t note_n;
    uint64_t lines;                /* of the channel's, how many are behind it */
};

struct log_fan {
    int epoll, listen_fd;
    struct peer *peers;
    struct channel *channels;
    uint64_t first_until, taken_at;
};

/* --- what is kept */

static void frame_unref(struct frame *f)
{
    if (--f->refs > 0 || !f->dropped)
        return;
    free(f->data);
    free(f);
}

/* Lets go of what everybody has, and of what is too much. Who is at a frame is so of an earlier one than who is at a later
 * one: a first frame at which nobody is, nobody needs. */
static void channel_trim(struct channel *c)
{
    while (c->head != c->tail && (c->head->refs == 0 || c->bytes > KEPT_MAX)) {
        struct frame *f = c->head;

        c->head = f->next;
        c->bytes -= f->n;
        f->dropped = true;
        f->refs++;
        frame_unref(f);
    }
}

static void channel_push(struct channel *c, const struct buf *payload, uint64_t lines)
{
    struct frame *f = c->tail;
    struct buf b;

    buf_init(&b, IPC_PAYLOAD_MAX + IPC_HEADER + 1);
    (void) ipc_put(&b, IPC_STDOUT, buf_str(payload), buf_len(payload));
    f->n = buf_len(&b);
    f->data = buf_steal(&b);
    f->lines = lines;
    f->next = c->tail = xcalloc(1, sizeof(*f));
    c->bytes += f->n;
    c->lines += lines;
}

static struct channel *channel_of(struct log_fan *f, const char *only)
{
    struct channel *c;

    for (c = f->channels; c != NULL; c = c->next)
        if (only == NULL ? c->only == NULL : c->only != NULL && strcmp(c->only, only) == 0)
            return c;
    c = xcalloc(1, sizeof(*c));
    c->only = only != NULL ? xstrdup(only) : NULL;
    c->head = c->tail = xcalloc(1, sizeof(*c->head));
    c->next = f->channels;
    f->channels = c;
    return c;
}

static void channels_free_unused(struct log_fan *f)
{
    struct channel **at = &f->channels;

    while (*at != NULL) {
        struct channel *c = *at;

        channel_trim(c);
        if (c->users > 0) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        free(c->tail);
        free(c->only);
        free(c);
    }
}

/* "TIME web.1 text": is of web, and of web.1. */
static bool is_of(const char *text, const char *only)
{
    const char *name = strchr(text, ' ');
    size_t n = only != NULL ? strlen(only) : 0;

    if (only == NULL)
        return true;
    return name != NULL && strncmp(name + 1, only, n) == 0 &&
           (name[1 + n] == ' ' || (name[1 + n] == '.' && strchr(only, '.') == NULL));
}

static void channel_take(struct channel *c, const struct log_lines *l, struct buf *payload)
{
    uint64_t lines = 0;

    for (size_t i = 0; i <= l->n; i++) {
        bool last = i == l->n;

        if (!last && !is_of(l->v[i].text, c->only))
            continue;
        if (lines > 0 && (last || strlen(l->v[i].text) > buf_room(payload))) {
            channel_push(c, payload, lines);
            buf_clear(payload);
            lines = 0;
        }
        if (!last && buf_addstr(payload, l->v[i].text) == 0)
            lines++;
    }
}

static void lines_take(struct log_fan *f, struct log_lines *l)
{
    struct buf payload;

    if (l->n == 0)
        return;
    log_lines_sort(l);
    buf_init(&payload, IPC_PAYLOAD_MAX);
    for (struct channel *c = f->channels; c != NULL; c = c->next)
        channel_take(c, l, &payload);
    buf_release(&payload);
    log_lines_clear(l);
    f->taken_at = loop_now();
}

/* --- a follower */

static int peer_watch(const struct log_fan *f, struct peer *p, int op, uint32_t events)
{
    struct epoll_event e = { .events = events, .data = { .ptr = p } };

    return epoll_ctl(f->epoll, op, p->fd, &e);
}

static void peer_add(struct log_fan *f, int fd)
{
    struct peer *p = xcalloc(1, sizeof(*p));

    p->fd = fd;
    p->next = f->peers;
    f->peers = p;
    p->gone = peer_watch(f, p, EPOLL_CTL_ADD, EPOLLIN) < 0;
}

static void peer_free(const struct log_fan *f, struct peer *p)
{
    /* Who brought a session's descriptor may still have it open, too: closing it is not enough. */
    (void) peer_watch(f, p, EPOLL_CTL_DEL, 0);
    if (p->channel != NULL) {
        frame_unref(p->at);
        p->channel->users--;
    }
    (void) close(p->fd);
    free(p->note);
    free(p);
}

static void peer_goto(struct peer *p, struct frame *f)
{
    if (p->at != NULL)
        frame_unref(p->at);
    p->at = f;
    f->refs++;
    p->sent = 0;
}

/* It was too slow: it goes on with what comes next, behind a line that says so. */
static void peer_skip(struct peer *p)
{
    char when[RFC3339_SIZE];
    cleanup_free char *text = NULL;
    struct buf b;

    rfc3339_format((int64_t) time(NULL) * 1000, when);
    text = xasprintf("%s slipway %" PRIu64 " lines are left out here: this connection takes fewer than there are\n", when,
                     p->channel->lines - p->lines);
    buf_init(&b, REQUEST_MAX);
    (void) ipc_put(&b, IPC_STDOUT, text, strlen(text));
    p->note_n = buf_len(&b);
    p->note = buf_steal(&b);
    p->lines = p->channel->lines;
    peer_goto(p, p->channel->tail);
}

/* Sends what it takes. */
static void peer_send(const struct log_fan *f, struct peer *p)
{
    while (!p->gone && !p->blocked) {
        const char *data;
        size_t left;
        ssize_t n;

        if (p->note == NULL && p->at->dropped && p->sent == 0)
            peer_skip(p);
        if (p->note == NULL && p->at == p->channel->tail)
            return;
        data = (p->note != NULL ? p->note : p->at->data) + p->sent;
        left = (p->note != NULL ? p->note_n : p->at->n) - p->sent;
        n = send(p->fd, data, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            p->blocked = errno == EAGAIN;
            p->gone = errno != EINTR && (!p->blocked || peer_watch(f, p, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT) < 0);
            continue;
        }
        p->sent += (size_t) n;
        if ((size_t) n < left)
            continue;
        if (p->note != NULL) {
            free(p->note);
            p->note = NULL;
            p->sent = 0;
            continue;
        }
        p->lines += p->at->lines;
        if (p->at->dropped)
            peer_skip(p);
        else
            peer_goto(p, p->at->next);
    }
}

/* --- one that comes */

static int marks_send(int fd, json_t *marks)
{
    cleanup_free char *text = json_text(marks);
    size_t n = strlen(text);

    for (size_t at = 0; at < n; at += IPC_PAYLOAD_MAX)
        if (ipc_write(fd, IPC_STDOUT, text + at, n - at < IPC_PAYLOAD_MAX ? n - at : IPC_PAYLOAD_MAX, NULL) < 0)
            return -1;
    return ipc_write(fd, IPC_RESULT, "", 0, NULL);
}

/* The request is short, and sent at once. */
static int peer_ask(struct log_fan *f, struct peer *p, json_t *(*marks)(void *arg), void *arg)
{
    json_auto_t *doc = NULL, *all = NULL;
    const char *payload = NULL, *only;
    enum ipc_type type = IPC_STDIN;
    struct buf b;
    size_t n = 0;
    ssize_t got;

    buf_init(&b, REQUEST_MAX);
    got = recv(p->fd, buf_reserve(&b, REQUEST_MAX - 1), REQUEST_MAX - 1, MSG_DONTWAIT);
    if (got > 0)
        buf_added(&b, (size_t) got);
    if (got > 0 && ipc_get(&b, &type, &payload, &n, NULL) == 1 && type == IPC_REQUEST)
        doc = json_parse(payload, n, "the request", NULL);
    buf_release(&b);
    only = json_str(doc, "only", NULL);
    if (doc == NULL || (only != NULL && strlen(only) > ONLY_MAX))
        return -1;
    p->channel = channel_of(f, only);
    p->channel->users++;
    p->lines = p->channel->lines;
    peer_goto(p, p->channel->tail);
    p->state = HELD;
    all = marks(arg);
    return marks_send(p->fd, all);
}

/* The session's descriptor takes the place of the connection that brought it. */
static int peer_turn(struct log_fan *f, struct peer *p)
{
    union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(int))]; } control;
    char byte = 0;
    struct iovec io = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(p->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n == 1 ? CMSG_FIRSTHDR(&m) : NULL;
    int fd;

    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    (void) send(p->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void) close(p->fd);
    p->fd = fd;
    p->state = FOLLOWS;
    return peer_watch(f, p, EPOLL_CTL_ADD, EPOLLIN);
}

/* --- the reader's side */

struct log_fan *log_fan_new(int listen_fd, struct err *err)
{
    struct epoll_event e = { .events = EPOLLIN, .data = { .ptr = NULL } };
    cleanup_close int fd = epoll_create1(EPOLL_CLOEXEC);
    struct log_fan *f;

    if (fd < 0 || fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, listen_fd, &e) < 0) {
        (void) err_errno(err, "cannot wait for followers");
        (void) close(listen_fd);
        return NULL;
    }
    f = xcalloc(1, sizeof(*f));
    f->epoll = steal_fd(fd);
    f->listen_fd = listen_fd;
    f->first_until = loop_now() + FIRST_MS;
    return f;
}

static void peers_drop(struct log_fan *f, bool all)
{
    struct peer **at = &f->peers;

    while (*at != NULL) {
        struct peer *p = *at;

        if (!p->gone && !all) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        peer_free(f, p);
    }
    channels_free_unused(f);
}

void log_fan_free(struct log_fan *f)
{
    if (f == NULL)
        return;
    peers_drop(f, true);
    (void) close(f->listen_fd);
    (void) close(f->epoll);
    free(f);
}

int log_fan_fd(const struct log_fan *f)
{
    return f->epoll;
}

static int ms_until(uint64_t at)
{
    uint64_t now = loop_now();

    return at > now ? (int) (at - now) : 0;
}

int log_fan_ms(const struct log_fan *f, const struct log_lines *lines)
{
    if (lines->n > 0)
        return lines->n >= TOGETHER_LINES ? 0 : ms_until(f->taken_at + TOGETHER_MS);
    return f->peers == NULL ? ms_until(f->first_until) : -1;
}

static void peer_event(struct log_fan *f, struct peer *p, uint32_t events, json_t *(*marks)(void *arg), void *arg)
{
    switch (p->state) {
    case ASKS:
        p->gone = peer_ask(f, p, marks, arg) < 0;
        break;
    case HELD:
        p->gone = peer_turn(f, p) < 0;
        break;
    case FOLLOWS:
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && log_peer_gone(p->fd))
            p->gone = true;
        else if ((events & EPOLLOUT) != 0) {
            p->blocked = false;
            p->gone = peer_watch(f, p, EPOLL_CTL_MOD, EPOLLIN) < 0;
        }
        break;
    }
}

bool log_fan_service(struct log_fan *f, struct log_lines *lines, json_t *(*marks)(void *arg), void *arg)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(f->epoll, events, EVENTS, 0);
    bool came = false;

    /* Before one that comes is told how far it was read, those who are there have got that. */
    if (n > 0 || log_fan_ms(f, lines) == 0)
        lines_take(f, lines);
    for (int i = 0; i < n; i++) {
        int fd;

        if (events[i].data.ptr != NULL) {
            peer_event(f, events[i].data.ptr, events[i].events, marks, arg);
            continue;
        }
        fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            peer_add(f, fd);
        came = true;
    }
    for (struct peer *p = f->peers; p != NULL; p = p->next)
        if (p->state == FOLLOWS)
            peer_send(f, p);
    came = came || f->peers != NULL;
    if (came)
        f->first_until = 0;
    peers_drop(f, false);
    for (struct channel *c = f->channels; c != NULL; c = c->next)
        channel_trim(c);
    return f->peers != NULL || loop_now() < f->first_until;
}

void log_fan_end(struct log_fan *f, const struct err *why)
{
    json_auto_t *doc = json_pack("{s:i, s:s?}", "code", (int) why->code, "error", why->msg);
    cleanup_free char *text = doc != NULL ? json_text(doc) : xstrdup("{\"code\": 1}");
    cleanup_buf struct buf b;

    buf_init(&b, IPC_HEADER + IPC_PAYLOAD_MAX);
    (void) ipc_put(&b, IPC_RESULT, text, strlen(text));
    /* One that is in the middle of a frame just ends. */
    for (struct peer *p = f->peers; p != NULL; p = p->next)
        if (p->state == FOLLOWS && p->sent == 0)
            (void) send(p->fd, buf_str(&b), buf_len(&b), MSG_DONTWAIT | MSG_NOSIGNAL);
}
