/* Releases that move an app to another target, and what they leave, with failures and kills at every call. */
#include "config.h"

#include "base/mem.h"
#include "deployer/remove.h"
#include "tests/unit/release_fixture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int64_t move_to(struct fixture *f, const char *target)
{
    cleanup_free char *what = xasprintf("move to %s", target);
    struct release_new n = { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = what, .target = target };
    int64_t id;

    OK(releases_create(f->store, &n, &id, NULL, &err));
    return id;
}

static void is_on(struct fixture *f, const char *target)
{
    struct app a;

    OK(apps_get_id(f->store, f->shop, &a, &err));
    assert_string_equal(a.target, target);
    app_release(&a);
}

/* Removes what is left; how many the targets would not let go. */
static size_t removed(struct fixture *f)
{
    const struct removal removal = { &conf, f->store, fake_find, NULL };
    size_t left;

    OK(remove_all(&removal, &left, &err));
    return left;
}

static bool something_left(struct fixture *f)
{
    bool waits;
    int lock = -1;

    if (GOT(remove_begin(f->store, &lock, &waits, &err)) == 0)
        return false;
    close(lock);
    return true;
}

static int setup_both(void **state)
{
    if (release_setup(state) != 0)
        return -1;
    OK(conf_set(&conf, "target.target=docker", &err));
    OK(conf_set(&conf, "kubernetes.kubeconfig=/kubeconfig", &err));
    return 0;
}

/* There and back: the same image and config, no release command; live first, then the old one is removed. */
static void test_move(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *log = NULL;
    struct release a, b;
    int64_t first, id, done = 0;

    set_config(f);
    first = live(f);
    is_on(f, "docker");
    OK(cron_done(f->store, f->shop, "1a2b3c4d", 1, &err));
    id = move_to(f, "kubernetes");
    /* Scheduled tasks: from the apply on the other target's, until nothing is left where it was. */
    assert_int_equal(GOT(cron_elsewhere(f->store, f->shop, &err)), 0);
    OK(store_exec(f->store, &err, "UPDATE releases SET step = 'apply' WHERE id = ?", "i", id));
    assert_int_equal(GOT(cron_elsewhere(f->store, f->shop, &err)), 1);
    OK(store_exec(f->store, &err, "UPDATE releases SET step = '' WHERE id = ?", "i", id));
    REFUSED(ERR_BUSY, "is being moved already", releases_create(f->store, &(struct release_new){
            .app_id = f->shop, .user = "bert", .description = "x", .target = "kubernetes" }, &first, NULL, &err));
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    is_on(f, "kubernetes");
    calls_are("kubernetes: open \nkubernetes: apply v2 web=1 worker=0 PASSWORD:15\n"
              "kubernetes: watch v2 web=1 worker=0 PASSWORD:15\n");
    has(f, id, "-----> Moving shop from docker to kubernetes\n-----> Releasing v2: web=1 worker=0\n");
    has(f, id, "       What shop has on docker is stopped and removed now.\n");
    holds("v1 web=1 worker=0 PASSWORD:15");
    OK(releases_get_version(f->store, f->shop, 1, &a, &err));
    OK(releases_get(f->store, id, &b, &err));
    assert_string_equal(a.digest, b.digest);
    assert_int_equal(a.config_version, b.config_version);
    assert_string_equal(a.target, "docker");
    assert_string_equal(b.target, "kubernetes");
    release_release(&a);
    release_release(&b);

    /* Not back while the old one is there; a push goes where the app is. */
    REFUSED(ERR_BUSY, "still being removed", releases_create(f->store, &(struct release_new){
            .app_id = f->shop, .user = "bert", .description = "x", .target = "docker" }, &first, NULL, &err));
    fake_forget();
    assert_true(something_left(f));
    fake.op = "remove";
    fake.fault = FAKE_DOWN;
    assert_int_equal(removed(f), 1);
    assert_int_equal(GOT(cron_elsewhere(f->store, f->shop, &err)), 1);
    fake_forget();
    assert_int_equal(removed(f), 0);
    calls_are("open \nremove shop\n");
    assert_int_equal(GOT(cron_elsewhere(f->store, f->shop, &err)), 0);
    OK(cron_done_at(f->store, f->shop, "1a2b3c4d", &done, &err));
    assert_true(done > 1);
    assert_false(something_left(f));
    holds("");
    REFUSED(ERR_FAILED, "on kubernetes already", releases_create(f->store, &(struct release_new){
            .app_id = f->shop, .user = "bert", .description = "x", .target = "kubernetes" }, &first, NULL, &err));
    fake_forget();
    (void) fixture_built(f, f->shop);
    assert_int_equal(work(f->store, "push"), 0);
    log = fake_read("holds-kubernetes.txt");
    assert_string_equal(log, "v3 web=1 worker=0 PASSWORD:15");

    id = move_to(f, "docker");
    assert_int_equal(work(f->store, "back"), 0);
    is_on(f, "docker");
    assert_int_equal(removed(f), 0);
    holds("v4 web=1 worker=0 PASSWORD:15");
}

