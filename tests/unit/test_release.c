/* Releases against a target that fails, is canceled and is killed at every call. The database is real. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "deployer/image_sweep.h"
#include "deployer/pulse.h"
#include "deployer/remove.h"
#include "tests/unit/release_fixture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void test_live(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *log = NULL;
    int64_t id;
    struct release r;

    set_config(f);
    id = fixture_built(f, f->shop);
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    calls_are("publish v1\nopen \ncommand v1 web=1 worker=0 PASSWORD:15\napply v1 web=1 worker=0 PASSWORD:15\n"
              "watch v1 web=1 worker=0 PASSWORD:15\n");
    has(f, id, "-----> Releasing v1: web=1 worker=0\n");
    has(f, id, "       release: true ...\n       migrating with [PASSWORD hidden]\n       release: done (");
    has(f, id, "=====> v1 is live after ");
    has(f, id, " s (build ");
    has(f, id, ", publish ");
    has(f, id, ", release ");
    has(f, id, ", rollout ");
    has(f, id, ")\n       https://shop.example.com\n");
    log = log_text(f, id);
    assert_null(strstr(log, "hunter2"));
    OK(releases_get(f->store, id, &r, &err));
    assert_string_equal(r.image, "registry.example.com/shop@sha256:00");
    assert_string_equal(r.url, "https://shop.example.com");
    assert_true(r.command_done);
    assert_true(r.publish_ms >= 0 && r.command_ms >= 0 && r.apply_ms >= 0 && r.rollout_ms >= 0);
    release_release(&r);
    assert_int_equal(work(f->store, "one"), 2);

    /* The second: what only the first had is removed. */
    fake_forget();
    id = fixture_built(f, f->shop);
    assert_int_equal(work(f->store, "one"), 0);
    calls_are("publish v2\nopen \ncommand v2 web=1 worker=0 PASSWORD:15\napply v2 web=1 worker=0 PASSWORD:15\n"
              "watch v2 web=1 worker=0 PASSWORD:15\nprune of-v1\n");
    assert_int_equal(live_version(f), 2);
}

/* A change of the formation: no release command, and the live release's image. */
static void test_scale(void **state)
{
    struct fixture *f = *state;
    struct formation formation = { NULL, 0 };
    struct release_new n = { .app_id = f->shop, .user_id = f->bert, .user = "bert", .description = "scale" };
    int64_t id, version;

    (void) live(f);
    formation_set(&formation, "web", 3);
    OK(formation_put(f->store, f->shop, &formation, &err));
    formation_release(&formation);
    OK(releases_create(f->store, &n, &id, &version, &err));
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    holds("v2 web=3 worker=0");
    has(f, id, "=====> v2 is live after 0.");
    has(f, id, "(rollout 0.0)");
    calls_are("open \napply v2 web=3 worker=0\nwatch v2 web=3 worker=0\nprune of-v1\n");
}

static void test_fails(void **state)
{
    static const struct {
        const char *op, *reason;
        bool restored;
    } cases[] = {
        { "publish", "the image can't be published: publish went wrong", false },
        { "open", "open went wrong", false },
        { "command", "the release command went wrong", false },
    };
    struct fixture *f = *state;
    int64_t id;

    (void) live(f);
    for (size_t i = 0; i < countof(cases); i++) {
        fake.op = cases[i].op;
        fake.fault = FAKE_FAIL;
        id = fixture_built(f, f->shop);
        assert_int_equal(work(f->store, "one"), 0);
        state_is(f, id, RELEASE_FAILED, cases[i].reason);
        has(f, id, " failed: ");
        has(f, id, " !     v1 is still live.\n");
        holds("v1 web=1 worker=0");
        assert_int_equal(live_version(f), 1);
        fake_forget();
    }
    /* A prune that fails does not matter; the next release does it. */
    fake.op = "prune";
    fake.fault = FAKE_FAIL;
    id = fixture_built(f, f->shop);
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    fake_forget();
    (void) fixture_built(f, f->shop);
    assert_int_equal(work(f->store, "one"), 0);
    {
        cleanup_free char *calls = fake_read("calls.txt");
        assert_non_null(strstr(calls, "prune of-v1\n"));
        assert_non_null(strstr(calls, "prune of-v5\n"));
    }
}

