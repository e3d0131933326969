/* cron:list, cron:run, cron:suspend, cron:resume as a person types them, and their rows. Running them needs a target and is
 * tested end to end (tests/e2e/t0460_appjson.py). */
#include "config.h"

#include "base/mem.h"
#include "sql/app_json.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char kept[] = "{\"cron\": [{\"command\": \"rake tidy\", \"schedule\": \"0 4 * * *\"}]}";

static void typed(struct desk *d, const char *verb, int code, const char *text)
{
    cleanup_free char *line = NULL;
    struct app_json a;

    OK(app_json_of(kept, &a, &err));
    line = xasprintf("%s shop %s", verb, a.cron[0].id);
    app_json_release(&a);
    desk_expect(d, "anna", line, code, text);
}

static void test_nothing_live(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "anna", "cron:list shop", 0, "no scheduled tasks");
    desk_expect(d, "anna", "cron:list shop --json", 0, "[]");
    typed(d, "cron:run", 4, "has no task");
    desk_expect(d, "anna", "cron:run shop 0", 2, "1a2b3c4d");
    desk_expect(d, "anna", "cron:suspend shop", 2, "ID is missing");
}

static void test_live(void **state)
{
    struct desk *d = *state;
    struct fixture *f = d->f;

    (void) fixture_live(f, f->shop);
    OK(store_exec(f->store, &err, "UPDATE releases SET app_json = ?", "s", kept));
    desk_expect(d, "anna", "cron:list shop", 0, "04:00:00");
    desk_expect(d, "anna", "cron:list shop --json", 0, "\"command\":\"rake tidy\"");
    typed(d, "cron:run", 6, "deployer does not answer");
    typed(d, "cron:resume", 0, "active already");
    desk_expect(d, "anna", "audit shop -n 1", 0, "cron:resume");
}

static void test_rows(void **state)
{
    cleanup_vec struct vec suspended = VEC_INIT;
    struct desk *d = *state;
    struct fixture *f = d->f;
    int64_t at, *apps = NULL;
    size_t n = 0;

    OK(cron_apps(f->store, "docker", &apps, &n, &err));
    assert_int_equal(n, 0);
    (void) fixture_live(f, f->shop);
    OK(store_exec(f->store, &err, "UPDATE releases SET app_json = ?", "s", kept));
    OK(cron_apps(f->store, "docker", &apps, &n, &err));
    assert_int_equal(n, 0); /* it is on no target, or another */
    free(apps);
    OK(store_exec(f->store, &err, "UPDATE apps SET target = 'docker'", ""));
    OK(cron_apps(f->store, "docker", &apps, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(apps[0], f->shop);
    free(apps);
    OK(cron_done_at(f->store, f->shop, "1a2b3c4d", &at, &err));
    assert_int_equal(at, 0);
    OK(cron_suspend(f->store, f->shop, "1a2b3c4d", true, &err));
    OK(cron_done(f->store, f->shop, "1a2b3c4d", 5000, &err));
    OK(cron_done(f->store, f->shop, "1a2b3c4d", 7000, &err));
    OK(cron_done_at(f->store, f->shop, "1a2b3c4d", &at, &err));
    assert_int_equal(at, 7000);
    OK(cron_suspended(f->store, f->shop, &suspended, &err));
    assert_int_equal(suspended.n, 1);
    OK(cron_suspend(f->store, f->shop, "1a2b3c4d", false, &err));
    OK(cron_suspended(f->store, f->shop, &suspended, &err));
    assert_int_equal(suspended.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_live, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_live, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_rows, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
