/* The listener. A connection gets the server's identification at once, as some clients wait for it. Then it waits here, at
 * the cost of a descriptor, until its peer has begun to speak SSH, too, and there is a place for its address; then a session process has it, which is counted against
 * max_startups until the peer has authenticated. Only max_startups refuses at once; all else waits its turn, so
 * that a burst of pushes from one address is served, one part after the other. Who waits in vain is told why. */
#include "config.h"

#include "gateway/gateway.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/spawn.h"
#include "gateway/admission.h"
#include "gateway/handoff.h"
#include "gateway/quarantine.h"
#include "gateway/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Connections that wait. When the room is full, the one that has been silent longest goes: a client speaks at
 * once, so a flood of silent peers never keeps one out. Where none is silent, an address that has more
 * than one there makes room. */
#define WAITING_MAX 512

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

#define ACCEPT_MAX 64       /* connections in one turn of the loop */
#define RETRY_MS 100        /* when descriptors have run out */
#define DRAIN_MS 25000      /* after a stop: transfers, and people who come while builds end, get this long */
#define KILL_MS 2000        /* between SIGTERM and SIGKILL for those that remain */
#define TRIES_MAX 2         /* sessions for one connection: the second is for one that was killed as a spare */
#define FDS_SPARE 64        /* beside two for each connection */

/* What a session finds: its end of the socket pair, and the settings. */
#define SESSION_FD 3

struct waiting {
    TAILQ_ENTRY(waiting) link;
    struct listener *l;
    int fd;
    bool greeted;            /* the peer speaks SSH: it waits for a session */
    bool told;               /* that it gets none: it is waited for until it has gone */
    int tries;               /* sessions that died with it in their hands, so to speak */
    struct peer peer;
    struct loop_source *io, *timer;
};

struct session_child {
    TAILQ_ENTRY(session_child) link;
    struct listener *l;
    pid_t pid;
    int sock;
    bool busy;               /* has a connection; else it is the spare one */
    int fd;                  /* the connection, until the session has said that it arrived; -1: it has */
    bool authenticated;
    int tries;               /* sessions that this connection was given to */
    struct peer peer;
    struct loop_source *io;
};

struct listener {
    const struct conf *conf;
    struct conf reloaded;    /* what SIGHUP read; conf points here from then on */
    bool is_reloaded;
    int conf_fd;             /* the settings as a file, for the sessions */
    struct startups startups;
    struct loop *loop;
    int fd;
    struct loop_source *accept, *retry;
    TAILQ_HEAD(, waiting) waiting;
    TAILQ_HEAD(, session_child) sessions;
    int n_waiting, n_busy, n_startups;
    struct session_child *spare;
    bool stopping;           /* who comes is still let in, and told so; see closed */
    bool closed, terminated;
    unsigned refused;        /* since the last line in the log about it */
    uint64_t refused_at;
};

#define REFUSED_LOG_MS 10000 /* a flood fills no disk with its own log */

static void log_refused(struct listener *l, const char *why)
{
    uint64_t now = loop_now();

    l->refused++;
    if (l->refused_at != 0 && now - l->refused_at < REFUSED_LOG_MS)
        return;
    log_warn("refused %u connection%s; now: %s", l->refused, l->refused == 1 ? "" : "s", why);
    l->refused = 0;
    l->refused_at = now;
}

static void waiting_free(struct waiting *w)
{
    TAILQ_REMOVE(&w->l->waiting, w, link);
    w->l->n_waiting--;
    loop_remove(w->io);
    loop_remove(w->timer);
    if (w->fd >= 0)
        (void) close(w->fd);
    free(w);
}

static void session_free(struct session_child *s)
{
    struct listener *l = s->l;

    TAILQ_REMOVE(&l->sessions, s, link);
    if (s->busy) {
        l->n_busy--;
        if (!s->authenticated)
            l->n_startups--;
    }
    if (l->spare == s)
        l->spare = NULL;
    loop_remove(s->io);
    (void) close(s->sock);
    if (s->fd >= 0)
        (void) close(s->fd);
    free(s);
    if (l->closed && TAILQ_EMPTY(&l->sessions))
        loop_quit(l->loop, 0);
}

static void admit(struct listener *l);
static void keep_spare(struct listener *l);
static void connection_add(struct listener *l, int fd, const struct peer *p, int tries);

