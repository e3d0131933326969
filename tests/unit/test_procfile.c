#include "config.h"

#include "builder/procfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct parsed {
    struct procfile p;
    struct vec warnings;
};

static struct parsed parse_n(const char *text, size_t n)
{
    struct parsed r = { PROCFILE_INIT, VEC_INIT };

    procfile_parse(text, n, &r.p, &r.warnings);
    return r;
}

static struct parsed parse(const char *text)
{
    return parse_n(text, strlen(text));
}

static void done(struct parsed *r)
{
    procfile_release(&r->p);
    vec_release(&r->warnings);
}

static void test_plain(void **state)
{
    struct parsed r = parse("# processes\n\nweb: gunicorn app:app --bind=:$PORT  \n\tworker:python w.py\r\nrelease: ./m: x");

    (void) state;
    assert_int_equal(r.p.types.n, 3);
    assert_int_equal(r.p.commands.n, 3);
    assert_int_equal(r.warnings.n, 0);
    assert_string_equal(r.p.types.v[0], "web");
    assert_string_equal(r.p.commands.v[0], "gunicorn app:app --bind=:$PORT");
    assert_string_equal(r.p.types.v[1], "worker");
    assert_string_equal(r.p.commands.v[1], "python w.py");
    assert_string_equal(r.p.commands.v[2], "./m: x");
    done(&r);
}

static void test_converted(void **state)
{
    struct parsed r = parse("Web_2: a\nweb-2: b\n");

    (void) state;
    assert_int_equal(r.p.types.n, 1);
    assert_string_equal(r.p.types.v[0], "web-2");
    assert_string_equal(r.p.commands.v[0], "b");
    assert_int_equal(r.warnings.n, 1);
    assert_string_equal(r.warnings.v[0], "Procfile line 1: the name is read as \"web-2\"");
    done(&r);
}

/* What editors on Windows put in front of a file. */
static void test_byte_order(void **state)
{
    struct parsed r = parse("\xef\xbb\xbfweb: a\r\nworker: b\r\n");

    (void) state;
    assert_int_equal(r.p.types.n, 1);
    assert_string_equal(r.p.types.v[0], "worker");
    assert_int_equal(r.warnings.n, 1);
    assert_non_null(strstr(r.warnings.v[0], "Procfile line 1: begins with a byte order mark"));
    done(&r);
    r = parse_n("\xff\xfew\0e\0b\0:\0 \0a\0\r\0\n\0", 18);
    assert_int_equal(r.p.types.n, 0);
    assert_int_equal(r.warnings.n, 1);
    assert_non_null(strstr(r.warnings.v[0], "it is UTF-16"));
    done(&r);
}

static void test_left_out(void **state)
{
    static const char *const bad[] = {
        "web", "web python", ": x", "-web: x", "web-: x", "_web: x", "w b: x", "w\xc3\xa9w: x", "web:", "web:   \t",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: x",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct parsed r = parse(bad[i]);

        assert_int_equal(r.p.types.n, 0);
        assert_int_equal(r.warnings.n, 1);
        done(&r);
    }
    struct parsed r = parse_n("web: a\0b\nworker: c", 18);
    assert_int_equal(r.p.types.n, 1);
    assert_string_equal(r.p.types.v[0], "worker");
    done(&r);
}

static void test_limits(void **state)
{
    size_t n = PROCFILE_MAX + 100;
    char *text = malloc(n);
    struct parsed r;

    (void) state;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = "x\n"[i % 2];
    r = parse_n(text, n);
    assert_int_equal(r.p.types.n, 0);
    assert_in_range(r.warnings.n, 2, 30); /* a file that is no Procfile does not flood the output */
    done(&r);
    memset(text, 'w', n);
    memcpy(text, "a: ", 3);
    r = parse_n(text, n);
    assert_int_equal(r.p.types.n, 1);
    done(&r);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_converted),
        cmocka_unit_test(test_byte_order),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
