/* Config versions and sealing. */
#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "sql/seal.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static int64_t change(struct fixture *f, const char *name, const char *value, bool run, bool build)
{
    struct config_change c = { name, value, value != NULL ? strlen(value) : 0, run, build };
    int64_t version = 0;

    OK(store_begin(f->store, &err));
    OK(config_change(f->store, f->shop, &c, 1, &version, &err));
    OK(store_commit(f->store, &err));
    return version;
}

static char *value_of(struct fixture *f, int64_t version, const char *name, enum seal_scope scope)
{
    struct config_set c;
    char *ret = NULL;
    size_t n = 0;

    OK(config_get(f->store, f->shop, version, &c, &err));
    for (size_t i = 0; i < c.n; i++) {
        struct config_var *v = &c.v[i];
        bool run = scope == SEAL_RUN;

        if (strcmp(v->name, name) != 0 || !(run ? v->run : v->build))
            continue;
        OK(seal_open(f->state, scope, f->shop, name, run ? v->sealed_run : v->sealed_build,
                     run ? v->sealed_run_len : v->sealed_build_len, &ret, &n, &err));
        assert_int_equal(strlen(ret), n);
    }
    config_set_release(&c);
    return ret;
}

static void assert_value(struct fixture *f, int64_t version, const char *name, enum seal_scope scope, const char *want)
{
    cleanup_free char *got = value_of(f, version, name, scope);

    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got != NULL ? got : "(none)", want);
}

static void test_versions(void **state)
{
    struct fixture *f = *state;
    struct config_set c;
    int64_t v = 0;

    assert_int_equal(change(f, "A", "it's \"quoted\" = and\nnew lines \xc3\xa4", true, false), 1);
    assert_value(f, 1, "A", SEAL_RUN, "it's \"quoted\" = and\nnew lines \xc3\xa4");
    assert_value(f, 1, "A", SEAL_BUILD, NULL);
    assert_int_equal(change(f, "B", "for both, long enough", true, true), 2);
    assert_value(f, 2, "B", SEAL_BUILD, "for both, long enough");
    assert_int_equal(change(f, "B", "for both, long enough", true, true), 2); /* nothing changed */
    assert_int_equal(change(f, "B", "for both, long enough", true, false), 3); /* the scope did */
    assert_value(f, 3, "B", SEAL_BUILD, NULL);
    assert_int_equal(change(f, "C", NULL, false, false), 3);
    assert_int_equal(change(f, "A", NULL, false, false), 4);
    assert_value(f, 4, "A", SEAL_RUN, NULL);
    assert_value(f, 3, "A", SEAL_RUN, "it's \"quoted\" = and\nnew lines \xc3\xa4");
    assert_int_equal(change(f, "E", "", true, false), 5);
    assert_value(f, 5, "E", SEAL_RUN, "");
    OK(config_get(f->store, f->shop, 2, &c, &err));
    assert_int_equal(c.n, 2);
    assert_string_equal(c.v[0].hint, ""); /* the last characters are not printable ASCII */
    assert_string_equal(c.v[1].hint, "ough");
    assert_int_equal(c.v[0].version, 1);
    assert_int_equal(c.v[1].version, 2);
    config_set_release(&c);
    OK(config_restore(f->store, f->shop, 2, &v, &err));
    assert_int_equal(v, 6);
    assert_value(f, 6, "B", SEAL_BUILD, "for both, long enough");
    OK(config_restore(f->store, f->shop, 2, &v, &err));
    assert_int_equal(v, 6); /* holds the same already */
    OK(config_restore(f->store, f->shop, 0, &v, &err));
    assert_int_equal(v, 7);
    OK(config_get(f->store, f->shop, 7, &c, &err));
    assert_int_equal(c.n, 0);
    config_set_release(&c);
}

static void refused(struct fixture *f, const struct config_change *c, size_t n, const char *text)
{
    int64_t v = 0;

    OK(store_begin(f->store, &err));
    REFUSED(ERR_USAGE, text, config_change(f->store, f->shop, c, n, &v, &err));
    store_rollback(f->store);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *big = xmalloc(CONFIG_VALUE_MAX + 1);
    cleanup_free char *names = xmalloc(32 * 16);
    struct config_change c[16] = { { 0 } };
    int64_t v = 0;

    memset(big, 'x', CONFIG_VALUE_MAX + 1);
    refused(f, &(struct config_change) { "A", big, CONFIG_VALUE_MAX + 1, true, false }, 1, "at most 65536");
    refused(f, &(struct config_change) { "A", "a\0b", 3, true, false }, 1, "NUL");
    refused(f, &(struct config_change) { "A", "\xff\xfe", 2, true, false }, 1, "UTF-8");
    refused(f, &(struct config_change) { "PORT", "1", 1, true, false }, 1, "PORT");
    refused(f, &(struct config_change) { "A", "1", 1, false, false }, 1, "scope");
    for (size_t i = 0; i < countof(c); i++) {
        (void) snprintf(names + 32 * i, 32, "N%zu", i);
        c[i] = (struct config_change) { names + 32 * i, big, CONFIG_VALUE_MAX, true, false };
    }
    refused(f, c, countof(c), "900 KiB");
    OK(store_begin(f->store, &err));
    OK(config_change(f->store, f->shop, c, 13, &v, &err));
    OK(store_commit(f->store, &err));
    assert_int_equal(v, 1);
    /* All or nothing: the good ones of a refused list leave nothing behind. */
    c[0].value = "changed";
    c[0].value_len = 7;
    c[1].name = "not good";
    refused(f, c, 2, "not good");
    OK(config_restore(f->store, f->shop, 1, &v, &err));
    assert_int_equal(v, 1);
}