static void read_news(struct session_child *s)
{
    enum handoff_news news;
    bool closed = false;

    do {
        news = handoff_read(s->sock, &closed);
        if (news == HANDOFF_RECEIVED && s->fd >= 0) {
            (void) close(s->fd);
            s->fd = -1;
        } else if (news == HANDOFF_AUTHENTICATED && s->busy && !s->authenticated) {
            s->authenticated = true;
            s->l->n_startups--;
            admit(s->l);
            keep_spare(s->l); /* not sooner: starting it would slow down the one that it replaces */
        }
    } while (news != HANDOFF_NONE);
    if (closed) {
        loop_remove(s->io);
        s->io = NULL;
    }
}

static void on_session_end(struct loop *loop, pid_t pid, int status, void *arg)
{
    struct session_child *s = arg;
    struct listener *l = s->l;
    bool was_busy = s->busy;

    (void) loop;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        log_info("session %d ended: login_grace_time had passed", (int) pid);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        log_warn("session %d ended: it used its CPU time (session_cpu) without transferring anything", (int) pid);
    else if (WIFSIGNALED(status))
        log_warn("session %d ended by signal %d", (int) pid, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        log_warn("session %d ended with exit code %d", (int) pid, WEXITSTATUS(status));
    read_news(s);
    /* One that died before it took its connection does not take it along. */
    if (s->fd >= 0 && s->tries < TRIES_MAX && !l->closed) {
        connection_add(l, s->fd, &s->peer, s->tries);
        s->fd = -1;
    }
    session_free(s);
    if (was_busy) { /* a spare one that fails is not started anew before somebody comes */
        admit(l);
        keep_spare(l);
    }
}

static void on_session_news(struct loop *loop, int fd, uint32_t events, void *arg)
{
    (void) loop, (void) fd, (void) events;
    read_news(arg);
}

/* Sessions work with the settings that the listener has: a file that is being edited, or is wrong, is
 * nobody's matter until a reload has taken it. */
static int conf_hand_down(struct listener *l, struct err *err)
{
    int fd = memfd_create("slipway.conf", MFD_CLOEXEC);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    FILE *f = copy >= 0 ? fdopen(copy, "w") : NULL;

    if (f == NULL) {
        err_errno(err, "cannot make a file of the settings");
        if (copy >= 0)
            (void) close(copy);
        if (fd >= 0)
            (void) close(fd);
        return -1;
    }
    conf_print(l->conf, f);
    if (fclose(f) != 0) {
        err_errno(err, "cannot make a file of the settings");
        (void) close(fd);
        return -1;
    }
    if (l->conf_fd >= 0)
        (void) close(l->conf_fd);
    l->conf_fd = fd;
    return 0;
}

static struct session_child *session_start(struct listener *l, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    struct spawn sp = SPAWN_INIT;
    struct session_child *s;
    struct conf as_handed = *l->conf;
    char conf_path[] = SESSION_CONF_PATH;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        err_errno(err, "cannot make a socket pair");
        return NULL;
    }
    as_handed.file = conf_path;
    role_argv(&as_handed, "session", &argv);
    role_env(l->conf, &env);
    sp.path = ROLE_PATH;
    sp.argv = vec_argv(&argv);
    sp.env = vec_argv(&env);
    sp.fd_err = STDERR_FILENO;
    sp.fds[sp.n_fds++] = (struct spawn_fd) { .from = pair[1], .to = SESSION_FD };
    sp.fds[sp.n_fds++] = (struct spawn_fd) { .from = l->conf_fd, .to = SESSION_CONF_FD };
    s = xcalloc(1, sizeof(*s));
    s->l = l;
    s->fd = -1;
    s->sock = pair[0];
    s->pid = spawn_start(&sp, NULL, err);
    (void) close(pair[1]);
    if (s->pid < 0 || loop_child(l->loop, s->pid, on_session_end, s, err) == NULL) {
        if (s->pid >= 0)
            (void) kill(s->pid, SIGKILL);
        (void) close(s->sock);
        free(s);
        return NULL;
    }
    s->io = loop_fd(l->loop, s->sock, EPOLLIN, on_session_news, s, NULL);
    TAILQ_INSERT_TAIL(&l->sessions, s, link);
    return s;
}

/* One session is kept ready, so that no person waits for its start. */
static void keep_spare(struct listener *l)
{
    struct err err = ERR_INIT;

    if (l->spare != NULL || l->closed)
        return;
    l->spare = session_start(l, &err);
    if (l->spare == NULL)
        log_warn("cannot start a session: %s", err.msg);
}

static int dice(void)
{
    uint32_t r = 0;

    (void) !getrandom(&r, sizeof(r), 0);
    return (int) (r % 100);
}

