/* Releases that give an app another name, canceled and killed at every call. */
#include "config.h"

#include "base/mem.h"
#include "tests/unit/release_fixture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static int64_t rename_to(struct fixture *f, const char *name)
{
    struct release_new n = { .app_id = f->shop, .user = "anna", .description = "rename", .rename_to = name };
    int64_t id, version;

    OK(releases_create(f->store, &n, &id, &version, &err));
    return id;
}

static void name_is(struct fixture *f, const char *want)
{
    struct app a;

    OK(apps_get_id(f->store, f->shop, &a, &err));
    assert_string_equal(a.name, want);
    app_release(&a);
}

/* The target gets the new name with the release, and the old one back where that fails. */
static void test_rename(void **state)
{
    struct fixture *f = *state;
    int64_t id;

    (void) live(f);
    fake.op = "watch";
    fake.fault = FAKE_KILL;
    id = rename_to(f, "store");
    assert_true(work_killed(f));
    fake_forget();
    holds("v2 web=1 worker=0 as store");
    name_is(f, "shop");
    OK(releases_cancel(f->store, id, "anna", &err));
    assert_int_equal(work(f->store, "next"), 0);
    state_is(f, id, RELEASE_CANCELED, "canceled by anna");
    holds("v1 web=1 worker=0 restore");
    name_is(f, "shop");
    fake_forget();
    id = rename_to(f, "store");
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    holds("v3 web=1 worker=0 as store");
    has(f, id, "-----> Renaming shop to store\n");
    name_is(f, "store");
}

/* kill -9 before or after each call: the app's name and what the target was given are the same in the end. */
static void test_rename_killed(void **state)
{
    struct fixture *f = *state;

    (void) live(f);
    for (int at = 1;; at++) {
        cleanup_free char *name = xasprintf("store%d", at), *now = NULL;
        int64_t id = rename_to(f, name);
        bool was;

        assert_true(at < CALLS_MAX);
        fake.at = at;
        fake.fault = at % 2 != 0 ? FAKE_KILL : FAKE_KILL_AFTER;
        was = work_killed(f);
        fake_forget();
        if (was && state_of(f, id, NULL) != RELEASE_LIVE)
            assert_int_equal(work(f->store, "next"), 0);
        state_is(f, id, RELEASE_LIVE, NULL);
        name_is(f, name);
        now = xasprintf("v%" PRId64 " web=1 worker=0 as %s", live_version(f), name);
        holds(now);
        fake_forget();
        if (!was)
            return;
    }
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, release_setup, release_teardown)
    const struct CMUnitTest tests[] = { TEST(test_rename), TEST(test_rename_killed) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
