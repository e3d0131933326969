/* The session processes: one is kept ready, each has one connection. */
#include "config.h"

#include "gateway/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/spawn.h"
#include "gateway/gateway.h"
#include "gateway/handoff.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES_MAX 2         /* sessions for one connection: the second is for one that was killed as a spare */

/* What a session finds: its end of the socket pair, and the settings. */
#define SESSION_FD 3

void session_free(struct session_child *s)
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
            waiting_admit(s->l);
            session_keep_spare(s->l); /* not sooner: starting it would slow down the one that it replaces */
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
        waiting_add(l, s->fd, &s->peer, s->tries);
        s->fd = -1;
    }
    session_free(s);
    if (was_busy) { /* a spare one that fails is not started anew before somebody comes */
        waiting_admit(l);
        session_keep_spare(l);
    }
}

static void on_session_news(struct loop *loop, int fd, uint32_t events, void *arg)
{
    (void) loop, (void) fd, (void) events;
    read_news(arg);
}

/* Sessions work with the settings that the listener has: a file that is being edited, or is wrong, is
 * nobody's matter until a reload has taken it. */
int session_conf_set(struct listener *l, struct err *err)
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
void session_keep_spare(struct listener *l)
{
    struct err err = ERR_INIT;

    if (l->spare != NULL || l->closed)
        return;
    l->spare = session_start(l, &err);
    if (l->spare == NULL)
        log_warn("cannot start a session: %s", err.msg);
}

void session_dismiss_spare(struct listener *l)
{
    if (l->spare != NULL)
        (void) shutdown(l->spare->sock, SHUT_WR);
    l->spare = NULL;
}

int session_count(const struct listener *l, const struct peer *p, int *ret_startups)
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

static bool hand_over(const struct session_child *s, int fd, struct err *err)
{
    if (handoff_send(s->sock, fd, err) == 0)
        return true;
    (void) kill(s->pid, SIGKILL); /* most likely it has just died; one that lives would wait for ever */
    return false;
}

bool session_give(struct listener *l, int fd, const struct peer *p, int tries)
{
    struct session_child *s = l->spare;
    struct err err = ERR_INIT;

    l->spare = NULL;
    if (s == NULL || !hand_over(s, fd, &err)) {
        s = session_start(l, &err);
        if (s != NULL && !hand_over(s, fd, &err))
            s = NULL;
    }
    if (s == NULL) {
        log_error("cannot serve a connection: %s", err.msg);
        return false;
    }
    s->busy = true;
    s->peer = *p;
    s->tries = tries;
    s->fd = fd;
    l->n_busy++;
    l->n_startups++;
    return true;
}

void session_kill_all(struct listener *l, int signo)
{
    struct session_child *s;

    TAILQ_FOREACH(s, &l->sessions, link)
        (void) kill(s->pid, signo);
}
