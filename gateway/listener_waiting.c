/* Who waits: for its peer's greeting, and then for a session. */
#include "config.h"

#include "gateway/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of the connections that max_startups lets in without a lottery, one address has at most this part: alone it
 * cannot make others lose. */
#define STARTUPS_SHARE 2

/* "SSH-" (RFC 4253 §4.2): before these bytes a peer gets no process. It need not wait for ours, nor we for its. */
#define GREETING "SSH-"
#define GREETING_LEN 4

/* How long a peer waits for others to end their sessions. A burst of short commands is through by then, and a person who sees
 * nothing for longer thinks that it hangs. */
#define PATIENCE_MS 5000
#define TOLD_MS 2000        /* for a peer to read what it was told, and to go */
#define REFUSED_LOG_MS 10000 /* a flood fills no disk with its own log */

void log_refused(struct listener *l, const char *why)
{
    uint64_t now = loop_now();

    l->refused++;
    if (l->refused_at != 0 && now - l->refused_at < REFUSED_LOG_MS)
        return;
    log_warn("refused %u connection%s; now: %s", l->refused, l->refused == 1 ? "" : "s", why);
    l->refused = 0;
    l->refused_at = now;
}

void waiting_free(struct waiting *w)
{
    TAILQ_REMOVE(&w->l->waiting, w, link);
    w->l->n_waiting--;
    loop_remove(w->io);
    loop_remove(w->timer);
    if (w->fd >= 0)
        (void) close(w->fd);
    free(w);
}

static int dice(void)
{
    uint32_t r = 0;

    (void) !getrandom(&r, sizeof(r), 0);
    return (int) (r % 100);
}

/* What a peer must wait for: sessions of its own address or of all. */
enum wait { WAIT_NOT, WAIT_ALL, WAIT_ADDRESS, WAIT_LOGINS };

static enum wait wait_of(const struct listener *l, const struct peer *p)
{
    int startups, n = session_count(l, p, &startups), share = l->startups.begin / STARTUPS_SHARE;

    return l->n_busy >= l->conf->max_connections ? WAIT_ALL
         : n >= l->conf->max_connections_per_address ? WAIT_ADDRESS
         : startups >= (share > 0 ? share : 1) ? WAIT_LOGINS : WAIT_NOT;
}

static void on_told(struct loop *loop, int fd, uint32_t events, void *arg)
{
    char piece[4096];
    ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

    (void) loop, (void) events;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        waiting_free(arg);
}

static void on_told_enough(struct loop *loop, void *arg)
{
    (void) loop;
    ((struct waiting *) arg)->timer = NULL;
    waiting_free(arg);
}

/* Says why, to the peer and into the log. What it has sent is read away until it goes: a connection that is closed before that
 * is reset, and the peer may lose the sentence. */
