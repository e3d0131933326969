/* Log lines in one order, each once. */
#include "config.h"

#include "base/buf.h"
#include "base/ipc.h"
#include "deployer/log_lines.h"
#include "deployer/rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#define DAY "2026-01-02T03:04:"

static void take(struct log_lines *l, struct log_cursor *c, const char *name, const char *text)
{
    log_lines_take(l, c, name, text, strlen(text));
}

/* What is written, as one text. */
static void wrote(struct log_lines *l, const char *expected)
{
    struct err err = ERR_INIT;
    struct buf b;
    enum ipc_type type = IPC_STDERR;
    int pair[2];

    buf_init(&b, IPC_PAYLOAD_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(log_lines_write(l, pair[0], &err), 0);
    (void) close(pair[0]);
    assert_int_equal(ipc_read(pair[1], &type, &b, &err), expected[0] != '\0');
    if (expected[0] != '\0')
        assert_int_equal(type, IPC_STDOUT);
    assert_string_equal(buf_str(&b), expected);
    (void) close(pair[1]);
    buf_release(&b);
}

static void test_merged(void **state)
{
    struct log_lines l = { 0 };
    struct log_cursor a = { 0 }, b = { 0 };

    (void) state;
    take(&l, &a, "web.1", DAY "05.2Z a");
    take(&l, &a, "web.1", DAY "06.000000001Z c");
    take(&l, &b, "web.2", DAY "05.3Z b");
    take(&l, &b, "web.2", DAY "06Z red\007");
    wrote(&l, DAY "05Z web.1 a\n" DAY "05Z web.2 b\n" DAY "06Z web.2 red\n" DAY "06Z web.1 c\n");
    wrote(&l, "");
    take(&l, &a, "web.1", DAY "05Z 1");
    take(&l, &b, "web.2", DAY "05Z 2");
    take(&l, &a, "web.1", DAY "06Z 3");
    log_lines_last(&l, 5);
    log_lines_last(&l, 2);
    wrote(&l, DAY "05Z web.2 2\n" DAY "06Z web.1 3\n");
    take(&l, &a, "web.1", DAY "07Z 4");
    log_lines_last(&l, 0);
    wrote(&l, "");
    log_lines_release(&l);
}

/* Two streams of one process: the later time may come first. */
/* Without a number of lines no more than LOG_PAST_MAX are kept, and a line says so; as many as that are all shown. */
static void test_cut(void **state)
{
    struct log_lines l = { 0 };
    struct log_cursor c = { 0 };

    (void) state;
    assert_int_equal(log_lines_asked(0), 1);
    assert_int_equal(log_lines_asked(7), 7);
    assert_int_equal(log_lines_asked(-1), LOG_PAST_MAX + 1);
    for (int i = 0; i < LOG_PAST_MAX; i++)
        take(&l, &c, "web.1", DAY "05Z old");
    log_lines_cut(&l, -1);
    assert_int_equal(l.n, LOG_PAST_MAX);
    assert_string_equal(l.v[0].text, DAY "05Z web.1 old\n");
    take(&l, &c, "web.1", DAY "06Z new");
    take(&l, &c, "web.1", DAY "06Z new");
    log_lines_cut(&l, -1);
    assert_int_equal(l.n, LOG_PAST_MAX + 1);
    assert_string_equal(l.v[0].text, DAY "05Z slipway older lines are left out here: the last 10000 are shown\n");
    assert_string_equal(l.v[1].text, DAY "05Z web.1 old\n");
    log_lines_cut(&l, 1);
    wrote(&l, DAY "06Z web.1 new\n");
    log_lines_release(&l);
}

static void test_out_of_order(void **state)
{
    struct log_lines l = { 0 };
    struct log_cursor c = { 0 };

    (void) state;
    take(&l, &c, "web.1", DAY "05.5Z out");
    take(&l, &c, "web.1", DAY "05.4Z err");
    take(&l, &c, "web.1", "the rest of an overlong line");
    wrote(&l, DAY "05Z web.1 err\n" DAY "05Z web.1 the rest of an overlong line\n" DAY "05Z web.1 out\n");
    /* A line that was stamped just before the second of the last one may come behind it. */
    assert_int_equal(log_cursor_from(&c), rfc3339_ms(DAY "04Z") / 1000);
    log_cursor_again(&c);
    take(&l, &c, "web.1", DAY "05.1Z before the first that was asked for");
    take(&l, &c, "web.1", DAY "05.5Z out");
    take(&l, &c, "web.1", DAY "05.4Z err");
    take(&l, &c, "web.1", "the rest of an overlong line");
    take(&l, &c, "web.1", DAY "05.3Z new, though earlier");
    wrote(&l, DAY "05Z web.1 new, though earlier\n");
    log_lines_release(&l);
}

static void test_again(void **state)
{
    struct log_lines l = { 0 };
    struct log_cursor c = { 0 };

    (void) state;
    log_cursor_again(&c); /* nothing was read yet: all is new */
    take(&l, &c, "web.1", DAY "05Z 1");
    take(&l, &c, "web.1", DAY "05Z 2");
    wrote(&l, DAY "05Z web.1 1\n" DAY "05Z web.1 2\n");
    for (int i = 0; i < 2; i++) { /* it breaks off twice at the same place */
        log_cursor_again(&c);
        take(&l, &c, "web.1", DAY "05Z 1");
    }
    take(&l, &c, "web.1", DAY "05Z 2");
    take(&l, &c, "web.1", DAY "05Z 3");
    wrote(&l, DAY "05Z web.1 3\n");
    log_cursor_again(&c); /* the log was rotated away: it begins with what is new */
    take(&l, &c, "web.1", DAY "06Z 4");
    take(&l, &c, "web.1", DAY "05.9Z 5");
    wrote(&l, DAY "05Z web.1 5\n" DAY "06Z web.1 4\n");
    log_lines_release(&l);
}

/* The engine changes over to a new file, and repeats what was its beginning. */
static void test_repeated(void **state)
{
    struct log_lines l = { 0 };
    struct log_cursor c = { 0 };

    (void) state;
    log_cursor_watch(&c);
    take(&l, &c, "web.1", DAY "05.1Z 1");
    take(&l, &c, "web.1", DAY "05.3Z 2");
    take(&l, &c, "web.1", DAY "05.2Z err");
    take(&l, &c, "web.1", DAY "05.4Z 3");
    log_lines_clear(&l);
    take(&l, &c, "web.1", DAY "05.3Z 2");
    take(&l, &c, "web.1", DAY "05.2Z err");
    take(&l, &c, "web.1", DAY "05.4Z 3");
    take(&l, &c, "web.1", DAY "05.4Z another of that time");
    take(&l, &c, "web.1", DAY "05.35Z err");
    take(&l, &c, "web.1", DAY "05.5Z 3");
    wrote(&l, DAY "05Z web.1 err\n" DAY "05Z web.1 another of that time\n" DAY "05Z web.1 3\n");
    log_lines_release(&l);
    log_cursor_release(&c);
}

/* Up to where somebody else has read it. */
static void test_mark(void **state)
{
    json_auto_t *doc = json_array();
    struct log_marks m;
    struct log_lines l = { 0 };
    struct log_cursor read = { 0 }, c = { 0 };
    struct err err = ERR_INIT;

    (void) state;
    take(&l, &read, "web.1", DAY "05Z 1");
    take(&l, &read, "web.1", DAY "06Z 2");
    take(&l, &read, "web.1", DAY "06Z 3");
    json_array_append_new(doc, log_mark_json("abc", &read));
    json_array_append_new(doc, log_mark_json("none", &c));
    assert_int_equal(log_marks_read(doc, &m, &err), 0);
    assert_int_equal(m.n, 2);
    assert_null(log_mark_find(&m, "ab"));
    take(&l, &c, "web.1", DAY "05Z 1");
    take(&l, &c, "web.1", DAY "06Z 2");
    assert_false(log_mark_reached(log_mark_find(&m, "abc"), &c));
    take(&l, &c, "web.1", DAY "06Z 3");
    assert_true(log_mark_reached(log_mark_find(&m, "abc"), &c));
    assert_false(log_mark_reached(log_mark_find(&m, "none"), &c));
    take(&l, &c, "web.1", DAY "06Z 4");
    assert_false(log_mark_reached(log_mark_find(&m, "abc"), &c));
    log_marks_release(&m);
    log_lines_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merged),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_out_of_order),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
