/* What a rollout on the Docker engine decides: which containers are made, kept and retired, and when they serve. */
#include "config.h"

#include "base/mem.h"
#include "deployer/docker/boot.h"
#include "deployer/docker/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* --- the plan */

static struct container have_v[16];
static struct containers have;

/* "web 1 a 0": process, number, template, set. */
static struct container *add(const char *process, int number, const char *template, int set)
{
    static char ids[16][8];
    struct container *c = &have_v[have.n];

    (void) snprintf(ids[have.n], sizeof(ids[0]), "id%zu", have.n);
    *c = (struct container) { .id = ids[have.n], .process = (char *) (uintptr_t) process, .number = number,
                              .template = (char *) (uintptr_t) template, .set = set, .state = CONTAINER_RUNNING,
                              .created_at = (int64_t) have.n + 1 };
    have.v = have_v;
    have.n++;
    return c;
}

static struct plan plan;
static struct err err;

/* web with template "b", worker with "w". */
static int make(int web, int worker, int live, const char *again)
{
    struct plan_want want[] = { { "web", web, "b" }, { "worker", worker, "w" } };

    return plan_make(want, 2, &have, live, again, &plan, &err);
}

static int before(void **state)
{
    (void) state;
    memset(&have, 0, sizeof(have));
    memset(&plan, 0, sizeof(plan));
    err_clear(&err);
    return 0;
}

static int after(void **state)
{
    (void) state;
    plan_release(&plan);
    return 0;
}

static void assert_made(size_t i, const char *process, int number)
{
    assert_true(i < plan.n_make);
    assert_string_equal(plan.make[i].process, process);
    assert_int_equal(plan.make[i].number, number);
}

static void test_first(void **state)
{
    (void) state;
    assert_int_equal(make(2, 1, 0, NULL), 0);
    assert_int_equal(plan.n_make, 3);
    assert_made(0, "web", 1);
    assert_made(1, "web", 2);
    assert_made(2, "worker", 1);
    assert_int_equal(plan.set, 0); /* nobody uses it */
}

/* All of the live set was removed: requests wait for its addresses. */
static void test_lost(void **state)
{
    (void) state;
    add("web", 1, "a", 1)->retired = true;
    assert_int_equal(make(2, 0, 2, NULL), 0);
    assert_int_equal(plan.set, 2);
    assert_int_equal(plan.n_make, 2);
}

static void test_replace(void **state)
{
    (void) state;
    add("web", 1, "a", 2);
    add("worker", 1, "w", -1);
    assert_int_equal(make(1, 1, 2, NULL), 0);
    assert_int_equal(plan.what[0], PLAN_RETIRE);
    assert_int_equal(plan.what[1], PLAN_KEEP);
    assert_int_equal(plan.n_make, 1);
    assert_int_not_equal(plan.set, 2);
    assert_false(plan_is_done(&plan, &have));
}

static void test_same(void **state)
{
    (void) state;
    add("web", 1, "b", 2);
    assert_int_equal(make(1, 0, 2, NULL), 0);
    assert_int_equal(plan.what[0], PLAN_KEEP);
    assert_int_equal(plan.set, 2);
    assert_true(plan_is_done(&plan, &have));
}

static void test_scale(void **state)
{
    (void) state;
    add("web", 1, "b", 2);
    add("web", 2, "b", 2);
    assert_int_equal(make(3, 0, 2, NULL), 0);
    assert_int_equal(plan.n_make, 1);
    assert_made(0, "web", 3);
    assert_int_equal(plan.set, 2);
    plan_release(&plan);
    assert_int_equal(make(1, 0, 2, NULL), 0);
    assert_int_equal(plan.what[0], PLAN_KEEP);
    assert_int_equal(plan.what[1], PLAN_RETIRE);
    plan_release(&plan);
    assert_int_equal(make(0, 0, 2, NULL), 0);
    assert_int_equal(plan.set, -1);
    assert_int_equal(plan.what[0], PLAN_RETIRE);
    plan_release(&plan);
    assert_int_equal(make(SET_SIZE + 1, 0, 2, NULL), -1);
    assert_int_equal(err.code, ERR_FAILED);
}

static void test_stopped(void **state)
{
    (void) state;
    add("web", 1, "b", 0)->state = CONTAINER_EXITED;
    add("web", 2, "b", 0)->state = CONTAINER_RESTARTING;
    add("web", 3, "b", 0)->state = CONTAINER_GONE;
    assert_int_equal(make(3, 0, 0, NULL), 0);
    assert_int_equal(plan.what[0], PLAN_START);
    assert_int_equal(plan.what[1], PLAN_KEEP);
    assert_int_equal(plan.n_make, 1);
    assert_made(0, "web", 3);
    assert_int_equal(plan.what[2], PLAN_EVICT); /* it has the address */
}

