#include "config.h"

#include "base/mem.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define ARGV(...) ((char **) (const char *[]) { __VA_ARGS__, NULL })
#define SH(script) ARGV("sh", "-c", script)

static struct spawn_result result;

/* Runs a shell script and returns its output. */
static char *run(struct spawn *s, const char *script)
{
    struct err err = ERR_INIT;
    struct buf out;

    buf_init(&out, 65536);
    s->argv = SH(script);
    if (spawn_run(s, NULL, &out, NULL, 10000, &result, &err) < 0)
        fail_msg("%s", err.msg);
    return buf_steal(&out);
}

static void test_run(void **state)
{
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;
    struct buf in, out, eo;

    (void) state;
    buf_init(&in, 4 << 20);
    buf_init(&out, 4 << 20);
    buf_init(&eo, 100);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buf_addf(&in, "line %d\n", i), 0);
    s.argv = SH("cat; echo no >&2; exit 3");
    assert_int_equal(spawn_run(&s, &in, &out, &eo, 20000, &result, &err), 0);
    assert_false(result.signaled);
    assert_int_equal(result.code, 3);
    assert_int_equal(buf_len(&out), buf_len(&in));
    assert_memory_equal(buf_str(&out), buf_str(&in), buf_len(&in));
    assert_string_equal(buf_str(&eo), "no\n");
    buf_release(&in);
    buf_release(&out);
    buf_release(&eo);
}

static void test_input_not_read(void **state)
{
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;
    struct buf in;

    (void) state;
    buf_init(&in, 1 << 20);
    memset(buf_reserve(&in, 1 << 20), 'x', 1 << 20);
    buf_added(&in, 1 << 20);
    s.argv = SH("exec <&-; exit 0");
    assert_int_equal(spawn_run(&s, &in, NULL, NULL, 20000, &result, &err), 0);
    assert_int_equal(result.code, 0);
    buf_release(&in);
}

