#include "config.h"

#include "builder/output.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TEXT_MAX (1024 * 1024)

static void collect(const char *line, size_t n, bool rewritten, void *arg)
{
    struct buf *b = arg;

    if (rewritten)
        assert_int_equal(buf_addch(b, '~'), 0);
    assert_int_equal(buf_add(b, line, n), 0);
    assert_int_equal(buf_addch(b, '\n'), 0);
}

/* Feeds `in` in pieces of `step` bytes. */
static void run(const char *in, size_t n, size_t step, const char *const *secrets, struct buf *ret)
{
    struct output o;

    buf_clear(ret);
    output_init(&o, collect, ret);
    for (size_t i = 0; secrets != NULL && secrets[i] != NULL; i++)
        output_mask(&o, secrets[i], strlen(secrets[i]));
    for (size_t i = 0; i < n; i += step)
        output_feed(&o, in + i, n - i < step ? n - i : step);
    output_end(&o);
    output_release(&o);
}

static void test_cleaned(void **state)
{
    static const struct { const char *in, *out; } cases[] = {
        { "a\nb", "a\nb\n" },
        { "a\r\nb\r\n", "a\nb\n" },
        { "10%\r50%\r100%\ndone\n", "~100%\ndone\n" },
        { "a\tb\x01\x7f\x08" "c", "a\tbc\n" },
        { "\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n" },
        { "\x1b[2Jx\x1b[1;1Hy\x1b[?25lz\x1b[>4mw\n", "xyzw\n" },
        { "\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link\n", "xlink\n" },
        { "\x1b]never closed\nnext\n", "\nnext\n" },
        { "\x1b[31\nx\n", "\nx\n" },
        { "\xc2\x9b" "31mx\n", "31mx\n" },
        { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n" },
        { "\xff|\xc3|\xe2\x82|\xed\xa0\x80\n",
          "\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n" },
        { "", "" },
        { "\n\n", "\n\n" },
    };
    struct buf b;

    (void) state;
    buf_init(&b, TEXT_MAX);
    for (size_t i = 0; i < countof(cases); i++) {
        for (size_t step = 1; step < 6; step++) {
            run(cases[i].in, strlen(cases[i].in), step, NULL, &b);
            assert_string_equal(buf_str(&b), cases[i].out);
        }
    }
    buf_release(&b);
}

static void test_masked(void **state)
{
    static const char *const secrets[] = {
        "hunter2-hunter2", "short", "-----BEGIN KEY-----\nMIIBsomething\nab\n-----END KEY-----\n", "hunter2-hunter2-longer",
        "gr\xc3\xbc\xc3\x9f" "e aus x", NULL,
    };
    static const struct { const char *in, *out; } cases[] = {
        { "x=hunter2-hunter2;\n", "x=" OUTPUT_MASK ";\n" },
        { "hunter2-hunter2-longer!\n", OUTPUT_MASK "!\n" },
        { "hunter2-hunter2-long\n", OUTPUT_MASK "-long\n" },
        { "hunter2-hunter", "hunter2-hunter\n" },
        { "short\n", "short\n" },
        { "[builder] MIIBsomething\n[builder] ab\n", "[builder] " OUTPUT_MASK "\n[builder] ab\n" },
        { "hun\x01ter2-hunter2\n", OUTPUT_MASK "\n" },
        { "gr\xc3\xbc\xc3\x9f" "e aus x\n", OUTPUT_MASK "\n" },
    };
    struct buf b;

    (void) state;
    buf_init(&b, TEXT_MAX);
    for (size_t i = 0; i < countof(cases); i++) {
        for (size_t step = 1; step < 30; step++) {
            run(cases[i].in, strlen(cases[i].in), step, secrets, &b);
            assert_string_equal(buf_str(&b), cases[i].out);
        }
    }
    buf_release(&b);
}

/* The same by the plainest means: at each position the longest secret that stands there. */
static void naive(const char *in, const char *const *secrets, struct buf *ret)
{
    buf_clear(ret);
    while (*in != '\0') {
        size_t best = 0;

        for (size_t i = 0; secrets[i] != NULL; i++) {
            size_t n = strlen(secrets[i]);

            if (n > best && n >= OUTPUT_SECRET_MIN && strncmp(in, secrets[i], n) == 0)
                best = n;
        }
        if (best > 0) {
            (void) buf_addstr(ret, OUTPUT_MASK);
            in += best;
        } else {
            (void) buf_addch(ret, *in++);
        }
    }
    (void) buf_addch(ret, '\n');
}

static unsigned next(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

/* Few letters, so that secrets overlap, begin inside one another and are cut by the reads. */
static void test_oracle(void **state)
{
    static const char *const secrets[] = {
        "aabaabaa", "aabaabaab", "abababababab", "babababaa", "bbbbbbbb", "aaaaaaaaaaaaaaaa", NULL,
    };
    struct buf want, got;
    unsigned seed = 7;
    char in[400];

    (void) state;
    buf_init(&want, TEXT_MAX);
    buf_init(&got, TEXT_MAX);
    for (int round = 0; round < 3000; round++) {
        size_t n = next(&seed) % (sizeof(in) - 1) + 1;

        for (size_t i = 0; i < n;) {
            const char *s = secrets[next(&seed) % 6];
            size_t len = next(&seed) % 3 == 0 ? strlen(s) : next(&seed) % strlen(s);

            for (size_t k = 0; k < len && i < n; k++)
                in[i++] = s[k];
        }
        in[n] = '\0';
        naive(in, secrets, &want);
        run(in, n, next(&seed) % 20 + 1, secrets, &got);
        assert_string_equal(buf_str(&got), buf_str(&want));
    }
    buf_release(&want);
    buf_release(&got);
}

/* Joins what was broken: a broken line goes on behind "\n~". */
static void join(const struct buf *b, struct buf *ret)
{
    const char *s = buf_str(b);

    for (size_t i = 0; i < buf_len(b); i++) {
        if (s[i] == '\n' && s[i + 1] == '~')
            i++;
        else
            assert_int_equal(buf_addch(ret, s[i]), 0);
    }
}

static void test_long_lines(void **state)
{
    static const char *const secrets[] = { "supersecret", NULL };
    size_t n = OUTPUT_LINE_MAX * 3;
    char *in = xmalloc(n);
    struct buf b, whole;

    (void) state;
    buf_init(&b, TEXT_MAX);
    buf_init(&whole, TEXT_MAX);
    memset(in, '.', n);
    memcpy(in + OUTPUT_LINE_MAX - 5, "supersecret", 11); /* over the place where the line is broken */
    run(in, n, 1000, secrets, &b);
    assert_null(strstr(buf_str(&b), "secret"));
    assert_null(strstr(buf_str(&b), "super"));
    join(&b, &whole);
    assert_non_null(strstr(buf_str(&whole), OUTPUT_MASK));
    assert_int_equal(buf_len(&whole), n - 11 + sizeof(OUTPUT_MASK) - 1 + 1);
    for (size_t i = 0; i + 3 <= n; i += 3)
        memcpy(in + i, "\xe2\x82\xac", 3);
    run(in, n, 1000, NULL, &b); /* a line is not broken inside a character */
    assert_null(strstr(buf_str(&b), "\xef\xbf\xbd"));
    for (const char *at = buf_str(&b); *at != '\0'; at += strcspn(at, "\n") + 1)
        assert_in_range(strcspn(at, "\n"), 1, OUTPUT_LINE_MAX + 1);
    free(in);
    buf_release(&b);
    buf_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cleaned),
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_oracle),
        cmocka_unit_test(test_long_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