/* A worker was killed on the way: the next one goes on with the set that it has begun. */
static void test_go_on(void **state)
{
    (void) state;
    add("web", 1, "a", 0);
    add("web", 1, "b", 3);
    assert_int_equal(make(2, 0, 0, NULL), 0);
    assert_int_equal(plan.set, 3);
    assert_int_equal(plan.what[0], PLAN_RETIRE);
    assert_int_equal(plan.what[1], PLAN_KEEP);
    assert_made(0, "web", 2);
}

/* Containers that are on their way out are never taken back, and the set that drained the longest is taken. */
static void test_draining(void **state)
{
    (void) state;
    for (int s = 1; s < SETS; s++)
        add("web", 1, "b", s)->retired = true;
    add("web", 1, "a", 0);
    assert_int_equal(make(1, 0, 0, NULL), 0);
    assert_int_equal(plan.set, 1);
    assert_int_equal(plan.what[0], PLAN_EVICT);
    assert_int_equal(plan.what[1], PLAN_LEAVE);
    assert_int_equal(plan.what[3], PLAN_RETIRE);
}

static void test_restart(void **state)
{
    (void) state;
    add("web", 1, "b", 1);
    add("worker", 1, "w", -1);
    assert_int_equal(make(1, 1, 1, "web"), 0);
    assert_int_not_equal(plan.set, 1);
    assert_int_equal(plan.what[0], PLAN_RETIRE);
    assert_int_equal(plan.what[1], PLAN_KEEP);
    plan_release(&plan);
    assert_int_equal(make(1, 1, 1, ""), 0);
    assert_int_equal(plan.n_make, 2);
}

static void test_foreign(void **state)
{
    (void) state;
    add("release", 1, "x", -1);
    add("clock", 1, "x", -1);
    add("web", 1, "b", 77);
    add("web", 0, "b", 0);
    assert_int_equal(make(1, 0, 0, NULL), 0);
    assert_int_equal(plan.what[0], PLAN_LEAVE);
    assert_int_equal(plan.what[1], PLAN_RETIRE);
    assert_int_equal(plan.what[2], PLAN_RETIRE);
    assert_int_equal(plan.what[3], PLAN_RETIRE);
    assert_int_equal(plan.n_make, 1);
}

/* --- coming up */

static struct boot boot;
static struct boot_failure failure;
static int again;

static int boot_before(void **state)
{
    (void) state;
    boot_init(&boot, 2, "512Mi");
    memset(&failure, 0, sizeof(failure));
    return 0;
}

static int boot_after(void **state)
{
    (void) state;
    free(failure.why);
    boot_release(&boot);
    return 0;
}

static void status(const char *id, enum container_state s, int restarts, int exit_code, int64_t now)
{
    struct container_status st = { .state = s, .restarts = restarts, .exit_code = exit_code,
                                   .started_at = 1000 + restarts };

    boot_status(boot_find(&boot, id), &st, now);
}

static void assert_progress(int64_t now, const char *text)
{
    cleanup_buf struct buf b;

    buf_init(&b, 200);
    boot_progress(&boot, now, &b);
    assert_string_equal(buf_str(&b), text);
}

static void test_up(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    boot_expect(&boot, "b", "web", 2, "10.0.0.3");
    boot_expect(&boot, "c", "worker", 1, "");
    assert_null(boot_find(&boot, "d"));
    assert_int_equal(boot_judge(&boot, 0, &again, &failure), BOOT_GOING);
    assert_int_equal(again, -1);
    status("a", CONTAINER_RUNNING, 0, 0, 100);
    status("b", CONTAINER_RUNNING, 0, 0, 100);
    status("c", CONTAINER_RUNNING, 0, 0, 100);
    boot_find(&boot, "a")->answered = true;
    assert_int_equal(boot_judge(&boot, 200, &again, &failure), BOOT_GOING);
    assert_int_equal(again, SETTLE_MS - 100);
    assert_progress(200, "web 1/2 ready, worker 0/1 ready");
    boot_find(&boot, "b")->answered = true;
    assert_int_equal(boot_judge(&boot, 100 + SETTLE_MS, &again, &failure), BOOT_DONE);
    assert_progress(100 + SETTLE_MS, "web 2/2 ready, worker 1/1 ready");
}

