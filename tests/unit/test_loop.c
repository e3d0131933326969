#include "config.h"

#include "base/loop.h"
#include "base/spawn.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char order[64];
static struct err err;

static void note(char c)
{
    size_t n = strlen(order);

    order[n] = c;
    order[n + 1] = '\0';
}

static int setup(void **state)
{
    order[0] = '\0';
    *state = loop_new(&err);
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    loop_free(*state);
    return 0;
}

static void on_a(struct loop *l, void *arg)
{
    (void) l, (void) arg;
    note('a');
}

static void on_b(struct loop *l, void *arg)
{
    (void) arg;
    note('b');
    loop_quit(l, 7);
}

static void on_c(struct loop *l, void *arg)
{
    (void) arg;
    note('c');
    (void) loop_timer(l, 0, on_a, NULL);
}

static void test_timers(void **state)
{
    struct loop *l = *state;
    struct loop_source *gone;

    (void) loop_timer(l, 30, on_b, NULL);
    (void) loop_timer(l, 10, on_c, NULL);
    gone = loop_timer(l, 5, on_b, NULL);
    loop_remove(gone);
    assert_int_equal(loop_run(l, &err), 7);
    assert_string_equal(order, "cab");
    assert_int_equal(loop_once(l, 0, &err), 0);
}

static void on_pipe(struct loop *l, int fd, uint32_t events, void *arg)
{
    char c;

    (void) arg;
    if (events & EPOLLIN) {
        assert_int_equal(read(fd, &c, 1), 1);
        note(c);
    } else if (events & EPOLLHUP) {
        note('H');
        loop_quit(l, 0);
    }
}

static void test_fd(void **state)
{
    struct loop *l = *state;
    struct loop_source *s;
    int p[2];

    assert_int_equal(pipe(p), 0);
    s = loop_fd(l, p[0], EPOLLIN, on_pipe, NULL, &err);
    assert_non_null(s);
    assert_int_equal(write(p[1], "xy", 2), 2);
    assert_int_equal(loop_fd_events(s, 0, &err), 0);
    assert_int_equal(loop_once(l, 0, &err), 0);
    assert_string_equal(order, "");
    assert_int_equal(loop_fd_events(s, EPOLLIN, &err), 0);
    (void) close(p[1]);
    assert_int_equal(loop_run(l, &err), 0);
    assert_string_equal(order, "xyH");
    loop_remove(s);
    (void) close(p[0]);
    assert_null(loop_fd(l, p[0], EPOLLIN, on_pipe, NULL, &err));
}

static struct loop_source *pair[2];

static void on_either(struct loop *l, int fd, uint32_t events, void *arg)
{
    (void) l, (void) fd, (void) events, (void) arg;
    note('e');
    loop_remove(pair[0]); /* the other's event of this round must not come any more */
    loop_remove(pair[1]);
    pair[0] = pair[1] = NULL;
}

static void test_remove_other(void **state)
{
    struct loop *l = *state;
    int p[2], q[2];

    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(q), 0);
    pair[0] = loop_fd(l, p[0], EPOLLIN, on_either, NULL, &err);
    pair[1] = loop_fd(l, q[0], EPOLLIN, on_either, NULL, &err);
    assert_int_equal(write(p[1], "x", 1) + write(q[1], "x", 1), 2);
    assert_int_equal(loop_once(l, 1000, &err), 0);
    assert_int_equal(loop_once(l, 0, &err), 0);
    assert_string_equal(order, "e");
    for (int i = 0; i < 2; i++) {
        (void) close(p[i]);
        (void) close(q[i]);
    }
}

static void on_signal(struct loop *l, int signo, void *arg)
{
    (void) arg;
    note(signo == SIGUSR1 ? 'u' : '?');
    loop_quit(l, 3);
}

static void test_signal(void **state)
{
    struct loop *l = *state;
    struct loop_source *s = loop_signal(l, SIGUSR1, on_signal, NULL, &err);

    assert_non_null(s);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(loop_run(l, &err), 3);
    assert_string_equal(order, "u");
}

static void on_child(struct loop *l, pid_t pid, int status, void *arg)
{
    assert_int_equal(pid, *(pid_t *) arg);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    note('d');
    loop_quit(l, 0);
}

static void test_child(void **state)
{
    struct loop *l = *state;
    struct spawn s = SPAWN_INIT;
    pid_t pid;

    s.argv = (char **) (const char *[]) { "sh", "-c", "exit 5", NULL };
    pid = spawn_start(&s, NULL, &err);
    assert_true(pid > 0);
    assert_non_null(loop_child(l, pid, on_child, &pid, &err));
    assert_int_equal(loop_run(l, &err), 0);
    assert_string_equal(order, "d");
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_null(loop_child(l, pid, on_child, &pid, &err));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_timers), TEST(test_fd), TEST(test_remove_other), TEST(test_signal), TEST(test_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