/* Sessions of a peer; *ret_startups: those that have not authenticated. */
static int count_peer(const struct listener *l, const struct peer *p, int *ret_startups)
{
    const struct session_child *s;
    int n = 0;

    *ret_startups = 0;
    TAILQ_FOREACH(s, &l->sessions, link) {
        if (!s->busy || !peer_equal(&s->peer, p))
            continue;
        n++;
        *ret_startups += !s->authenticated;
    }
    return n;
}

/* What a peer must wait for: sessions of its own address or of all. */
enum wait { WAIT_NOT, WAIT_ALL, WAIT_ADDRESS, WAIT_LOGINS };

static enum wait wait_of(const struct listener *l, const struct peer *p)
{
    int startups, n = count_peer(l, p, &startups), share = l->startups.begin / STARTUPS_SHARE;

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

static bool hand_over(const struct session_child *s, int fd, struct err *err)
{
    if (handoff_send(s->sock, fd, err) == 0)
        return true;
    (void) kill(s->pid, SIGKILL); /* most likely it has just died; one that lives would wait for ever */
    return false;
}

/* False where it got none, and has been told. */
static bool give_session(struct waiting *w)
{
    struct listener *l = w->l;
    struct err err = ERR_INIT;
    struct session_child *s = l->spare;
    int one = 1;

    if (startups_refuse(&l->startups, l->n_startups, dice())) {
        refuse(w, "max_startups", "too many connections to this server are logging in (max_startups); try again in a moment");
        return false;
    }
    (void) setsockopt(w->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
    l->spare = NULL;
    if (s == NULL || !hand_over(s, w->fd, &err)) {
        s = session_start(l, &err);
        if (s != NULL && !hand_over(s, w->fd, &err))
            s = NULL;
    }
    if (s == NULL) {
        log_error("cannot serve a connection: %s", err.msg);
        return true;
    }
    s->busy = true;
    s->peer = w->peer;
    s->tries = w->tries + 1;
    s->fd = w->fd;
    w->fd = -1;
    l->n_busy++;
    l->n_startups++;
    return true;
}

/* Whoever waited longest and may come in now. */
static void admit(struct listener *l)
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
    admit(l);
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

static void make_room(struct listener *l)
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

static void connection_add(struct listener *l, int fd, const struct peer *p, int tries)
{
    struct waiting *w = xcalloc(1, sizeof(*w));
    struct err err = ERR_INIT;
    int low = GREETING_LEN;

    if (l->n_waiting >= WAITING_MAX)
        make_room(l);
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

static void on_accept(struct loop *loop, int fd, uint32_t events, void *arg);

static void on_retry(struct loop *loop, void *arg)
{
    struct listener *l = arg;
    struct err err = ERR_INIT;

    l->retry = NULL;
    if (l->closed || l->accept != NULL)
        return;
    l->accept = loop_fd(loop, l->fd, EPOLLIN, on_accept, l, &err);
    if (l->accept == NULL)
        log_error("%s", err.msg);
}

static void on_accept(struct loop *loop, int fd, uint32_t events, void *arg)
{
    struct listener *l = arg;

    (void) events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage a;
        socklen_t len = sizeof(a);
        struct peer peer;
        int c = accept4(fd, (struct sockaddr *) &a, &len, SOCK_CLOEXEC);

        if (c >= 0) {
            /* A new socket has room for it, unless its peer is gone: then there is nobody to miss it. */
            (void) !send(c, SSH_IDENTIFICATION, SSH_IDENTIFICATION_LEN, MSG_DONTWAIT | MSG_NOSIGNAL);
            peer_of((struct sockaddr *) &a, &peer);
            connection_add(l, c, &peer, 0);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_refused(l, strerror(errno));
            if (!TAILQ_EMPTY(&l->waiting)) {
                make_room(l);
                continue;
            }
            loop_remove(l->accept);
            l->accept = NULL;
            l->retry = loop_timer(loop, RETRY_MS, on_retry, l);
            return;
        }
        if (errno == EAGAIN)
            return;
        /* The others are errors of one connection that has ended already (accept(2)). */
    }
}

static void kill_sessions(struct listener *l, int signo)
{
    struct session_child *s;

    TAILQ_FOREACH(s, &l->sessions, link)
        (void) kill(s->pid, signo);
}

/* Nobody is let in any more; the last session's end is the listener's. */
static void close_door(struct listener *l)
{
    if (l->closed)
        return;
    l->closed = true;
    log_info("no new connections");
    loop_remove(l->accept);
    loop_remove(l->retry);
    l->accept = l->retry = NULL;
    (void) close(l->fd);
    l->fd = -1;
    while (!TAILQ_EMPTY(&l->waiting))
        waiting_free(TAILQ_FIRST(&l->waiting));
    if (l->spare != NULL)
        (void) shutdown(l->spare->sock, SHUT_WR); /* it sees the end and goes */
    if (TAILQ_EMPTY(&l->sessions))
        loop_quit(l->loop, 0);
}

static void on_drained(struct loop *loop, void *arg)
{
    struct listener *l = arg;

    close_door(l);
    kill_sessions(l, l->terminated ? SIGKILL : SIGTERM);
    l->terminated = true;
    (void) loop_timer(loop, KILL_MS, on_drained, l);
}

/* The server stops. Its sessions see that for themselves (gateway/stopping.h). */
static void on_stop(struct loop *loop, int signo, void *arg)
{
    struct listener *l = arg;

    (void) signo;
    if (l->stopping)
        return;
    l->stopping = true;
    log_info("stopping: %d connection%s to wait for", l->n_busy, l->n_busy == 1 ? "" : "s");
    (void) loop_timer(loop, DRAIN_MS, on_drained, l);
}

/* Whatever else ran has ended. */
static void on_alone(struct loop *loop, int signo, void *arg)
{
    (void) loop, (void) signo;
    close_door(arg);
}

static void on_reload(struct loop *loop, int signo, void *arg)
{
    struct listener *l = arg;
    struct err err = ERR_INIT;
    struct conf fresh;
    struct startups startups;

    (void) loop;
    (void) signo;
    if (conf_load(&fresh, l->conf->file, &err) < 0) {
        log_error("the configuration is kept as it was: %s", err.msg);
        return;
    }
    if (startups_parse(fresh.max_startups, &startups, &err) < 0) {
        log_error("the configuration is kept as it was: %s", err.msg);
        conf_release(&fresh);
        return;
    }
    if (l->is_reloaded)
        conf_release(&l->reloaded);
    l->reloaded = fresh;
    l->is_reloaded = true;
    l->conf = &l->reloaded;
    l->startups = startups;
    if (conf_hand_down(l, &err) < 0)
        log_error("sessions go on with the old settings: %s", err.msg);
    if (l->spare != NULL) { /* it has the old settings */
        (void) shutdown(l->spare->sock, SHUT_WR);
        l->spare = NULL;
    }
    keep_spare(l);
    log_info("read the configuration again");
}

/* Two descriptors for each connection: its socket until a session has it, and that one's socket pair. */
static void raise_fd_limit(const struct conf *c)
{
    struct rlimit r;
    rlim_t want = WAITING_MAX + 2 * (rlim_t) c->max_connections + FDS_SPARE;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= want)
        return;
    r.rlim_cur = want < r.rlim_max ? want : r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) < 0)
        log_warn("cannot raise the limit of open files: %s", strerror(errno));
}

