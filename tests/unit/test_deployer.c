/* The deployer's processes, as the real program: one idle worker at all times, work is taken at once, also from
 * workers that were killed. The registry is a socket that a test answers or not. */
#include "config.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/wake.h"
#include "tests/unit/sql_fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/in.h>
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

#define PATIENCE_MS 10000 /* for what takes milliseconds; only a broken program needs it */

struct deployer {
    struct fixture *f;
    pid_t pid;
    char *conf;
    int registry, port;
    int socket;         /* the supervisor's */
};

static int listen_local(int *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &a, &n), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static void write_conf(struct deployer *d, int releases)
{
    cleanup_free char *text = xasprintf("[server]\nstate = %s\n[release-registry]\nhost = 127.0.0.1:%d\ninsecure = yes\n"
                                        "[target]\ntarget = kubernetes\n[kubernetes]\nkubeconfig = %s/none\n"
                                        "[release]\nreleases = %d\n", d->f->state, d->port, d->f->state, releases);

    OK(path_write(d->conf, text, strlen(text), 0600, &err));
}

static pid_t start(struct deployer *d)
{
    const char *top = getenv("top_builddir");
    cleanup_free char *program = xasprintf("%s/slipway", top != NULL ? top : ".");
    char name[] = "slipway: deployer", role[] = "role", deployer[] = "deployer", config[] = "--config";
    char *argv[] = { name, role, deployer, config, d->conf, NULL };
    struct spawn s = SPAWN_INIT;

    s.path = program;
    s.argv = argv;
    s.env = environ;
    s.fd_err = STDERR_FILENO;
    s.fds[s.n_fds++] = (struct spawn_fd){ .from = d->socket, .to = 3 };
    s.parent_death_signal = SIGKILL;
    return GOT(spawn_start(&s, NULL, &err));
}

static int setup(void **state)
{
    struct deployer *d = xcalloc(1, sizeof(*d));
    cleanup_free char *path = NULL;
    void *f;

    if (fixture_setup(&f) != 0)
        return -1;
    d->f = f;
    d->conf = xasprintf("%s/slipway.conf", d->f->state);
    d->registry = listen_local(&d->port);
    path = xasprintf("%s/run/deployer.sock", d->f->state);
    d->socket = GOT(ipc_listen(path, &err));
    write_conf(d, 2);
    d->pid = start(d);
    *state = d;
    return 0;
}

