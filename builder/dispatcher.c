#include "config.h"

#include "builder/builder.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/role.h"
#include "base/spawn.h"
#include "base/wake.h"
#include "sql/tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACK_OFF_FIRST_MS 500 /* a worker that cannot even wait is not started again at once */
#define BACK_OFF_MAX_MS 30000

struct dispatcher;

struct worker {
    struct worker *next;
    struct dispatcher *d;
    pid_t pid;
    int tell;                  /* read end of its pipe */
    struct loop_source *told;
    bool busy;
};

struct dispatcher {
    const struct conf *conf;
    struct conf reloaded;      /* after a SIGHUP; conf points to it then */
    struct loop *loop;
    struct worker *workers;
    long long n;
    unsigned back_off_ms;
    bool stopping;
};

static void start_spare(struct dispatcher *d);

static struct worker *worker_find(struct dispatcher *d, pid_t pid)
{
    for (struct worker *w = d->workers; w != NULL; w = w->next) {
        if (w->pid == pid)
            return w;
    }
    return NULL;
}

static void worker_free(struct worker *gone)
{
    struct worker **at = &gone->d->workers;

    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    gone->d->n--;
    loop_remove(gone->told);
    (void) close(gone->tell);
    free(gone);
}

static void on_told(struct loop *l, int fd, uint32_t events, void *arg)
{
    struct worker *w = arg;
    char byte;

    (void) l;
    (void) events;
    if (read(fd, &byte, 1) == 1) {
        w->busy = true;
        start_spare(w->d);
    } else { /* its end is reported by on_exit */
        loop_remove(w->told);
        w->told = NULL;
    }
}

static void on_back_off(struct loop *l, void *arg)
{
    (void) l;
    start_spare(arg);
}

static void on_exit_of_worker(struct loop *l, pid_t pid, int status, void *arg)
{
    struct dispatcher *d = arg;
    struct worker *w = worker_find(d, pid);
    bool busy = w->busy, well = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    worker_free(w);
    if (d->stopping) {
        if (d->n == 0)
            loop_quit(l, 0);
        return;
    }
    if (!well && WIFSIGNALED(status))
        log_warn("worker %d was ended by signal %d", (int) pid, WTERMSIG(status));
    if (!well && busy) {
        cleanup_free char *wake = conf_state_path(d->conf, "run/builds.wake");
        struct err err = ERR_INIT;

        /* Its lease is free now: the worker that waits shall look. */
        if (wake_touch(wake, &err) != 0)
            log_warn("%s", err.msg);
    }
    if (well || busy) {
        d->back_off_ms = BACK_OFF_FIRST_MS;
        start_spare(d);
    } else {
        (void) loop_timer(d->loop, d->back_off_ms, on_back_off, d);
        d->back_off_ms = d->back_off_ms * 2 > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : d->back_off_ms * 2;
    }
}

static int worker_start(struct dispatcher *d, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    struct spawn s = SPAWN_INIT;
    struct worker *w;
    int fds[2];

    role_argv(d->conf, "build", &argv);
    role_env(d->conf, &env);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_errno(err, "making a pipe");
    s.path = ROLE_PATH;
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    s.fd_err = STDERR_FILENO;
    s.fds[s.n_fds++] = (struct spawn_fd) { .from = fds[1], .to = BUILDER_TELL_FD };
    s.new_group = true;                  /* a terminal's Ctrl-C reaches the supervisor only */
    s.no_new_privileges = true;
    s.parent_death_signal = SIGTERM;     /* then it hands its build back at once */
    w = xcalloc(1, sizeof(*w));
    w->d = d;
    w->tell = fds[0];
    w->pid = spawn_start(&s, NULL, err);
    (void) close(fds[1]);
    if (w->pid < 0) {
        (void) close(fds[0]);
        free(w);
        return -1;
    }
    w->next = d->workers;
    d->workers = w;
    d->n++;
    w->told = loop_fd(d->loop, w->tell, EPOLLIN, on_told, w, err);
    if (w->told == NULL || loop_child(d->loop, w->pid, on_exit_of_worker, d, err) == NULL)
        return -1;
    return 0;
}

