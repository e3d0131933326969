#include "config.h"

#include "base/mem.h"
#include "gateway/gitprog.h"
#include "gateway/pktline.h"
#include "gateway/push.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void put(struct buf *b, const char *s, size_t n)
{
    assert_int_equal(pktline_put(b, s, n), 0);
}

#define PUT(b, s) put(b, s, sizeof(s) - 1)

static int feed(struct push *p, const struct buf *b, struct err *err)
{
    size_t used = 0;

    return push_feed(p, buf_str(b), buf_len(b), &used, err);
}

/* Parses and expects a refusal with these words. */
static void refused(const struct buf *b, const char *words)
{
    struct push p = PUSH_INIT;
    struct err err = ERR_INIT;

    assert_int_equal(feed(&p, b, &err), -1);
    if (strstr(err.msg, words) == NULL)
        fail_msg("expected \"%s\" in: %s", words, err.msg);
    push_release(&p);
}

static void test_whole(void **state)
{
    struct push p = PUSH_INIT;
    struct err err = ERR_INIT;
    struct buf b;
    size_t used = 0;

    (void) state;
    buf_init(&b, 1 << 20);
    PUT(&b, "shallow " A);
    PUT(&b, OID_ZERO " " A " refs/heads/main\0 report-status-v2 side-band-64k atomic quiet push-options "
            "object-format=sha1 agent=git/2.39.5");
    PUT(&b, A " " B " refs/tags/v1\n");
    assert_int_equal(pktline_flush(&b), 0);
    PUT(&b, "message=hello world");
    PUT(&b, "no-cache\n");
    assert_int_equal(pktline_flush(&b), 0);
    assert_int_equal(buf_addstr(&b, "PACK"), 0);

    assert_int_equal(push_feed(&p, buf_str(&b), buf_len(&b), &used, &err), 1);
    assert_string_equal(buf_str(&b) + used, "PACK");
    assert_int_equal(p.n_refs, 2);
    assert_string_equal(p.refs[0].name, "refs/heads/main");
    assert_true(oid_is_zero(p.refs[0].old));
    assert_string_equal(p.refs[1].new, B);
    assert_int_equal(p.shallow.n, 1);
    assert_int_equal(p.options.n, 2);
    assert_string_equal(p.options.v[0], "message=hello world");
    assert_string_equal(p.options.v[1], "no-cache");
    assert_true(p.report_status && p.report_status_v2 && p.side_band_64k && p.atomic && p.quiet);
    assert_string_equal(p.agent, "git/2.39.5");
    assert_true(push_has_pack(&p));
    push_release(&p);
    buf_release(&b);
}

/* The same bytes give the same, however they arrive. */
static void test_piecewise(void **state)
{
    struct push p = PUSH_INIT;
    struct err err = ERR_INIT;
    struct buf b, in;
    int rc = 0;

    (void) state;
    buf_init(&b, 1 << 20);
    buf_init(&in, 1 << 20);
    PUT(&b, A " " OID_ZERO " refs/tags/v1\0report-status\n");
    PUT(&b, A " " OID_ZERO " refs/tags/v2");
    assert_int_equal(pktline_flush(&b), 0);
    for (size_t i = 0; i < buf_len(&b); i++) {
        size_t used = 0;

        assert_int_equal(rc, 0);
        assert_int_equal(buf_add(&in, buf_str(&b) + i, 1), 0);
        rc = push_feed(&p, buf_str(&in), buf_len(&in), &used, &err);
        buf_consume(&in, used);
    }
    assert_int_equal(rc, 1);
    assert_int_equal(p.n_refs, 2);
    assert_false(push_has_pack(&p));
    assert_true(p.report_status);
    assert_false(p.side_band_64k);
    push_release(&p);
    buf_release(&b);
    buf_release(&in);
}

static void test_nothing(void **state)
{
    struct push p = PUSH_INIT;
    size_t used = 0;

    (void) state;
    assert_int_equal(push_feed(&p, "0000", 4, &used, NULL), 1);
    assert_int_equal(p.n_refs, 0);
    push_release(&p);
}

