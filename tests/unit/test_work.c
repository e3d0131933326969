/* Builds and releases: their way through the states. */
#include "config.h"

#include "base/mem.h"
#include "sql/leased.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void assert_build(struct fixture *f, int64_t id, enum build_state want, const char *reason)
{
    struct build b;

    OK(builds_get(f->store, id, &b, &err));
    assert_string_equal(build_state_name(b.state), build_state_name(want));
    if (reason != NULL)
        assert_string_equal(b.reason != NULL ? b.reason : "(none)", reason);
    assert_int_equal(b.ended_at != 0, build_state_ended(want));
    build_release(&b);
}

static void assert_release(struct fixture *f, int64_t id, enum release_state want, const char *reason)
{
    struct release r;

    OK(releases_get(f->store, id, &r, &err));
    assert_string_equal(release_state_name(r.state), release_state_name(want));
    if (reason != NULL)
        assert_string_equal(r.reason != NULL ? r.reason : "(none)", reason);
    release_release(&r);
}

static int lease_build(struct fixture *f, int64_t *ret_id)
{
    struct build b;
    int rc = GOT(builds_lease(f->store, &f->me, &b, &err));

    if (rc == 1) {
        *ret_id = b.id;
        build_release(&b);
    }
    return rc;
}

static int lease_release(struct fixture *f, int64_t *ret_id, bool *ret_cancel)
{
    struct release r;
    int rc = GOT(releases_lease(f->store, &f->me, &r, &err));

    if (rc == 1) {
        *ret_id = r.id;
        if (ret_cancel != NULL)
            *ret_cancel = r.cancel;
        release_release(&r);
    }
    return rc;
}

/* As if the holder had been killed: no process has this number and start time. */
static void holder_dies(struct fixture *f, const char *table)
{
    cleanup_free char *sql = xasprintf("UPDATE %s SET lease_start = lease_start + 1 WHERE lease_pid IS NOT NULL", table);

    OK(store_exec(f->store, &err, sql, ""));
}

static void test_push_to_live(void **state)
{
    struct fixture *f = *state;
    int64_t first = fixture_live(f, f->shop), second, build, got = 0;
    struct release r;
    struct build b;
    struct app a;

    OK(releases_get(f->store, first, &r, &err));
    assert_int_equal(r.version, 1);
    assert_string_equal(r.description, "deploy 3f2c1ab");
    assert_int_equal(formation_count(&r.formation, "web"), 1);
    assert_int_equal(formation_count(&r.formation, "worker"), 0);
    assert_int_equal(formation_count(&r.formation, "release"), -1);
    assert_true(r.run_release_command);
    assert_int_equal(r.rollout_ms, 1200);
    assert_int_equal(r.publish_ms, -1);
    build = r.build_id;
    release_release(&r);
    assert_build(f, build, BUILD_LIVE, NULL);
    OK(builds_get(f->store, build, &b, &err));
    assert_int_equal(b.release_id, first);
    assert_string_equal(b.digest, "sha256:00");
    build_release(&b);
    OK(apps_get(f->store, "shop", &a, &err));
    assert_int_equal(a.live_version, 1);
    assert_string_equal(a.live_commit, "3f2c1ab00000000000000000000000000000000a");
    app_release(&a);

    second = fixture_built(f, f->shop);
    assert_int_equal(lease_release(f, &got, NULL), 1);
    assert_int_equal(got, second);
    OK(releases_step(f->store, &f->me, second, "publish", &err));
    OK(releases_published(f->store, &f->me, second, "r.example.com/shop", 12, &err));
    OK(releases_command_done(f->store, &f->me, second, 34, &err));
    OK(releases_manifests(f->store, &f->me, second, "[]", 56, &err));
    OK(releases_live(f->store, &f->me, second, NULL, 78, &err));
    assert_release(f, first, RELEASE_SUPERSEDED, NULL);
    OK(releases_get_version(f->store, f->shop, 2, &r, &err));
    assert_int_equal(r.id, second);
    assert_int_equal(r.state, RELEASE_LIVE);
    assert_string_equal(r.image, "r.example.com/shop");
    assert_string_equal(r.step, "publish");
    assert_int_equal(r.publish_ms + r.command_ms + r.apply_ms + r.rollout_ms, 12 + 34 + 56 + 78);
    assert_true(r.command_done);
    release_release(&r);
    REFUSED(ERR_NOT_FOUND, "v9", releases_get_version(f->store, f->shop, 9, &r, &err));
}