static int listener_setup(struct listener *l, struct err *err)
{
    if (startups_parse(l->conf->max_startups, &l->startups, err) < 0 || conf_hand_down(l, err) < 0)
        return -1;
    if (fcntl(l->fd, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(err, "cannot use the listening socket");
    l->loop = loop_new(err);
    if (l->loop == NULL || loop_signal(l->loop, SIGTERM, on_stop, l, err) == NULL ||
        loop_signal(l->loop, SIGINT, on_stop, l, err) == NULL ||
        loop_signal(l->loop, LISTENER_ALONE, on_alone, l, err) == NULL ||
        loop_signal(l->loop, SIGHUP, on_reload, l, err) == NULL)
        return -1;
    l->accept = loop_fd(l->loop, l->fd, EPOLLIN, on_accept, l, err);
    return l->accept != NULL ? 0 : -1;
}

int listener_main(const struct conf *c, int listen_fd)
{
    struct listener l = { .conf = c, .conf_fd = -1, .fd = listen_fd };
    struct err err = ERR_INIT;
    int code;

    TAILQ_INIT(&l.waiting);
    TAILQ_INIT(&l.sessions);
    (void) signal(SIGPIPE, SIG_IGN);
    raise_fd_limit(c);
    quarantine_sweep(c);
    if (listener_setup(&l, &err) < 0) {
        log_error("%s", err.msg);
        loop_free(l.loop);
        return 1;
    }
    keep_spare(&l);
    code = loop_run(l.loop, &err);
    if (code < 0) {
        log_error("%s", err.msg);
        code = 1;
    }
    while (!TAILQ_EMPTY(&l.waiting))
        waiting_free(TAILQ_FIRST(&l.waiting));
    while (!TAILQ_EMPTY(&l.sessions))
        session_free(TAILQ_FIRST(&l.sessions));
    loop_free(l.loop);
    if (l.is_reloaded)
        conf_release(&l.reloaded);
    return code;
}