/* One worker waits, linked and with the database open, so that a push does not wait for a program's start. */
static void start_spare(struct dispatcher *d)
{
    struct err err = ERR_INIT;

    if (d->stopping || d->n >= d->conf->builders)
        return;
    for (struct worker *w = d->workers; w != NULL; w = w->next) {
        if (!w->busy)
            return;
    }
    if (worker_start(d, &err) != 0) {
        log_error("starting a build worker: %s", err.msg);
        (void) loop_timer(d->loop, BACK_OFF_MAX_MS, on_back_off, d);
    }
}

static void tell_all(struct dispatcher *d, int signo)
{
    for (struct worker *w = d->workers; w != NULL; w = w->next)
        (void) kill(w->pid, signo);
}

static void on_stop(struct loop *l, int signo, void *arg)
{
    struct dispatcher *d = arg;

    (void) signo;
    d->stopping = true;
    tell_all(d, SIGTERM);
    if (d->n == 0)
        loop_quit(l, 0);
}

static void on_reload(struct loop *l, int signo, void *arg)
{
    struct dispatcher *d = arg;
    struct err err = ERR_INIT;
    struct conf fresh;

    (void) l;
    (void) signo;
    if (conf_load(&fresh, d->conf->file, &err) != 0) {
        log_error("the configuration was not read again: %s", err.msg);
        return;
    }
    if (d->conf == &d->reloaded)
        conf_release(&d->reloaded);
    d->reloaded = fresh;
    d->conf = &d->reloaded;
    tell_all(d, SIGHUP); /* the waiting worker ends, and its successor reads the file itself */
    start_spare(d);
}

/* Folders of builds that ended while no builder was there to remove them. */
static void clean_spool(const struct conf *c)
{
    cleanup_free char *spool = conf_state_path(c, "spool");
    struct err err = ERR_INIT;
    struct store *s = NULL;
    struct dirent *e;
    DIR *dir = opendir(spool);

    if (dir == NULL || store_open(c->state, true, &s, &err) != 0) {
        if (dir != NULL)
            (void) closedir(dir);
        return; /* the workers say what is wrong */
    }
    while ((e = readdir(dir)) != NULL) {
        cleanup_free char *path = xasprintf("%s/%s", spool, e->d_name);
        struct build b;
        long long id;

        if (sscanf(e->d_name, "build-%lld", &id) != 1)
            continue;
        err_clear(&err);
        if (builds_get(s, id, &b, &err) == 0) {
            bool going = b.state == BUILD_BUILDING;

            build_release(&b);
            if (going) /* its next worker does it */
                continue;
        } else if (err.code != ERR_NOT_FOUND) {
            continue;
        }
        if (path_remove_all(path, &err) != 0)
            log_warn("removing %s: %s", path, err.msg);
    }
    (void) closedir(dir);
    store_close(s);
}

int builder_main(const struct conf *c)
{
    struct dispatcher d = { .conf = c, .back_off_ms = BACK_OFF_FIRST_MS };
    cleanup_free char *spool = conf_state_path(c, "spool");
    struct err err = ERR_INIT;
    int rc = -1;

    if (path_mkdir(spool, 0700, &err) == 0)
        d.loop = loop_new(&err);
    if (d.loop != NULL && loop_signal(d.loop, SIGTERM, on_stop, &d, &err) != NULL
        && loop_signal(d.loop, SIGINT, on_stop, &d, &err) != NULL
        && loop_signal(d.loop, SIGHUP, on_reload, &d, &err) != NULL) {
        clean_spool(c);
        start_spare(&d);
        rc = loop_run(d.loop, &err);
    }
    if (rc < 0)
        log_error("%s", err.msg);
    while (d.workers != NULL)
        worker_free(d.workers);
    loop_free(d.loop);
    if (d.conf == &d.reloaded)
        conf_release(&d.reloaded);
    return rc < 0 ? 1 : rc;
}