static void test_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    int64_t first = fixture_queue(f, f->shop), second = fixture_queue(f, f->shop), other, id = 0, release = 0;
    struct build *ahead = NULL;
    size_t n = 0;
    struct app a;

    OK(apps_create(f->store, "blog", "main", f->anna, &a, &err));
    other = fixture_queue(f, a.id);
    app_release(&a);
    OK(builds_ahead(f->store, second, &ahead, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(ahead[0].id, first);
    build_release(&ahead[0]);
    free(ahead);
    assert_int_equal(lease_build(f, &id), 1);
    assert_int_equal(id, first);
    assert_int_equal(lease_build(f, &id), 1); /* the other app's, not the second of the same */
    assert_int_equal(id, other);
    assert_int_equal(lease_build(f, &id), 0);
    OK(builds_built(f->store, &f->me, first, "i", "sha256:1", fixture_processes, NULL, 0, &release, &err));
    assert_int_equal(lease_build(f, &id), 0); /* built is not live yet */
    assert_int_equal(lease_release(f, &id, NULL), 1);
    assert_build(f, first, BUILD_RELEASING, NULL);
    assert_int_equal(lease_build(f, &id), 0);
    OK(releases_down(f->store, &f->me, release, &err));
    OK(releases_failed(f->store, &f->me, release, false, "web crashed 3 times (exit 1)", &err));
    assert_build(f, first, BUILD_FAILED, "web crashed 3 times (exit 1)");
    assert_release(f, release, RELEASE_FAILED, "web crashed 3 times (exit 1)");
    assert_int_equal(lease_build(f, &id), 1);
    assert_int_equal(id, second);
    REFUSED(ERR_BUSY, "not leased", builds_failed(f->store, &f->me, first, false, 1, "late", &err));
    REFUSED(ERR_BUSY, "not leased", releases_live(f->store, &f->me, release, NULL, 1, &err));
    REFUSED(ERR_BUSY, "not leased", releases_down(f->store, &f->me, release, &err));
}

static void test_dead_holder(void **state)
{
    struct fixture *f = *state;
    int64_t build = fixture_queue(f, f->shop), id = 0, expiry = 0;
    bool cancel = true;

    OK(leases_next_expiry(f->store, &expiry, &err));
    assert_int_equal(expiry, 0);
    for (int i = 0; i < LEASE_ATTEMPTS_MAX; i++) {
        assert_int_equal(lease_build(f, &id), 1);
        assert_int_equal(id, build);
        OK(builds_renew(f->store, &f->me, build, &cancel, &err));
        assert_false(cancel);
        OK(leases_next_expiry(f->store, &expiry, &err));
        assert_true(expiry > store_now() && expiry <= store_now() + LEASE_MS);
        assert_int_equal(lease_build(f, &id), 0);
        holder_dies(f, "builds");
        REFUSED(ERR_BUSY, "not leased", builds_renew(f->store, &f->me, build, &cancel, &err));
    }
    assert_int_equal(lease_build(f, &id), 0);
    assert_build(f, build, BUILD_FAILED, "the build's worker died three times; see the server's log");
}

static void test_hand_back(void **state)
{
    struct fixture *f = *state;
    int64_t build = fixture_queue(f, f->shop), id = 0, release = 0;
    struct build b;

    for (int i = 0; i < 5; i++) { /* stopping the server often is no reason to fail */
        assert_int_equal(lease_build(f, &id), 1);
        OK(builds_hand_back(f->store, &f->me, build, &err));
        assert_build(f, build, BUILD_QUEUED, NULL);
    }
    assert_int_equal(lease_build(f, &id), 1);
    OK(builds_built(f->store, &f->me, build, "i", "sha256:1", fixture_processes, NULL, 0, &release, &err));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(lease_release(f, &id, NULL), 1);
        OK(releases_hand_back(f->store, &f->me, release, &err));
        assert_release(f, release, RELEASE_PENDING, NULL);
        assert_build(f, build, BUILD_BUILT, NULL);
    }
    OK(builds_get(f->store, build, &b, &err));
    assert_int_equal(b.attempts, 1);
    build_release(&b);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    int64_t a = fixture_queue(f, f->shop), b = fixture_queue(f, f->shop), id = 0, release = 0;
    bool cancel = false;

    OK(builds_cancel(f->store, b, "anna", &err));
    assert_build(f, b, BUILD_CANCELED, "canceled by anna");
    REFUSED(ERR_FAILED, "ended already", builds_cancel(f->store, b, "anna", &err));
    REFUSED(ERR_NOT_FOUND, "no build", builds_cancel(f->store, 99, "anna", &err));
    assert_int_equal(lease_build(f, &id), 1);
    OK(builds_cancel(f->store, a, "anna", &err));
    assert_build(f, a, BUILD_BUILDING, NULL);
    OK(builds_renew(f->store, &f->me, a, &cancel, &err));
    assert_true(cancel);
    OK(builds_failed(f->store, &f->me, a, true, 1, "pack was killed", &err));
    assert_build(f, a, BUILD_CANCELED, "canceled by anna");

    /* Asked for while building, but the image was there first: its release does not begin. */
    a = fixture_queue(f, f->shop);
    assert_int_equal(lease_build(f, &id), 1);
    OK(builds_cancel(f->store, a, "bert", &err));
    OK(builds_built(f->store, &f->me, a, "i", "sha256:1", fixture_processes, NULL, 0, &release, &err));
    assert_int_equal(lease_release(f, &id, NULL), 0);
    assert_build(f, a, BUILD_CANCELED, "canceled by bert");
    assert_release(f, release, RELEASE_CANCELED, "canceled");

    /* While the release waits, and while it is in work. */
    release = fixture_built(f, f->shop);
    OK(releases_cancel(f->store, release, "bert", &err));
    assert_release(f, release, RELEASE_CANCELED, "canceled by bert");
    release = fixture_built(f, f->shop);
    assert_int_equal(lease_release(f, &id, NULL), 1);
    OK(releases_cancel(f->store, release, "bert", &err));
    OK(releases_renew(f->store, &f->me, release, &cancel, &err));
    assert_true(cancel);
    OK(releases_failed(f->store, &f->me, release, true, "stopped", &err));
    assert_release(f, release, RELEASE_CANCELED, "canceled by bert");

    /* The worker died after the request: nobody begins it again. */
    a = fixture_queue(f, f->shop);
    assert_int_equal(lease_build(f, &id), 1);
    OK(builds_cancel(f->store, a, "anna", &err));
    holder_dies(f, "builds");
    assert_int_equal(lease_build(f, &id), 0);
    assert_build(f, a, BUILD_CANCELED, "canceled by anna");
}