/* apply or watch of the new release fails: the live one is applied, watched, and the rest removed. */
static void test_restores(void **state)
{
    struct fixture *f = *state;
    int64_t id;

    (void) live(f);
    for (int at = 4; at <= 5; at++) {
        fake.at = at; /* publish, open, command, apply, watch */
        fake.fault = FAKE_FAIL_AFTER;
        id = fixture_built(f, f->shop);
        assert_int_equal(work(f->store, "one"), 0);
        state_is(f, id, RELEASE_FAILED, at == 4 ? "apply went wrong" : "watch went wrong");
        holds("v1 web=1 worker=0 restore");
        has(f, id, at == 4 ? "failed: apply went wrong\n" : "failed: watch went wrong\n");
        has(f, id, " !     v1 is still live.\n");
        assert_int_equal(live_version(f), 1);
        {
            cleanup_free char *calls = fake_read("calls.txt");
            cleanup_free char *end = xasprintf("apply v1 web=1 worker=0 restore\nwatch v1 web=1 worker=0 restore\n"
                                               "prune of-v%d\n", at - 2);
            assert_non_null(strstr(calls, end));
        }
        fake_forget();
    }
}

/* Not even the live one can be put back: it is said, and the release has failed all the same. */
static void test_restore_fails(void **state)
{
    struct fixture *f = *state;
    int64_t id;

    (void) live(f);
    fake.op = "watch";
    fake.fault = FAKE_FAIL;
    id = fixture_built(f, f->shop);
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_FAILED, "watch went wrong");
    has(f, id, " !     v1 could not be put back: watch went wrong.");
}

static void test_first_fails(void **state)
{
    struct fixture *f = *state;
    int64_t id = fixture_built(f, f->shop);

    fake.at = 5;
    fake.fault = FAKE_FAIL;
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_FAILED, "watch went wrong");
    holds("v1 web=0 worker=0 release=0 restore");
    has(f, id, " !     Nothing was live before, and nothing of v1 runs on.\n");
    assert_int_equal(live_version(f), 0);
    fake_forget();
    id = fixture_built(f, f->shop);
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    holds("v2 web=1 worker=0");
}

struct hook { struct fixture *f; int64_t id; };

static void cancel(void *arg, const struct target_call *c)
{
    struct hook *h = arg;

    (void) c;
    if (h->id != 0)
        OK(releases_cancel(h->f->store, h->id, "anna", &err));
    h->id = 0;
}

/* Canceled before, and at each call. */
static void test_canceled(void **state)
{
    struct fixture *f = *state;
    struct hook h = { f, 0 };
    int64_t id;

    (void) live(f);
    for (int at = 1; at <= 5; at++) {
        if (at == 2)
            continue; /* open takes no target_call */
        fake.at = at;
        fake.fault = FAKE_HOOK;
        fake.hook = cancel;
        fake.hook_arg = &h;
        h.id = id = fixture_built(f, f->shop);
        assert_int_equal(work(f->store, "one"), 0);
        state_is(f, id, RELEASE_CANCELED, "canceled by anna");
        has(f, id, " was not released: canceled by anna\n");
        has(f, id, " !     v1 is still live.\n");
        assert_int_equal(live_version(f), 1);
        holds(at >= 4 ? "v1 web=1 worker=0 restore" : "v1 web=1 worker=0");
        fake_forget();
    }
}

static void stop(void *arg, const struct target_call *c)
{
    struct pulse *p = c->canceled_arg;

    (void) arg;
    (void) raise(SIGTERM);
    (void) pulse_stopped(p);
    assert_true(p->term_at != 0);
    p->term_at -= PULSE_DRAIN_MS; /* as if the time were over */
}

/* The server stops at each call: handed back, and the next worker goes on. */
static void test_handed_back(void **state)
{
    struct fixture *f = *state;

    (void) live(f);
    for (int at = 1; at <= 5; at++) {
        int64_t id = fixture_built(f, f->shop);

        if (at == 2)
            at++;
        fake.at = at;
        fake.fault = FAKE_HOOK;
        fake.hook = stop;
        assert_int_equal(work(f->store, "one"), 0);
        state_is(f, id, RELEASE_PENDING, NULL);
        has(f, id, "The server stops");
        fake_forget();
        assert_int_equal(work(f->store, "two"), 0);
        state_is(f, id, RELEASE_LIVE, NULL);
        fake_forget();
    }
}

/* Handed back in the middle of a rollout and then canceled: the live one is put back. */
static void test_canceled_after_hand_back(void **state)
{
    struct fixture *f = *state;
    int64_t id;

    (void) live(f);
    id = fixture_built(f, f->shop);
    fake.at = 5;
    fake.fault = FAKE_HOOK;
    fake.hook = stop;
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_PENDING, NULL);
    OK(releases_cancel(f->store, id, "anna", &err));
    fake_forget();
    assert_int_equal(work(f->store, "two"), 0);
    state_is(f, id, RELEASE_CANCELED, "canceled by anna");
    holds("v1 web=1 worker=0 restore");
}

