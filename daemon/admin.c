#include "config.h"

#include "daemon/admin.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "daemon/roles.h"
#include "gateway/command.h"
#include "sql/tables.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DETAIL_MAX 4096 /* of an audit row */

static int local_out(struct command_io *io, const void *data, size_t n)
{
    (void) io;
    return fd_write_all(STDOUT_FILENO, data, n, NULL);
}

static int local_err(struct command_io *io, const void *data, size_t n)
{
    (void) io;
    return fd_write_all(STDERR_FILENO, data, n, NULL);
}

static long local_read(struct command_io *io, void *data, size_t max)
{
    ssize_t n;

    (void) io;
    do
        n = read(STDIN_FILENO, data, max);
    while (n < 0 && errno == EINTR);
    return n;
}

static int local_wait(struct command_io *io, int fd, bool want_input, int timeout_ms)
{
    struct pollfd p[] = {
        { .fd = fd, .events = POLLIN },
        { .fd = want_input ? STDIN_FILENO : -1, .events = POLLIN },
        { .fd = STDOUT_FILENO, .events = 0 }, /* POLLERR: a pipe that nobody reads any more */
    };

    (void) io;
    if (poll(p, countof(p), timeout_ms) < 0)
        return errno == EINTR ? 0 : IO_GONE;
    return (p[0].revents != 0 ? IO_FD : 0) | (p[1].revents != 0 ? IO_INPUT : 0)
           | (p[2].revents != 0 ? IO_GONE : 0);
}

static void local_io(struct command_io *io)
{
    struct winsize size;

    *io = (struct command_io) {
        .out = local_out, .err = local_err, .read = local_read, .wait = local_wait,
        .tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
        .color = isatty(STDOUT_FILENO) == 1,
    };
    if (io->tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        io->cols = size.ws_col;
        io->rows = size.ws_row;
    }
}

/* The local admin is nobody's key. What it makes belongs to the first admin that there is, since
 * apps have owners. */
static int local_user(struct store *s, struct user *ret, struct err *err)
{
    struct user *all;
    size_t n;

    if (users_list(s, &all, &n, err) < 0)
        return -1;
    *ret = (struct user) { .name = xstrdup("local"), .admin = true, .may_create = true };
    for (size_t i = 0; i < n; i++) {
        if (all[i].admin && (ret->id == 0 || all[i].id < ret->id))
            ret->id = all[i].id;
        user_release(&all[i]);
    }
    free(all);
    return 0;
}

static int admin_do(const struct conf *c, char *const *argv, int argc, struct err *err)
{
    struct command_ctx ctx = { .conf = c, .fingerprint = "local", .address = "local" };
    char *const help[] = { (char *) "help", NULL };
    struct command_io io;
    int code;

    if (geteuid() == 0 && role_become(c, role_find("session"), err) < 0)
        return -1;
    if (store_open(c->state, false, &ctx.store, err) < 0)
        return -1;
    if (local_user(ctx.store, &ctx.user, err) < 0) {
        store_close(ctx.store);
        return -1;
    }
    local_io(&io);
    ctx.io = &io;
    buf_init(&ctx.detail, DETAIL_MAX);
    code = argc > 0 ? command_run(&ctx, argv, argc) : command_run(&ctx, help, 1);
    buf_release(&ctx.detail);
    user_release(&ctx.user);
    store_close(ctx.store);
    return code;
}

int admin_run(const char *config, char *const *argv, int argc)
{
    struct err err = ERR_INIT;
    struct conf c;
    int code;

    (void) umask(role_umask(role_find("session")));
    (void) signal(SIGPIPE, SIG_IGN);
    json_init();
    if (conf_load(&c, config, &err) < 0) {
        (void) fprintf(stderr, "slipway admin: %s\n", err.msg);
        return (int) err.code;
    }
    role_log("admin", &c);
    code = admin_do(&c, argv, argc, &err);
    if (code < 0)
        (void) fprintf(stderr, "slipway admin: %s\n", err.msg);
    conf_release(&c);
    return code < 0 ? (int) err.code : code;
}
