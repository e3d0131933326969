/* Replacing the sealing keys: what is sealed to which key, and what a crash leaves. */
#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "sql/seal.h"
#include "tests/unit/sql_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define VALUES 150 /* more than one transaction's */

static int rounds;      /* how often goes_on says yes */

static void on_busy(void) { }

static bool goes_on(void *arg)
{
    (void) arg;
    return rounds-- > 0;
}

static const struct rotation_worker worker = { on_busy, goes_on, NULL };

static int work(struct fixture *f, enum seal_scope scope, int n)
{
    int again = 0;

    rounds = n;
    return GOT(rotation_work(f->store, scope, &worker, &again, &err));
}

static void set(struct fixture *f, const char *name, const char *value, bool build)
{
    struct config_change c = { name, value, strlen(value), true, build };
    int64_t version = 0;

    OK(store_begin(f->store, &err));
    OK(config_change(f->store, f->shop, &c, 1, &version, &err));
    OK(store_commit(f->store, &err));
}

static void set_many(struct fixture *f)
{
    for (int i = 0; i < VALUES; i++) {
        cleanup_free char *name = xasprintf("V%d", i), *value = xasprintf("value %d", i);

        set(f, name, value, i % 3 == 0);
    }
}

/* Every value of every version opens, and is what was set. */
static int64_t assert_all(struct fixture *f)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int64_t n = 0;

    OK(store_prepare(f->store, &st, &err, "SELECT name, sealed_run, sealed_build FROM config_values", ""));
    for (; GOT(store_step(f->store, st, &err)) == 1; n++) {
        cleanup_free char *name = store_text(st, 0), *want = xasprintf("value %s", name + 1);

        for (int column = 1; column <= 2; column++) {
            size_t sealed_n = 0, value_n = 0;
            cleanup_free void *sealed = store_blob(st, column, &sealed_n);
            char *value;

            if (sealed == NULL)
                continue;
            OK(seal_open(f->state, column == 1 ? SEAL_RUN : SEAL_BUILD, f->shop, name, sealed, sealed_n, &value, &value_n,
                         &err));
            assert_string_equal(value, want);
            free(value);
        }
    }
    return n;
}

static char *file(struct fixture *f, const char *name)
{
    return xasprintf("%s/keys/%s", f->state, name);
}

static bool there(struct fixture *f, const char *name)
{
    cleanup_free char *path = file(f, name);

    return path_exists(path);
}

static void content(struct fixture *f, const char *name, unsigned char ret[32])
{
    cleanup_free char *path = file(f, name);
    cleanup_buf struct buf b;

    buf_init(&b, 32);
    OK(path_read(path, &b, &err));
    assert_int_equal(buf_len(&b), 32);
    memcpy(ret, buf_str(&b), 32);
}

static enum rotation_state state_of(struct fixture *f, enum seal_scope scope, int64_t *ret_sealed, int64_t *ret_lost)
{
    struct rotation r;

    OK(rotation_get(f->store, scope, &r, &err));
    free(r.reason);
    *ret_sealed = r.sealed;
    *ret_lost = r.lost;
    return r.state;
}

static void assert_done(struct fixture *f, enum seal_scope scope, int64_t want_sealed, int64_t want_lost)
{
    int64_t sealed = 0, lost = 0;

    assert_int_equal(state_of(f, scope, &sealed, &lost), ROTATION_DONE);
    assert_int_equal(sealed, want_sealed);
    assert_int_equal(lost, want_lost);
}

static void test_whole(void **state)
{
    struct fixture *f = *state;
    unsigned char a[32], b[32], digest[32];

    set_many(f);
    content(f, "run/secret", a);
    content(f, "digest.key", digest);
    assert_int_equal(work(f, SEAL_RUN, 100), 0); /* nobody has asked */
    OK(rotation_ask(f->store, &err));
    OK(rotation_ask(f->store, &err));
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    assert_done(f, SEAL_RUN, VALUES, 0);
    content(f, "run/secret", b);
    assert_memory_not_equal(a, b, 32);
    content(f, "digest.key", b);
    assert_memory_equal(digest, b, 32); /* equal values keep equal digests */
    assert_false(there(f, "run/secret.old"));
    assert_false(there(f, "run/secret.new"));
    assert_int_equal(work(f, SEAL_RUN, 100), 0);
    assert_int_equal(work(f, SEAL_BUILD, 100), 1);
    assert_done(f, SEAL_BUILD, VALUES / 3, 0);
    assert_int_equal(assert_all(f), VALUES);
    OK(rotation_ask(f->store, &err)); /* and once more */
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    assert_int_equal(assert_all(f), VALUES);
}

