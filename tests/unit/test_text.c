#include "config.h"

#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct { const char *in; bool color; const char *out; } cases[] = {
    { "plain", true, "plain\n" },
    { "", true, "\n" },
    { "tab\there", true, "tab\there\n" },
    { "windows\r", true, "windows\n" },
    { "10%\r50%\r100%", true, "100%\n" },
    { "\033[31mred\033[0m", true, "\033[31mred\033[0m\n" },
    { "\033[31mred\033[0m", false, "red\n" },
    { "\033[1;31mstill red", true, "\033[1;31mstill red\033[m\n" },
    { "\033[2J\033[Hgone", true, "gone\n" },
    { "\033]0;title\007text", true, "text\n" },
    { "\033]8;;http://x\033\\link\033]8;;\033\\", true, "link\n" },
    { "\033P+q\033\\x", true, "x\n" },
    { "\033[?1049h", true, "\n" },
    { "\033[>4;1m", true, "\n" },
    { "\033c\033(0x", true, "x\n" },
    { "cut \033[31", true, "cut \n" },
    { "cut \033", true, "cut \n" },
    { "bell\007 back\b", true, "bell back\n" },
    { "gr\303\274\303\237e \342\234\223", true, "gr\303\274\303\237e \342\234\223\n" },
    { "latin \374", true, "latin ?\n" },
    { "c1 \302\233[31m", true, "c1 ??[31m\n" },
    { "over\300\257long", true, "over??long\n" },
    { "bidi \342\200\256x", true, "bidi ???x\n" },
};

static void test_cases(void **state)
{
    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct buf b;

        buf_init(&b, 1024);
        assert_int_equal(text_clean_line(&b, cases[i].in, strlen(cases[i].in), cases[i].color), 0);
        if (strcmp(buf_str(&b), cases[i].out) != 0)
            fail_msg("case %zu: got %s", i, buf_str(&b));
        buf_release(&b);
    }
}

static void test_long(void **state)
{
    struct buf b;
    size_t n = 3 * TEXT_LINE_MAX;
    char *line = xmalloc(n);

    (void) state;
    memset(line, 'x', n);
    /* A UTF-8 sequence across the place where the line is broken. */
    memcpy(line + TEXT_LINE_MAX - 1, "\303\274", 2);
    buf_init(&b, 1 << 20);
    assert_int_equal(text_clean_line(&b, line, n, false), 0);
    assert_null(strchr(buf_str(&b), '?'));
    for (const char *p = buf_str(&b); *p != '\0'; p += strcspn(p, "\n") + 1)
        assert_true(strcspn(p, "\n") <= TEXT_LINE_MAX);
    buf_release(&b);
    buf_init(&b, 100);
    assert_int_equal(text_clean_line(&b, line, n, false), -1);
    buf_release(&b);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
