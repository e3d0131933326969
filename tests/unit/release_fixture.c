#include "config.h"

#include "tests/unit/release_fixture.h"

#include "base/mem.h"
#include "base/path.h"
#include "deployer/release.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct conf conf;

int release_setup(void **state)
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

int release_teardown(void **state)
{
    conf_release(&conf);
    return fixture_teardown(state);
}

/* Leases the next release and runs it in this process. Returns what release_run did, 2 where there was none. */
int work(struct store *s, const char *owner)
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
bool work_killed(struct fixture *f)
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

void work_killed_thrice(struct fixture *f, const char *op)
{
    for (int i = 0; i < 3; i++) {
        fake.op = op;
        fake.fault = FAKE_KILL;
        fake.calls = 0;
        assert_true(work_killed(f));
    }
}

char *log_text(struct fixture *f, int64_t id)
{
    cleanup_free char *path = store_release_log(f->store, id);
    struct buf b;

    buf_init(&b, 1 << 20);
    OK(path_read(path, &b, &err));
    return buf_steal(&b);
}

void has(struct fixture *f, int64_t id, const char *text)
{
    cleanup_free char *log = log_text(f, id);

    if (strstr(log, text) == NULL)
        fail_msg("\"%s\" is missing in:\n%s", text, log);
}

void calls_are(const char *expected)
{
    cleanup_free char *calls = fake_read("calls.txt");

    assert_string_equal(calls, expected);
}

void holds(const char *expected)
{
    cleanup_free char *text = fake_read("holds.txt");

    assert_string_equal(text, expected);
}

enum release_state state_of(struct fixture *f, int64_t id, char **ret_reason)
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

void state_is(struct fixture *f, int64_t id, enum release_state want, const char *reason)
{
    cleanup_free char *got = NULL;
    enum release_state s = state_of(f, id, &got);

    assert_string_equal(release_state_name(s), release_state_name(want));
    if (reason != NULL)
        assert_string_equal(got != NULL ? got : "(none)", reason);
}

int64_t live_version(struct fixture *f)
{
    struct app a;
    int64_t v;

    OK(apps_get_id(f->store, f->shop, &a, &err));
    v = a.live_version;
    app_release(&a);
    return v;
}

/* A first release that is live. */
int64_t live(struct fixture *f)
{
    int64_t id = fixture_built(f, f->shop);

    assert_int_equal(work(f->store, "live"), 0);
    state_is(f, id, RELEASE_LIVE, NULL);
    fake_forget();
    return id;
}

void set_config(struct fixture *f)
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