static void test_dying_releases(void **state)
{
    struct fixture *f = *state;
    int64_t release = fixture_built(f, f->shop), id = 0;
    bool cancel = true;

    for (int i = 0; i < LEASE_ATTEMPTS_MAX; i++) {
        assert_int_equal(lease_release(f, &id, &cancel), 1);
        assert_false(cancel);
        assert_int_equal(lease_release(f, &id, NULL), 0);
        holder_dies(f, "releases");
    }
    for (int i = 0; i < LEASE_ATTEMPTS_MAX; i++) {
        assert_int_equal(lease_release(f, &id, &cancel), 1);
        assert_true(cancel); /* only to put the last one back */
        holder_dies(f, "releases");
    }
    assert_int_equal(lease_release(f, &id, NULL), 0);
    assert_release(f, release, RELEASE_FAILED, NULL);
}

static int64_t config_release(struct fixture *f, int64_t *ret_version)
{
    struct release_new n = { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "set A" };
    struct config_change c = { "A", "1", 1, true, false };
    int64_t id = 0;

    OK(store_begin(f->store, &err));
    OK(config_change(f->store, f->shop, &c, 1, &n.config_version, &err));
    OK(releases_create(f->store, &n, &id, ret_version, &err));
    OK(store_commit(f->store, &err));
    return id;
}