static void stop(struct deployer *d)
{
    int status;

    assert_int_equal(kill(d->pid, SIGTERM), 0);
    assert_int_equal(waitpid(d->pid, &status, 0), d->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    d->pid = 0;
}

static int teardown(void **state)
{
    struct deployer *d = *state;
    void *f = d->f;

    if (d->pid != 0)
        stop(d);
    close(d->registry);
    close(d->socket);
    free(d->conf);
    free(d);
    return fixture_teardown(&f);
}

/* Waits until the release's row is in this state (the log file is touched when it changes). */
static void wait_state(struct fixture *f, int64_t id, enum release_state want, char **ret_reason)
{
    cleanup_free char *log = store_release_log(f->store, id);
    cleanup_close int fd = GOT(wake_open(&err));

    OK(wake_watch(fd, log, &err));
    for (;;) {
        struct release r;
        bool there;

        OK(releases_get(f->store, id, &r, &err));
        there = r.state == want;
        if (there && ret_reason != NULL)
            *ret_reason = xstrdup(r.reason != NULL ? r.reason : "");
        release_release(&r);
        if (there)
            return;
        if (GOT(wake_wait(fd, PATIENCE_MS, &err)) == 0)
            fail_msg("release %" PRId64 " did not become %s", id, release_state_name(want));
    }
}

static int64_t app(struct fixture *f, const char *name)
{
    struct app a;
    int64_t id;

    OK(apps_create(f->store, name, "main", f->bert, &a, &err));
    id = a.id;
    app_release(&a);
    return id;
}

/* A worker's connection to the registry: it is at work now. */
static int worker_connection(struct deployer *d)
{
    struct pollfd p = { .fd = d->registry, .events = POLLIN };

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    return accept(d->registry, NULL, NULL);
}

static void answer(int fd, const char *text)
{
    char request[8192];

    assert_true(read(fd, request, sizeof(request)) > 0);
    OK(fd_write_all(fd, text, strlen(text), &err));
    close(fd);
}

static const char denied[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

static pid_t holder(struct fixture *f, int64_t id)
{
    int64_t pid = 0;

    assert_int_equal(GOT(store_int(f->store, &pid, &err, "SELECT lease_pid FROM releases WHERE id = ?", "i", id)), 1);
    return (pid_t) pid;
}

static void test_work(void **state)
{
    struct deployer *d = *state;
    int64_t id = fixture_built(d->f, d->f->shop);
    cleanup_free char *reason = NULL;

    answer(worker_connection(d), denied);
    wait_state(d->f, id, RELEASE_FAILED, &reason);
    assert_non_null(strstr(reason, "registry 127.0.0.1"));
    stop(d);
}

/* Two apps at once, a third waits for a place; what a killed worker had is done by another at once. */
static void test_parallel_and_killed(void **state)
{
    struct deployer *d = *state;
    int64_t other = app(d->f, "other"), third = app(d->f, "third");
    int64_t a = fixture_built(d->f, d->f->shop), b, c;
    int fd_a = worker_connection(d), fd_b, fd_c;

    b = fixture_built(d->f, other);
    fd_b = worker_connection(d);
    c = fixture_built(d->f, third);
    wait_state(d->f, a, RELEASE_RELEASING, NULL);
    wait_state(d->f, b, RELEASE_RELEASING, NULL);
    assert_int_equal(kill(holder(d->f, a), SIGKILL), 0);
    close(fd_a);
    fd_a = worker_connection(d);
    wait_state(d->f, c, RELEASE_PENDING, NULL);
    answer(fd_b, denied);
    wait_state(d->f, b, RELEASE_FAILED, NULL);
    fd_c = worker_connection(d);
    answer(fd_c, denied);
    answer(fd_a, denied);
    wait_state(d->f, a, RELEASE_FAILED, NULL);
    wait_state(d->f, c, RELEASE_FAILED, NULL);
}

static void test_canceled(void **state)
{
    struct deployer *d = *state;
    int64_t id = fixture_built(d->f, d->f->shop);
    cleanup_free char *reason = NULL;
    int fd = worker_connection(d);

    OK(releases_cancel(d->f->store, id, "anna", &err));
    wait_state(d->f, id, RELEASE_CANCELED, &reason);
    assert_string_equal(reason, "canceled by anna");
    close(fd);
}

/* The deployer itself is killed: its worker ends its work all the same; a new one goes on. */
static void test_deployer_killed(void **state)
{
    struct deployer *d = *state;
    int64_t id = fixture_built(d->f, d->f->shop);
    int fd = worker_connection(d);

    assert_int_equal(kill(d->pid, SIGKILL), 0);
    assert_int_equal(waitpid(d->pid, NULL, 0), d->pid);
    answer(fd, denied);
    wait_state(d->f, id, RELEASE_FAILED, NULL);
    d->pid = start(d);
    id = fixture_built(d->f, d->f->shop);
    answer(worker_connection(d), denied);
    wait_state(d->f, id, RELEASE_FAILED, NULL);
}

static void test_reload(void **state)
{
    struct deployer *d = *state;
    int64_t id = fixture_built(d->f, d->f->shop);

    answer(worker_connection(d), denied);
    wait_state(d->f, id, RELEASE_FAILED, NULL);
    /* A broken file changes nothing, a good one is used. */
    OK(path_write(d->conf, "[nonsense]\n", 11, 0600, &err));
    assert_int_equal(kill(d->pid, SIGHUP), 0);
    write_conf(d, 1);
    assert_int_equal(kill(d->pid, SIGHUP), 0);
    id = fixture_built(d->f, d->f->shop);
    answer(worker_connection(d), denied);
    wait_state(d->f, id, RELEASE_FAILED, NULL);
}

/* Asks what a session asks. */
static int ask(struct deployer *d)
{
    cleanup_free char *path = xasprintf("%s/run/deployer.sock", d->f->state), *text = NULL;
    json_auto_t *request = json_pack("{s:s, s:I}", "op", "list", "app_id", (json_int_t) d->f->shop);
    int fd = GOT(ipc_connect(path, &err));

    text = json_text(request);
    OK(ipc_write(fd, IPC_REQUEST, text, strlen(text), &err));
    return fd;
}

static void answered(int fd)
{
    json_auto_t *result = NULL;
    enum ipc_type type = IPC_STDOUT;
    cleanup_buf struct buf payload;

    buf_init(&payload, IPC_PAYLOAD_MAX);
    while (type != IPC_RESULT)
        assert_int_equal(GOT(ipc_read(fd, &type, &payload, &err)), 1);
    result = json_parse(buf_str(&payload), buf_len(&payload), "result", NULL);
    assert_non_null(result);
    assert_true(json_int(result, "code", 0) != 0); /* there is no cluster */
    close(fd);
}

/* Who asks while no deployer runs is answered by the next one. */
static void test_stream(void **state)
{
    struct deployer *d = *state;
    int fd = ask(d);

    answered(fd);
    assert_int_equal(kill(d->pid, SIGKILL), 0);
    assert_int_equal(waitpid(d->pid, NULL, 0), d->pid);
    fd = ask(d);
    d->pid = start(d);
    answered(fd);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_work),    TEST(test_parallel_and_killed), TEST(test_canceled), TEST(test_deployer_killed),
        TEST(test_reload),  TEST(test_stream),
    };

    (void) signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
