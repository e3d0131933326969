#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "base/wake.h"
#include "sql/migrate.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void test_open(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *db = xasprintf("%s/slipway.db", f->state);
    int64_t n = 0;
    struct store *ro;
    struct stat sb;

    assert_int_equal(stat(db, &sb), 0);
    assert_int_equal(sb.st_mode & 07777, 0660);
    assert_int_equal(store_int(f->store, &n, NULL, "PRAGMA foreign_keys", ""), 1);
    assert_int_equal(n, 1);
    assert_int_equal(store_int(f->store, &n, NULL, "PRAGMA synchronous", ""), 1);
    assert_int_equal(n, 2);
    assert_int_equal(store_int(f->store, &n, NULL, "PRAGMA trusted_schema", ""), 1);
    assert_int_equal(n, 0);
    OK(store_open(f->state, true, &ro, &err));
    REFUSED(ERR_DOWN, "database", store_exec(ro, &err, "DELETE FROM users", ""));
    store_close(ro);
    REFUSED(ERR_FAILED, "slipway init", store_open("/nonexistent", false, &ro, &err));
}

static void test_wal(void **state)
{
    (void) state;
    assert_false(store_wal_is_safe(3040001));
    assert_false(store_wal_is_safe(3044005));
    assert_true(store_wal_is_safe(3044006));
    assert_false(store_wal_is_safe(3045000));
    assert_false(store_wal_is_safe(3050006));
    assert_true(store_wal_is_safe(3050007));
    assert_false(store_wal_is_safe(3051002));
    assert_true(store_wal_is_safe(3051003));
}

/* As many empty migrations as there are, then one with this text behind `more` further empty ones. */
static void migrations_add(struct migration *v, size_t n, int more, const char *sql)
{
    size_t have = 0;

    while (migrations[have].sql != NULL)
        have++;
    have += (size_t) more;
    assert_true(have + 2 <= n);
    for (size_t i = 0; i < have; i++)
        v[i] = (struct migration) { (int) i + 1, "" };
    v[have] = (struct migration) { (int) have + 1, sql };
    v[have + 1] = (struct migration) { 0, NULL };
}

static void test_migrate(void **state)
{
    struct migration more[100], broken[100];
    struct fixture *f = *state;
    int64_t n = 0, now = 0;
    struct store *s;

    migrations_add(more, countof(more), 0, "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;");
    migrations_add(broken, countof(broken), 1, "CREATE TABLE half (id INTEGER) STRICT; NONSENSE;");
    OK(store_migrate(f->state, &err));
    OK(store_int(f->store, &now, NULL, "PRAGMA user_version", "") == 1 ? 0 : -1);
    OK(store_migrate_with(f->state, more, &err));
    assert_int_equal(store_int(f->store, &n, NULL, "SELECT count(*) FROM extra", ""), 1);
    REFUSED(ERR_FAILED, "newer Slipway", store_open(f->state, false, &s, &err));
    REFUSED(ERR_FAILED, "newer Slipway", store_migrate(f->state, &err));
    REFUSED(ERR_FAILED, "NONSENSE", store_migrate_with(f->state, broken, &err));
    assert_int_equal(store_int(f->store, &n, NULL, "PRAGMA user_version", ""), 1);
    assert_int_equal(n, now + 1);
    assert_int_equal(store_int(f->store, &n, NULL, "SELECT 1 FROM sqlite_schema WHERE name = 'half'", ""), 0);
}

static void test_damage(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *db = xasprintf("%s/slipway.db", f->state);
    struct store *s;

    store_close(f->store);
    f->store = NULL;
    OK(path_write(db, "this is not a database, only text that is long enough to be looked at", 69, 0660, &err));
    REFUSED(ERR_FAILED, "database", store_open(f->state, false, &s, &err));
    REFUSED(ERR_FAILED, "database", store_migrate(f->state, &err));
}

/* What the first schema could hold: an app that is live, the release before, a failed build, and all that belongs to them. */
static const char first_rows[] =
    "INSERT INTO users VALUES (1, 'anna', 1, 1, 10);"
    "INSERT INTO keys VALUES (1, 1, 'laptop', 'ssh-ed25519', x'00', 'SHA256:x', 11, NULL);"
    "INSERT INTO apps (id, name, owner_id, config_version, release_version, created_at) VALUES (7, 'shop', 1, 1, 2, 12);"
    "INSERT INTO access VALUES (7, 1, 'own');"
    "INSERT INTO config_values VALUES (1, 7, 'A', x'01', NULL, '', x'02');"
    "INSERT INTO config_items VALUES (7, 1, 'A', 1);"
    "INSERT INTO formation VALUES (7, 'web', 2);"
    "INSERT INTO builds (id, app_id, user_id, user_name, branch, commit_id, tree_id, config_version, state, image, digest, created_at) VALUES"
    " (1, 7, 1, 'anna', 'main', 'c1', 't1', 1, 'live', 'r/shop', 'sha256:01', 20), (2, 7, 1, 'anna', 'main', 'c2', 't2', 1, 'live', 'r/shop', 'sha256:02', 21),"
    " (3, 7, 1, 'anna', 'main', 'c3', 't3', 1, 'failed', NULL, NULL, 22);"
    "INSERT INTO releases (id, app_id, version, build_id, user_name, description, commit_id, source_image, digest, image, config_version, formation,"
    " processes, state, url, created_at) VALUES"
    " (1, 7, 1, 1, 'anna', 'deploy c1', 'c1', 'r/shop', 'sha256:01', 'r/shop@sha256:01', 1, '{\"web\":1}', '[]', 'superseded', 'http://x', 30),"
    " (2, 7, 2, 2, 'anna', 'deploy c2', 'c2', 'r/shop', 'sha256:02', 'r/shop@sha256:02', 1, '{\"web\":2}', '[{\"type\":\"web\",\"command\":[\"x\"],\"args\":[],\"default\":true}]',"
    " 'live', 'http://x', 31);"
    "UPDATE builds SET release_id = id WHERE id < 3; UPDATE apps SET live_release_id = 2;"
    "INSERT INTO inventory VALUES (7, 'v1', 'Service', 'n', 'web', 'u', 2);"
    "INSERT INTO audit VALUES (1, 40, 'anna', 'SHA256:x', '::1', 'shop', 'push', 'main', 0);";

