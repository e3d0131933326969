#include "config.h"

#include "daemon/supervisor.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/role.h"
#include "base/spawn.h"
#include "daemon/backoff.h"
#include "daemon/listen.h"
#include "daemon/lock.h"
#include "daemon/notify.h"
#include "daemon/roles.h"
#include "daemon/state.h"
#include "gateway/gateway.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 8     /* rows of the role table with at_start */
#define DRAIN_MS 45000     /* roles end or hand back what they do within 30 s; then they are killed */
#define DOWN_MS 2000       /* a role that is let wait for longer is down, and who asks it is told so */
#define MIGRATE_FAILED "the database could not be brought up to date; see the line above"

struct supervisor;

/* A role that is kept running. */
struct child {
    struct supervisor *s;
    const struct role_row *role;
    pid_t pid;                  /* 0: does not run */
    int socket;                 /* what it listens on; -1: nothing, or closed */
    uint64_t started, delay;    /* loop_now() of the last start; the last back-off */
    struct loop_source *retry;
};

struct supervisor {
    struct conf *conf;
    struct loop *loop;
    struct loop_source *deadline;
    char *draining;             /* path of the file that says so */
    int lock, listen;           /* listen: until the listener has a row, which then holds it */
    struct child children[CHILDREN_MAX];
    size_t n;
    bool stopping;
};

static void child_start(struct child *ch);

static void on_retry(struct loop *l, void *arg)
{
    struct child *ch = arg;

    (void) l;
    ch->retry = NULL;
    child_start(ch);
}

/* Starts the role again after its back-off. Who asks it meanwhile waits in its socket's queue. */
static void child_later(struct child *ch, uint64_t lived)
{
    ch->delay = backoff_next(ch->delay, lived);
    if (ch->delay > DOWN_MS && ch->role->socket != NULL)
        cleanup_close_p(&ch->socket);
    ch->retry = loop_timer(ch->s->loop, ch->delay, on_retry, ch);
}

static bool any_runs(const struct supervisor *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->children[i].pid != 0)
            return true;
    return false;
}

/* Who pushes into a server that is stopping shall hear so: the listener goes last. */
static void listener_tell(const struct supervisor *s)
{
    const struct child *listener = NULL;

    for (size_t i = 0; i < s->n; i++) {
        if (s->children[i].pid == 0)
            continue;
        if (listener != NULL || strcmp(s->children[i].role->name, "listener") != 0)
            return;
        listener = &s->children[i];
    }
    if (listener != NULL)
        (void) kill(listener->pid, LISTENER_ALONE);
}

static void on_child(struct loop *l, pid_t pid, int status, void *arg)
{
    struct child *ch = arg;
    uint64_t lived = loop_now() - ch->started;

    (void) pid;
    ch->pid = 0;
    if (ch->s->stopping) {
        if (!any_runs(ch->s))
            loop_quit(l, 0);
        listener_tell(ch->s);
        return;
    }
    child_later(ch, lived);
    if (WIFSIGNALED(status))
        log_error("%s was ended by signal %d; it starts again in %llu ms", ch->role->name, WTERMSIG(status),
                  (unsigned long long) ch->delay);
    else
        log_error("%s ended with exit code %d; it starts again in %llu ms", ch->role->name,
                  WEXITSTATUS(status), (unsigned long long) ch->delay);
}

/* Starts a role as its user; it gets the socket (-1: none). -1 with err. */
static pid_t role_start(struct supervisor *s, const struct role_row *r, int socket, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    struct spawn spawn = SPAWN_INIT;

    role_argv(s->conf, r->name, &argv);
    role_env(s->conf, &env);
    if (role_spawn(s->conf, r, &spawn, err) < 0)
        return -1;
    spawn.argv = vec_argv(&argv);
    spawn.env = vec_argv(&env);
    spawn.cwd = "/";
    spawn.fd_err = STDERR_FILENO;
    spawn.new_group = true; /* a Ctrl-C at our terminal is ours to hand on */
    spawn.parent_death_signal = SIGKILL;
    if (socket >= 0)
        spawn.fds[spawn.n_fds++] = (struct spawn_fd) { .from = socket, .to = ROLE_FD };
    return spawn_start(&spawn, NULL, err);
}

static int child_listen(struct child *ch, struct err *err)
{
    if (ch->role->socket != NULL && ch->socket < 0)
        ch->socket = role_listen(ch->s->conf, ch->role, err);
    return ch->role->socket != NULL && ch->socket < 0 ? -1 : 0;
}

static void child_start(struct child *ch)
{
    struct err err = ERR_INIT;
    pid_t pid = child_listen(ch, &err) == 0 ? role_start(ch->s, ch->role, ch->socket, &err) : -1;

    ch->started = loop_now();
    if (pid > 0 && loop_child(ch->s->loop, pid, on_child, ch, &err) == NULL) {
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        pid = -1;
    }
    if (pid < 0) {
        child_later(ch, 0);
        log_error("%s: %s; tried again in %llu ms", ch->role->name, err.msg, (unsigned long long) ch->delay);
        return;
    }
    ch->pid = pid;
    log_debug("%s started as process %d", ch->role->name, (int) pid);
}

static void children_signal(struct supervisor *s, int signo)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->children[i].pid != 0)
            (void) kill(s->children[i].pid, signo);
}