/* Another process takes the lease: this one touches nothing more. */
static void steal(void *arg, const struct target_call *c)
{
    struct hook *h = arg;
    struct pulse *p = c->canceled_arg;

    OK(store_exec(h->f->store, &err, "UPDATE releases SET lease_owner = 'other' WHERE id = ?", "i", h->id));
    p->renewed_at -= LEASE_RENEW_MS;
}

static void test_lost(void **state)
{
    struct fixture *f = *state;
    struct hook h = { f, 0 };

    (void) live(f);
    h.id = fixture_built(f, f->shop);
    fake.at = 4;
    fake.fault = FAKE_HOOK;
    fake.hook = steal;
    fake.hook_arg = &h;
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, h.id, RELEASE_RELEASING, NULL);
    holds("v1 web=1 worker=0");
    calls_are("publish v2\nopen \ncommand v2 web=1 worker=0\napply v2 web=1 worker=0\n");
}

/* Also what gets no call of its own can keep the lease while it waits. */
static void renew(void *arg, const struct target_call *c)
{
    struct hook *h = arg;
    struct pulse *p = c->canceled_arg;
    int64_t renewed = 0;

    assert_true(c->wake_fd >= 0);
    OK(store_exec(h->f->store, &err, "UPDATE releases SET lease_expires = 1 WHERE id = ?", "i", h->id));
    p->renewed_at -= LEASE_RENEW_MS;
    assert_false(c->canceled(c->canceled_arg));
    OK(store_int(h->f->store, &renewed, &err, "SELECT lease_expires > 1 FROM releases WHERE id = ?", "i", h->id));
    assert_int_equal(renewed, 1);
}

static void test_attended(void **state)
{
    struct fixture *f = *state;
    struct hook h = { f, 0 };

    (void) live(f);
    h.id = fixture_built(f, f->shop);
    fake.op = "prune";
    fake.fault = FAKE_HOOK;
    fake.hook = renew;
    fake.hook_arg = &h;
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, h.id, RELEASE_LIVE, NULL);
}

/* kill -9 before and after each call's effect; the next worker always ends it live, and the command has run to
 * its end once it was written down. */
static void killed(struct fixture *f, enum fake_fault fault, const char *failing)
{
    for (int at = 1;; at++) {
        int64_t id = fixture_built(f, f->shop);
        int64_t before = live_version(f);
        bool was;

        assert_true(at < CALLS_MAX);
        fake.at = at;
        fake.fault = fault;
        was = work_killed(f);
        fake_forget();
        if (was) {
            enum release_state s = state_of(f, id, NULL);

            /* Dead after the row was written: what is left is only the removal of old objects. */
            if (s != RELEASE_LIVE) {
                assert_int_equal(s, RELEASE_RELEASING);
                fake.op = failing;
                fake.fault = FAKE_FAIL;
                assert_int_equal(work(f->store, "next"), 0);
                fake_forget();
            }
        }
        if (failing == NULL || !was || state_of(f, id, NULL) == RELEASE_LIVE) {
            cleanup_free char *now = xasprintf("v%" PRId64 " web=1 worker=0", live_version(f));

            state_is(f, id, RELEASE_LIVE, NULL);
            holds(now);
        } else {
            state_is(f, id, RELEASE_FAILED, NULL);
            assert_int_equal(live_version(f), before);
        }
        if (!was)
            return;
    }
}

static void test_killed(void **state)
{
    (void) live(*state);
    killed(*state, FAKE_KILL, NULL);
    killed(*state, FAKE_KILL_AFTER, NULL);
}

/* Killed at each call of putting the live release back. */
static void test_killed_in_restore(void **state)
{
    struct fixture *f = *state;

    (void) live(f);
    for (int at = 1; at < CALLS_MAX; at++) {
        int64_t id = fixture_built(f, f->shop);
        bool was;

        /* One process fails in watch; the next is killed at its at-th call. */
        fake.op = "watch";
        fake.fault = FAKE_KILL;
        assert_true(work_killed(f));
        fake_forget();
        OK(releases_cancel(f->store, id, "anna", &err));
        fake.at = at;
        fake.fault = at % 2 != 0 ? FAKE_KILL : FAKE_KILL_AFTER;
        was = work_killed(f);
        fake_forget();
        if (was)
            assert_int_equal(work(f->store, "next"), 0);
        state_is(f, id, RELEASE_CANCELED, "canceled by anna");
        holds("v1 web=1 worker=0 restore");
        assert_int_equal(live_version(f), 1);
        has(f, id, " !     v1 is still live.\n");
        fake_forget();
        if (!was)
            return;
    }
    fail();
}

