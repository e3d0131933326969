/* Role "deployer": starts what does the work, and opens neither the database nor the cluster. */
#include "config.h"

#include "deployer/deployer.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/spawn.h"
#include "base/wake.h"
#include "deployer/pulse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STREAMS_MAX 64          /* people who follow logs at a time; each is a process of some MiB */
#define WORKERS_MAX 64          /* the table's size; [release] releases has a lower limit */
#define BACKOFF_MIN_MS 500      /* before a worker is started again that ended without having worked */
#define BACKOFF_MAX_MS 30000
#define DRAIN_MS (PULSE_DRAIN_MS + 8000) /* then what still runs is killed; the supervisor waits for longer */

enum kind { KIND_NONE, KIND_IDLE, KIND_BUSY, KIND_STREAM };

struct child {
    struct deployer *d;
    enum kind kind;
    pid_t pid;
    int pipe;                   /* of a worker that is idle; -1 */
    struct loop_source *pipe_source;
};

struct deployer {
    const struct conf *conf;    /* the newest */
    struct conf *own;           /* what a reload has made; NULL: still the first */
    struct loop *loop;
    struct child children[WORKERS_MAX + STREAMS_MAX];
    int listen_fd;
    struct loop_source *listen_source, *backoff;
    uint64_t backoff_ms;
    bool stopping;
};

static size_t count(const struct deployer *d, enum kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < countof(d->children); i++)
        n += d->children[i].kind == kind;
    return n;
}

static struct child *child_free_place(struct deployer *d)
{
    for (size_t i = 0; i < countof(d->children); i++) {
        if (d->children[i].kind == KIND_NONE)
            return &d->children[i];
    }
    return NULL;
}

static void signal_all(struct deployer *d, enum kind kind, int signo)
{
    for (size_t i = 0; i < countof(d->children); i++) {
        if (d->children[i].kind == kind)
            (void) kill(d->children[i].pid, signo);
    }
}

static void fill(struct deployer *d);

static void pipe_close(struct child *c)
{
    loop_remove(c->pipe_source);
    c->pipe_source = NULL;
    if (c->pipe >= 0)
        (void) close(c->pipe);
    c->pipe = -1;
}

static void on_backoff(struct loop *l, void *arg)
{
    struct deployer *d = arg;

    (void) l;
    d->backoff = NULL;
    fill(d);
}

/* A worker that ended without having got work failed at its start: the database, mostly. */
static void back_off(struct deployer *d)
{
    d->backoff_ms = d->backoff_ms == 0 ? BACKOFF_MIN_MS : d->backoff_ms * 2;
    if (d->backoff_ms > BACKOFF_MAX_MS)
        d->backoff_ms = BACKOFF_MAX_MS;
    if (d->backoff == NULL)
        d->backoff = loop_timer(d->loop, d->backoff_ms, on_backoff, d);
}

static void quit_when_done(struct deployer *d)
{
    if (d->stopping && count(d, KIND_IDLE) + count(d, KIND_BUSY) + count(d, KIND_STREAM) == 0)
        loop_quit(d->loop, 0);
}

static void on_child(struct loop *l, pid_t pid, int status, void *arg)
{
    struct child *c = arg;
    struct deployer *d = c->d;
    enum kind was = c->kind;
    /* SIGTERM is ours: it may reach a worker before it has blocked it. */
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM;
    bool failed = killed || (WIFEXITED(status) && WEXITSTATUS(status) != 0);

    (void) l;
    pipe_close(c);
    c->kind = KIND_NONE;
    if (killed)
        log_warn("%s %d was killed by signal %d", was == KIND_STREAM ? "stream" : "release worker", (int) pid,
                 WTERMSIG(status));
    if (was == KIND_BUSY && (failed || WIFSIGNALED(status))) {
        cleanup_free char *wake = conf_state_path(d->conf, "run/releases.wake");

        /* Its release is free now; an idle worker does not see that by itself. */
        (void) wake_touch(wake, NULL);
    }
    if (was == KIND_IDLE && failed && !d->stopping)
        back_off(d);
    else if (was == KIND_BUSY)
        d->backoff_ms = 0;
    quit_when_done(d);
    fill(d);
}

/* The idle worker has got work (a byte), or is ending (end of file: on_child comes next). */
static void on_pipe(struct loop *l, int fd, uint32_t events, void *arg)
{
    struct child *c = arg;
    char byte;

    (void) l, (void) events;
    if (read(fd, &byte, 1) == 1)
        c->kind = KIND_BUSY;
    pipe_close(c);
    fill(c->d);
}

static pid_t start(struct deployer *d, const char *role, int fd, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    struct spawn s = SPAWN_INIT;

    role_argv(d->conf, role, &argv);
    role_env(d->conf, &env);
    s.path = ROLE_PATH;
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    s.fd_err = STDERR_FILENO;
    s.fds[0] = (struct spawn_fd){ .from = fd, .to = WORKER_FD };
    s.n_fds = 1;
    s.no_new_privileges = true;
    /* Where this process is killed, a worker still ends its release or hands it back. */
    s.parent_death_signal = SIGTERM;
    return spawn_start(&s, NULL, err);
}

