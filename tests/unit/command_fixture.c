#include "config.h"

#include "tests/unit/command_fixture.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/mem.h"
#include "sql/seal.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define SHOWN_MAX (4 << 20)

static struct desk *here;

static int desk_out(struct command_io *io, const void *data, size_t n)
{
    (void) io;
    return here->gone ? -1 : buf_add(&here->out, data, n);
}

static int desk_err(struct command_io *io, const void *data, size_t n)
{
    (void) io;
    return here->gone ? -1 : buf_add(&here->err, data, n);
}

static long desk_read(struct command_io *io, void *data, size_t max)
{
    size_t n = here->input_len < max ? here->input_len : max;

    (void) io;
    if (here->meanwhile != NULL) {
        here->meanwhile(here);
        here->meanwhile = NULL;
    }
    if (here->gone)
        return -1;
    if (n == 0)
        return 0;
    memcpy(data, here->input, n);
    here->input += n;
    here->input_len -= n;
    return (long) n;
}

/* Whoever waits for a release sees it end: this is the deployer. */
static void release_work(struct desk *d)
{
    struct release r;

    if (GOT(releases_lease(d->f->store, &d->f->me, &r, &err)) != 1)
        return;
    if (d->fail_with != NULL && d->fail_down)
        OK(releases_down(d->f->store, &d->f->me, r.id, &err));
    if (d->fail_with != NULL)
        OK(releases_failed(d->f->store, &d->f->me, r.id, false, d->fail_with, &err));
    else
        OK(releases_live(d->f->store, &d->f->me, r.id, "https://shop.example.com", 100, &err));
    release_release(&r);
}

static void destroy_work(struct desk *d)
{
    struct app *v = NULL;
    size_t n = 0;

    OK(apps_deleting(d->f->store, &v, &n, &err));
    for (size_t i = 0; i < n; i++) {
        OK(apps_delete(d->f->store, v[i].id, &err));
        app_release(&v[i]);
    }
    free(v);
}

static void leavings_work(struct desk *d)
{
    struct leaving *v = NULL;
    size_t n = 0;

    OK(leavings_list(d->f->store, &v, &n, &err));
    for (size_t i = 0; i < n; i++) {
        OK(leavings_drop(d->f->store, v[i].app.id, v[i].target, &err));
        leaving_release(&v[i]);
    }
    free(v);
}

static void nothing(void) { }

static bool always(void *arg)
{
    (void) arg;
    return true;
}

static void rotation_do(struct desk *d)
{
    const struct rotation_worker w = { nothing, always, NULL };
    int again = 0;

    OK(rotation_work(d->f->store, SEAL_RUN, &w, &again, &err));
    OK(rotation_work(d->f->store, SEAL_BUILD, &w, &again, &err));
}

/* The builder's part. */
static void errands_do(struct desk *d)
{
    struct errand e;

    while (GOT(errands_next(d->f->store, 0, &e, &err)) == 1) {
        OK(errands_end(d->f->store, e.id, d->builder_fails != NULL,
                       d->builder_fails != NULL ? d->builder_fails : e.kind == ERRAND_REPORT ? d->report : NULL, &err));
        errand_release(&e);
    }
}

static int desk_wait(struct command_io *io, int fd, bool want_input, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    (void) io;
    (void) want_input;
    if (here->gone)
        return IO_GONE;
    release_work(here);
    destroy_work(here);
    if (here->removes)
        leavings_work(here);
    rotation_do(here);
    errands_do(here);
    if (timeout_ms < 0 || timeout_ms > 10000)
        timeout_ms = 10000;
    return poll(&p, 1, timeout_ms) > 0 ? IO_FD : 0;
}

int desk_setup(void **state)
{
    struct desk *d = xcalloc(1, sizeof(*d));
    void *f;

    if (fixture_setup(&f) != 0)
        return -1;
    d->f = f;
    OK(conf_load(&d->conf, NULL, &err));
    free(d->conf.state);
    d->conf.state = xstrdup(d->f->state);
    free(d->conf.host);
    d->conf.host = xstrdup("paas.example.com");
    buf_init(&d->out, SHOWN_MAX);
    buf_init(&d->err, SHOWN_MAX);
    d->io = (struct command_io) { .out = desk_out, .err = desk_err, .read = desk_read, .wait = desk_wait };
    here = d;
    *state = d;
    return 0;
}

int desk_teardown(void **state)
{
    struct desk *d = *state;
    void *f = d->f;

    if (d->deployer > 0) {
        (void) kill(d->deployer, SIGKILL);
        (void) waitpid(d->deployer, NULL, 0);
    }
    buf_release(&d->out);
    buf_release(&d->err);
    conf_release(&d->conf);
    free(d);
    return fixture_teardown(&f);
}

int desk_type(struct desk *d, const char *user, const char *line)
{
    struct command_ctx c = { .conf = &d->conf, .store = d->f->store, .io = &d->io };
    cleanup_vec struct vec words = VEC_INIT;
    int code;

    buf_clear(&d->out);
    buf_clear(&d->err);
    if (d->input != NULL && d->input_len == 0)
        d->input_len = strlen(d->input);
    OK(users_get(d->f->store, user, &c.user, &err));
    c.verbs = d->verbs;
    if (d->bound_app != 0) { /* as gateway/auth.c does */
        c.user.bound_app = d->bound_app;
        c.user.admin = c.user.may_create = false;
    }
    (void) snprintf(c.fingerprint, sizeof(c.fingerprint), "SHA256:test");
    (void) snprintf(c.address, sizeof(c.address), "192.0.2.1");
    OK(command_split(line, strlen(line), &words, &err));
    code = command_run(&c, vec_argv(&words), (int) words.n);
    user_release(&c.user);
    d->input = NULL;
    d->input_len = 0;
    return code;
}