/* A config change that waits behind a deploy keeps the deploy's image. */
static void test_config_behind_deploy(void **state)
{
    struct fixture *f = *state;
    int64_t first = fixture_live(f, f->shop), deploy, change, id = 0, version = 0;
    struct formation wanted = { NULL, 0 };
    struct release r;

    deploy = fixture_queue(f, f->shop);
    assert_int_equal(lease_build(f, &id), 1);
    OK(builds_built(f->store, &f->me, deploy, "i", "sha256:new", "[{\"type\":\"web\"},{\"type\":\"clock\"}]", NULL, 0,
                    &deploy, &err));
    formation_set(&wanted, "clock", 2);
    OK(formation_put(f->store, f->shop, &wanted, &err));
    formation_release(&wanted);
    change = config_release(f, &version);
    assert_int_equal(version, 3);
    OK(releases_get(f->store, change, &r, &err));
    assert_string_equal(r.digest, "sha256:00");
    release_release(&r);
    assert_int_equal(lease_release(f, &id, NULL), 1);
    assert_int_equal(id, deploy);
    assert_int_equal(lease_release(f, &id, NULL), 0);
    OK(releases_live(f->store, &f->me, deploy, NULL, 1, &err));
    assert_release(f, first, RELEASE_SUPERSEDED, NULL);
    assert_int_equal(lease_release(f, &id, NULL), 1);
    assert_int_equal(id, change);
    OK(releases_get(f->store, change, &r, &err));
    assert_string_equal(r.digest, "sha256:new");
    assert_int_equal(formation_count(&r.formation, "clock"), 2);
    assert_int_equal(formation_count(&r.formation, "worker"), -1);
    assert_int_equal(r.config_version, 1);
    release_release(&r);
    OK(releases_failed(f->store, &f->me, change, false, "no", &err));
    assert_release(f, deploy, RELEASE_LIVE, NULL);
}

static void test_create_refused(void **state)
{
    struct fixture *f = *state;
    struct release_new n = { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "x" };
    int64_t id = 0, version = 0, first;
    struct release r;
    struct app a;

    REFUSED(ERR_FAILED, "no live release", releases_create(f->store, &n, &id, &version, &err));
    first = fixture_live(f, f->shop);
    OK(apps_create(f->store, "blog", "main", f->anna, &a, &err));
    n.app_id = a.id;
    n.from_release_id = first;
    app_release(&a);
    REFUSED(ERR_NOT_FOUND, "not one of blog", releases_create(f->store, &n, &id, &version, &err));
    n.app_id = f->shop;
    OK(releases_create(f->store, &n, &id, &version, &err));
    assert_int_equal(version, 2);
    OK(releases_get(f->store, id, &r, &err));
    assert_int_equal(r.build_id != 0, 1);
    release_release(&r);
    OK(apps_destroy(f->store, f->shop, &err));
    REFUSED(ERR_NOT_FOUND, "destroyed", releases_create(f->store, &n, &id, &version, &err));
}

static void test_reuse(void **state)
{
    struct fixture *f = *state;
    struct build b;

    REFUSED(ERR_NOT_FOUND, "no earlier", builds_find_input(f->store, "hash", &b, &err));
    (void) fixture_live(f, f->shop);
    OK(builds_find_input(f->store, "hash", &b, &err));
    assert_string_equal(b.image, "registry.example.com/shop");
    build_release(&b);
}

/* Each step that the table does not have is refused, each that it has is taken. */
static void test_every_transition(void **state)
{
    struct fixture *f = *state;
    int64_t release = fixture_built(f, f->shop), build = 0;
    int taken = 0, refused = 0;

    assert_int_equal(store_int(f->store, &build, NULL, "SELECT build_id FROM releases", ""), 1);
    for (int from = BUILD_QUEUED; from <= BUILD_CANCELED; from++) {
        for (int to = BUILD_QUEUED; to <= BUILD_CANCELED; to++) {
            bool may = build_state_may((enum build_state) from, (enum build_state) to);

            OK(store_exec(f->store, &err, "UPDATE builds SET state = ? WHERE id = ?", "si",
                          build_state_name((enum build_state) from), build));
            assert_int_equal(build_move(f->store, build, (enum build_state) to, "x", NULL), may ? 0 : -1);
            *(may ? &taken : &refused) += 1;
        }
    }
    assert_int_equal(taken, 14);
    assert_int_equal(refused, 35);
    for (int from = RELEASE_PENDING; from <= RELEASE_CANCELED; from++) {
        for (int to = RELEASE_PENDING; to <= RELEASE_CANCELED; to++) {
            bool may = release_state_may((enum release_state) from, (enum release_state) to);

            OK(store_exec(f->store, &err, "UPDATE releases SET state = ? WHERE id = ?", "si",
                          release_state_name((enum release_state) from), release));
            assert_int_equal(release_move(f->store, release, (enum release_state) to, "x", NULL), may ? 0 : -1);
        }
    }
    for (int s = BUILD_QUEUED; s <= BUILD_CANCELED; s++) /* what has ended stays so */
        for (int to = BUILD_QUEUED; to <= BUILD_CANCELED && build_state_ended((enum build_state) s); to++)
            assert_false(build_state_may((enum build_state) s, (enum build_state) to));
}