static void refuse(struct waiting *w, const char *limit, const char *why)
{
    struct listener *l = w->l;
    unsigned char packet[REFUSAL_MAX];
    char address[PEER_TEXT], text[256];
    ssize_t n = (ssize_t) refusal_packet(why, packet);
    int one = 1;

    peer_text(&w->peer, address);
    (void) snprintf(text, sizeof(text), "one from %s, for %s", address, limit);
    log_refused(l, text);
    loop_remove(w->timer);
    loop_remove(w->io);
    w->told = true;
    w->io = NULL;
    w->timer = loop_timer(l->loop, TOLD_MS, on_told_enough, w);
    (void) setsockopt(w->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
    if (send(w->fd, packet, (size_t) n, MSG_DONTWAIT | MSG_NOSIGNAL) == n && shutdown(w->fd, SHUT_WR) == 0)
        w->io = loop_fd(l->loop, w->fd, EPOLLIN, on_told, w, NULL);
    if (w->io == NULL)
        waiting_free(w);
}

/* False where it got none, and has been told. */
static bool give_session(struct waiting *w)
{
    struct listener *l = w->l;
    int one = 1;

    if (startups_refuse(&l->startups, l->n_startups, dice())) {
        refuse(w, "max_startups", "too many connections to this server are logging in (max_startups); try again in a moment");
        return false;
    }
    (void) setsockopt(w->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
    if (session_give(l, w->fd, &w->peer, w->tries + 1))
        w->fd = -1;
    return true;
}

void waiting_admit(struct listener *l)
{
    struct waiting *w = TAILQ_FIRST(&l->waiting), *next;

    for (; w != NULL && !l->closed; w = next) {
        next = TAILQ_NEXT(w, link);
        if (!w->greeted || w->told || wait_of(l, &w->peer) != WAIT_NOT)
            continue;
        if (give_session(w))
            waiting_free(w);
    }
}

static void on_waited(struct loop *loop, void *arg);

static void on_waiting(struct loop *loop, int fd, uint32_t events, void *arg)
{
    struct waiting *w = arg;
    struct listener *l = w->l;
    char greeting[GREETING_LEN];
    enum wait wait;
    ssize_t n;

    n = recv(fd, greeting, sizeof(greeting), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != GREETING_LEN || memcmp(greeting, GREETING, GREETING_LEN) != 0 || (events & EPOLLRDHUP) != 0 ||
        loop_fd_events(w->io, EPOLLRDHUP, NULL) < 0) {
        waiting_free(w);
        return;
    }
    w->greeted = true;
    wait = wait_of(l, &w->peer);
    if ((wait == WAIT_ALL || wait == WAIT_ADDRESS) && l->conf->login_grace_time > PATIENCE_MS) {
        loop_remove(w->timer);
        w->timer = loop_timer(loop, PATIENCE_MS, on_waited, w);
    }
    waiting_admit(l);
}

static void on_waited(struct loop *loop, void *arg)
{
    struct waiting *w = arg;
    const struct conf *c = w->l->conf;
    char text[REFUSAL_TEXT_MAX];

    (void) loop;
    w->timer = NULL;
    if (!w->greeted) {
        waiting_free(w);
        return;
    }
    switch (wait_of(w->l, &w->peer)) {
    case WAIT_ADDRESS:
        (void) snprintf(text, sizeof(text), "%lld connections from your address are open, as many as this server takes "
                        "(max_connections_per_address); end one of them, for example a logs -t, and try again",
                        c->max_connections_per_address);
        refuse(w, "max_connections_per_address", text);
        break;
    case WAIT_LOGINS:
        refuse(w, "max_startups", "too many connections from your address are logging in (max_startups); try again in a moment");
        break;
    default:
        (void) snprintf(text, sizeof(text), "%lld connections are open, as many as this server takes (max_connections); try "
                        "again in a moment", c->max_connections);
        refuse(w, "max_connections", text);
        break;
    }
}

void waiting_make_room(struct listener *l)
{
    struct waiting *w, *other;

    TAILQ_FOREACH(w, &l->waiting, link) {
        if (!w->greeted || w->told)
            break;
    }
    if (w == NULL) {
        TAILQ_FOREACH(w, &l->waiting, link) {
            other = TAILQ_NEXT(w, link);
            while (other != NULL && !peer_equal(&w->peer, &other->peer))
                other = TAILQ_NEXT(other, link);
            if (other != NULL)
                break;
        }
        log_refused(l, "too many are waiting");
    }
    waiting_free(w != NULL ? w : TAILQ_FIRST(&l->waiting));
}

void waiting_add(struct listener *l, int fd, const struct peer *p, int tries)
{
    struct waiting *w = xcalloc(1, sizeof(*w));
    struct err err = ERR_INIT;
    int low = GREETING_LEN;

    if (l->n_waiting >= WAITING_MAX)
        waiting_make_room(l);
    w->l = l;
    w->fd = fd;
    w->peer = *p;
    w->tries = tries;
    TAILQ_INSERT_TAIL(&l->waiting, w, link);
    l->n_waiting++;
    /* Readable only with the whole greeting, or at the end of the connection. */
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
    w->timer = loop_timer(l->loop, (uint64_t) l->conf->login_grace_time, on_waited, w);
    w->io = loop_fd(l->loop, fd, EPOLLIN, on_waiting, w, &err);
    if (w->io == NULL) {
        log_error("%s", err.msg);
        waiting_free(w);
    }
}
