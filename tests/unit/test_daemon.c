#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "daemon/backoff.h"
#include "daemon/listen.h"
#include "daemon/lock.h"
#include "daemon/notify.h"
#include "daemon/roles.h"
#include "daemon/state.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/slipway-daemon-XXXXXX";
static struct err err;

static int setup(void **state)
{
    (void) state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void) state;
    return path_remove_all(folder, NULL);
}

static void test_backoff(void **state)
{
    uint64_t delay = 0;

    (void) state;
    assert_int_equal(backoff_next(0, BACKOFF_GOOD_MS), 0); /* the first failure after a good while */
    for (int i = 0; i < 7; i++) {
        delay = backoff_next(delay, 10);
        assert_int_equal(delay, 100 << i);
    }
    assert_int_equal(backoff_next(delay, 10), BACKOFF_MAX_MS);
    assert_int_equal(backoff_next(BACKOFF_MAX_MS, 10), BACKOFF_MAX_MS);
    assert_int_equal(backoff_next(BACKOFF_MAX_MS, BACKOFF_GOOD_MS), 0);
}

static void test_notify(void **state)
{
    cleanup_free char *path = xasprintf("%s/notify", folder);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char got[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ssize_t n;

    (void) state;
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    notify_send("READY=1");
    assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
    notify_send("READY=1");
    assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    notify_send("READY=1");
    n = recv(fd, got, sizeof(got), 0);
    assert_int_equal(n, 7);
    assert_memory_equal(got, "READY=1", 7);
    (void) close(fd);

    /* The abstract namespace. */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *) &address,
                          (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(path))), 0);
    path[0] = '@';
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    notify_send("STOPPING=1");
    assert_int_equal(recv(fd, got, sizeof(got), 0), 10);
    (void) close(fd);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static int port_of(int fd)
{
    struct sockaddr_in6 address;
    socklen_t n = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &n), 0);
    return ntohs(address.sin6_port); /* at the same place in sockaddr_in */
}

static void test_listen(void **state)
{
    int fd = listen_open("127.0.0.1", 0, &err), port, on = 0;
    socklen_t n = sizeof(on);

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n), 0);
    assert_int_equal(on, 1);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    port = port_of(fd);
    assert_int_equal(listen_open("127.0.0.1", port, &err), -1);
    assert_non_null(strstr(err.msg, "cannot listen on 127.0.0.1 port "));
    (void) close(fd);
    fd = listen_open("::", 0, &err);
    assert_true(fd >= 0);
    (void) close(fd);
    assert_int_equal(listen_open("localhost", 22, &err), -1);
    assert_string_equal(err.msg, "[ssh] listen: \"localhost\" is not an IP address");
    assert_int_equal(listen_open("", 22, &err), -1);
}

static void test_lock(void **state)
{
    cleanup_free char *run = xasprintf("%s/run", folder);
    int fd;

    (void) state;
    assert_int_equal(lock_take(folder, &err), -1);
    assert_non_null(strstr(err.msg, "is no state folder; make it with: slipway init"));
    assert_int_equal(path_mkdir(run, 0700, &err), 0);
    fd = lock_take(folder, &err);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(lock_take(folder, &err), -1); /* of the open file, so our own process counts too */
    assert_int_equal(err.code, ERR_BUSY);
    (void) close(fd);
    fd = lock_take(folder, &err);
    assert_true(fd >= 0);
    (void) close(fd);
}

static void test_state(void **state)
{
    static const struct state_entry entry = { "x", true, 0750, "root", "root" };
    struct conf c = { .state = folder };
    cleanup_free char *path = state_entry_path(&c, &entry);

    (void) state;
    assert_int_equal(state_entry_check(&c, &entry, &err), -1);
    assert_int_equal(path_mkdir(path, 0777, &err), 0);
    assert_int_equal(state_entry_check(&c, &entry, &err), -1);
    assert_non_null(strstr(err.msg, "has mode 0777 and needs 0750"));
    assert_int_equal(state_entry_set(&c, &entry, &err), 0);
    assert_int_equal(state_entry_check(&c, &entry, &err), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_int_equal(state_entry_set(&c, &entry, &err), -1); /* not through a link */
    assert_int_equal(state_entry_check(&c, &entry, &err), -1);
    assert_int_equal(unlink(path), 0);
}

static void test_path_open(void **state)
{
    cleanup_free char *closed = xasprintf("%s/closed", folder), *below = xasprintf("%s/state", closed);

    (void) state;
    assert_int_equal(chmod(folder, 0711), 0);
    assert_int_equal(path_mkdir(closed, 0701, &err), 0);
    assert_int_equal(state_path_open(below, &err), 0);
    assert_int_equal(chmod(closed, 0750), 0);
    assert_int_equal(state_path_open(below, &err), -1);
    assert_non_null(strstr(err.msg, "cannot enter"));
    assert_int_equal(state_path_open("/x", &err), 0);
}

/* Every role has a name of its own and runs as one of the four users. */
static void test_roles(void **state)
{
    (void) state;
    for (const struct role_row *r = roles; r->name != NULL; r++) {
        assert_ptr_equal(role_find(r->name), r);
        assert_non_null(r->run);
        assert_true(strcmp(r->user, USER_GIT) == 0 || strcmp(r->user, USER_BUILD) == 0
                    || strcmp(r->user, USER_DEPLOY) == 0 || strcmp(r->user, USER_ROUTER) == 0);
        /* What faces the network reaches neither the engine nor a registry's credential. */
        if (strcmp(r->user, USER_GIT) == 0 || strcmp(r->user, USER_ROUTER) == 0)
            assert_false(r->engine || r->registry);
        assert_true(!r->bind_ports || strcmp(r->user, USER_ROUTER) == 0);
    }
    assert_null(role_find("nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff), cmocka_unit_test(test_notify), cmocka_unit_test(test_listen),
        cmocka_unit_test(test_lock),    cmocka_unit_test(test_state),  cmocka_unit_test(test_path_open),
        cmocka_unit_test(test_roles),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
