#include "config.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_bounded(void **state)
{
    struct buf b;

    (void) state;
    buf_init(&b, 5);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_addstr(&b, "abc"), 0);
    assert_int_equal(buf_addstr(&b, "def"), -1);
    assert_true(b.overflow);
    assert_string_equal(buf_str(&b), "abc");
    buf_consume(&b, 2);
    assert_string_equal(buf_str(&b), "c");
    assert_int_equal(buf_addstr(&b, "defg"), 0);
    assert_string_equal(buf_str(&b), "cdefg");
    assert_int_equal(buf_room(&b), 0);
    buf_clear(&b);
    assert_false(b.overflow);
    buf_release(&b);
    assert_non_null(buf_reserve(&b, 3)); /* nothing is written there */
    assert_string_equal(buf_str(&b), "");
    buf_release(&b);
}

static void test_format(void **state)
{
    struct buf b;
    char *s;

    (void) state;
    buf_init(&b, 1024);
    assert_int_equal(buf_addf(&b, "%s=%d", "n", 7), 0);
    s = buf_steal(&b);
    assert_string_equal(s, "n=7");
    free(s);
    assert_int_equal(buf_len(&b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