/* Three workers die: the fourth only puts the live release back. */
static void test_gives_up(void **state)
{
    struct fixture *f = *state;
    int64_t id;

    (void) live(f);
    id = fixture_built(f, f->shop);
    work_killed_thrice(f, "watch");
    fake_forget();
    assert_int_equal(work(f->store, "next"), 0);
    state_is(f, id, RELEASE_CANCELED, NULL);
    holds("v1 web=1 worker=0 restore");
    has(f, id, "died three times");
}

/* Destroyed apps: removed from the target, then their rows; what fails stays for the next try; one at a time. */
static void test_remove(void **state)
{
    struct fixture *f = *state;
    const struct removal removal = { &conf, f->store, fake_find, NULL };
    int lock = -1, other = -1;
    bool waits = false;
    size_t left = 0;
    struct app a;

    (void) live(f);
    assert_int_equal(GOT(remove_begin(f->store, &lock, &waits, &err)), 0);
    OK(apps_destroy(f->store, f->shop, &err));
    assert_int_equal(GOT(remove_begin(f->store, &lock, &waits, &err)), 1);
    assert_int_equal(GOT(remove_begin(f->store, &other, &waits, &err)), 0);
    assert_true(waits);
    fake.op = "remove";
    fake.fault = FAKE_DOWN;
    OK(remove_all(&removal, &left, &err));
    assert_int_equal(left, 1);
    fake_forget();
    fake.op = "open";
    fake.fault = FAKE_FAIL;
    OK(remove_all(&removal, &left, &err));
    assert_int_equal(left, 1);
    fake_forget();
    OK(remove_all(&removal, &left, &err));
    assert_int_equal(left, 0);
    calls_are("open \nremove shop\n");
    REFUSED(ERR_NOT_FOUND, "", apps_get_id(f->store, f->shop, &a, &err));
    close(lock);
    assert_int_equal(GOT(remove_begin(f->store, &lock, &waits, &err)), 0);
    assert_false(waits);
}

static int64_t with_postdeploy(struct fixture *f)
{
    int64_t id = fixture_built(f, f->shop);

    OK(store_exec(f->store, &err, "UPDATE releases SET app_json = ? WHERE id = ?", "si",
                  "{\"scripts\": {\"postdeploy\": \"rake seed\"}}", id));
    return id;
}

