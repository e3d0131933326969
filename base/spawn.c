#include "config.h"

#include "base/spawn.h"

#include "base/mem.h"
#include "base/role.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SPAWN_CHUNK (64 * 1024) /* a pipe's default capacity */
#define PATH_FALLBACK "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What the child reports through the pipe when it could not become the program. */
struct failure {
    int step;
    int error;
};

enum { STEP_FDS, STEP_GROUP, STEP_LIMIT, STEP_IDS, STEP_DEATH, STEP_CWD, STEP_EXEC };

static const char *const step_names[] = {
    [STEP_FDS] = "cannot pass descriptors to",
    [STEP_GROUP] = "cannot make a process group for",
    [STEP_LIMIT] = "cannot set limits for",
    [STEP_IDS] = "cannot change the user for",
    [STEP_DEATH] = "cannot bind to its parent",
    [STEP_CWD] = "cannot enter the working folder of",
    [STEP_EXEC] = "cannot start",
};

/* The file to execute: s->path, a name with a slash, or the first executable in PATH. */
static char *program_find(const struct spawn *s, struct err *err)
{
    const char *name = s->path != NULL ? s->path : s->argv[0];
    const char *at, *end;

    if (s->path != NULL || strchr(name, '/') != NULL)
        return xstrdup(name);
    at = getenv("PATH");
    if (at == NULL || at[0] == '\0')
        at = PATH_FALLBACK;
    for (; *at != '\0'; at = *end != '\0' ? end + 1 : end) {
        cleanup_free char *file = NULL;

        end = strchrnul(at, ':');
        if (end == at || *at != '/') /* never the working folder */
            continue;
        file = xasprintf("%.*s/%s", (int) (end - at), at, name);
        if (access(file, X_OK) == 0)
            return steal_ptr(file);
    }
    err_set(err, ERR_FAILED, "cannot start %s: no such program in PATH", name);
    return NULL;
}

static void env_default(struct vec *ret)
{
    const char *path = getenv("PATH");

    vec_addf(ret, "PATH=%s", path != NULL && path[0] != '\0' ? path : PATH_FALLBACK);
    vec_add(ret, "LANG=C.UTF-8");
}

/* Everything below, up to spawn_start, runs between fork and exec. */

static int child_limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit r = { .rlim_cur = (rlim_t) soft, .rlim_max = (rlim_t) hard };

    return soft != 0 ? setrlimit((__rlimit_resource_t) resource, &r) : 0;
}

/* Puts every descriptor at its number. All sources are first copied above the highest number
 * that is wanted, so that no copy overwrites a source that is still needed. The report pipe
 * ends up right above the highest number; everything behind it is closed. */
static int child_fds(const struct spawn *s, int *report)
{
    int from[3 + SPAWN_FDS_MAX], to[3 + SPAWN_FDS_MAX];
    int n = 0, top = 2, null = -1, moved;

    from[n] = s->fd_in, to[n++] = STDIN_FILENO;
    from[n] = s->fd_out, to[n++] = STDOUT_FILENO;
    from[n] = s->fd_err, to[n++] = STDERR_FILENO;
    for (size_t i = 0; i < s->n_fds; i++) {
        from[n] = s->fds[i].from;
        to[n++] = s->fds[i].to;
        if (s->fds[i].to > top)
            top = s->fds[i].to;
    }
    for (int i = 0; i < n; i++) {
        if (from[i] < 0) {
            if (null < 0 && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
                return -1;
            from[i] = null;
        }
        if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, top + 2)) < 0)
            return -1;
    }
    if ((moved = fcntl(*report, F_DUPFD_CLOEXEC, top + 2)) < 0)
        return -1;
    *report = moved;
    if (dup3(moved, top + 1, O_CLOEXEC) < 0)
        return -1;
    *report = top + 1;
    for (int i = 0; i < n; i++)
        if (dup2(from[i], to[i]) < 0)
            return -1;
    for (int fd = 3; fd <= top; fd++) {
        int wanted = 0;

        for (int i = 0; i < n; i++)
            wanted |= to[i] == fd;
        if (!wanted)
            (void) close(fd);
    }
    closefrom(top + 2);
    return 0;
}

/* Of all capabilities this one alone goes on through exec (capabilities(7), "Ambient"). */
static int bind_ports_keep(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    data[0].effective = data[0].permitted = data[0].inheritable = 1U << CAP_NET_BIND_SERVICE;
    if (syscall(SYS_capset, &head, data) < 0)
        return -1;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
}

static int child_limits(const struct spawn *s)
{
#ifdef SLIPWAY_SANITIZED
    /* AddressSanitizer reserves terabytes of address space, so a role of such a build cannot be limited. */
    bool limit_memory = s->path == NULL || strcmp(s->path, ROLE_PATH) != 0;
#else
    bool limit_memory = true;
#endif

    /* A second of CPU between the soft and the hard limit, so that the end is a SIGXCPU and
     * can be told from other kills. */
    if ((limit_memory && child_limit(RLIMIT_AS, s->limit_memory, s->limit_memory) < 0)
        || child_limit(RLIMIT_FSIZE, s->limit_file, s->limit_file) < 0
        || child_limit(RLIMIT_CPU, s->limit_cpu, s->limit_cpu + 1) < 0)
        return -1;
    errno = 0;
    return s->nice != 0 && nice(s->nice) == -1 && errno != 0 ? -1 : 0;
}