/* Put back, the former key opens nothing that is stored. */
static void test_former_key(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *secret = file(f, "run/secret"), *kept = file(f, "kept");
    cleanup_stmt sqlite3_stmt *st = NULL;
    cleanup_free void *sealed = NULL;
    char *value;
    size_t n = 0, value_n;
    int status = 1;
    pid_t pid;

    set(f, "V1", "value 1", false);
    assert_int_equal(link(secret, kept), 0);
    OK(rotation_ask(f->store, &err));
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    assert_int_equal(assert_all(f), 1);
    OK(store_prepare(f->store, &st, &err, "SELECT sealed_run FROM config_values", ""));
    assert_int_equal(GOT(store_step(f->store, st, &err)), 1);
    sealed = store_blob(st, 0, &n);
    pid = fork(); /* what has been read here stays here */
    if (pid == 0) {
        bool opened = seal_open(f->state, SEAL_RUN, f->shop, "V1", sealed, n, &value, &value_n, NULL) == 0;

        if (!opened || rename(kept, secret) != 0)
            _exit(2);
        if (execl("/proc/self/exe", "test_rotation", f->state, NULL) != 0)
            _exit(3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* What is set while it goes on is sealed to the new key, by whoever has read the former one. */
static void test_set_meanwhile(void **state)
{
    struct fixture *f = *state;

    set_many(f);
    OK(rotation_ask(f->store, &err));
    assert_int_equal(work(f, SEAL_RUN, 1), 1); /* told to stop after one transaction */
    assert_true(there(f, "run/secret.old"));
    set(f, "V7777", "value 7777", false);
    assert_int_equal(assert_all(f), VALUES + 1);
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    assert_done(f, SEAL_RUN, VALUES, 0);
    assert_false(there(f, "run/secret.old"));
    assert_int_equal(assert_all(f), VALUES + 1);
}

/* The files as a kill leaves them at each step of the change of keys. */
static void test_killed_files(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *secret = file(f, "run/secret"), *old = file(f, "run/secret.old");
    cleanup_free char *fresh = file(f, "run/secret.new"), *public = file(f, "run/public"), *stale = file(f, "stale");
    cleanup_free char *half = file(f, "run/secret.new.Ab12Cd"), *half_public = file(f, "run/public.Ab12Cd");
    unsigned char key[32];

    set_many(f);
    /* The new key is written, nothing else. */
    for (int i = 0; i < 32; i++)
        key[i] = (unsigned char) (i + 1);
    OK(rotation_ask(f->store, &err));
    OK(path_write(fresh, key, 32, 0400, &err));
    assert_int_equal(assert_all(f), VALUES);
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    assert_done(f, SEAL_RUN, VALUES, 0);
    assert_false(there(f, "run/secret.new"));
    /* Both were being written; the former key has its second name. */
    OK(path_write(half, key, 16, 0400, &err));
    OK(path_write(half_public, key, 0, 0600, &err));
    OK(rotation_ask(f->store, &err));
    OK(path_write(fresh, key, 32, 0400, &err));
    assert_int_equal(link(secret, old), 0);
    assert_int_equal(assert_all(f), VALUES);
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    assert_done(f, SEAL_RUN, VALUES, 0);
    assert_false(there(f, "run/secret.new.Ab12Cd") || there(f, "run/public.Ab12Cd"));
    /* The new key is in place, but not its public one: values are still sealed to the former one. */
    OK(rotation_ask(f->store, &err));
    assert_int_equal(link(public, stale), 0);
    assert_int_equal(work(f, SEAL_RUN, 0), 1);
    assert_int_equal(rename(stale, public), 0);
    OK(store_exec(f->store, &err, "UPDATE rotations SET state = 'asked'", ""));
    set(f, "V8888", "value 8888", false);
    assert_int_equal(assert_all(f), VALUES + 1);
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    assert_done(f, SEAL_RUN, VALUES + 1, 0);
    assert_int_equal(assert_all(f), VALUES + 1);
}

/* A clone's build values that still wait for the builder. */
static void test_clone(void **state)
{
    struct fixture *f = *state;
    struct config_change c = { "V1", "value 1", 7, false, true };
    int64_t version = 0, n = 0;
    struct app a;

    OK(store_begin(f->store, &err));
    OK(config_change(f->store, f->shop, &c, 1, &version, &err));
    OK(store_commit(f->store, &err));
    OK(apps_create(f->store, "blog", "main", f->bert, &a, &err));
    OK(apps_clone(f->store, f->shop, a.id, &err));
    OK(rotation_ask(f->store, &err));
    assert_int_equal(work(f, SEAL_BUILD, 100), 1);
    OK(store_int(f->store, &n, &err, "SELECT count(*) FROM config_items WHERE app_id = ?", "i", a.id));
    assert_int_equal(n, 1);
    OK(store_int(f->store, &n, &err, "SELECT count(*) FROM config_copies", ""));
    assert_int_equal(n, 0);
    app_release(&a);
}

/* The former key was destroyed, but its row not written: no second change. */
static void test_killed_at_end(void **state)
{
    struct fixture *f = *state;
    unsigned char a[32], b[32];

    set(f, "V1", "value 1", false);
    OK(rotation_ask(f->store, &err));
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    content(f, "run/secret", a);
    OK(store_exec(f->store, &err, "UPDATE rotations SET state = 'sealing'", ""));
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    content(f, "run/secret", b);
    assert_memory_equal(a, b, 32);
    assert_done(f, SEAL_RUN, 1, 0);
}

/* A damaged value keeps nothing from going on, and stays; unreadable keys stop it, and destroy nothing. */
static void test_damaged(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *old = file(f, "run/secret.old");
    struct rotation r;
    int again = 0;

    set(f, "V1", "value 1", false);
    set(f, "V2", "value 2", false);
    OK(store_exec(f->store, &err, "UPDATE config_values SET sealed_run = x'00' WHERE name = 'V2'", ""));
    OK(rotation_ask(f->store, &err));
    assert_int_equal(work(f, SEAL_RUN, 100), 1);
    assert_done(f, SEAL_RUN, 1, 1);
    OK(store_exec(f->store, &err, "DELETE FROM config_items WHERE name = 'V2'", ""));
    OK(store_exec(f->store, &err, "DELETE FROM config_values WHERE name = 'V2'", ""));
    OK(rotation_ask(f->store, &err));
    assert_int_equal(work(f, SEAL_RUN, 0), 1);
    assert_int_equal(chmod(old, 0600), 0);
    assert_int_equal(truncate(old, 31), 0);
    /* In a process that has read no key yet. */
    pid_t pid = fork();
    if (pid == 0) {
        rounds = 100;
        set(f, "V3", "value 3", false);
        _exit(rotation_work(f->store, SEAL_RUN, &worker, &again, NULL) == 0 && again > 0 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    OK(rotation_get(f->store, SEAL_RUN, &r, &err));
    assert_int_equal(r.state, ROTATION_SEALING);
    assert_non_null(strstr(r.reason, "32 bytes"));
    free(r.reason);
    assert_true(there(f, "run/secret.old"));
}

/* One at a time: who finds it taken looks again. */
static void test_taken(void **state)
{
    struct fixture *f = *state;
    cleanup_close int lock = -1;
    int again = 0;

    OK(rotation_ask(f->store, &err));
    assert_int_equal(GOT(seal_rotate_lock(f->state, SEAL_RUN, &lock, &err)), 1);
    rounds = 100;
    assert_int_equal(GOT(rotation_work(f->store, SEAL_RUN, &worker, &again, &err)), 0);
    assert_true(again > 0);
}

/* keys/run.key and run.pub of before are taken over. */
static void test_adopted(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *secret = file(f, "run/secret"), *public = file(f, "run/public");
    cleanup_free char *key = file(f, "run.key"), *pub = file(f, "run.pub");

    set(f, "V1", "value 1", false);
    assert_int_equal(rename(secret, key), 0);
    assert_int_equal(rename(public, pub), 0);
    REFUSED(ERR_FAILED, "slipway init", seal_keys_check(f->state, &err));
    OK(seal_init(f->state, &err));
    OK(seal_keys_check(f->state, &err));
    assert_false(path_exists(key));
    assert_false(path_exists(pub));
    assert_int_equal(assert_all(f), 1);
    set(f, "V2", "value 2", false);
    assert_int_equal(assert_all(f), 2);
    assert_int_equal(unlink(secret), 0);
    assert_int_equal(rename(public, pub), 0);
    REFUSED(ERR_FAILED, "restore it", seal_init(f->state, &err));
}

/* 0: the stored value of the state folder does not open. */
static int former_key_main(const char *folder)
{
    struct store *s;
    struct config_set c;
    char *value;
    size_t n;
    int rc;

    if (store_open(folder, true, &s, NULL) != 0 || config_get(s, 1, 1, &c, NULL) != 0 || c.n != 1)
        return 4;
    rc = seal_open(folder, SEAL_RUN, 1, "V1", c.v[0].sealed_run, c.v[0].sealed_run_len, &value, &n, NULL);
    config_set_release(&c);
    store_close(s);
    return rc == 0 ? 5 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return former_key_main(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_former_key, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_set_meanwhile, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_killed_files, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_clone, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_damaged, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_taken, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_adopted, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
