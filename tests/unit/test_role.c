#include "config.h"

#include "base/near.h"
#include "base/role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_argv(void **state)
{
    char file[] = "/etc/slipway.conf", folder[] = "/var/lib/slipway";
    struct conf c = { .file = file, .state = folder };
    cleanup_vec struct vec argv = VEC_INIT, without = VEC_INIT;

    (void) state;
    role_argv(&c, "session", &argv);
    assert_int_equal(argv.n, 5);
    assert_string_equal(argv.v[0], "slipway: session");
    assert_string_equal(argv.v[1], "role");
    assert_string_equal(argv.v[2], "session");
    assert_string_equal(argv.v[3], "--config");
    assert_string_equal(argv.v[4], file);
    c.file = NULL;
    role_argv(&c, "session", &without);
    assert_int_equal(without.n, 3);
}

static void test_env(void **state)
{
    char folder[] = "/var/lib/slipway";
    struct conf c = { .state = folder };
    cleanup_vec struct vec env = VEC_INIT;
    bool path = false;

    (void) state;
    assert_int_equal(setenv("LD_PRELOAD_X", "1", 1), 0);
    assert_int_equal(setenv("GIT_DIR", "/x", 1), 0);
    assert_int_equal(unsetenv("PATH"), 0);
    assert_int_equal(setenv("https_proxy", "http://proxy", 1), 0);
    role_env(&c, &env);
    for (size_t i = 0; i < env.n; i++) {
        assert_true(strncmp(env.v[i], "LD_", 3) != 0 && strncmp(env.v[i], "GIT_", 4) != 0);
        path |= strncmp(env.v[i], "PATH=/", 6) == 0;
    }
    assert_true(path);
    assert_string_equal(env.v[env.n - 1], "HOME=/var/lib/slipway");
}

static void test_near(void **state)
{
    (void) state;
    assert_int_equal(near_distance("port", "port"), 0);
    assert_int_equal(near_distance("prot", "port"), 1);
    assert_int_equal(near_distance("", "abc"), 3);
    assert_int_equal(near_distance("", "abcd"), NEAR_MAX + 1);
    assert_int_equal(near_distance("apps:lsit", "apps:list"), 1);
    assert_int_equal(near_distance("app:list", "apps:list"), 1);
    assert_int_equal(near_distance("kitten", "sitting"), 3);
    assert_int_equal(near_distance("0123456789012345678901234567890123456789012345678901234567890123456789", "a"),
                     NEAR_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_argv),
        cmocka_unit_test(test_env),
        cmocka_unit_test(test_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