static int child_become(const struct spawn *s, pid_t parent, int *report)
{
    if (child_fds(s, report) < 0)
        return STEP_FDS;
    if (s->new_session ? setsid() < 0 : s->new_group && setpgid(0, 0) < 0)
        return STEP_GROUP;
    if (child_limits(s) < 0)
        return STEP_LIMIT;
    if (s->set_ids
        && (setgroups(s->n_groups, s->groups) < 0 || setresgid(s->gid, s->gid, s->gid) < 0
            || (s->bind_ports && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) || setresuid(s->uid, s->uid, s->uid) < 0
            || (s->bind_ports && bind_ports_keep() < 0)))
        return STEP_IDS;
    if (s->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return STEP_IDS;
    if (s->parent_death_signal != 0) { /* a change of user would clear it */
        if (prctl(PR_SET_PDEATHSIG, s->parent_death_signal) < 0)
            return STEP_DEATH;
        if (getppid() != parent) { /* died in between */
            errno = ESRCH;
            return STEP_DEATH;
        }
    }
    if (s->cwd != NULL && chdir(s->cwd) < 0)
        return STEP_CWD;
    return STEP_EXEC;
}

static void __attribute__((noreturn))
child_run(const struct spawn *s, const char *file, char *const *env, pid_t parent, int report)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL };
    struct failure f;
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++)
        (void) sigaction(signo, &dfl, NULL);
    f.step = child_become(s, parent, &report);
    if (f.step == STEP_EXEC) {
        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) execve(file, s->argv, env);
    }
    f.error = errno;
    if (write(report, &f, sizeof(f)) < 0)
        _exit(126);
    _exit(127);
}

pid_t spawn_start(const struct spawn *s, int *ret_pidfd, struct err *err)
{
    cleanup_free char *file = NULL;
    cleanup_vec struct vec env = VEC_INIT;
    cleanup_close int get = -1, put = -1;
    struct failure f = { 0, 0 };
    sigset_t all, old;
    int report[2], pidfd;
    pid_t pid, parent = getpid();
    ssize_t n;

    file = program_find(s, err);
    if (file == NULL)
        return -1;
    if (s->env == NULL)
        env_default(&env);
    if (pipe2(report, O_CLOEXEC) < 0)
        return err_errno(err, "cannot start %s", s->argv[0]);
    get = report[0];
    put = report[1];

    /* No handler of ours may run in the child. */
    sigfillset(&all);
    (void) sigprocmask(SIG_SETMASK, &all, &old);
    pid = fork();
    if (pid == 0)
        child_run(s, file, s->env != NULL ? s->env : vec_argv(&env), parent, put);
    (void) sigprocmask(SIG_SETMASK, &old, NULL);
    if (pid < 0)
        return err_errno(err, "cannot start %s", s->argv[0]);
    (void) close(steal_fd(put));
    do
        n = read(get, &f, sizeof(f));
    while (n < 0 && errno == EINTR);
    if (n != 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        errno = n == (ssize_t) sizeof(f) ? f.error : EIO;
        return err_errno(err, "%s %s", step_names[f.step],
                         f.step == STEP_CWD ? s->cwd : s->path != NULL ? s->path : s->argv[0]);
    }
    if (ret_pidfd != NULL) {
        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0) {
            err_errno(err, "cannot watch %s", s->argv[0]);
            (void) kill(pid, SIGKILL);
            (void) waitpid(pid, NULL, 0);
            return -1;
        }
        *ret_pidfd = pidfd;
    }
    return pid;
}

int spawn_wait(pid_t pid, struct spawn_result *ret, struct err *err)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, "cannot wait for process %d", (int) pid);
    ret->signaled = WIFSIGNALED(status);
    ret->code = ret->signaled ? WTERMSIG(status) : WEXITSTATUS(status);
    ret->timed_out = false;
    return 0;
}

/* One stream of spawn_run: our end of a pipe and where its bytes go. */
struct stream {
    int fd;
    struct buf *to;
};

/* Reads what is there. 1: more may come, 0: end, -1: the buffer is full or reading failed. */
static int stream_read(struct stream *t, const char *name, struct err *err)
{
    for (;;) {
        size_t room = buf_room(t->to);
        char one[1];
        char *at = room != 0 ? buf_reserve(t->to, room < SPAWN_CHUNK ? room : SPAWN_CHUNK) : one;
        ssize_t n = read(t->fd, at, room == 0 ? 1 : room < SPAWN_CHUNK ? room : SPAWN_CHUNK);

        if (n > 0 && room == 0)
            return err_set(err, ERR_FAILED, "%s wrote more than %zu bytes", name, t->to->max);
        if (n > 0) {
            buf_added(t->to, (size_t) n);
            continue;
        }
        if (n == 0) {
            (void) close(steal_fd(t->fd));
            return 0;
        }
        if (errno == EAGAIN)
            return 1;
        if (errno != EINTR)
            return err_errno(err, "cannot read from %s", name);
    }
}