static void test_lists(void **state)
{
    struct fixture *f = *state;
    struct release *r = NULL;
    struct build *b = NULL;
    size_t n = 0;

    for (int i = 0; i < 3; i++)
        (void) fixture_live(f, f->shop);
    OK(builds_list(f->store, f->shop, 2, &b, &n, &err));
    assert_int_equal(n, 2);
    assert_true(b[0].id > b[1].id);
    while (n > 0)
        build_release(&b[--n]);
    free(b);
    OK(releases_list(f->store, f->shop, 10, &r, &n, &err));
    assert_int_equal(n, 3);
    assert_int_equal(r[0].version, 3);
    while (n > 0)
        release_release(&r[--n]);
    free(r);
}

/* An image that wasn't built here: its worker says what it is. */
static void test_image_release(void **state)
{
    struct fixture *f = *state;
    struct release_new n = { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "image x:1",
                             .source_image = "example.com/x", .image_ref = "1" };
    struct processes p = { NULL, 0 };
    struct release r;
    struct app a;
    int64_t id = 0, version = 0;

    OK(releases_create(f->store, &n, &id, &version, &err));
    assert_int_equal(GOT(releases_lease(f->store, &f->me, &r, &err)), 1);
    assert_int_equal(r.id, id);
    assert_string_equal(r.image_ref, "1");
    assert_string_equal(r.digest, "");
    assert_int_equal(r.formation.n, 0);
    release_release(&r);
    OK(processes_parse(fixture_processes, &p, &err));
    OK(releases_resolved(f->store, &f->me, id, "sha256:1", &p, &err));
    OK(releases_get(f->store, id, &r, &err));
    assert_string_equal(r.digest, "sha256:1");
    assert_int_equal(formation_count(&r.formation, "web"), 1);
    assert_int_equal(r.processes.n, p.n);
    assert_null(r.commit);
    release_release(&r);
    processes_release(&p);
    OK(releases_live(f->store, &f->me, id, NULL, 1, &err));
    OK(apps_get_id(f->store, f->shop, &a, &err));
    assert_int_equal(a.live_release_id, id);
    assert_null(a.live_commit);
    app_release(&a);
    /* A change of config keeps the image. */
    n = (struct release_new) { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "set A" };
    OK(releases_create(f->store, &n, &id, &version, &err));
    OK(releases_get(f->store, id, &r, &err));
    assert_string_equal(r.image_ref, "1");
    assert_string_equal(r.digest, "sha256:1");
    release_release(&r);
}