/* Whatever fails, the old one is not touched, and what the new target got is removed. */
static void test_move_fails(void **state)
{
    static const char *const ops[] = { "open", "apply", "watch" };
    struct fixture *f = *state;

    (void) live(f);
    for (size_t i = 0; i < countof(ops); i++) {
        int64_t id = move_to(f, "kubernetes");
        cleanup_free char *calls = NULL, *there = NULL;

        fake.op = ops[i];
        fake.fault = i % 2 == 0 ? FAKE_FAIL : FAKE_FAIL_AFTER;
        assert_int_equal(work(f->store, "one"), 0);
        state_is(f, id, RELEASE_FAILED, NULL);
        has(f, id, " !     v1 is still live on docker.\n");
        calls = fake_read("calls.txt");
        assert_null(strstr(calls, "\napply"));
        assert_null(strstr(calls, "\nremove"));
        is_on(f, "docker");
        holds("v1 web=1 worker=0");
        fake_forget();
        assert_true(something_left(f));
        assert_int_equal(removed(f), 0);
        calls_are("kubernetes: open \nkubernetes: remove shop\n");
        there = fake_read("holds-kubernetes.txt");
        assert_string_equal(there, "");
        fake_forget();
    }
    assert_int_equal(live_version(f), 1);
}

/* kill -9 at each call, of the move and then of the removal: in the end it is there, and only there. */
static void test_move_killed(void **state)
{
    struct fixture *f = *state;
    bool was = true;

    (void) live(f);
    for (int at = 1; was; at++) {
        const char *to = at % 2 != 0 ? "kubernetes" : "docker";
        cleanup_free char *want = NULL, *got = NULL;
        int64_t id = move_to(f, to);

        assert_true(at < CALLS_MAX);
        fake.at = (at + 1) / 2;
        fake.fault = at % 2 != 0 ? FAKE_KILL : FAKE_KILL_AFTER;
        was = work_killed(f);
        fake_forget();
        if (was) {
            is_on(f, at % 2 != 0 ? "docker" : "kubernetes");
            assert_int_equal(work(f->store, "next"), 0);
        }
        state_is(f, id, RELEASE_LIVE, NULL);
        is_on(f, to);
        fake_forget();
        if (fork() == 0) {
            fake.op = "remove";
            fake.fault = FAKE_KILL_AFTER;
            (void) removed(f);
            _exit(1);
        }
        (void) wait(NULL);
        assert_true(something_left(f));
        fake_forget();
        assert_int_equal(removed(f), 0);
        assert_false(something_left(f));
        want = xasprintf("v%" PRId64 " web=1 worker=0", live_version(f));
        got = fake_read(at % 2 != 0 ? "holds-kubernetes.txt" : "holds.txt");
        assert_string_equal(got, want);
        free(got);
        got = fake_read(at % 2 != 0 ? "holds.txt" : "holds-kubernetes.txt");
        assert_string_equal(got, "");
        fake_forget();
    }
}

/* Three workers die while they move it: it stays where it is. Destroyed in between, nothing is left anywhere. */
static void test_move_gives_up(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *calls = NULL;
    int64_t id;

    (void) live(f);
    id = move_to(f, "kubernetes");
    work_killed_thrice(f, "watch");
    fake_forget();
    assert_int_equal(work(f->store, "next"), 0);
    state_is(f, id, RELEASE_CANCELED, NULL);
    is_on(f, "docker");
    holds("v1 web=1 worker=0");
    fake_forget();
    OK(apps_destroy(f->store, f->shop, &err));
    assert_int_equal(removed(f), 0);
    calls = fake_read("calls.txt");
    assert_string_equal(calls, "open \nremove shop\nkubernetes: open \nkubernetes: remove shop\n");
}

/* An app that isn't live is only noted; one whose target is configured no more is told so. */
static void test_move_settings(void **state)
{
    struct fixture *f = *state;
    int64_t id;

    OK(target_set(f->store, f->shop, "kubernetes", &err));
    is_on(f, "kubernetes");
    id = fixture_built(f, f->shop);
    REFUSED(ERR_BUSY, "under way", target_set(f->store, f->shop, "docker", &err));
    OK(conf_set(&conf, "kubernetes.kubeconfig=", &err));
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_FAILED, "shop can't be released on kubernetes: this server is not configured for kubernetes: "
             "set [kubernetes] kubeconfig in slipway.conf and restart it");
    OK(target_set(f->store, f->shop, "docker", &err));
    assert_true(something_left(f));
    OK(targets_fill(f->store, "kubernetes", &err));
    is_on(f, "docker");
    OK(store_exec(f->store, &err, "UPDATE apps SET target = ''", ""));
    OK(targets_fill(f->store, "kubernetes", &err));
    is_on(f, "kubernetes");
}

int main(void)
{
#define BOTH(t) cmocka_unit_test_setup_teardown(t, setup_both, release_teardown)
    const struct CMUnitTest tests[] = {
        BOTH(test_move), BOTH(test_move_fails), BOTH(test_move_killed), BOTH(test_move_gives_up), BOTH(test_move_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