static void sockets_close(struct supervisor *s)
{
    for (size_t i = 0; i < s->n; i++)
        cleanup_close_p(&s->children[i].socket);
}

static void on_deadline(struct loop *l, void *arg)
{
    struct supervisor *s = arg;

    (void) l;
    s->deadline = NULL;
    for (size_t i = 0; i < s->n; i++)
        if (s->children[i].pid != 0)
            log_warn("%s did not end within %d s and is killed", s->children[i].role->name, DRAIN_MS / 1000);
    children_signal(s, SIGKILL);
}

static void on_stop(struct loop *l, int signo, void *arg)
{
    struct supervisor *s = arg;
    struct err err = ERR_INIT;

    (void) signo;
    if (s->stopping) {
        log_warn("stopping at once");
        children_signal(s, SIGKILL);
        return;
    }
    log_info("stopping: no new work; what runs is finished or handed to the next start");
    s->stopping = true;
    notify_send("STOPPING=1");
    if (path_write(s->draining, "", 0, 0644, &err) < 0)
        log_warn("%s", err.msg);
    for (size_t i = 0; i < s->n; i++) {
        loop_remove(s->children[i].retry);
        s->children[i].retry = NULL;
    }
    children_signal(s, SIGTERM);
    sockets_close(s); /* the roles alone hold them now: the listener closes its own when it lets nobody in */
    s->deadline = loop_timer(l, DRAIN_MS, on_deadline, s);
    if (!any_runs(s))
        loop_quit(l, 0);
    listener_tell(s);
}

static void on_reload(struct loop *l, int signo, void *arg)
{
    struct supervisor *s = arg;
    struct err err = ERR_INIT;
    struct conf fresh;

    (void) l, (void) signo;
    if (s->stopping)
        return;
    if (conf_load(&fresh, s->conf->file, &err) < 0) {
        log_error("the configuration is not changed: %s", err.msg);
        return;
    }
    if (strcmp(fresh.state, s->conf->state) != 0) {
        log_error("the configuration is not changed: [server] state cannot change while the server runs");
        conf_release(&fresh);
        return;
    }
    if (strcmp(fresh.listen, s->conf->listen) != 0 || fresh.port != s->conf->port)
        log_warn("[ssh] listen and port count from the next start on");
    conf_release(s->conf);
    *s->conf = fresh;
    role_log("supervisor", s->conf);
    log_info("the configuration was read again");
    children_signal(s, SIGHUP);
}

/* Runs the role "migrate" to its end. */
static int migrate(struct supervisor *s, struct err *err)
{
    struct spawn_result result;
    pid_t pid = role_start(s, role_find("migrate"), -1, err);

    if (pid < 0 || spawn_wait(pid, &result, err) < 0)
        return -1;
    return result.signaled || result.code != 0 ? err_set(err, ERR_FAILED, MIGRATE_FAILED) : 0;
}

/* What the server listens on is open before any role runs, so nobody who gets in finds a part that does not answer. */
static int children_prepare(struct supervisor *s, struct err *err)
{
    for (const struct role_row *r = roles; r->name != NULL; r++) {
        struct child *ch = &s->children[s->n];

        if (!r->at_start || (r->needed != NULL && !r->needed(s->conf)))
            continue;
        *ch = (struct child) { .s = s, .role = r, .socket = -1 };
        s->n++;
        if (strcmp(r->name, "listener") == 0)
            ch->socket = steal_fd(s->listen);
        else if (child_listen(ch, err) < 0)
            return -1;
    }
    return 0;
}

static int supervisor_prepare(struct supervisor *s, struct err *err)
{
    s->lock = lock_take(s->conf->state, err);
    if (s->lock < 0)
        return -1;
    s->listen = listen_open(s->conf->listen, (int) s->conf->port, err);
    if (s->listen < 0 || state_journal_make(s->conf, err) < 0 || migrate(s, err) < 0)
        return -1;
    if (unlink(s->draining) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove %s", s->draining);
    s->loop = loop_new(err);
    if (s->loop == NULL || loop_signal(s->loop, SIGTERM, on_stop, s, err) == NULL
        || loop_signal(s->loop, SIGINT, on_stop, s, err) == NULL
        || loop_signal(s->loop, SIGHUP, on_reload, s, err) == NULL)
        return -1;
    return children_prepare(s, err);
}

int supervisor_run(struct conf *c)
{
    struct supervisor s = { .conf = c, .lock = -1, .listen = -1 };
    struct err err = ERR_INIT;
    int rc = -1;

    (void) umask(007);
    (void) signal(SIGPIPE, SIG_IGN);
    role_log("supervisor", c);
    s.draining = conf_state_path(c, "run/draining");
    if (supervisor_prepare(&s, &err) == 0) {
        if (geteuid() != 0)
            log_info("not started as root: all roles run as the same user");
        for (size_t i = 0; i < s.n; i++)
            child_start(&s.children[i]);
        log_info("slipway " PACKAGE_VERSION " serves %s on %s port %lld", c->state, c->listen, c->port);
        notify_send("READY=1");
        rc = loop_run(s.loop, &err);
    }
    if (rc < 0)
        log_error("%s", err.msg);
    else
        log_info("stopped");
    loop_free(s.loop);
    sockets_close(&s);
    cleanup_close_p(&s.listen);
    cleanup_close_p(&s.lock);
    free(s.draining);
    return rc < 0 ? err.code != ERR_NONE ? (int) err.code : 1 : rc;
}