static int start_worker(struct deployer *d, struct err *err)
{
    struct child *c = child_free_place(d);
    cleanup_close int theirs = -1;
    int fd[2];
    pid_t pid;

    if (c == NULL)
        return err_set(err, ERR_BUSY, "too many processes");
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    theirs = fd[1];
    pid = start(d, "release", theirs, err);
    if (pid < 0) {
        (void) close(fd[0]);
        return -1;
    }
    *c = (struct child){ .d = d, .kind = KIND_IDLE, .pid = pid, .pipe = fd[0] };
    c->pipe_source = loop_fd(d->loop, fd[0], EPOLLIN, on_pipe, c, err);
    if (c->pipe_source == NULL || loop_child(d->loop, pid, on_child, c, err) == NULL) {
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        pipe_close(c);
        c->kind = KIND_NONE;
        return -1;
    }
    return 0;
}

/* One idle worker at all times, within the number that may work at once. */
static void fill(struct deployer *d)
{
    struct err err = ERR_INIT;
    size_t max = d->conf->releases < WORKERS_MAX ? (size_t) d->conf->releases : WORKERS_MAX;

    if (d->stopping || d->backoff != NULL || count(d, KIND_IDLE) > 0 || count(d, KIND_BUSY) >= max)
        return;
    if (start_worker(d, &err) < 0) {
        log_error("release worker: %s", err.msg);
        back_off(d);
    }
}

/* Tells a session why there is no stream for it. What does not fit into the socket is lost. */
static void refuse(int fd, const char *why)
{
    json_t *result = json_pack("{s:i, s:s}", "code", ERR_BUSY, "error", why);
    cleanup_free char *text = json_text(result);
    cleanup_buf struct buf frame;

    json_decref(result);
    buf_init(&frame, IPC_PAYLOAD_MAX + IPC_HEADER);
    if (ipc_put(&frame, IPC_RESULT, text, strlen(text)) == 0)
        (void) send(fd, buf_str(&frame), buf_len(&frame), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_connection(struct loop *l, int listen_fd, uint32_t events, void *arg)
{
    struct deployer *d = arg;
    struct child *c = child_free_place(d);
    cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    struct err err = ERR_INIT;
    pid_t pid;

    (void) l, (void) events;
    if (fd < 0)
        return;
    if (d->stopping) {
        refuse(fd, "the server is stopping; try again in a moment");
        return;
    }
    if (c == NULL || count(d, KIND_STREAM) >= STREAMS_MAX) {
        refuse(fd, "too many people look at logs and processes now; try again in a moment");
        return;
    }
    pid = start(d, "stream", fd, &err);
    if (pid < 0) {
        log_error("stream: %s", err.msg);
        refuse(fd, "the deployer can't start a process for this");
        return;
    }
    *c = (struct child){ .d = d, .kind = KIND_STREAM, .pid = pid, .pipe = -1 };
    if (loop_child(d->loop, pid, on_child, c, &err) == NULL) {
        log_error("stream: %s", err.msg);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        c->kind = KIND_NONE;
    }
}

static void on_deadline(struct loop *l, void *arg)
{
    struct deployer *d = arg;

    (void) l;
    log_warn("%zu release workers and %zu streams did not end in time and are killed", count(d, KIND_BUSY),
             count(d, KIND_STREAM));
    signal_all(d, KIND_IDLE, SIGKILL);
    signal_all(d, KIND_BUSY, SIGKILL);
    signal_all(d, KIND_STREAM, SIGKILL);
}

static void on_stop(struct loop *l, int signo, void *arg)
{
    struct deployer *d = arg;

    (void) signo;
    if (d->stopping)
        return;
    d->stopping = true;
    signal_all(d, KIND_IDLE, SIGTERM);
    signal_all(d, KIND_BUSY, SIGTERM);
    signal_all(d, KIND_STREAM, SIGTERM);
    (void) loop_timer(l, DRAIN_MS, on_deadline, d);
    quit_when_done(d);
}

static void on_reload(struct loop *l, int signo, void *arg)
{
    struct deployer *d = arg;
    struct conf *fresh = xcalloc(1, sizeof(*fresh));
    struct err err = ERR_INIT;

    (void) l, (void) signo;
    if (conf_load(fresh, d->conf->file, &err) < 0) {
        log_error("the configuration stays as it was: %s", err.msg);
        free(fresh);
        return;
    }
    if (d->own != NULL)
        conf_release(d->own);
    free(d->own);
    d->own = fresh;
    d->conf = fresh;
    /* The idle worker has read the old one; who works goes on with it. */
    signal_all(d, KIND_IDLE, SIGTERM);
    fill(d);
}

static int serve(struct deployer *d, struct err *err)
{
    d->listen_source = loop_fd(d->loop, d->listen_fd, EPOLLIN, on_connection, d, err);
    if (d->listen_source == NULL || loop_signal(d->loop, SIGTERM, on_stop, d, err) == NULL ||
        loop_signal(d->loop, SIGINT, on_stop, d, err) == NULL || loop_signal(d->loop, SIGHUP, on_reload, d, err) == NULL)
        return -1;
    fill(d);
    return loop_run(d->loop, err);
}

int deployer_main(const struct conf *c, int listen_fd)
{
    struct deployer d = { .conf = c, .listen_fd = listen_fd };
    struct err err = ERR_INIT;
    int rc = -1;

    for (size_t i = 0; i < countof(d.children); i++)
        d.children[i].pipe = -1;
    d.loop = loop_new(&err);
    if (d.loop != NULL)
        rc = serve(&d, &err);
    if (rc < 0)
        log_error("%s", err.msg);
    for (size_t i = 0; i < countof(d.children); i++)
        pipe_close(&d.children[i]);
    loop_free(d.loop);
    (void) close(d.listen_fd);
    if (d.own != NULL)
        conf_release(d.own);
    free(d.own);
    return rc < 0 ? ERR_FAILED : rc;
}
