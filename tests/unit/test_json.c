#include "config.h"

#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *parse(const char *text, struct err *err)
{
    return json_parse(text, strlen(text), "the reply", err);
}

static void test_access(void **state)
{
    struct err err = ERR_INIT;
    json_t *o = parse("{\"a\":{\"b\":{\"c\":\"x\",\"n\":7,\"t\":true}},\"s\":\"top\"}", &err);

    (void) state;
    assert_non_null(o);
    assert_string_equal(json_str(o, "a.b.c", "-"), "x");
    assert_string_equal(json_str(o, "s", "-"), "top");
    assert_string_equal(json_str(o, "a.b", "-"), "-");   /* not a string */
    assert_string_equal(json_str(o, "a.x.c", "-"), "-"); /* not there */
    assert_string_equal(json_str(o, "s.c", "-"), "-");   /* not an object */
    assert_int_equal(json_int(o, "a.b.n", -1), 7);
    assert_int_equal(json_int(o, "a.b.c", -1), -1);
    assert_int_equal(json_bool(o, "a.b.t", 0), 1);
    assert_int_equal(json_bool(o, "a.b.n", 2), 2);
    assert_ptr_equal(json_at(o, ""), o);
    assert_null(json_at(NULL, "a"));
    assert_string_equal(json_str(NULL, "a", "-"), "-");
    json_decref(o);
}

static void test_wrong(void **state)
{
    struct err err = ERR_INIT;
    struct buf deep;

    (void) state;
    assert_null(parse("{\"password\": geheim}", &err));
    assert_string_equal(err.msg, "the reply is not valid JSON (line 1, column 19)");
    assert_null(parse("{\"a\":1} x", &err));
    assert_null(parse("{\"a\":1,\"a\":2}", &err));
    assert_null(parse("", &err));
    assert_null(parse("\"text\"", &err));
    assert_null(parse("{\"a\":\"\xff\"}", &err));
    buf_init(&deep, 100000);
    for (int i = 0; i < 50000; i++)
        assert_int_equal(buf_addch(&deep, '['), 0);
    assert_null(parse(buf_str(&deep), &err));
    buf_release(&deep);
}

static void test_dump(void **state)
{
    struct err err = ERR_INIT;
    json_t *o = parse("{ \"b\": [1, 2], \"a\": null }", &err);
    cleanup_free char *text = json_text(o);
    struct buf b;

    (void) state;
    assert_string_equal(text, "{\"b\":[1,2],\"a\":null}");
    buf_init(&b, 25);
    assert_int_equal(buf_addstr(&b, "x: "), 0);
    assert_int_equal(json_dump_buf(o, &b), 0);
    assert_string_equal(buf_str(&b), "x: {\"b\":[1,2],\"a\":null}");
    assert_int_equal(json_dump_buf(o, &b), -1);
    assert_string_equal(buf_str(&b), "x: {\"b\":[1,2],\"a\":null}");
    assert_true(b.overflow);
    buf_release(&b);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_dump),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
