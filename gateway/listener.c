/* The listener. A connection gets the server's identification at once, as some clients wait for it. Then it waits
 * (listener_waiting.c), at the cost of a descriptor, until its peer has begun to speak SSH, too, and there is a place for its
 * address; then a session process has it (listener_sessions.c), which is counted against max_startups until the peer has
 * authenticated. Only max_startups refuses at once; all else waits its turn, so that a burst of pushes from one address is
 * served, one part after the other. Who waits in vain is told why. */
#include "config.h"

#include "gateway/listener.h"

#include "base/log.h"
#include "gateway/gateway.h"
#include "gateway/handoff.h"
#include "gateway/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_MAX 64       /* connections in one turn of the loop */
#define RETRY_MS 100        /* when descriptors have run out */
#define DRAIN_MS 25000      /* after a stop: transfers, and people who come while builds end, get this long */
#define KILL_MS 2000        /* between SIGTERM and SIGKILL for those that remain */
#define FDS_SPARE 64        /* beside two for each connection */

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
            waiting_add(l, c, &peer, 0);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_refused(l, strerror(errno));
            if (!TAILQ_EMPTY(&l->waiting)) {
                waiting_make_room(l);
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
    session_dismiss_spare(l);
    if (TAILQ_EMPTY(&l->sessions))
        loop_quit(l->loop, 0);
}

static void on_drained(struct loop *loop, void *arg)
{
    struct listener *l = arg;

    close_door(l);
    session_kill_all(l, l->terminated ? SIGKILL : SIGTERM);
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
    if (session_conf_set(l, &err) < 0)
        log_error("sessions go on with the old settings: %s", err.msg);
    session_dismiss_spare(l); /* it has the old settings */
    session_keep_spare(l);
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
    if (startups_parse(l->conf->max_startups, &l->startups, err) < 0 || session_conf_set(l, err) < 0)
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
    session_keep_spare(&l);
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