/* A database of the first schema, with rows in each table, is brought to today's: nothing is lost, and work goes on. */
static void test_upgrade(void **state)
{
    struct migration first[2] = { migrations[0], { 0, NULL } }, filled[3] = { migrations[0], { 2, first_rows }, { 0, NULL } };
    static const char *const tables[] = { "users", "keys", "apps", "access", "config_values", "config_items", "formation", "inventory", "audit" };
    static const char *const folders[] = { "", "/run", "/logs", "/logs/releases" };
    struct fixture *f = *state;
    cleanup_free char *other = xasprintf("%s/upgrade", f->state);
    struct release_new n = { .app_id = 7, .user = "anna", .description = "set A", .config_version = 0 };
    int64_t id, version, count;
    struct release r;
    struct store *s;
    struct app a;

    for (size_t i = 0; i < countof(folders); i++) {
        cleanup_free char *path = xasprintf("%s%s", other, folders[i]);

        OK(path_mkdir(path, 0770, &err));
    }
    OK(store_migrate_with(other, first, &err));
    OK(store_migrate_with(other, filled, &err));
    OK(store_open_any(other, false, &s, &err));
    OK(store_exec(s, &err, "PRAGMA user_version = 1", ""));
    store_close(s);
    OK(store_migrate(other, &err));
    OK(store_open(other, false, &s, &err));
    for (size_t i = 0; i < countof(tables); i++) {
        cleanup_free char *sql = xasprintf("SELECT count(*) FROM %s", tables[i]);

        assert_int_equal(store_int(s, &count, NULL, sql, ""), 1);
        if (count != 1)
            fail_msg("%s has %d rows", tables[i], (int) count);
    }
    assert_int_equal(store_int(s, &count, NULL, "SELECT count(*) FROM pragma_foreign_key_check", ""), 1);
    assert_int_equal(count, 0);
    OK(apps_get(s, "shop", &a, &err));
    assert_int_equal(a.live_version, 2);
    assert_string_equal(a.handle, "shop");
    app_release(&a);
    OK(releases_get(s, 1, &r, &err));
    assert_string_equal(r.image, "r/shop@sha256:01");
    release_release(&r);
    OK(releases_create(s, &n, &id, &version, &err));
    assert_int_equal(version, 3);
    assert_int_equal(GOT(releases_lease(s, &f->me, &r, &err)), 1);
    assert_int_equal(r.id, id);
    assert_string_equal(r.digest, "sha256:02");
    assert_int_equal(formation_count(&r.formation, "web"), 2);
    release_release(&r);
    assert_int_equal(store_int(s, &count, NULL, "SELECT count(*) FROM builds WHERE state = 'failed' AND release_id IS NULL", ""), 1);
    assert_int_equal(count, 1);
    store_close(s);
}

/* Several processes that start at once: one migrates, the others find it done. */
static void test_migrate_together(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *other = xasprintf("%s/logs", f->state);
    pid_t pids[6];
    struct store *s;

    for (size_t i = 0; i < countof(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(store_migrate(other, NULL) == 0 ? 0 : 1);
    }
    for (size_t i = 0; i < countof(pids); i++) {
        int status = -1;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    OK(store_open(other, false, &s, &err));
    store_close(s);
}

static int fill(struct store *s, struct err *err)
{
    int rc = 0;

    for (int i = 0; i < 1000 && rc == 0; i++) {
        cleanup_free char *name = xasprintf("user%d", i);

        rc = users_add(s, name, false, false, NULL, err);
    }
    return rc;
}

/* A database that can't grow: said as what it is for who typed a command; what is there can be read, and what needs no
 * room goes on. */
static void test_full(void **state)
{
    struct fixture *f = *state;
    struct user u;

    OK(store_exec(f->store, &err, "PRAGMA max_page_count = 1", "")); /* no less than there are */
    REFUSED(ERR_DOWN, "disk is full; an admin finds what takes it: storage:report", fill(f->store, &err));
    OK(users_get(f->store, "bert", &u, &err));
    user_release(&u);
    OK(store_exec(f->store, &err, "PRAGMA max_page_count = 100000", ""));
    OK(users_add(f->store, "carl", false, false, NULL, &err));
}

static void test_transaction(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *wake = store_builds_wake(f->store);
    int fd = wake_open(NULL);
    struct user u;

    assert_true(fd >= 0);
    assert_true(wake_watch(fd, wake, NULL) >= 0);
    OK(store_begin(f->store, &err));
    OK(users_add(f->store, "carl", false, false, NULL, &err));
    (void) fixture_queue(f, f->shop);
    assert_int_equal(wake_drain(fd, NULL), 0); /* nobody is woken before the commit */
    store_rollback(f->store);
    assert_int_equal(wake_drain(fd, NULL), 0);
    REFUSED(ERR_NOT_FOUND, "carl", users_get(f->store, "carl", &u, &err));
    store_rollback(f->store); /* harmless */
    (void) fixture_queue(f, f->shop);
    assert_int_equal(wake_drain(fd, NULL), 1);
    (void) close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_wal),
        cmocka_unit_test_setup_teardown(test_migrate, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_damage, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_migrate_together, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_upgrade, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_full, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_transaction, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
