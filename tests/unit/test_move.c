/* apps:move as a person types it. */
#include "config.h"

#include "base/mem.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static int setup(void **state)
{
    struct desk *d;

    if (desk_setup(state) != 0)
        return -1;
    d = *state;
    OK(conf_set(&d->conf, "target.target=docker", &err));
    OK(conf_set(&d->conf, "kubernetes.kubeconfig=/kubeconfig", &err));
    return 0;
}

/* A live app, as the deployer leaves it. */
static void live(struct desk *d, int64_t app)
{
    (void) fixture_live(d->f, app);
    OK(store_exec(d->f->store, &err, "UPDATE apps SET target = 'docker' WHERE id = ?", "i", app));
}

static void removed(struct desk *d, int64_t app, const char *target)
{
    OK(leavings_drop(d->f->store, app, target, &err));
}

static int releases(struct desk *d)
{
    int64_t n = 0;

    (void) GOT(store_int(d->f->store, &n, &err, "SELECT count(*) FROM releases", ""));
    return (int) n;
}

static void test_refused(void **state)
{
    struct desk *d = *state;

    live(d, d->f->shop);
    desk_expect(d, "bert", "apps:move shop --to moon", ERR_USAGE, "--to: there is no target \"moon\"; there are docker and kubernetes; for example: ");
    desk_expect(d, "bert", "apps:move shop", ERR_USAGE, NULL);
    desk_expect(d, "bert", "apps:move --to kubernetes", ERR_DENIED, NULL);
    desk_expect(d, "anna", "apps:move --to kubernetes", ERR_USAGE, "name one app, or give --all");
    desk_expect(d, "anna", "apps:move shop --all --to kubernetes", ERR_USAGE, "name one app, or give --all");
    desk_user(d, "carl", ROLE_OPERATE);
    desk_expect(d, "carl", "apps:move shop --to kubernetes", ERR_DENIED, NULL);
    /* Nobody answers: nothing has changed. */
    desk_expect(d, "bert", "apps:move shop --to kubernetes", ERR_DOWN, "kubernetes can't take shop now, and nothing was "
                "changed");
    OK(conf_set(&d->conf, "kubernetes.kubeconfig=", &err));
    desk_expect(d, "bert", "apps:move shop --to kubernetes", ERR_FAILED, "not configured for kubernetes: set [kubernetes] "
                "kubeconfig");
    assert_int_equal(releases(d), 1);
}

static void test_one(void **state)
{
    struct desk *d = *state;

    desk_deployer(d);
    desk_expect(d, "bert", "apps:info shop --json", 0, "\"target\":null");
    desk_expect(d, "bert", "apps:move shop --to docker", 0, "shop is on docker already");
    desk_expect(d, "bert", "apps:move shop --to kubernetes", 0, "its first will be on kubernetes");
    desk_expect(d, "bert", "apps:info shop --json", 0, "\"target\":\"kubernetes\"");
    assert_int_equal(releases(d), 0);
    live(d, d->f->shop);
    desk_expect(d, "bert", "apps:move shop --to kubernetes", 0, "Moving shop to kubernetes... done, v2");
    desk_expect(d, "bert", "releases shop --json", 0, "\"description\":\"move to kubernetes\",\"user\":\"bert\"");
    desk_expect(d, "bert", "apps:list --json", 0, "\"target\":\"kubernetes\"");
    /* A maintenance page does not go along: neither with a live app, nor with one that is not. */
    desk_expect(d, "anna", "maintenance:on shop", 0, "on... its address answers 503");
    desk_expect(d, "anna", "apps:info shop --json", 0, "\"maintenance\":true");
    desk_expect(d, "anna", "maintenance shop", 0, "on\n");
    desk_expect(d, "bert", "apps:move shop --to docker", ERR_FAILED, "first: maintenance:off shop");
    desk_expect(d, "anna", "maintenance:off shop --json", 0, "\"maintenance\":false");
    desk_expect(d, "bert", "apps:info shop", 0, "kubernetes");
    desk_expect(d, "bert", "apps:move shop --to kubernetes --json", 0, "\"moved\":false");
    /* Back at once: it waits until what is left there is gone. */
    d->removes = true;
    d->fail_with = "web crashed";
    desk_expect(d, "bert", "apps:move shop --to docker", ERR_FAILED, "v3 failed: web crashed. v2 is still live on "
                "kubernetes");
    desk_expect(d, "bert", "releases:retry shop", ERR_FAILED, "v3 would have moved shop to docker; give the command again: "
                "apps:move shop --to docker");
    d->fail_down = true;
    desk_expect(d, "bert", "apps:move shop --to docker", ERR_DOWN, "v4 failed: web crashed. v2 is still live on kubernetes");
    d->fail_down = false;
    d->fail_with = NULL;
    desk_expect(d, "bert", "apps:info shop --json", 0, "\"target\":\"kubernetes\"");
    desk_expect(d, "bert", "apps:move shop --to docker --json", 0, "{\"name\":\"shop\",\"from\":\"kubernetes\",\"to\":"
                "\"docker\",\"moved\":true,\"release\":5");
    desk_expect(d, "anna", "audit shop", 0, "--to docker");
}

static void test_all(void **state)
{
    struct desk *d = *state;
    int64_t blog, none;
    struct app a;

    desk_deployer(d);
    live(d, d->f->shop);
    OK(apps_create(d->f->store, "blog", "main", d->f->anna, &a, &err));
    blog = a.id;
    app_release(&a);
    OK(apps_create(d->f->store, "none", "main", d->f->anna, &a, &err));
    none = a.id;
    app_release(&a);
    live(d, blog);
    desk_expect(d, "bert", "apps:move --all --to kubernetes", ERR_DENIED, NULL);
    /* All or nothing: one of them can't begin. */
    OK(apps_maintenance(d->f->store, none, true, &err));
    desk_expect(d, "anna", "apps:move --all --to kubernetes", ERR_FAILED, "nothing was moved: none shows its maintenance page");
    assert_int_equal(releases(d), 2);
    OK(apps_maintenance(d->f->store, none, false, &err));
    desk_expect(d, "anna", "apps:move --all --to kubernetes", 0, "Moving blog to kubernetes... done, v2");
    assert_non_null(strstr(buf_str(&d->out), "Moving shop to kubernetes... done, v2"));
    assert_non_null(strstr(buf_str(&d->out), "none has no live release"));
    desk_expect(d, "anna", "apps:move --all --to kubernetes", 0, "All apps are on kubernetes already");
    removed(d, d->f->shop, "docker");
    removed(d, blog, "docker");
    d->fail_with = "web crashed";
    desk_expect(d, "anna", "apps:move --all --to docker", ERR_FAILED, "2 of 3 apps were not moved and are live where they "
                "were: blog and shop");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, desk_teardown)
    const struct CMUnitTest tests[] = { TEST(test_refused), TEST(test_one), TEST(test_all) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
