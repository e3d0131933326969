/* Schedules of five fields. */
#include "config.h"

#include "base/cron.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SUNDAY (1767225600 - 4 * 86400) /* 2025-12-28T00:00:00Z; 2026 begins on a Thursday */

static void test_next(void **state)
{
    static const struct { const char *text; int64_t after, next; } cases[] = {
        { "* * * * *", SUNDAY, SUNDAY + 60 },
        { "* * * * *", SUNDAY + 59, SUNDAY + 60 },
        { "30 4 * * *", SUNDAY, SUNDAY + (4 * 60 + 30) * 60 },
        { "30 4 * * *", SUNDAY + (4 * 60 + 30) * 60, SUNDAY + 86400 + (4 * 60 + 30) * 60 },
        { "*/15 * * * *", SUNDAY + 100, SUNDAY + 900 },
        { "5/20 * * * *", SUNDAY, SUNDAY + 300 },
        { "0 0 * * mon", SUNDAY, SUNDAY + 86400 },
        { "0 0 * * 1-5", SUNDAY + 5 * 86400, SUNDAY + 8 * 86400 },
        { "0 0 * * 7", SUNDAY, SUNDAY + 7 * 86400 },
        { "0 0 * * Fri-7", SUNDAY + 1, SUNDAY + 5 * 86400 },
        { "0 0 1 1 *", SUNDAY, SUNDAY + 4 * 86400 },
        { "@yearly", SUNDAY, SUNDAY + 4 * 86400 },
        { "0 12 31 * *", SUNDAY, SUNDAY + 3 * 86400 + 43200 },
        { "0 0 31 * 1", SUNDAY, SUNDAY + 86400 },    /* either of the two days */
        { "0 0 29 2 *", SUNDAY, 1835395200 },        /* 2028-02-29 */
        { "0 0 29 feb *", 3981484800, 4233686400 },  /* 2100 is no leap year: from 2096-03-02 to 2104 */
        { " 1,2\t3 * jan-DEC *", SUNDAY, SUNDAY + (3 * 60 + 1) * 60 },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct err err = ERR_INIT;
        struct cron c;

        assert_int_equal(cron_parse(cases[i].text, &c, &err), 0);
        if (cron_next(&c, cases[i].after) != cases[i].next)
            fail_msg("%s: %lld", cases[i].text, (long long) cron_next(&c, cases[i].after));
    }
}

static void test_text(void **state)
{
    static const struct { const char *text, *plain; } cases[] = {
        { "*/20 * * * *", "0,20,40 * * * *" }, { "0 9-17 * * mon-fri", "0 9-17 * * 1-5" },
        { "0 0 1-31 * 7", "0 0 1-31 * 0" },    { "@monthly", "0 0 1 * *" },
        { "0 0 * * 7/6", "0 0 * * 0" },        { "0 0 * * 5/1", "0 0 * * 5-6" },
        { "0-59 0-23 * 1-12 *", "* * * * *" },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        cleanup_free char *plain = NULL;
        struct cron c;

        assert_int_equal(cron_parse(cases[i].text, &c, NULL), 0);
        plain = cron_text(&c);
        assert_string_equal(plain, cases[i].plain);
    }
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8",
        "-1 * * * *", "5-1 * * * *", "1, * * * *", "*/0 * * * *", "*/60 * * * *", "* * * january *", "@every 1h", "@reboot",
        "0 0 30 2 *", "0 0 31 4,6 *", "1;2 * * * *", "99999999999999 * * * *", "*5 * * * *", "* * ? * *",
    };

    (void) state;
    for (size_t i = 0; i < countof(bad); i++) {
        struct err err = ERR_INIT;
        struct cron c;

        if (cron_parse(bad[i], &c, &err) != -1 || err.code != ERR_USAGE)
            fail_msg("%s was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next), cmocka_unit_test(test_text), cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
