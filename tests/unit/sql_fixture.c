#include "config.h"

#include "tests/unit/sql_fixture.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "sql/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

const char fixture_processes[] =
    "[{\"type\":\"web\",\"command\":[\"gunicorn\"],\"args\":[\"app:app\"],\"default\":true},"
    "{\"type\":\"worker\",\"command\":[\"python\"],\"args\":[\"worker.py\"],\"default\":false},"
    "{\"type\":\"release\",\"command\":[\"true\"],\"args\":[],\"default\":false}]";

void fixture_ok(int rc, const struct err *err)
{
    if (rc < 0)
        fail_msg("%s (code %d)", err->msg, err->code);
}

void fixture_refused(int rc, const struct err *err, enum err_code code, const char *text)
{
    assert_int_equal(rc, -1);
    if (err->code != code || strstr(err->msg, text) == NULL)
        fail_msg("expected %d \"%s\", got %d \"%s\"", code, text, err->code, err->msg);
}

static void folder(const char *state, const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", state, name);

    OK(path_mkdir(path, 0770, &err));
}

int fixture_setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");

    json_init();
    f->state = xasprintf("%s/slipway-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(f->state) == NULL)
        return -1;
    folder(f->state, "run");
    folder(f->state, "keys");
    folder(f->state, "keys/build");
    folder(f->state, "keys/run");
    folder(f->state, "logs");
    folder(f->state, "logs/builds");
    folder(f->state, "logs/releases");
    OK(seal_init(f->state, &err));
    OK(store_migrate(f->state, &err));
    OK(store_open(f->state, false, &f->store, &err));
    OK(users_add(f->store, "anna", true, true, &f->anna, &err));
    OK(users_add(f->store, "bert", false, true, &f->bert, &err));
    OK(lease_self("test", &f->me, &err));
    struct app a;
    OK(apps_create(f->store, "shop", "main", f->bert, &a, &err));
    f->shop = a.id;
    app_release(&a);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    OK(path_remove_all(f->state, &err));
    free(f->state);
    free(f);
    return 0;
}

int64_t fixture_queue(struct fixture *f, int64_t app_id)
{
    struct build_new b = {
        .app_id = app_id, .user_id = f->bert, .user = "bert", .branch = "main",
        .commit = "3f2c1ab00000000000000000000000000000000a",
        .tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904", .message = "first",
    };
    int64_t id = 0;

    OK(builds_queue(f->store, &b, &id, &err));
    return id;
}

int64_t fixture_built_image(struct fixture *f, int64_t app_id, const char *digest)
{
    int64_t id = fixture_queue(f, app_id), release = 0;
    struct build b;

    assert_int_equal(GOT(builds_lease(f->store, &f->me, &b, &err)), 1);
    assert_int_equal(b.id, id);
    build_release(&b);
    OK(builds_built(f->store, &f->me, id, "registry.example.com/shop", digest, fixture_processes, "hash", 0,
                    &release, &err));
    return release;
}

int64_t fixture_built(struct fixture *f, int64_t app_id)
{
    return fixture_built_image(f, app_id, "sha256:00");
}

int64_t fixture_live(struct fixture *f, int64_t app_id)
{
    return fixture_live_image(f, app_id, "sha256:00");
}

int64_t fixture_live_image(struct fixture *f, int64_t app_id, const char *digest)
{
    int64_t id = fixture_built_image(f, app_id, digest);
    struct release r;

    assert_int_equal(GOT(releases_lease(f->store, &f->me, &r, &err)), 1);
    assert_int_equal(r.id, id);
    release_release(&r);
    OK(releases_live(f->store, &f->me, id, "https://shop.example.com", 1200, &err));
    return id;
}