void desk_expect(struct desk *d, const char *user, const char *line, int code, const char *text)
{
    int got = desk_type(d, user, line);

    if (got == code && (text == NULL || strstr(buf_str(&d->out), text) != NULL || strstr(buf_str(&d->err), text) != NULL))
        return;
    fail_msg("%s: %s\n  expected %d \"%s\", got %d\n  out: %s\n  err: %s", user, line, code, text != NULL ? text : "",
             got, buf_str(&d->out), buf_str(&d->err));
}

void desk_user(struct desk *d, const char *name, enum role role)
{
    int64_t id = 0;

    OK(users_add(d->f->store, name, false, false, &id, &err));
    if (role != ROLE_NONE)
        OK(access_grant(d->f->store, d->f->shop, id, role, &err));
}

/* The run scope's values, opened as the deployer does. */
static char *config_answer(const char *state, struct store *s, const json_t *q)
{
    int64_t app = json_int(q, "app_id", 0);
    json_auto_t *o = json_object();
    struct config_set set;

    if (config_get(s, app, json_int(q, "version", 0), &set, NULL) != 0)
        return NULL;
    for (size_t i = 0; i < set.n; i++) {
        char *value = NULL;
        size_t n = 0;

        if (set.v[i].run && seal_open(state, SEAL_RUN, app, set.v[i].name, set.v[i].sealed_run,
                                      set.v[i].sealed_run_len, &value, &n, NULL) == 0)
            (void) json_object_set_new(o, set.v[i].name, json_stringn(value, n));
        free(value);
    }
    config_set_release(&set);
    return json_text(o);
}

static void answer(const char *state, struct store *s, int fd)
{
    static const char list[] =
        "[{\"name\":\"web.1\",\"id\":\"shop-web-1\",\"process\":\"web\",\"state\":\"running\",\"reason\":null,"
        "\"release\":1,\"restarts\":2,\"started_at\":1700000000000,\"ready\":true}]";
    static const char lines[] = "2026-01-02T03:04:05Z web.1 hello \033[2Jworld\n2026-01-02T03:04:06Z web.1 again\n";
    static const char plan[] = "[{\"kind\":\"Deployment\",\"name\":\"web\",\"before\":{\"replicas\":3},"
        "\"after\":{\"replicas\":1},\"note\":null}]";
    cleanup_free char *text = NULL;
    json_auto_t *q = NULL;
    enum ipc_type type;
    const char *op;
    struct buf b;

    buf_init(&b, IPC_PAYLOAD_MAX);
    if (ipc_read(fd, &type, &b, NULL) != 1 || type != IPC_REQUEST)
        return;
    q = json_parse(buf_str(&b), buf_len(&b), "request", NULL);
    buf_release(&b);
    op = json_str(q, "op", "");
    if (strcmp(op, "list") == 0) {
        (void) ipc_write(fd, IPC_STDOUT, list, 10, NULL); /* in two frames */
        (void) ipc_write(fd, IPC_STDOUT, list + 10, strlen(list) - 10, NULL);
    } else if (strcmp(op, "logs") == 0 && json_bool(q, "router", 0)) {
        (void) ipc_write(fd, IPC_STDOUT, "2026-01-02T03:04:05Z router at=info\n", 36, NULL);
    } else if (strcmp(op, "logs") == 0) {
        (void) ipc_write(fd, IPC_STDOUT, lines, strlen(lines), NULL);
    } else if (strcmp(op, "restart") == 0 && strcmp(json_str(q, "process", ""), "worker") == 0) {
        (void) ipc_write(fd, IPC_RESULT, "{\"code\":1,\"error\":\"worker crashed\"}", 35, NULL);
        return;
    } else if (strcmp(op, "restart") == 0) {
        (void) ipc_write(fd, IPC_STDOUT, "-----> web 1/1\n", 15, NULL);
    } else if (strcmp(op, "plan") == 0) {
        (void) ipc_write(fd, IPC_STDOUT, plan, strlen(plan), NULL);
    } else if (strcmp(op, "config") == 0) {
        text = config_answer(state, s, q);
        for (size_t at = 0, n = strlen(text); at < n; at += IPC_PAYLOAD_MAX)
            (void) ipc_write(fd, IPC_STDOUT, text + at, n - at < IPC_PAYLOAD_MAX ? n - at : IPC_PAYLOAD_MAX, NULL);
    }
    (void) ipc_write(fd, IPC_RESULT, "{\"code\":0,\"error\":null}", 23, NULL);
}

void desk_deployer(struct desk *d)
{
    cleanup_free char *path = xasprintf("%s/run/deployer.sock", d->f->state);
    int fd = GOT(ipc_listen(path, &err));

    d->deployer = fork();
    if (d->deployer == 0) {
        struct store *s;

        if (store_open(d->f->state, false, &s, NULL) != 0)
            _exit(1);
        for (;;) {
            int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

            if (peer < 0)
                _exit(1);
            answer(d->f->state, s, peer);
            (void) close(peer);
        }
    }
    (void) close(fd);
}