/* No build begins with a cache after it was purged, until one has an image; not while a build runs. */
static void test_purge_cache(void **state)
{
    struct fixture *f = *state;
    int64_t queued = fixture_queue(f, f->shop), id = 0, build = 0, release = 0;
    bool asked = true;
    struct errand e;
    struct build b;

    OK(errands_purge_asked(f->store, f->shop, &asked, &err));
    assert_false(asked);
    OK(errands_ask(f->store, ERRAND_PURGE_CACHE, f->shop, &id, &err));
    OK(errands_purge_asked(f->store, f->shop, &asked, &err));
    assert_true(asked);
    assert_int_equal(GOT(errands_next(f->store, 0, &e, &err)), 1);
    assert_int_equal(e.id, id);
    assert_int_equal(e.app_id, f->shop);
    assert_int_equal(e.kind, ERRAND_PURGE_CACHE);
    assert_false(e.ended);
    errand_release(&e);
    assert_int_equal(GOT(errands_next(f->store, id, &e, &err)), 0);
    OK(errands_purged(f->store, f->shop, &err));
    OK(errands_get(f->store, id, &e, &err));
    assert_true(e.ended && !e.failed);
    errand_release(&e);
    OK(errands_drop(f->store, id, &err));
    REFUSED(ERR_NOT_FOUND, "nothing of that number", errands_get(f->store, id, &e, &err));

    assert_int_equal(GOT(builds_lease(f->store, &f->me, &b, &err)), 1);
    assert_int_equal(b.id, queued);
    assert_true(b.no_cache);
    build_release(&b);
    REFUSED(ERR_BUSY, "uses the cache now; try again when it has ended, or end it: builds:cancel shop",
            errands_ask(f->store, ERRAND_PURGE_CACHE, f->shop, &id, &err));
    OK(builds_failed(f->store, &f->me, queued, false, 1, "no", &err));
    build = fixture_queue(f, f->shop);
    OK(builds_get(f->store, build, &b, &err));
    assert_true(b.no_cache);
    build_release(&b);
    assert_int_equal(lease_build(f, &id), 1);
    OK(builds_built(f->store, &f->me, build, "registry.example.com/shop", "sha256:00", fixture_processes, "hash", 0, &release, &err));
    build = fixture_queue(f, f->shop);
    OK(builds_get(f->store, build, &b, &err));
    assert_false(b.no_cache);
    build_release(&b);

    OK(errands_ask(f->store, ERRAND_REPORT, 0, &id, &err));
    OK(errands_end(f->store, id, true, "no engine", &err));
    OK(errands_get(f->store, id, &e, &err));
    assert_true(e.ended && e.failed);
    assert_int_equal(e.app_id, 0);
    assert_string_equal(e.answer, "no engine");
    errand_release(&e);
}

/* The release of an image that a person sent, leased; its row is the caller's. */
static int64_t image_sent(struct fixture *f, struct release *ret)
{
    struct processes p = { NULL, 0 };
    struct release_new n = { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "image x:1", .processes = &p,
                             .source_image = "example.com/x", .image_ref = "sha256:1", .image_file = "aXb1Cd" };
    int64_t id = 0, version = 0;

    OK(processes_parse(fixture_processes, &p, &err));
    OK(releases_create(f->store, &n, &id, &version, &err));
    assert_int_equal(GOT(releases_lease(f->store, &f->me, ret, &err)), 1);
    processes_release(&p);
    return id;
}

/* An image that a person sent: its row says all, and needs its file until it is published. */
static void test_sent_image(void **state)
{
    struct fixture *f = *state;
    struct release_new n;
    struct release r;
    int64_t id, version = 0;
    bool needed = false;

    id = image_sent(f, &r);
    assert_string_equal(r.image_file, "aXb1Cd");
    assert_string_equal(r.digest, "sha256:1");
    assert_int_equal(formation_count(&r.formation, "web"), 1);
    release_release(&r);
    OK(releases_need_file(f->store, "other", &needed, &err));
    assert_false(needed);
    OK(releases_need_file(f->store, "aXb1Cd", &needed, &err));
    assert_true(needed);
    OK(releases_failed(f->store, &f->me, id, false, "the registry is gone", &err));
    OK(releases_need_file(f->store, "aXb1Cd", &needed, &err));
    assert_false(needed);
    /* Nothing can be made of it: the image is nowhere. */
    n = (struct release_new) { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "retry", .from_release_id = id };
    REFUSED(ERR_FAILED, "send it again: git:load-image shop -", releases_create(f->store, &n, &id, &version, &err));
}

/* Once it is published, the file isn't needed, and what comes after has the image. */
static void test_sent_image_published(void **state)
{
    struct fixture *f = *state;
    struct release_new n;
    struct release r;
    int64_t id, version = 0;
    bool needed = true;

    id = image_sent(f, &r);
    release_release(&r);
    OK(releases_published(f->store, &f->me, id, "example.com/x@sha256:1", 1, &err));
    OK(releases_need_file(f->store, "aXb1Cd", &needed, &err));
    assert_false(needed);
    OK(releases_failed(f->store, &f->me, id, false, "crashed", &err));
    n = (struct release_new) { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "retry", .from_release_id = id };
    OK(releases_create(f->store, &n, &id, &version, &err));
    OK(releases_get(f->store, id, &r, &err));
    assert_null(r.image_file);
    assert_string_equal(r.image, "example.com/x@sha256:1");
    release_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sent_image, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_sent_image_published, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_push_to_live, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_purge_cache, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_image_release, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dead_holder, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_hand_back, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cancel, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dying_releases, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_config_behind_deploy, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_create_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_reuse, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_every_transition, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_lists, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
