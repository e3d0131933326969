/* apps:rename as a person types it, and what the deployer finds. */
#include "config.h"

#include "base/mem.h"
#include "sql/names.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void names_are(struct desk *d, int64_t id, const char *name, const char *handle)
{
    struct app a;

    OK(apps_get_id(d->f->store, id, &a, &err));
    assert_string_equal(a.name, name);
    assert_string_equal(a.handle, handle);
    app_release(&a);
}

static int64_t create(struct desk *d, const char *name)
{
    struct app a;
    int64_t id;

    OK(apps_create(d->f->store, name, "main", d->f->anna, &a, &err));
    id = a.id;
    app_release(&a);
    return id;
}

static void test_refused(void **state)
{
    struct desk *d = *state;

    (void) create(d, "blog");
    desk_user(d, "carl", ROLE_OPERATE);
    desk_expect(d, "carl", "apps:rename shop store", ERR_DENIED, "needs the role own");
    desk_expect(d, "bert", "apps:rename shop", ERR_USAGE, "NEW is missing");
    desk_expect(d, "bert", "apps:rename shop Store", ERR_USAGE, NULL);
    desk_expect(d, "bert", "apps:rename shop ../x", ERR_USAGE, NULL);
    desk_expect(d, "bert", "apps:rename shop shop", ERR_FAILED, "the app is named shop already");
    desk_expect(d, "bert", "apps:rename shop blog", ERR_FAILED, "the name blog is taken");
    desk_expect(d, "bert", "apps:rename nope store", ERR_NOT_FOUND, NULL);
    names_are(d, d->f->shop, "shop", "shop");
}

static void test_without_release(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "apps:rename shop store", 0, "Renaming shop to store... done");
    assert_non_null(strstr(buf_str(&d->out), "git remote set-url k8s ssh://git@paas.example.com:2222/store"));
    desk_expect(d, "bert", "apps:info shop", ERR_NOT_FOUND, NULL);
    desk_expect(d, "bert", "apps:rename shelf -a store --json", 0, "{\"name\":\"shelf\",\"former_name\":\"store\",\"release\":"
                "null,\"url\":null,\"former_url\":null,\"git_url\":");
    names_are(d, d->f->shop, "shelf", "shop");
    desk_expect(d, "bert", "audit shelf", 0, "apps:rename");
    assert_non_null(strstr(buf_str(&d->out), "store"));
    /* The name is free, and the objects' isn't. */
    desk_expect(d, "anna", "apps:create shop", 0, NULL);
    names_are(d, d->f->shop + 1, "shop", "shop-2");
    desk_expect(d, "anna", "audit shop --json", 0, "\"command\":\"apps:create\"");
    assert_null(strstr(buf_str(&d->out), "apps:rename"));
}

static void test_live(void **state)
{
    struct desk *d = *state;

    (void) fixture_live(d->f, d->f->shop);
    d->fail_with = "the router does not answer";
    desk_expect(d, "bert", "apps:rename shop store", ERR_FAILED, "v2 failed: the router does not answer. v1 is still live; the "
                "app keeps the name shop");
    names_are(d, d->f->shop, "shop", "shop");
    desk_expect(d, "bert", "releases:retry shop v2", ERR_FAILED, "apps:rename shop store");
    d->fail_with = NULL;
    desk_expect(d, "bert", "apps:rename shop store", 0, "Renaming shop to store... done, v3");
    names_are(d, d->f->shop, "store", "shop");
    desk_expect(d, "bert", "releases store --json", 0, "\"description\":\"rename to store\"");
    desk_expect(d, "bert", "apps:info store", 0, "Objects:    shop");
    desk_expect(d, "bert", "apps:info store --json", 0, "{\"name\":\"store\",\"handle\":\"shop\"");
    desk_expect(d, "bert", "apps:rename store shop --json", 0, "\"name\":\"shop\",\"former_name\":\"store\",\"release\":4");
    desk_expect(d, "bert", "rollback shop v1", 0, NULL);
    names_are(d, d->f->shop, "shop", "shop");
}

/* A release that is under way holds the name that it brings, and nobody else's release or app takes it. */
static void test_under_way(void **state)
{
    struct desk *d = *state;
    struct release_new n = { .app_id = d->f->shop, .user_id = d->f->bert, .user = "bert", .description = "rename",
                             .rename_to = "store" };
    int64_t id = 0, blog = create(d, "blog"), version;
    struct release r;

    (void) fixture_live(d->f, d->f->shop);
    OK(releases_create(d->f->store, &n, &id, &version, &err));
    names_are(d, d->f->shop, "shop", "shop");
    desk_expect(d, "anna", "apps:create store", ERR_FAILED, "the name store is taken");
    desk_expect(d, "anna", "apps:rename blog store", ERR_FAILED, "the name store is taken");
    desk_expect(d, "bert", "apps:rename shop shelf", ERR_BUSY, "shop is being renamed already");
    assert_int_equal(GOT(releases_lease(d->f->store, &d->f->me, &r, &err)), 1);
    assert_string_equal(r.rename_to, "store");
    assert_string_equal(r.app, "shop");
    release_release(&r);
    OK(releases_live(d->f->store, &d->f->me, id, "https://store.example.com", 1, &err));
    names_are(d, d->f->shop, "store", "shop");
    names_are(d, blog, "blog", "blog");
    desk_expect(d, "anna", "apps:rename blog store", ERR_FAILED, "the name store is taken");
    desk_expect(d, "anna", "apps:rename blog shop", 0, NULL);
}

static void test_handle(void **state)
{
    struct desk *d = *state;
    const char *longest = "a23456789012345678901234567890";
    char handle[APP_NAME_MAX + 1];
    int64_t id = create(d, longest);

    OK(handle_choose(d->f->store, "fresh", handle, &err));
    assert_string_equal(handle, "fresh");
    OK(apps_rename(d->f->store, id, "short", &err));
    OK(handle_choose(d->f->store, longest, handle, &err));
    assert_string_equal(handle, "a234567890123456789012345678-2");
    OK(app_name_check(handle, &err));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, desk_setup, desk_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_refused), TEST(test_without_release), TEST(test_live), TEST(test_under_way), TEST(test_handle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