static void test_crash(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    status("a", CONTAINER_RUNNING, 0, 0, 100);
    boot_find(&boot, "a")->answered = true;
    boot_died(boot_find(&boot, "a"), 3);
    assert_int_equal(boot_judge(&boot, 110, &again, &failure), BOOT_GOING);
    status("a", CONTAINER_RUNNING, 1, 0, 200); /* it runs again, and has forgotten its exit code */
    assert_false(boot_find(&boot, "a")->answered);
    assert_int_equal(boot_judge(&boot, 210, &again, &failure), BOOT_GOING);
    status("a", CONTAINER_RESTARTING, 2, 3, 300);
    assert_int_equal(boot_judge(&boot, 310, &again, &failure), BOOT_FAILED);
    assert_string_equal(failure.why, "web crashed 2 times (exit 3)");
    assert_ptr_equal(failure.of, boot_find(&boot, "a"));
}

static void expect_failure(const char *why)
{
    assert_int_equal(boot_judge(&boot, 1000, &again, &failure), BOOT_FAILED);
    assert_string_equal(failure.why, why);
}

static void test_ended(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    status("a", CONTAINER_RESTARTING, 2, 0, 100);
    expect_failure("web ended by itself (exit 0), where it must go on");
}

static void test_out_of_memory(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "worker", 1, "");
    boot_find(&boot, "a")->oom = true;
    status("a", CONTAINER_RESTARTING, 1, 137, 100);
    expect_failure("worker ran out of memory (limit 512Mi)");
}

static void test_own_checks(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    boot_find(&boot, "a")->checked = true;
    status("a", CONTAINER_RUNNING, 0, 0, 100);
    assert_int_equal(boot_judge(&boot, 200 + BOOT_LIMIT_MS, &again, &failure), BOOT_GOING); /* they say how long */
    boot_find(&boot, "a")->failed = xstrdup("did not pass its startup check: GET /up answered 503 (3 attempts)");
    expect_failure("web did not pass its startup check: GET /up answered 503 (3 attempts)");
}

static void test_removed(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    boot_find(&boot, "a")->gone = true;
    expect_failure("web: somebody removed its container");
    assert_null(failure.of);
}

static void test_stopped_by_hand(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    status("a", CONTAINER_EXITED, 0, 143, 100);
    expect_failure("web: somebody stopped its container");
}

static void test_not_started(void **state)
{
    struct container_status st = { .state = CONTAINER_CREATED, .error = xstrdup("no such file") };

    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    boot_status(boot_find(&boot, "a"), &st, 100);
    expect_failure("web can't be started: no such file");
}

static void test_silent(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    status("a", CONTAINER_RUNNING, 0, 0, 100);
    assert_int_equal(boot_judge(&boot, 50 + BOOT_LIMIT_MS, &again, &failure), BOOT_GOING);
    assert_int_equal(again, 50);
    assert_int_equal(boot_judge(&boot, 100 + BOOT_LIMIT_MS, &again, &failure), BOOT_FAILED);
    assert_string_equal(failure.why, "web did not listen on 0.0.0.0:$PORT (port 8080) within 60 s");
}

static void test_overdue(void **state)
{
    (void) state;
    boot_expect(&boot, "a", "web", 1, "10.0.0.2");
    boot_expect(&boot, "b", "web", 2, "10.0.0.3");
    status("a", CONTAINER_RUNNING, 0, 0, 100);
    boot_find(&boot, "a")->answered = true;
    boot_overdue(&boot, 200, 300, &failure);
    assert_string_equal(failure.why, "web is not ready after 300 s: 1 of 2 ready");
    assert_ptr_equal(failure.of, boot_find(&boot, "b"));
    free(failure.why);
    /* It runs and never answered: what it must listen on. */
    status("b", CONTAINER_RUNNING, 0, 0, 100);
    boot_overdue(&boot, 200, 10, &failure);
    assert_string_equal(failure.why, "web did not listen on 0.0.0.0:$PORT (port 8080) within 10 s");
    free(failure.why);
    boot_find(&boot, "b")->checked = true; /* a healthcheck asks for more than that */
    boot_overdue(&boot, 200, 10, &failure);
    assert_string_equal(failure.why, "web is not ready after 10 s: 1 of 2 ready");
}

#define PLAN(f) cmocka_unit_test_setup_teardown(f, before, after)
#define BOOT(f) cmocka_unit_test_setup_teardown(f, boot_before, boot_after)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAN(test_first), PLAN(test_lost), PLAN(test_replace), PLAN(test_same), PLAN(test_scale), PLAN(test_stopped), PLAN(test_go_on),
        PLAN(test_draining), PLAN(test_restart), PLAN(test_foreign), BOOT(test_up), BOOT(test_crash), BOOT(test_ended),
        BOOT(test_out_of_memory), BOOT(test_own_checks), BOOT(test_removed), BOOT(test_stopped_by_hand), BOOT(test_not_started),
        BOOT(test_silent), BOOT(test_overdue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
