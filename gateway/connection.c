#include "config.h"

#include "gateway/connection.h"

#include "base/loop.h"
#include "base/mem.h"
#include "gateway/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A peer that is waited for for a whole idle_timeout must have moved this much, or it is only
 * holding the connection open: one byte every ten seconds is no transfer. */
#define PACE_BYTES 4096

/* libssh 0.10 accepts data beyond the window; a little more than the window may be on its way. */
#define OVERFLOW_SLACK (64 * 1024)
#define WINDOW_MAX (CONNECTION_READ_MAX)

/* One write into libssh: it encrypts all of it before anything else happens. */
#define WRITE_MAX (128 * 1024)

/* Each time so many bytes have moved, the CPU allowance begins anew (session_cpu seconds). The
 * slowest cipher needs a second for far more. */
#define GRANT_BYTES (16 * 1024 * 1024)

/* Rounds of packet handling before the caller gets its turn again. */
#define ROUNDS_MAX 256

#define EXTRA_FDS_MAX 4

static void lost(struct connection *c, const char *why)
{
    if (!c->gone) {
        c->gone = true;
        c->gone_why = why;
    }
}

void connection_grant_cpu(struct connection *c)
{
    struct rusage u;
    struct rlimit r;

    if (getrusage(RUSAGE_SELF, &u) < 0 || getrlimit(RLIMIT_CPU, &r) < 0)
        return;
    r.rlim_cur = (rlim_t) (u.ru_utime.tv_sec + u.ru_stime.tv_sec + 2 + c->conf->session_cpu / 1000);
    if (r.rlim_max != RLIM_INFINITY && r.rlim_cur > r.rlim_max)
        r.rlim_cur = r.rlim_max;
    (void) setrlimit(RLIMIT_CPU, &r);
    c->moved_at_grant = c->moved;
}

static void moved(struct connection *c, struct pace *p, size_t n)
{
    p->bytes += n;
    if (p->bytes >= PACE_BYTES)
        *p = (struct pace) { 0, 0 };
    c->moved += n;
    if (c->moved - c->moved_at_grant >= GRANT_BYTES)
        connection_grant_cpu(c);
}

/* Adds time spent on waiting for the peer; too much of it for too little ends the connection. */
static void paced(struct connection *c, struct pace *p, uint64_t ms)
{
    p->waited_ms += ms;
    if (p->waited_ms >= (uint64_t) c->conf->idle_timeout)
        lost(c, "the peer was silent or too slow for idle_timeout");
}

/* libssh also calls a channel that was closed at its end. But who closes it without having said EOF, or before there is an
 * answer, has gone away in the middle: what came is no whole input (RFC 4254 §5.3). */
static void eof_check(struct connection *c)
{
    if (c->peer_closed)
        lost(c, "the peer closed the channel");
    else if (c->peer_eof && ssh_channel_is_eof(c->channel))
        c->eof = true;
}

