/* Which images of an app are kept, and that none is removed that anybody may need. */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Digests with blanks behind each: "sha256:b sha256:a ". */
static char *words(const struct vec *v)
{
    struct buf b;

    buf_init(&b, 4096);
    for (size_t i = 0; i < v->n; i++)
        (void) buf_addf(&b, "%s ", v->v[i]);
    return buf_steal(&b);
}

static void takes(struct fixture *f, int history, const char *expected)
{
    cleanup_vec struct vec kept = VEC_INIT, v = VEC_INIT;
    cleanup_free char *text = NULL;

    OK(images_take(f->store, f->shop, history, &kept, &v, &err));
    text = words(&v);
    assert_string_equal(text, expected);
    for (size_t i = 0; i < v.n; i++)
        assert_false(vec_has(&kept, v.v[i]));
}

static void gone(struct fixture *f, const char *digest)
{
    OK(images_mark(f->store, f->shop, digest, true, &err));
}

static int64_t release_again(struct fixture *f, int64_t from)
{
    struct release_new n = { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "again",
                             .from_release_id = from };
    int64_t id = 0;

    OK(releases_create(f->store, &n, &id, NULL, &err));
    return id;
}

/* It is on its way from now on. */
static void begins(struct fixture *f, int64_t id)
{
    struct release r;

    assert_int_equal(GOT(releases_lease(f->store, &f->me, &r, &err)), 1);
    assert_int_equal(r.id, id);
    release_release(&r);
}

static void make_live(struct fixture *f, int64_t id)
{
    begins(f, id);
    OK(releases_live(f->store, &f->me, id, "https://shop.example.com", 1, &err));
}

static void fails(struct fixture *f, int64_t id)
{
    begins(f, id);
    OK(releases_failed(f->store, &f->me, id, false, "no", &err));
}

/* The last N that were live beside the live one, however many releases have one image. */
static void test_last_live(void **state)
{
    struct fixture *f = *state;
    int64_t a = fixture_live_image(f, f->shop, "a");

    for (int i = 0; i < 5; i++)
        make_live(f, release_again(f, a));
    (void) fixture_live_image(f, f->shop, "b");
    (void) fixture_live_image(f, f->shop, "c");
    takes(f, 2, "");
    takes(f, 1, "a ");
    gone(f, "a");
    takes(f, 1, "");
    takes(f, 0, "b ");
    /* Not marked as removed: it is taken again. */
    takes(f, 0, "b ");
}

/* A failed release takes no place; it can be retried until another one is live. */
static void test_failed(void **state)
{
    struct fixture *f = *state;
    int64_t failed;

    (void) fixture_live_image(f, f->shop, "a");
    (void) fixture_live_image(f, f->shop, "b");
    failed = fixture_built_image(f, f->shop, "c");
    fails(f, failed);
    takes(f, 1, "");
    (void) fixture_live_image(f, f->shop, "d");
    takes(f, 2, "c ");
    gone(f, "c");
    REFUSED(ERR_FAILED, "v3's image isn't kept any more (revision_history); push its commit 3f2c1ab again",
            releases_create(f->store, &(struct release_new) { .app_id = f->shop, .user = "bert", .description = "retry",
                                                              .from_release_id = failed }, &(int64_t) { 0 }, NULL, &err));
}

/* What is taken can't be gone back to; what is on its way isn't taken. */
static void test_rollback(void **state)
{
    struct fixture *f = *state;
    int64_t a = fixture_live_image(f, f->shop, "a"), b = fixture_live_image(f, f->shop, "b"), back, id = 1;

    (void) fixture_live_image(f, f->shop, "c");
    back = release_again(f, a);
    takes(f, 0, "b ");
    REFUSED(ERR_FAILED, "isn't kept any more",
            releases_create(f->store, &(struct release_new) { .app_id = f->shop, .user = "bert", .description = "back",
                                                              .from_release_id = b }, &(int64_t) { 0 }, NULL, &err));
    OK(releases_of_digest(f->store, f->shop, "b", &id, &err));
    assert_int_equal(id, 0);
    make_live(f, back);
    takes(f, 1, "b ");
    /* The registry kept it. */
    OK(images_mark(f->store, f->shop, "b", false, &err));
    OK(releases_of_digest(f->store, f->shop, "b", &id, &err));
    assert_int_equal(id, b);
}

/* Built again with the same outcome: it is there, and all its releases are. */
static void test_built_again(void **state)
{
    struct fixture *f = *state;
    int64_t a = fixture_live_image(f, f->shop, "a");
    struct release r;

    (void) fixture_live_image(f, f->shop, "b");
    takes(f, 0, "a ");
    gone(f, "a");
    OK(releases_get(f->store, a, &r, &err));
    assert_true(r.image_gone);
    release_release(&r);
    (void) fixture_built_image(f, f->shop, "a");
    takes(f, 0, "");
    OK(releases_get(f->store, a, &r, &err));
    assert_false(r.image_gone);
    release_release(&r);
}

/* Another app has it under way: a clone, an image by its digest, a build that reuses one. */
static void test_other_apps(void **state)
{
    struct fixture *f = *state;
    struct release_new n = { .user_id = f->bert, .user = "bert", .description = "clone" };
    int64_t a = fixture_live_image(f, f->shop, "a"), id;
    struct app copy, third;

    OK(apps_create(f->store, "copy", "main", f->bert, &copy, &err));
    OK(apps_create(f->store, "third", "main", f->bert, &third, &err));
    n.app_id = copy.id;
    n.clone_of = a;
    OK(releases_create(f->store, &n, &id, NULL, &err));
    begins(f, id);
    (void) fixture_live_image(f, f->shop, "b");
    n = (struct release_new) { .app_id = third.id, .user_id = f->bert, .user = "bert", .description = "image",
                               .source_image = "registry.example.com/shop", .image_ref = "b" };
    OK(releases_create(f->store, &n, &id, NULL, &err));
    begins(f, id);
    (void) fixture_live_image(f, f->shop, "c");
    takes(f, 0, "");
    OK(releases_failed(f->store, &f->me, id, false, "no", &err));
    takes(f, 0, "b ");
    app_release(&copy);
    app_release(&third);
}

/* A build that made no release, or whose release failed: the newest is what the next one is built from. */
static void test_builds(void **state)
{
    struct fixture *f = *state;

    (void) fixture_live_image(f, f->shop, "a");
    OK(releases_cancel(f->store, fixture_built_image(f, f->shop, "b"), "bert", &err));
    OK(releases_cancel(f->store, fixture_built_image(f, f->shop, "c"), "bert", &err));
    make_live(f, release_again(f, 1));
    takes(f, 0, "b ");
}

static void test_lock(void **state)
{
    struct fixture *f = *state;
    int hold = GOT(images_hold(f->store, f->shop, &err)), both = GOT(images_hold(f->store, f->shop, &err)), claim;

    REFUSED(ERR_BUSY, "being made", images_claim(f->store, f->shop, &err));
    claim = GOT(images_claim(f->store, f->shop + 1, &err)); /* another app's */
    (void) close(claim);
    (void) close(hold);
    REFUSED(ERR_BUSY, "being made", images_claim(f->store, f->shop, &err));
    (void) close(both);
    claim = GOT(images_claim(f->store, f->shop, &err));
    (void) close(claim);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_last_live), T(test_failed), T(test_rollback), T(test_built_again), T(test_other_apps), T(test_builds), T(test_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