static void test_missing(void **state)
{
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;

    (void) state;
    s.argv = ARGV("no-such-program");
    assert_int_equal(spawn_start(&s, NULL, &err), -1);
    assert_string_equal(err.msg, "cannot start no-such-program: no such program in PATH");
    s.argv = ARGV("/nonexistent/program");
    assert_int_equal(spawn_start(&s, NULL, &err), -1);
    assert_string_equal(err.msg, "cannot start /nonexistent/program: No such file or directory");
    s.argv = SH("true");
    s.cwd = "/nonexistent";
    assert_int_equal(spawn_start(&s, NULL, &err), -1);
    assert_string_equal(err.msg, "cannot enter the working folder of /nonexistent: No such file or directory");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_too_much(void **state)
{
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;
    struct buf out;

    (void) state;
    buf_init(&out, 1000);
    s.argv = SH("while :; do echo 0123456789; done");
    assert_int_equal(spawn_run(&s, NULL, &out, NULL, 20000, &result, &err), -1);
    assert_string_equal(err.msg, "sh wrote more than 1000 bytes");
    assert_int_equal(buf_len(&out), 1000);
    assert_true(result.signaled);
    buf_clear(&out);
    s.argv = SH("printf %01000d 0"); /* exactly full is fine */
    assert_int_equal(spawn_run(&s, NULL, &out, NULL, 20000, &result, &err), 0);
    buf_release(&out);
}

static void test_timeout(void **state)
{
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;

    (void) state;
    s.argv = SH("sleep 1000 & wait");
    assert_int_equal(spawn_run(&s, NULL, NULL, NULL, 50, &result, &err), -1);
    assert_string_equal(err.msg, "sh took longer than 50 ms");
    assert_true(result.signaled);
    assert_int_equal(result.code, SIGKILL);
}

/* A background process that keeps the pipe open does not keep us, and is ended. */
static void test_background(void **state)
{
    struct spawn s = SPAWN_INIT;
    cleanup_free char *pid = NULL;

    (void) state;
    pid = run(&s, "sleep 1000 & echo $!");
    assert_int_equal(result.code, 0);
    for (int i = 0; kill((pid_t) strtol(pid, NULL, 10), 0) == 0 && i < 1000; i++)
        usleep(10000); /* init reaps it in its own time */
}

/* Sources and targets that overlap in every way; nothing else is inherited. */
static void test_descriptors(void **state)
{
    struct spawn s = SPAWN_INIT;
    cleanup_free char *out = NULL;
    int a[2], b[2], stray;

    (void) state;
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    stray = fcntl(STDIN_FILENO, F_DUPFD, 40);
    assert_true(stray >= 40);
    assert_int_equal(write(a[1], "A\n", 2), 2);
    assert_int_equal(write(b[1], "B\n", 2), 2);
    /* Swapped: each becomes the other's number. */
    s.fds[0] = (struct spawn_fd) { .from = a[0], .to = b[0] };
    s.fds[1] = (struct spawn_fd) { .from = b[0], .to = a[0] };
    s.n_fds = 2;
    {
        cleanup_free char *script = xasprintf("read x <&%d; read y <&%d; echo $x$y; "
                                              "n=0; while [ $n -lt 60 ]; do [ -e /proc/self/fd/$n ] && printf '%%s ' $n; n=$((n+1)); done; true",
                                              b[0], a[0]);
        cleanup_free char *expected = xasprintf("AB\n0 1 2 %d %d ", a[0] < b[0] ? a[0] : b[0],
                                                a[0] < b[0] ? b[0] : a[0]);

        out = run(&s, script);
        assert_string_equal(out, expected);
    }
    for (int i = 0; i < 2; i++) {
        (void) close(a[i]);
        (void) close(b[i]);
    }
    (void) close(stray);
}

static void test_signals(void **state)
{
    struct spawn s = SPAWN_INIT;
    cleanup_free char *blocked = NULL, *ignored = NULL;
    sigset_t set, old;

    (void) state;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
    assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    blocked = run(&s, "sed -n 's/^SigBlk:[[:space:]]*//p' /proc/self/status");
    assert_string_equal(blocked, "0000000000000000\n");
    ignored = run(&s, "sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status");
    /* 32 and 33 are the C library's own and stay as who started the test left them. */
    assert_int_equal(strtoull(ignored, NULL, 16) & ~(3ULL << 31), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    assert_true(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
}

static void test_environment(void **state)
{
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;
    struct buf out;

    (void) state;
    buf_init(&out, 4096);
    assert_int_equal(setenv("SECRET", "x", 1), 0);
    assert_int_equal(setenv("PATH", "/usr/bin:/bin", 1), 0);
    s.argv = ARGV("env");
    assert_int_equal(spawn_run(&s, NULL, &out, NULL, 10000, &result, &err), 0);
    assert_string_equal(buf_str(&out), "PATH=/usr/bin:/bin\nLANG=C.UTF-8\n");
    buf_clear(&out);
    s.env = ARGV("A=1");
    assert_int_equal(spawn_run(&s, NULL, &out, NULL, 10000, &result, &err), 0);
    assert_string_equal(buf_str(&out), "A=1\n");
    buf_release(&out);
}

static void test_limits(void **state)
{
    struct spawn s = SPAWN_INIT;
    cleanup_free char *out = NULL, *expected = NULL;
    int nice = getpriority(PRIO_PROCESS, 0);

    (void) state;
    s.limit_memory = 1 << 30;
    s.limit_file = 512 * 1000;
    s.limit_cpu = 7;
    s.nice = 1;
    s.cwd = "/";
    s.no_new_privileges = true;
    out = run(&s, "ulimit -v; ulimit -f; ulimit -t; nice; pwd; grep NoNewPrivs /proc/self/status");
    expected = xasprintf("1048576\n1000\n7\n%d\n/\nNoNewPrivs:\t1\n", nice < 19 ? nice + 1 : 19);
    assert_string_equal(out, expected);
}

static void test_ids(void **state)
{
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;

    (void) state;
    s.set_ids = true;
    s.uid = 12345;
    s.gid = 12346;
    s.groups[0] = 12347;
    s.n_groups = 1;
    s.parent_death_signal = SIGKILL;
    if (geteuid() == 0) {
        cleanup_free char *out = run(&s, "id -u; id -g; id -G");

        assert_string_equal(out, "12345\n12346\n12346 12347\n");
    } else {
        s.argv = SH("true");
        assert_int_equal(spawn_start(&s, NULL, &err), -1);
        assert_string_equal(err.msg, "cannot change the user for sh: Operation not permitted");
    }
}

static void test_wait(void **state)
{
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;
    int pidfd = -1;
    pid_t pid;

    (void) state;
    s.argv = SH("kill -TERM $$");
    s.new_session = true;
    pid = spawn_start(&s, &pidfd, &err);
    assert_true(pid > 0);
    assert_true(pidfd >= 0);
    assert_int_equal(spawn_wait(pid, &result, &err), 0);
    assert_true(result.signaled);
    assert_int_equal(result.code, SIGTERM);
    (void) close(pidfd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),         cmocka_unit_test(test_input_not_read),
        cmocka_unit_test(test_missing),     cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_timeout),     cmocka_unit_test(test_background),
        cmocka_unit_test(test_descriptors), cmocka_unit_test(test_signals),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ids),         cmocka_unit_test(test_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