static void test_seal(void **state)
{
    struct fixture *f = *state;
    void *sealed = NULL;
    char *open = NULL;
    size_t n = 0, open_n = 0;

    OK(seal_value(f->state, SEAL_RUN, 7, "A", "secret\0x", 8, &sealed, &n, &err));
    assert_null(memmem(sealed, n, "secret", 6));
    OK(seal_open(f->state, SEAL_RUN, 7, "A", sealed, n, &open, &open_n, &err));
    assert_int_equal(open_n, 8);
    assert_memory_equal(open, "secret\0x", 9);
    free(open);
    REFUSED(ERR_FAILED, "does not belong", seal_open(f->state, SEAL_RUN, 8, "A", sealed, n, &open, &open_n, &err));
    REFUSED(ERR_FAILED, "does not belong", seal_open(f->state, SEAL_RUN, 7, "B", sealed, n, &open, &open_n, &err));
    REFUSED(ERR_FAILED, "does not belong", seal_open(f->state, SEAL_BUILD, 7, "A", sealed, n, &open, &open_n, &err));
    for (size_t i = 0; i < n; i++) {
        ((unsigned char *) sealed)[i] ^= 1;
        REFUSED(ERR_FAILED, "A", seal_open(f->state, SEAL_RUN, 7, "A", sealed, n, &open, &open_n, &err));
        ((unsigned char *) sealed)[i] ^= 1;
    }
    for (size_t i = 0; i < n; i++)
        REFUSED(ERR_FAILED, "A", seal_open(f->state, SEAL_RUN, 7, "A", sealed, i, &open, &open_n, &err));
    free(sealed);
}

/* A row copied to another app, or changed in place, does not open. */
static void test_tampered_row(void **state)
{
    struct fixture *f = *state;
    struct config_set c;
    char *open = NULL;
    size_t n = 0;

    (void) change(f, "A", "the first value", true, false);
    (void) change(f, "B", "the second value", true, false);
    OK(store_exec(f->store, &err, "UPDATE config_values SET sealed_run = (SELECT sealed_run FROM config_values "
                  "WHERE name = 'B') WHERE name = 'A'", ""));
    OK(config_get(f->store, f->shop, 2, &c, &err));
    assert_int_equal(c.n, 2);
    REFUSED(ERR_FAILED, "does not belong", seal_open(f->state, SEAL_RUN, f->shop, "A", c.v[0].sealed_run,
                                                     c.v[0].sealed_run_len, &open, &n, &err));
    config_set_release(&c);
    OK(store_exec(f->store, &err, "UPDATE config_items SET value_id = (SELECT id FROM config_values "
                  "WHERE name = 'B') WHERE name = 'A'", ""));
    OK(config_get(f->store, f->shop, 2, &c, &err));
    assert_int_equal(c.n, 1); /* an item that points to another name's value is none */
    config_set_release(&c);
}

static void test_keys_on_disk(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *secret = xasprintf("%s/keys/run/secret", f->state), *pub = xasprintf("%s/keys/run/public", f->state);
    cleanup_free char *other = xasprintf("%s/logs", f->state), *other_keys = xasprintf("%s/logs/keys", f->state);
    cleanup_free char *other_run = xasprintf("%s/run", other_keys), *other_build = xasprintf("%s/build", other_keys);
    cleanup_free void *sealed = NULL;
    char *open = NULL;
    struct stat sb;
    size_t n = 0, open_n = 0;

    assert_int_equal(stat(secret, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0400);
    OK(seal_value(f->state, SEAL_RUN, 1, "A", "x", 1, &sealed, &n, &err));
    assert_int_equal(unlink(pub), 0);
    OK(seal_init(f->state, &err)); /* the public half is made again from the secret one */
    OK(seal_open(f->state, SEAL_RUN, 1, "A", sealed, n, &open, &open_n, &err));
    free(open);
    OK(path_mkdir(other_keys, 0770, &err));
    OK(path_mkdir(other_run, 0770, &err));
    OK(path_mkdir(other_build, 0770, &err));
    OK(seal_init(other, &err));
    REFUSED(ERR_FAILED, "another key", seal_open(other, SEAL_RUN, 1, "A", sealed, n, &open, &open_n, &err));
    assert_int_equal(unlink(secret), 0);
    REFUSED(ERR_FAILED, "restore it", seal_init(f->state, &err));
    OK(path_write(secret, "short", 5, 0400, &err));
    REFUSED(ERR_FAILED, "32 bytes", seal_open(f->state, SEAL_RUN, 1, "A", sealed, n, &open, &open_n, &err));
}

static void test_digest(void **state)
{
    struct fixture *f = *state;
    unsigned char a[32], b[32];

    OK(seal_digest(f->state, 1, "A", "BC", 2, a, &err));
    OK(seal_digest(f->state, 1, "A", "BC", 2, b, &err));
    assert_memory_equal(a, b, 32);
    OK(seal_digest(f->state, 1, "AB", "C", 1, b, &err));
    assert_memory_not_equal(a, b, 32);
    OK(seal_digest(f->state, 2, "A", "BC", 2, b, &err));
    assert_memory_not_equal(a, b, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_versions, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_limits, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_seal, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_tampered_row, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_keys_on_disk, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_digest, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
