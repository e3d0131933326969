/* Releases against a target that fails, is canceled and is killed at every call. The database is real. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "deployer/release.h"
#include "deployer/remove.h"
#include "tests/fakes/fake_target.h"
#include "tests/unit/sql_fixture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define CALLS_MAX 30 /* no release makes more calls than this */

static struct conf conf;

static int setup(void **state)
{
    struct fixture *f;

    if (fixture_setup(state) != 0)
        return -1;
    f = *state;
    OK(conf_load(&conf, NULL, &err));
    free(conf.state);
    conf.state = xstrdup(f->state);
    fake.folder = f->state;
    fake_forget();
    return 0;
}

static int teardown(void **state)
{
    conf_release(&conf);
    return fixture_teardown(state);
}

/* Leases the next release and runs it in this process. Returns what release_run did, 2 where there was none. */
static int work(struct store *s, const char *owner)
{
    struct lease me;
    struct pulse pulse;
    struct release r;
    struct release_worker w = { .conf = &conf, .store = s, .me = &me, .find = fake_find, .publish = fake_publish,
                                .pulse = &pulse };
    struct err err = ERR_INIT;
    int rc;

    if (lease_self(owner, &me, &err) < 0 || pulse_init(&pulse, s, &me, &err) < 0)
        return -1;
    rc = releases_lease(s, &me, &r, &err);
    if (rc == 1) {
        pulse_begin(&pulse, r.id, r.cancel);
        rc = release_run(&w, &r, &err);
        release_release(&r);
    } else if (rc == 0) {
        rc = 2;
    }
    pulse_release(&pulse);
    return rc;
}

