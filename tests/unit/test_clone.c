/* apps:clone as a person types it, and the builder's part of it. */
#include "config.h"

#include "base/mem.h"
#include "sql/seal.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int count(struct desk *d, const char *sql)
{
    int64_t n = 0;

    (void) GOT(store_int(d->f->store, &n, &err, sql, ""));
    return (int) n;
}

static void app_of(struct desk *d, const char *name, struct app *ret)
{
    OK(apps_get(d->f->store, name, ret, &err));
}

/* The value that a build of the app at this config version would get. */
static char *build_value(struct desk *d, int64_t app, int64_t version, const char *name)
{
    struct config_set set;
    char *value = NULL;
    size_t n = 0;

    OK(config_get(d->f->store, app, version, &set, &err));
    for (size_t i = 0; i < set.n; i++)
        if (strcmp(set.v[i].name, name) == 0 && set.v[i].build)
            OK(seal_open(d->f->state, SEAL_BUILD, app, name, set.v[i].sealed_build, set.v[i].sealed_build_len, &value, &n,
                         &err));
    config_set_release(&set);
    return value;
}

static void test_refused(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "apps:clone shop copy", ERR_DOWN, "the deployer does not answer");
    assert_int_equal(count(d, "SELECT count(*) FROM apps"), 1);
    desk_deployer(d);
    desk_user(d, "carl", ROLE_OPERATE);
    desk_user(d, "dora", ROLE_DEPLOY);
    desk_expect(d, "carl", "apps:clone shop copy", ERR_DENIED, "you may not create apps here");
    desk_expect(d, "dora", "apps:clone shop copy", ERR_DENIED, "needs the role operate");
    desk_expect(d, "bert", "apps:clone shop", ERR_USAGE, "NEW is missing");
    desk_expect(d, "bert", "apps:clone shop Copy", ERR_USAGE, NULL);
    desk_expect(d, "bert", "apps:clone shop shop", ERR_FAILED, "the name shop is taken");
    desk_expect(d, "bert", "apps:clone nope copy", ERR_NOT_FOUND, NULL);
    assert_int_equal(count(d, "SELECT count(*) FROM apps"), 1);
}

static void test_all(void **state)
{
    struct desk *d = *state;
    struct release r;
    struct app a;

    desk_deployer(d);
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "config:set --no-restart shop A=one 'B=two words'", 0, NULL);
    desk_expect(d, "bert", "config:set --no-restart --run --build shop BOTH=three", 0, NULL);
    desk_expect(d, "bert", "config:set --no-restart --build shop TOKEN=four", 0, NULL);
    desk_expect(d, "bert", "ps:scale shop web=3", 0, NULL);
    OK(store_exec(d->f->store, &err, "UPDATE apps SET target = 'docker', deploy_branch = 'trunk', on_disconnect = 'cancel'", ""));
    OK(cron_suspend(d->f->store, d->f->shop, "1a2b3c4d", true, &err));
    desk_expect(d, "anna", "apps:clone shop copy --json", 0, "{\"name\":\"copy\",\"from\":\"shop\",\"release\":1,\"url\":"
                "\"https://shop.example.com\",\"deploy_branch\":\"trunk\",\"git_url\":");
    app_of(d, "copy", &a);
    assert_string_equal(a.owner, "anna");
    assert_string_equal(a.target, "docker");
    assert_string_equal(a.on_disconnect, "cancel");
    assert_null(a.live_commit);
    OK(releases_get(d->f->store, a.live_release_id, &r, &err));
    assert_int_equal(formation_count(&r.formation, "web"), 3);
    assert_string_equal(r.digest, r.image_ref);
    assert_true(r.processes.n > 0 && r.run_release_command);
    assert_int_equal(r.config_version, a.config_version);
    release_release(&r);
    desk_expect(d, "anna", "releases copy", 0, "clone of shop v2");
    desk_expect(d, "anna", "config:export copy --format dotenv", 0, "A='one'\nB='two words'\nBOTH='three'\n");
    desk_expect(d, "bert", "apps:info copy", ERR_NOT_FOUND, NULL);
    /* The builder's part; before it and after it the version is the same. */
    desk_expect(d, "anna", "config:keys copy", 0, "TOKEN");
    OK(config_copies_do(d->f->store, &err));
    {
        cleanup_free char *token = build_value(d, a.id, a.config_version, "TOKEN");
        cleanup_free char *both = build_value(d, a.id, a.config_version, "BOTH");

        assert_string_equal(token, "four");
        assert_string_equal(both, "three");
    }
    assert_int_equal(count(d, "SELECT count(*) FROM config_copies"), 0);
    OK(config_copies_do(d->f->store, &err));
    desk_expect(d, "anna", "config:keys copy", 0, "TOKEN");
    desk_expect(d, "anna", "audit shop", 0, "apps:clone");
    app_release(&a);
}

static void test_skip_deploy(void **state)
{
    struct desk *d = *state;
    cleanup_free char *token = NULL;
    struct app a;

    desk_deployer(d);
    desk_expect(d, "bert", "config:set --build shop TOKEN=four", 0, NULL);
    desk_expect(d, "bert", "apps:clone shop early", 0, "nothing is live to be released");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "apps:clone shop copy --skip-deploy", 0, "nothing is released yet");
    desk_expect(d, "bert", "releases copy --json", 0, "[]");
    app_of(d, "copy", &a);
    /* What the builder has yet to do is there for people, and for a clone of the clone; and stays away when it is unset. */
    desk_expect(d, "bert", "config:keys copy", 0, "TOKEN");
    desk_expect(d, "bert", "apps:clone copy again --skip-deploy", 0, "nothing is live");
    desk_expect(d, "bert", "config:keys again", 0, "TOKEN");
    desk_expect(d, "bert", "config:unset again TOKEN", 0, NULL);
    desk_expect(d, "bert", "config:list again --json", 0, "[]");
    /* The source may be gone by the time. */
    OK(apps_delete(d->f->store, d->f->shop, &err));
    OK(config_copies_do(d->f->store, &err));
    token = build_value(d, a.id, a.config_version, "TOKEN");
    assert_string_equal(token, "four");
    app_release(&a);
    desk_expect(d, "bert", "config:list again --json", 0, "[]");
}

static void test_failed(void **state)
{
    struct desk *d = *state;

    desk_deployer(d);
    (void) fixture_live(d->f, d->f->shop);
    d->fail_with = "web crashed";
    desk_expect(d, "bert", "apps:clone shop copy", ERR_FAILED, "copy is made, with shop's config, but not live: v1 failed: web "
                "crashed. Nothing is live");
    desk_expect(d, "bert", "apps:info copy", 0, NULL);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, desk_setup, desk_teardown)
    const struct CMUnitTest tests[] = { TEST(test_refused), TEST(test_all), TEST(test_skip_deploy), TEST(test_failed) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
