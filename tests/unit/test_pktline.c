#include "config.h"

#include "base/mem.h"
#include "gateway/pktline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int get(const char *s, size_t n, enum pktline_type *type, size_t *len, size_t *size)
{
    const char *payload;

    return pktline_get(s, n, type, &payload, len, size, NULL);
}

static void test_get(void **state)
{
    enum pktline_type type;
    size_t len, size;

    (void) state;
    assert_int_equal(get("0000", 4, &type, &len, &size), 1);
    assert_int_equal(type, PKTLINE_FLUSH);
    assert_int_equal(get("0001", 4, &type, &len, &size), 1);
    assert_int_equal(type, PKTLINE_DELIM);
    assert_int_equal(get("0002", 4, &type, &len, &size), 1);
    assert_int_equal(type, PKTLINE_END);
    assert_int_equal(get("0004", 4, &type, &len, &size), 1);
    assert_int_equal(type, PKTLINE_DATA);
    assert_int_equal(len, 0);
    assert_int_equal(get("0009done\n", 9, &type, &len, &size), 1);
    assert_int_equal(len, 5);
    assert_int_equal(size, 9);
    assert_int_equal(get("000Aabcdefrest", 14, &type, &len, &size), 1);
    assert_int_equal(size, 10);
}

static void test_incomplete(void **state)
{
    enum pktline_type type;
    size_t len, size;

    (void) state;
    for (size_t n = 0; n < 9; n++)
        assert_int_equal(get("0009done\n", n, &type, &len, &size), 0);
    assert_int_equal(get("fff0", 4, &type, &len, &size), 0); /* 65520, the longest */
}

static void test_wrong(void **state)
{
    static const char *const wrong[] = { "0003", "x", "00g0", "fff1", "ffff", "-001", " 004", "0x10", "PACK", "SSH-" };
    enum pktline_type type;
    size_t len, size;

    (void) state;
    for (size_t i = 0; i < countof(wrong); i++)
        assert_int_equal(get(wrong[i], strlen(wrong[i]), &type, &len, &size), -1);
}

static void test_put(void **state)
{
    struct buf b;
    char *big = xcalloc(1, PKTLINE_PAYLOAD_MAX + 1);

    (void) state;
    buf_init(&b, 200 * 1024);
    assert_int_equal(pktline_putf(&b, "unpack %s\n", "ok"), 0);
    assert_int_equal(pktline_flush(&b), 0);
    assert_string_equal(buf_str(&b), "000eunpack ok\n0000");
    buf_clear(&b);
    assert_int_equal(pktline_put(&b, big, PKTLINE_PAYLOAD_MAX), 0);
    assert_memory_equal(buf_str(&b), "fff0", 4);
    assert_int_equal(pktline_put(&b, big, PKTLINE_PAYLOAD_MAX + 1), -1);
    buf_release(&b);
    buf_init(&b, 10);
    assert_int_equal(pktline_putf(&b, "longer than the buffer"), -1);
    assert_true(b.overflow);
    assert_int_equal(buf_len(&b), 0);
    buf_release(&b);
    free(big);
}

static void test_sideband(void **state)
{
    struct buf b;
    char *big = xcalloc(1, 100000);

    (void) state;
    buf_init(&b, 200 * 1024);
    assert_int_equal(sideband_put(&b, SIDEBAND_DATA, "", 0), 0);
    assert_string_equal(buf_str(&b), "0005\1");
    buf_clear(&b);
    assert_int_equal(sideband_put(&b, SIDEBAND_PROGRESS, "hi\n", 3), 0);
    assert_string_equal(buf_str(&b), "0008\2hi\n");
    buf_clear(&b);
    assert_int_equal(sideband_put(&b, SIDEBAND_PROGRESS, big, 100000), 0);
    assert_int_equal(buf_len(&b), 100000 + 2 * 5);
    assert_memory_equal(buf_str(&b), "fff0\2", 5);
    buf_release(&b);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_sideband),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
