#include "config.h"

#include "gateway/reader.h"

#include "base/loop.h"
#include "base/mem.h"
#include "base/role.h"
#include "gateway/gateway.h"
#include "gateway/gitprog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

int reader_pipe(int *ret_read, int *ret_write, struct err *err)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    *ret_read = p[0];
    *ret_write = p[1];
    return 0;
}

int reader_start(struct reader *r, const struct conf *c, const char *role, int in, int out, uint64_t max_file, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_close int result = -1;
    struct spawn s = SPAWN_INIT;
    pid_t pid;

    if (reader_pipe(&r->result, &result, err) < 0)
        return -1;
    role_argv(c, role, &argv);
    role_env(c, &env);
    gitprog_limit(&s, c);
    if (max_file > 0)
        s.limit_file = max_file;
    s.path = ROLE_PATH;
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    s.fd_in = in;
    s.fd_out = out;
    s.fd_err = STDERR_FILENO;
    s.fds[s.n_fds++] = (struct spawn_fd) { result, ARCHIVE_RESULT_FD };
    /* A session has its settings from its listener, in a file that is open. */
    if (c->file != NULL && strcmp(c->file, SESSION_CONF_PATH) == 0)
        s.fds[s.n_fds++] = (struct spawn_fd) { SESSION_CONF_FD, SESSION_CONF_FD };
    s.no_new_privileges = true;
#ifdef SLIPWAY_SANITIZED
    s.limit_memory = 0; /* AddressSanitizer reserves terabytes of address space */
#endif
    pid = spawn_start(&s, &r->pidfd, err);
    if (pid < 0)
        return -1;
    r->pid = pid;
    return 0;
}

int reader_wait(struct reader *r, struct command_ctx *c, uint64_t deadline, struct spawn_result *ret, struct err *err)
{
    for (;;) {
        uint64_t now = loop_now();
        int bits;

        if (now >= deadline)
            return err_set(err, ERR_FAILED, "reading the archive took longer than %lld s (index_time)",
                           c->conf->index_time / 1000);
        bits = c->io->wait(c->io, r->pidfd, false, (int) (deadline - now));
        if ((bits & IO_GONE) != 0)
            return err_set(err, ERR_DOWN, "the peer has gone");
        if ((bits & IO_FD) == 0)
            continue;
        if (spawn_wait(r->pid, ret, err) < 0)
            return -1;
        r->pid = 0;
        return 0;
    }
}

void reader_text(int fd, char *ret, size_t size)
{
    size_t at = 0;
    ssize_t n = 0;

    while (at + 1 < size && ((n = read(fd, ret + at, size - 1 - at)) > 0 || (n < 0 && errno == EINTR)))
        at += n > 0 ? (size_t) n : 0;
    ret[at] = '\0';
}

void reader_stop(struct reader *r)
{
    if (r->pid > 0) {
        (void) kill(-r->pid, SIGKILL);
        (void) spawn_wait(r->pid, &(struct spawn_result) { 0 }, NULL);
        r->pid = 0;
    }
    fd_drop(&r->pidfd);
    fd_drop(&r->result);
}