/* Once, when the first release serves; the next one doesn't run it. */
static void test_postdeploy(void **state)
{
    struct fixture *f = *state;
    int64_t id = with_postdeploy(f);

    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    calls_are("publish v1\nopen \ncommand v1 web=1 worker=0\napply v1 web=1 worker=0\nwatch v1 web=1 worker=0\n"
              "postdeploy rake seed\n");
    has(f, id, "       postdeploy: rake seed ...\n");
    has(f, id, "       postdeploy: done (");
    fake_forget();
    id = with_postdeploy(f);
    assert_int_equal(work(f->store, "two"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    calls_are("publish v2\nopen \ncommand v2 web=1 worker=0\napply v2 web=1 worker=0\nwatch v2 web=1 worker=0\n"
              "prune of-v1\n");
}

static void test_postdeploy_fails(void **state)
{
    struct fixture *f = *state;
    int64_t id = with_postdeploy(f);

    fake.op = "postdeploy";
    fake.fault = FAKE_FAIL;
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    has(f, id, " !     The postdeploy script went wrong; v1 is live all the same");
}

static void test_postdeploy_killed(void **state)
{
    struct fixture *f = *state;
    int64_t id = with_postdeploy(f);

    fake.op = "postdeploy";
    fake.fault = FAKE_KILL_AFTER;
    assert_true(work_killed(f));
    fake_forget();
    assert_int_equal(work(f->store, "next"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    calls_are("open \napply v1 web=1 worker=0\nwatch v1 web=1 worker=0\npostdeploy rake seed\n");
}

/* Files of images that people have sent: only what a release needs, or a session writes, stays. */
static void test_image_sweep(void **state)
{
    struct fixture *f = *state;
    struct processes p = { NULL, 0 };
    struct release_new n = { .app_id = f->shop, .user = "anna", .description = "image x:1", .processes = &p,
                             .source_image = "example.com/x", .image_ref = "sha256:1", .image_file = "needed" };
    static const char *const names[] = { "needed", "orphan", "incoming-1", "incoming-2" };
    cleanup_free char *folder = xasprintf("%s/images", f->state);
    char *paths[countof(names)];
    int64_t id, version;
    int fd;

    image_sweep(f->store); /* no folder: nothing to do */
    OK(path_mkdir(folder, 0770, &err));
    for (size_t i = 0; i < countof(names); i++) {
        paths[i] = xasprintf("%s/%s", folder, names[i]);
        OK(path_write(paths[i], "x", 1, 0640, &err));
    }
    OK(processes_parse(fixture_processes, &p, &err));
    OK(releases_create(f->store, &n, &id, &version, &err));
    fd = open(paths[3], O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    image_sweep(f->store);
    for (size_t i = 0; i < countof(names); i++)
        assert_int_equal(path_exists(paths[i]), i == 0 || i == 3);
    (void) close(fd);
    OK(releases_cancel(f->store, id, "anna", &err));
    image_sweep(f->store);
    for (size_t i = 0; i < countof(names); i++) {
        assert_false(path_exists(paths[i]));
        free(paths[i]);
    }
    processes_release(&p);
}

/* A release of an image of these processes, done to its end. */
static int64_t processes_live(struct fixture *f, const char *digest, const char *processes)
{
    int64_t id = fixture_queue(f, f->shop), release = 0;
    struct build b;

    assert_int_equal(GOT(builds_lease(f->store, &f->me, &b, &err)), 1);
    build_release(&b);
    OK(builds_built(f->store, &f->me, id, "registry.example.com/shop", digest, processes, "hash", 0, &release, &err));
    assert_int_equal(work(f->store, "one"), 0);
    state_is(f, release, RELEASE_LIVE, NULL);
    return release;
}

static void has_not(struct fixture *f, int64_t id, const char *text)
{
    cleanup_free char *log = log_text(f, id);

    if (strstr(log, text) != NULL)
        fail_msg("\"%s\" is there:\n%s", text, log);
}

/* What a slip in a Procfile makes is said; what is meant so is not. */
static void test_process_names(void **state)
{
    static const char slip[] = "[{\"type\":\"wbe\",\"command\":[\"x\"],\"args\":[],\"default\":true},"
                               "{\"type\":\"release\",\"command\":[\"true\"],\"args\":[],\"default\":false}]";
    static const char nothing[] = "Nothing of it will run: only web is started without being asked for, and the image has no web, but: wbe; "
                                  "check the name in the Procfile, or start it: ps:scale shop wbe=1";
    struct formation formation = { NULL, 0 };
    struct fixture *f = *state;
    struct release_new n = { .app_id = f->shop, .user = "anna", .description = "image x:1",
                             .source_image = "127.0.0.1:1/x", .image_ref = "sha256:1" };
    int64_t id, version;

    id = processes_live(f, "sha256:01", slip);
    has(f, id, nothing);
    id = processes_live(f, "sha256:02", fixture_processes);
    has_not(f, id, " !  ");
    id = processes_live(f, "sha256:03", slip);
    has(f, id, " !     web ran in v2, and the image has no process of that name: it ends with this release; check the name in the "
               "Procfile\n");
    has_not(f, id, nothing);
    /* Somebody has asked for it. */
    formation_set(&formation, "wbe", 2);
    OK(formation_put(f->store, f->shop, &formation, &err));
    formation_release(&formation);
    has_not(f, processes_live(f, "sha256:04", slip), " !  ");
    id = processes_live(f, "sha256:05", "[]");
    has(f, id, " !     The image names no process, so nothing of it will run");
    has(f, id, " !     wbe ran in v4,");
    /* Of an image from elsewhere nothing is known when its release begins. */
    OK(releases_create(f->store, &n, &id, &version, &err));
    (void) work(f->store, "one");
    has_not(f, id, "names no process");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, release_setup, release_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_image_sweep, release_setup, release_teardown),
        TEST(test_postdeploy), TEST(test_postdeploy_fails), TEST(test_postdeploy_killed),
        TEST(test_live),     TEST(test_scale),          TEST(test_fails),
        TEST(test_restores), TEST(test_restore_fails),  TEST(test_first_fails),
        TEST(test_canceled), TEST(test_handed_back),    TEST(test_canceled_after_hand_back),
        TEST(test_lost),     TEST(test_attended),    TEST(test_killed),         TEST(test_killed_in_restore),
        TEST(test_gives_up), TEST(test_remove),      TEST(test_process_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
