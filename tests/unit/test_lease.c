/* Leases between real processes: each row exactly once, and a killed holder's row free at once. */
#include "config.h"

#include "base/mem.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define WORKERS 6
#define APPS 8
#define BUILDS_PER_APP 4

static void test_liveness(void **state)
{
    struct fixture *f = *state;
    int64_t later = store_now() + 60000;
    struct lease l = f->me;
    int status;
    pid_t pid;

    assert_false(lease_is_dead(l.boot, l.pid, l.start, later));
    assert_true(lease_is_dead(l.boot, l.pid, l.start, store_now()));
    assert_true(lease_is_dead(l.boot, l.pid, l.start + 1, later)); /* the number is somebody else's now */
    assert_true(lease_is_dead("00000000-0000-0000-0000-000000000000", l.pid, l.start, later));
    assert_true(lease_is_dead(l.boot, 0, l.start, later));
    assert_true(lease_is_dead(NULL, l.pid, l.start, later));
    pid = fork();
    if (pid == 0)
        _exit(0);
    (void) waitid(P_PID, (id_t) pid, &(siginfo_t) { 0 }, WEXITED | WNOWAIT);
    assert_true(lease_is_dead(l.boot, pid, l.start, later)); /* a zombie holds nothing */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(lease_is_dead(l.boot, pid, l.start, later));
    REFUSED(ERR_FAILED, "too long", lease_self("0123456789012345678901234567890123456789012345678901234567890123",
                                               &l, &err));
}

/* Works off whatever it can lease; a line "id" to fd for each. */
static int worker(const char *state, int fd)
{
    struct store *s;
    struct lease me;
    int rc;

    if (store_open(state, false, &s, NULL) != 0 || lease_self("worker", &me, NULL) != 0)
        return 1;
    for (int idle = 0; idle < 200;) {
        int64_t release = 0;
        struct build b;

        rc = builds_lease(s, &me, &b, NULL);
        if (rc < 0)
            return 2;
        if (rc == 0) {
            int64_t left = 0;

            if (store_int(s, &left, NULL, "SELECT 1 FROM builds WHERE state IN ('queued', 'building') LIMIT 1", "") == 0)
                break;
            idle++;
            continue;
        }
        idle = 0;
        if (dprintf(fd, "%lld\n", (long long) b.id) < 0)
            return 3;
        if (b.id % 2 == 0) {
            if (builds_failed(s, &me, b.id, false, 1, "odd numbers only", NULL) != 0)
                return 4;
        } else if (builds_built(s, &me, b.id, "i", "sha256:1", fixture_processes, NULL, 0, &release, NULL) != 0
                   || releases_cancel(s, release, "worker", NULL) != 0) {
            return 5;
        }
        build_release(&b);
    }
    store_close(s);
    return 0;
}

static void test_many_workers(void **state)
{
    struct fixture *f = *state;
    int seen[APPS * BUILDS_PER_APP + 1] = { 0 }, fds[2], total = 0;
    pid_t pids[WORKERS];
    char line[32];
    FILE *in;

    for (int i = 0; i < APPS; i++) {
        char name[16];
        struct app a;

        (void) snprintf(name, sizeof(name), "app%d", i);
        OK(apps_create(f->store, name, "main", f->anna, &a, &err));
        for (int k = 0; k < BUILDS_PER_APP; k++)
            (void) fixture_queue(f, a.id);
        app_release(&a);
    }
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            (void) close(fds[0]);
            _exit(worker(f->state, fds[1]));
        }
    }
    (void) close(fds[1]);
    in = fdopen(fds[0], "r");
    while (fgets(line, sizeof(line), in) != NULL) {
        long id = strtol(line, NULL, 10);

        assert_in_range(id, 1, APPS * BUILDS_PER_APP);
        seen[id]++;
        total++;
    }
    (void) fclose(in);
    for (int i = 0; i < WORKERS; i++) {
        int status = -1;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(total, APPS * BUILDS_PER_APP);
    for (int i = 1; i <= APPS * BUILDS_PER_APP; i++)
        assert_int_equal(seen[i], 1);
}

static void test_kill_holder(void **state)
{
    struct fixture *f = *state;
    int64_t id = fixture_queue(f, f->shop);
    int fds[2], status;
    struct build b;
    pid_t pid;
    char c;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        struct store *s;
        struct lease me;

        if (store_open(f->state, false, &s, NULL) != 0 || lease_self("worker", &me, NULL) != 0
            || builds_lease(s, &me, &b, NULL) != 1 || write(fds[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void) pause();
    }
    assert_int_equal(read(fds[0], &c, 1), 1);
    assert_int_equal(builds_lease(f->store, &f->me, &b, NULL), 0); /* it lives */
    assert_int_equal(kill(pid, SIGKILL), 0);
    (void) waitid(P_PID, (id_t) pid, &(siginfo_t) { 0 }, WEXITED | WNOWAIT);
    assert_int_equal(builds_lease(f->store, &f->me, &b, NULL), 1); /* free at once, long before it expires */
    assert_int_equal(b.id, id);
    assert_int_equal(b.attempts, 2);
    build_release(&b);
    (void) waitpid(pid, &status, 0);
    (void) close(fds[0]);
    (void) close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_liveness, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_many_workers, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_kill_holder, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