/* Lets libssh handle what has arrived and send what is left. */
static void handle_packets(struct connection *c)
{
    int rc, stdin_len, stderr_len;

    for (int i = 0; i < ROUNDS_MAX; i++) {
        rc = ssh_event_dopoll(c->event, 0);
        if (rc == SSH_ERROR) {
            lost(c, "the connection was lost");
            return;
        }
        if (rc == SSH_AGAIN)
            break;
        if (c->channel != NULL && ssh_channel_poll(c->channel, 0) > WINDOW_MAX / 2)
            break;
    }
    if ((ssh_get_status(c->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0)
        lost(c, "the connection was closed");
    if (c->channel == NULL || c->gone)
        return;
    stdin_len = ssh_channel_poll(c->channel, 0);
    stderr_len = ssh_channel_poll(c->channel, 1);
    if (stdin_len > WINDOW_MAX + OVERFLOW_SLACK || stderr_len > 0)
        lost(c, "the peer sent data beyond its window");
    eof_check(c);
}

int connection_turn(struct connection *c)
{
    if (!c->gone && ssh_event_dopoll(c->event, -1) == SSH_ERROR)
        lost(c, "the connection was lost");
    if (!c->gone)
        handle_packets(c);
    return c->gone ? -1 : 0;
}

static bool has_input(struct connection *c)
{
    return c->channel != NULL && ssh_channel_poll(c->channel, 0) != 0;
}

/* True where nothing that was written is left in this process. */
static bool is_flushed(const struct connection *c)
{
    return (ssh_get_status(c->ssh) & SSH_WRITE_PENDING) == 0;
}

size_t connection_room(const struct connection *c)
{
    size_t n;

    if (c->gone || c->channel == NULL || !is_flushed(c))
        return 0;
    n = ssh_channel_window_size(c->channel);
    return n < WRITE_MAX ? n : WRITE_MAX;
}

void connection_waited_for_peer(struct connection *c, uint64_t ms)
{
    paced(c, &c->in, ms);
}

static int ready(struct connection *c, int want)
{
    return ((want & WANT_INPUT) != 0 && has_input(c) ? IO_INPUT : 0) |
           ((want & WANT_WINDOW) != 0 && connection_room(c) > 0 ? IO_WINDOW : 0);
}

int connection_wait(struct connection *c, struct pollfd *fds, size_t n, int want, int timeout_ms)
{
    uint64_t begin = loop_now(), now = begin;
    struct pollfd p[1 + EXTRA_FDS_MAX];

    if (n > EXTRA_FDS_MAX)
        abort(); /* a caller's mistake; four are known */
    for (;;) {
        int bits, ms = -1, rc;

        if (c->gone)
            return IO_GONE;
        bits = ready(c, want);
        if (c->resized) {
            c->resized = false;
            bits |= IO_RESIZE;
        }
        if (timeout_ms >= 0) {
            uint64_t spent = now - begin;

            ms = spent >= (uint64_t) timeout_ms ? 0 : timeout_ms - (int) spent;
        }
        p[0] = (struct pollfd) { .fd = ssh_get_fd(c->ssh), .events = POLLIN };
        if (p[0].fd < 0) {
            lost(c, "the connection was closed");
            return IO_GONE;
        }
        if ((ssh_get_poll_flags(c->ssh) & SSH_WRITE_PENDING) != 0)
            p[0].events |= POLLOUT;
        if (n > 0)
            memcpy(p + 1, fds, n * sizeof(*fds));
        do
            rc = poll(p, 1 + n, bits != 0 ? 0 : ms);
        while (rc < 0 && errno == EINTR);
        for (size_t i = 0; i < n; i++) {
            fds[i].revents = p[1 + i].revents;
            if (fds[i].revents != 0)
                bits |= IO_FD;
        }
        if (p[0].revents != 0)
            handle_packets(c);
        if (c->gone)
            return IO_GONE;
        bits |= ready(c, want);
        now = loop_now();
        if (bits != 0 || (timeout_ms >= 0 && now - begin >= (uint64_t) timeout_ms))
            return bits;
    }
}

long connection_read_now(struct connection *c, void *data, size_t max)
{
    int n;

    if (c->channel == NULL)
        return -1;
    n = ssh_channel_read_nonblocking(c->channel, data, (uint32_t) max, 0);
    eof_check(c); /* reading handles packets, too */
    if (n > 0) {
        moved(c, &c->in, (size_t) n);
        return n;
    }
    if (n == 0 && !c->eof && !c->gone)
        return 0;
    if (!c->eof)
        lost(c, "reading from the connection failed");
    return -1;
}

long connection_read(struct connection *c, void *data, size_t max)
{
    for (;;) {
        uint64_t begin = loop_now();
        long n = connection_read_now(c, data, max);

        if (n > 0)
            return n;
        if (c->eof && !c->gone)
            handle_packets(c); /* a close that came together with the end */
        if (c->eof && !c->gone)
            return 0;
        if (n < 0)
            return -1;
        (void) connection_wait(c, NULL, 0, WANT_INPUT, (int) c->conf->idle_timeout);
        paced(c, &c->in, loop_now() - begin);
        if (c->gone)
            return -1;
    }
}

/* Waits for the peer to take what is on its way, or to open its window. */
static void wait_output(struct connection *c)
{
    uint64_t begin = loop_now();
    struct pollfd s = { .fd = ssh_get_fd(c->ssh), .events = POLLIN };

    if (!is_flushed(c))
        s.events |= POLLOUT;
    if (s.fd < 0 || (poll(&s, 1, (int) c->conf->idle_timeout) < 0 && errno != EINTR))
        lost(c, "waiting for the connection failed");
    else
        handle_packets(c);
    paced(c, &c->out, loop_now() - begin);
}

int connection_write(struct connection *c, bool to_stderr, const void *data, size_t n)
{
    const char *p = data;

    while (n > 0) {
        size_t piece;
        int rc = 0;

        if (c->gone || c->channel == NULL)
            return -1;
        piece = connection_room(c);
        if (piece > n)
            piece = n;
        if (piece > 0) {
            rc = to_stderr ? ssh_channel_write_stderr(c->channel, p, (uint32_t) piece)
                           : ssh_channel_write(c->channel, p, (uint32_t) piece);
            if (rc < 0) {
                lost(c, "writing to the connection failed");
                return -1;
            }
            moved(c, &c->out, (size_t) rc);
            p += rc;
            n -= (size_t) rc;
        }
        if (rc == 0)
            wait_output(c);
    }
    return c->gone ? -1 : 0;
}

void connection_close(struct connection *c, int exit_code)
{
    uint64_t end;

    if (c->channel == NULL)
        return;
    while (!c->gone && !is_flushed(c))
        wait_output(c);
    if (c->gone)
        return;
    if (ssh_channel_request_send_exit_status(c->channel, exit_code) == SSH_ERROR ||
        ssh_channel_send_eof(c->channel) == SSH_ERROR || ssh_channel_close(c->channel) == SSH_ERROR) {
        lost(c, "closing the channel failed");
        return;
    }
    end = loop_now() + CONNECTION_CLOSE_MS;
    while (!c->gone && !c->peer_closed) {
        uint64_t now = loop_now();

        if (now >= end)
            break;
        (void) connection_wait(c, NULL, 0, 0, (int) (end - now));
    }
}
