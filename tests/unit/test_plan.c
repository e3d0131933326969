/* A plan as the deployer makes it: which release it is of, that nothing is written, what is asked. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/stream_plan.h"
#include "tests/fakes/fake_target.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct conf conf;

static int setup(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    OK(conf_load(&conf, NULL, &err));
    fake.folder = ((struct fixture *) *state)->state;
    fake_forget();
    return 0;
}

static int teardown(void **state)
{
    conf_release(&conf);
    return fixture_teardown(state);
}

static int read_request(const char *text, struct stream_plan *ret, struct err *err)
{
    json_auto_t *doc = json_parse(text, strlen(text), "the request", err);
    struct stream_request r;

    assert_non_null(doc);
    return stream_request_read(doc, &r, err) < 0 ? -1 : stream_plan_read(&r, ret, err);
}

/* What the target is asked: "plan v2 web=1 …". The caller frees. */
static char *asked(struct fixture *f, const char *request, json_t **ret)
{
    const struct target_ops *ops = fake_find("docker");
    struct stream_plan q;
    struct target *t;
    struct app app;

    fake_forget();
    OK(read_request(request, &q, &err));
    OK(apps_get_id(f->store, f->shop, &app, &err));
    OK(ops->open(&conf, &t, &err));
    OK(stream_plan_make(&conf, f->store, &app, &q, ops, t, ret, &err));
    ops->close(t);
    app_release(&app);
    stream_plan_release(&q);
    return fake_read("calls.txt");
}

static int64_t rows(struct fixture *f, const char *sql)
{
    int64_t n = 0;

    (void) GOT(store_int(f->store, &n, &err, sql, ""));
    return n;
}

/* A build that is only planned with makes no release and lets the next one through; its image is found again. */
static void test_build(void **state)
{
    struct fixture *f = *state;
    struct build_new new = { .app_id = f->shop, .user = "bert", .branch = "main", .commit = "3f2c1ab", .tree = "t",
                             .plan = true };
    int64_t id = 0, release = 7;
    struct build b;

    OK(builds_queue(f->store, &new, &id, &err));
    assert_int_equal(GOT(builds_lease(f->store, &f->me, &b, &err)), 1);
    assert_true(b.plan);
    build_release(&b);
    OK(builds_built(f->store, &f->me, id, "registry.example.com/shop", "sha256:00", fixture_processes, "hash", 0,
                    &release, &err));
    assert_int_equal(release, 0);
    assert_int_equal(rows(f, "SELECT count(*) FROM releases"), 0);
    OK(builds_get(f->store, id, &b, &err));
    assert_int_equal(b.state, BUILD_PLANNED);
    assert_true(build_state_ended(b.state));
    assert_string_equal(build_state_name(b.state), "planned");
    assert_int_equal(b.release_id, 0);
    build_release(&b);
    OK(builds_find_input(f->store, "hash", &b, &err));
    assert_int_equal(b.id, id);
    build_release(&b);
    REFUSED(ERR_FAILED, "has ended already", builds_cancel(f->store, id, "anna", &err));
    (void) fixture_live(f, f->shop);
    assert_int_equal(rows(f, "SELECT version FROM releases"), 1);
}

/* Canceled before it had an image, it is a canceled one. */
static void test_canceled(void **state)
{
    struct fixture *f = *state;
    struct build_new new = { .app_id = f->shop, .user = "bert", .branch = "main", .commit = "3f2c1ab", .tree = "t",
                             .plan = true };
    int64_t id = 0;
    struct build b;

    OK(builds_queue(f->store, &new, &id, &err));
    OK(builds_cancel(f->store, id, "anna", &err));
    OK(builds_get(f->store, id, &b, &err));
    assert_int_equal(b.state, BUILD_CANCELED);
    build_release(&b);
}