/* Writes what the pipe takes; closes it at the end of the input or when nobody reads. */
static void stream_write(int *fd, const struct buf *in, size_t *at)
{
    while (*at < buf_len(in)) {
        ssize_t n = write(*fd, buf_str(in) + *at, buf_len(in) - *at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        *at += (size_t) n;
    }
    (void) close(steal_fd(*fd));
}

static int64_t now_ms(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int pipe_make(int *ours, int *theirs, bool we_read, struct err *err)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    *ours = we_read ? p[0] : p[1];
    *theirs = we_read ? p[1] : p[0];
    if (fcntl(*ours, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(err, "cannot make a pipe");
    return 0;
}

/* Moves bytes until the process has ended; it is then still a zombie. */
static int run_pump(const struct spawn *s, int pidfd, const struct buf *in, int *fd_in, struct stream out[2],
                    int timeout_ms, bool *ret_timed_out, struct err *err)
{
    const char *name = s->argv[0];
    int64_t end = timeout_ms >= 0 ? now_ms() + timeout_ms : -1;
    size_t at = 0;

    for (;;) {
        struct pollfd p[] = {
            { .fd = pidfd, .events = POLLIN },
            { .fd = *fd_in, .events = POLLOUT },
            { .fd = out[0].fd, .events = POLLIN },
            { .fd = out[1].fd, .events = POLLIN },
            { .fd = s->stop != NULL ? s->wake_fd : -1, .events = POLLIN },
        };
        int64_t left = end >= 0 ? end - now_ms() : -1;
        bool ended;

        *ret_timed_out = end >= 0 && left <= 0;
        if (*ret_timed_out)
            return err_set(err, ERR_FAILED, "%s took longer than %d ms", name, timeout_ms);
        if (poll(p, countof(p), (int) left) < 0) {
            if (errno != EINTR)
                return err_errno(err, "cannot wait for %s", name);
            continue;
        }
        /* Seen before the last reads, so that nothing written before the end is missed. */
        ended = p[0].revents != 0;
        if (p[1].revents != 0)
            stream_write(fd_in, in, &at);
        for (int i = 0; i < 2; i++)
            if (out[i].fd >= 0 && (ended || p[2 + i].revents != 0) && stream_read(&out[i], name, err) < 0)
                return -1;
        if (ended)
            return 0;
        if (p[4].revents != 0 && s->stop(s->stop_arg))
            return err_set(err, ERR_FAILED, "canceled");
    }
}

int spawn_run(const struct spawn *s, const struct buf *in, struct buf *out, struct buf *err_out,
              int timeout_ms, struct spawn_result *ret, struct err *err)
{
    cleanup_close int fd_in = -1, in_theirs = -1, out_theirs = -1, err_theirs = -1, pidfd = -1;
    struct stream streams[2] = { { -1, out }, { -1, err_out } };
    struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
    struct spawn run = *s;
    struct err why = ERR_INIT;
    bool timed_out = false;
    pid_t pid = -1;
    int rc = -1;

    if ((in != NULL && pipe_make(&fd_in, &in_theirs, false, err) < 0)
        || (out != NULL && pipe_make(&streams[0].fd, &out_theirs, true, err) < 0)
        || (err_out != NULL && pipe_make(&streams[1].fd, &err_theirs, true, err) < 0))
        goto out;
    run.fd_in = in_theirs;
    run.fd_out = out_theirs;
    run.fd_err = err_theirs;
    run.new_group = !run.new_session;
    if (run.parent_death_signal == 0)
        run.parent_death_signal = SIGKILL; /* nobody would read its output */
    pid = spawn_start(&run, &pidfd, err);
    if (pid < 0)
        goto out;
    if (in_theirs >= 0)
        (void) close(steal_fd(in_theirs));
    if (out_theirs >= 0)
        (void) close(steal_fd(out_theirs));
    if (err_theirs >= 0)
        (void) close(steal_fd(err_theirs));

    (void) sigaction(SIGPIPE, &ignore, &old);
    rc = run_pump(&run, pidfd, in, &fd_in, streams, timeout_ms, &timed_out, &why);
    (void) sigaction(SIGPIPE, &old, NULL);
    /* Before it is reaped: its number, and so the group's, cannot be another's yet. */
    (void) kill(-pid, SIGKILL);
    if (spawn_wait(pid, ret, err) < 0)
        rc = -1;
    else if (rc < 0)
        err_set(err, why.code, "%s", why.msg);
    ret->timed_out = timed_out;
out:
    for (int i = 0; i < 2; i++)
        cleanup_close_p(&streams[i].fd);
    return rc;
}