static void test_malformed(void **state)
{
    static const struct { const char *line; size_t n; const char *words; } wrong[] = {
#define L(s) s, sizeof(s) - 1
        { L(""), "OLD NEW REF" },
        { L("hello"), "OLD NEW REF" },
        { L(A " " B), "OLD NEW REF" },
        { L(A " " B " "), "OLD NEW REF" },
        { L(A "-" B " refs/heads/main"), "OLD NEW REF" },
        { L("AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " B " refs/heads/main"), "OLD NEW REF" },
        { L(A " " B " refs/heads/\1"), "control character" },
        { L(A " " B " refs/heads/a\nng refs/heads/b"), "control character" },
        { L(A " " B " refs/heads/main\0object-format=sha256"), "SHA-1" },
        { L("push-cert\0report-status"), "signed pushes" },
        { L("shallow xyz"), "shallow line" },
        { L("shallow " A "a"), "shallow line" },
#undef L
    };

    (void) state;
    for (size_t i = 0; i < countof(wrong); i++) {
        struct buf b;

        buf_init(&b, 1 << 16);
        put(&b, wrong[i].line, wrong[i].n);
        refused(&b, wrong[i].words);
        buf_release(&b);
    }
}

static void test_bounds(void **state)
{
    struct buf b;
    char name[PUSH_REF_NAME_MAX + 200];

    (void) state;
    buf_init(&b, 8 << 20);
    for (int i = 0; i <= PUSH_REFS_MAX; i++)
        assert_int_equal(pktline_putf(&b, A " " B " refs/tags/v%d", i), 0);
    refused(&b, "refs in one push");
    buf_clear(&b);
    for (int i = 0; i <= PUSH_SHALLOW_MAX; i++)
        PUT(&b, "shallow " A);
    refused(&b, "shallow roots");
    buf_clear(&b);
    memset(name, 'x', sizeof(name));
    name[PUSH_REF_NAME_MAX + 1] = '\0';
    assert_int_equal(pktline_putf(&b, A " " B " %s", name), 0);
    refused(&b, "ref name of more than");
    buf_clear(&b);
    PUT(&b, A " " B " refs/heads/main\0push-options");
    assert_int_equal(pktline_flush(&b), 0);
    for (int i = 0; i <= PUSH_OPTIONS_MAX; i++)
        PUT(&b, "o");
    refused(&b, "push options");
    buf_clear(&b);
    PUT(&b, A " " B " refs/heads/main\0push-options");
    assert_int_equal(pktline_flush(&b), 0);
    PUT(&b, "a\0b");
    refused(&b, "NUL");
    buf_clear(&b);
    assert_int_equal(buf_addstr(&b, "0001"), 0);
    refused(&b, "delimiter");
    buf_release(&b);
}

static void test_report(void **state)
{
    struct push p = PUSH_INIT;
    struct err err = ERR_INIT;
    struct buf b;

    (void) state;
    buf_init(&b, 1 << 16);
    PUT(&b, A " " B " refs/heads/main\0report-status");
    PUT(&b, A " " B " refs/tags/v1");
    assert_int_equal(pktline_flush(&b), 0);
    assert_int_equal(feed(&p, &b, &err), 1);
    push_refuse(&p.refs[0], "line one\nng forged%c", 7);
    push_refuse(&p.refs[0], "too late");
    assert_true(push_any_refused(&p));
    assert_false(push_all_refused(&p));
    buf_clear(&b);
    assert_int_equal(push_report(&p, "ok", &b), 0);
    assert_string_equal(buf_str(&b), "000eunpack ok\n002bng refs/heads/main line one ng forged \n"
                                     "0014ok refs/tags/v1\n0000");
    push_refuse_all(&p, "atomic push failed");
    assert_true(push_all_refused(&p));
    push_release(&p);
    buf_release(&b);
}

static void test_disk_full(void **state)
{
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(gitprog_disk_full("write error: No space left on device", &err), -1);
    assert_non_null(strstr(err.msg, "no room for this push; an admin finds what takes it: storage:report"));
    assert_int_equal(gitprog_disk_full("cannot make a folder for the push: Disk quota exceeded", &err), -1);
    assert_int_equal(gitprog_disk_full("pack has junk at the end", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_piecewise),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_disk_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