/* The same in a process that may be killed. True where it was. */
static bool work_killed(struct fixture *f)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct store *s;
        struct err err = ERR_INIT;

        _exit(store_open(f->state, false, &s, &err) == 0 && work(s, "child") == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static char *log_text(struct fixture *f, int64_t id)
{
    cleanup_free char *path = store_release_log(f->store, id);
    struct buf b;

    buf_init(&b, 1 << 20);
    OK(path_read(path, &b, &err));
    return buf_steal(&b);
}

static void has(struct fixture *f, int64_t id, const char *text)
{
    cleanup_free char *log = log_text(f, id);

    if (strstr(log, text) == NULL)
        fail_msg("\"%s\" is missing in:\n%s", text, log);
}

static void calls_are(const char *expected)
{
    cleanup_free char *calls = fake_read("calls.txt");

    assert_string_equal(calls, expected);
}

static void holds(const char *expected)
{
    cleanup_free char *text = fake_read("holds.txt");

    assert_string_equal(text, expected);
}

static enum release_state state_of(struct fixture *f, int64_t id, char **ret_reason)
{
    struct release r;
    enum release_state s;

    OK(releases_get(f->store, id, &r, &err));
    s = r.state;
    if (ret_reason != NULL)
        *ret_reason = steal_ptr(r.reason);
    release_release(&r);
    return s;
}

static void state_is(struct fixture *f, int64_t id, enum release_state want, const char *reason)
{
    cleanup_free char *got = NULL;
    enum release_state s = state_of(f, id, &got);

    assert_string_equal(release_state_name(s), release_state_name(want));
    if (reason != NULL)
        assert_string_equal(got != NULL ? got : "(none)", reason);
}

static int64_t live_version(struct fixture *f)
{
    struct app a;
    int64_t v;

    OK(apps_get_id(f->store, f->shop, &a, &err));
    v = a.live_version;
    app_release(&a);
    return v;
}

/* A first release that is live. */
static int64_t live(struct fixture *f)
{
    int64_t id = fixture_built(f, f->shop);

    assert_int_equal(work(f->store, "live"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    fake_forget();
    return id;
}

static void set_config(struct fixture *f)
{
    const struct config_change change[] = {
        { .name = "PASSWORD", .value = "hunter2-hunter2", .value_len = 15, .run = true },
        { .name = "TOKEN", .value = "build-only-value", .value_len = 16, .build = true },
    };
    int64_t version;

    OK(store_begin(f->store, &err));
    OK(config_change(f->store, f->shop, change, countof(change), &version, &err));
    OK(store_commit(f->store, &err));
}

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
    has(f, id, "       release: true ...\n       migrating with [PASSWORD hidden]\n       release: done (0.");
    has(f, id, "=====> v1 is live after 0.");
    has(f, id, " (build 0.0, publish 0.0, release 0.0, rollout 0.0)\n       https://shop.example.com\n");
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
    for (int i = 0; i < 3; i++) {
        fake.op = "watch";
        fake.fault = FAKE_KILL;
        fake.calls = 0;
        assert_true(work_killed(f));
    }
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
    const struct removal removal = { &conf, f->store, fake_find };
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
    has(f, id, "       postdeploy: done (0.");
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

/* --- moves */

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
    const struct removal removal = { &conf, f->store, fake_find };
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
    if (setup(state) != 0)
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
    int64_t first, id;

    set_config(f);
    first = live(f);
    is_on(f, "docker");
    id = move_to(f, "kubernetes");
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
    fake_forget();
    assert_int_equal(removed(f), 0);
    calls_are("open \nremove shop\n");
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
    for (int i = 0; i < 3; i++) {
        fake.op = "watch";
        fake.fault = FAKE_KILL;
        fake.calls = 0;
        assert_true(work_killed(f));
    }
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

/* --- what the targets say of themselves */

static void document(struct buf *b)
{
    buf_init(b, 1 << 16);
    target_print_markdown(b);
    assert_false(b->overflow);
}

/* docs/targets.md is what the targets say. To write it anew: tests/unit/test_release --markdown > FILE. */
static void test_document(void **state)
{
    const char *top = getenv("top_srcdir");
    cleanup_free char *path = xasprintf("%s/docs/targets.md", top != NULL ? top : ".");
    struct buf want, got;

    (void) state;
    document(&want);
    buf_init(&got, 1 << 16);
    OK(path_read(path, &got, &err));
    if (strcmp(buf_str(&want), buf_str(&got)) != 0)
        fail_msg("docs/targets.md is not what the targets say: tests/unit/test_release --markdown > docs/targets.md");
    buf_release(&want);
    buf_release(&got);
}

/* They say of everything whether and how, and have the functions that they say. */
static void test_says(void **state)
{
    (void) state;
    for (const struct target_ops *const *t = target_all; *t != NULL; t++) {
        const struct target_ops *ops = *t;

        for (int i = 0; i < TRAITS; i++) {
            assert_non_null(target_trait_text((enum target_trait) i));
            assert_non_null(ops->says[i].how);
        }
        assert_int_equal(ops->says[TRAIT_RUN].can, ops->run != NULL && ops->run_list != NULL && ops->run_logs != NULL &&
                         ops->run_stop != NULL);
        assert_int_equal(ops->says[TRAIT_EXEC].can, ops->exec != NULL);
        assert_int_equal(ops->says[TRAIT_COMMAND].can, ops->release_command != NULL);
        assert_int_equal(ops->says[TRAIT_LOGS].can, ops->logs != NULL);
    }
    assert_null(target_find("moon"));
    for (const char *const *name = conf_targets; *name != NULL; name++)
        assert_non_null(target_find(*name));
}

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

int main(int argc, char **argv)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
#define BOTH(t) cmocka_unit_test_setup_teardown(t, setup_both, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_postdeploy), TEST(test_postdeploy_fails), TEST(test_postdeploy_killed),
        TEST(test_live),     TEST(test_scale),          TEST(test_fails),
        TEST(test_restores), TEST(test_restore_fails),  TEST(test_first_fails),
        TEST(test_canceled), TEST(test_handed_back),    TEST(test_canceled_after_hand_back),
        TEST(test_lost),     TEST(test_killed),         TEST(test_killed_in_restore),
        TEST(test_gives_up), TEST(test_remove),         TEST(test_rename),    TEST(test_rename_killed),
        BOTH(test_move),     BOTH(test_move_fails),     BOTH(test_move_killed),
        BOTH(test_move_gives_up), BOTH(test_move_settings),
        cmocka_unit_test(test_document), cmocka_unit_test(test_says),
    };

    if (argc == 2 && strcmp(argv[1], "--markdown") == 0) {
        struct buf b;

        document(&b);
        (void) fwrite(buf_str(&b), 1, buf_len(&b), stdout);
        buf_release(&b);
        return 0;
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