static void test_release(void **state)
{
    struct fixture *f = *state;
    struct formation counts = { NULL, 0 };
    json_auto_t *ret = NULL, *first = NULL;
    cleanup_free char *request = xasprintf("{\"op\":\"plan\",\"app_id\":%lld}", (long long) f->shop), *calls = NULL;
    cleanup_free char *push = NULL, *of_push = NULL;
    struct build_new new = { .app_id = f->shop, .user = "bert", .branch = "main", .commit = "3f2c1ab", .tree = "t",
                             .plan = true };
    int64_t id = 0, release;
    struct build b;

    OK(builds_queue(f->store, &new, &id, &err));
    assert_int_equal(GOT(builds_lease(f->store, &f->me, &b, &err)), 1);
    build_release(&b);
    OK(builds_built(f->store, &f->me, id, "registry.example.com/shop", "sha256:00", fixture_processes, "hash", 0,
                    &release, &err));
    /* The first push's app.json counts, and so do its names; a type that is scaled already keeps its count. */
    formation_set(&counts, "web", 3);
    OK(formation_put(f->store, f->shop, &counts, &err));
    formation_release(&counts);
    push = xasprintf("{\"op\":\"plan\",\"app_id\":%lld,\"build\":%lld,\"formation\":{\"web\":2,\"worker\":4},"
                     "\"config\":[\"TOKEN\"]}", (long long) f->shop, (long long) id);
    of_push = asked(f, push, &first);
    assert_non_null(strstr(of_push, "plan registry.example.com/shop@sha256:00 v1 web=3 worker=4 TOKEN:0\n"));
    assert_int_equal(json_array_size(first), 1);
    /* Afterwards the next release of what is live. */
    (void) fixture_live(f, f->shop);
    OK(store_exec(f->store, &err, "UPDATE releases SET image = 'registry.example.com/shop@sha256:00'", ""));
    calls = asked(f, request, &ret);
    assert_non_null(strstr(calls, "plan registry.example.com/shop@sha256:00 v2 web=3 worker=0\n"));
    assert_int_equal(rows(f, "SELECT count(*) FROM releases"), 1);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    const struct target_ops without = { .name = "docker" };
    struct stream_plan q = { .config = VEC_INIT };
    json_t *ret = NULL;
    struct app app;

    REFUSED(ERR_USAGE, "build is not a number", read_request("{\"op\":\"plan\",\"app_id\":1,\"build\":\"x\"}", &q, &err));
    REFUSED(ERR_USAGE, "formation", read_request("{\"op\":\"plan\",\"app_id\":1,\"formation\":[]}", &q, &err));
    REFUSED(ERR_USAGE, "from 0 to", read_request("{\"op\":\"plan\",\"app_id\":1,\"formation\":{\"web\":-1}}", &q, &err));
    REFUSED(ERR_USAGE, "", read_request("{\"op\":\"plan\",\"app_id\":1,\"formation\":{\"../x\":1}}", &q, &err));
    REFUSED(ERR_USAGE, "", read_request("{\"op\":\"plan\",\"app_id\":1,\"config\":[\"A=B\"]}", &q, &err));
    REFUSED(ERR_USAGE, "", read_request("{\"op\":\"plan\",\"app_id\":1,\"config\":[7]}", &q, &err));
    OK(apps_get_id(f->store, f->shop, &app, &err));
    REFUSED(ERR_FAILED, "runs nothing yet", stream_plan_make(&conf, f->store, &app, &q, fake_find("docker"), NULL, &ret, &err));
    REFUSED(ERR_FAILED, "can't plan", stream_plan_make(&conf, f->store, &app, &q, &without, NULL, &ret, &err));
    q.build_id = fixture_queue(f, f->shop);
    REFUSED(ERR_FAILED, "has no image", stream_plan_make(&conf, f->store, &app, &q, fake_find("docker"), NULL, &ret, &err));
    q.build_id = 4711;
    REFUSED(ERR_NOT_FOUND, "", stream_plan_make(&conf, f->store, &app, &q, fake_find("docker"), NULL, &ret, &err));
    app_release(&app);
}

/* Equal documents are no change, unless there is something to be said of them. */
static void test_add(void **state)
{
    json_auto_t *all = json_array();

    (void) state;
    target_plan_add(all, "Thing", "a", json_pack("{s:i}", "x", 1), json_pack("{s:i}", "x", 1), NULL);
    target_plan_add(all, "Thing", "b", NULL, NULL, NULL);
    assert_int_equal(json_array_size(all), 0);
    target_plan_add(all, "Thing", "c", json_pack("{s:i}", "x", 1), NULL, NULL);
    target_plan_add(all, "Thing", "d", json_pack("{s:i}", "x", 1), json_pack("{s:i}", "x", 1), "stays");
    assert_int_equal(json_array_size(all), 2);
    assert_true(json_is_null(json_object_get(json_array_get(all, 0), "after")));
    assert_string_equal(json_str(json_array_get(all, 1), "note", ""), "stays");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_build), TEST(test_canceled), TEST(test_release), TEST(test_refused), cmocka_unit_test(test_add),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
