/* Fetch and clone: git upload-pack on the app's repository, its streams over the channel. */
#include "config.h"

#include "gateway/session.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "gateway/gitprog.h"
#include "gateway/pktline.h"
#include "gateway/refs.h"
#include "sql/tables.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE (128 * 1024)
#define EXIT_BROKEN 128 /* as git's own programs when the protocol could not be spoken */

struct upload {
    struct connection *c;
    pid_t pid;
    int in, out, err;
    struct buf pending;  /* from the peer, for git */
    char *piece;
};

static int start(struct session *s, struct upload *u, const char *repo, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_close int their_in = -1, their_out = -1, their_err = -1;
    struct spawn sp = SPAWN_INIT;

    if (gitprog_pipe(&u->in, &their_in, true, err) < 0 || gitprog_pipe(&u->out, &their_out, false, err) < 0 ||
        gitprog_pipe(&u->err, &their_err, false, err) < 0)
        return -1;
    gitprog_argv(&argv);
    vec_addl(&argv, "-c", "transfer.hideRefs=refs/slipway", "-c", "uploadpack.allowFilter=true",
             "upload-pack", "--strict", NULL);
    vec_addf(&argv, "--timeout=%lld", s->conf->idle_timeout / 1000 + 1);
    vec_add(&argv, repo);
    gitprog_env(&env, repo, NULL);
    if (s->conn->git_protocol[0] != '\0')
        vec_addf(&env, "GIT_PROTOCOL=%s", s->conn->git_protocol);
    gitprog_limit(&sp, s->conf);
    sp.argv = vec_argv(&argv);
    sp.env = vec_argv(&env);
    sp.fd_in = their_in;
    sp.fd_out = their_out;
    sp.fd_err = their_err;
    u->pid = spawn_start(&sp, NULL, err);
    return u->pid < 0 ? -1 : 0;
}

/* From git to the peer, as much as its window takes. 0, or -1 when the peer is gone. */
static int relay_out(struct upload *u, int *fd, bool to_stderr)
{
    size_t room = connection_room(u->c);
    ssize_t n;

    if (room == 0)
        return 0;
    n = read(*fd, u->piece, room < PIECE ? room : PIECE);
    if (n > 0)
        return connection_write(u->c, to_stderr, u->piece, (size_t) n);
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        fd_drop(fd);
    return 0;
}

/* From the peer to git. */
static int relay_in(struct upload *u)
{
    ssize_t w;

    if (buf_len(&u->pending) == 0 && !u->c->eof) {
        char *at;
        long n;

        buf_clear(&u->pending);
        at = buf_reserve(&u->pending, CONNECTION_READ_MAX);
        n = connection_read_now(u->c, at, CONNECTION_READ_MAX);
        if (n > 0)
            buf_added(&u->pending, (size_t) n);
        if (u->c->gone)
            return -1;
    }
    if (buf_len(&u->pending) == 0) {
        if (u->c->eof)
            fd_drop(&u->in);
        return 0;
    }
    w = write(u->in, buf_str(&u->pending), buf_len(&u->pending));
    if (w > 0)
        buf_consume(&u->pending, (size_t) w);
    else if (w < 0 && errno != EAGAIN && errno != EINTR)
        fd_drop(&u->in);
    return 0;
}

static int relay(struct upload *u)
{
    while (u->out >= 0 || u->err >= 0) {
        bool blocked = buf_len(&u->pending) > 0, room = connection_room(u->c) > 0;
        struct pollfd p[3] = {
            { .fd = room ? u->out : -1, .events = POLLIN },
            { .fd = room ? u->err : -1, .events = POLLIN },
            { .fd = blocked ? u->in : -1, .events = POLLOUT },
        };
        int want = (u->in >= 0 && !blocked ? WANT_INPUT : 0) | (room ? 0 : WANT_WINDOW);
        uint64_t begin = loop_now();
        int bits = connection_wait(u->c, p, 3, want, (int) u->c->conf->idle_timeout);

        if ((bits & IO_GONE) != 0)
            return -1;
        if ((bits & IO_FD) == 0)
            connection_waited_for_peer(u->c, loop_now() - begin);
        if ((p[0].revents != 0 && relay_out(u, &u->out, false) < 0) ||
            (p[1].revents != 0 && relay_out(u, &u->err, true) < 0))
            return -1;
        if (u->in >= 0 && ((bits & IO_INPUT) != 0 || p[2].revents != 0) && relay_in(u) < 0)
            return -1;
    }
    return 0;
}

static int refuse(struct session *s, const struct err *err)
{
    cleanup_buf struct buf b;

    log_info("refused: %s", err->msg);
    buf_init(&b, PKTLINE_MAX);
    (void) pktline_putf(&b, "ERR %s", err->msg);
    (void) connection_write(s->conn, false, buf_str(&b), buf_len(&b));
    return err->code;
}

/* The repository as a fetch shall see it. */
static int prepare(struct session *s, const char *name, char **ret_repo, struct err *err)
{
    git_repository *repo = NULL;
    struct app app;
    int rc;

    if (session_app(s, name, ROLE_VIEW, &app, err) < 0)
        return -1;
    rc = refs_init(err);
    if (rc == 0)
        rc = refs_open(s->conf, app.id, &repo, err);
    if (rc == 0 && strcmp(s->conf->build_switch, "none") != 0) {
        cleanup_close int lock = refs_lock(repo, err);

        rc = lock < 0 ? -1 : refs_project(repo, &app, err);
    }
    if (rc == 0)
        *ret_repo = refs_path(s->conf, app.id);
    git_repository_free(repo);
    app_release(&app);
    return rc;
}

int upload_serve(struct session *s, const char *name)
{
    struct upload u = { .c = s->conn, .pid = -1, .in = -1, .out = -1, .err = -1 };
    cleanup_free char *repo = NULL;
    struct spawn_result r = { .code = EXIT_BROKEN };
    struct err err = ERR_INIT;
    bool gone;

    if (prepare(s, name, &repo, &err) < 0)
        return refuse(s, &err);
    buf_init(&u.pending, 2 * CONNECTION_READ_MAX);
    u.piece = xmalloc(PIECE);
    if (start(s, &u, repo, &err) < 0) {
        log_error("%s", err.msg);
        err_set(&err, ERR_DOWN, "the server cannot read the repository now");
        (void) refuse(s, &err);
    }
    gone = u.pid > 0 && relay(&u) < 0;
    fd_drop(&u.in);
    fd_drop(&u.out);
    fd_drop(&u.err);
    if (u.pid > 0) {
        if (gone)
            (void) kill(-u.pid, SIGKILL);
        if (spawn_wait(u.pid, &r, &err) < 0)
            log_error("%s", err.msg);
    }
    buf_release(&u.pending);
    free(u.piece);
    return r.signaled ? EXIT_BROKEN : r.code;
}
