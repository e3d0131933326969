/* run and enter as a person types them: words, options, refusals. What happens behind them needs a cluster and is
 * tested end to end (tests/e2e/t0450_run.py). */
#include "config.h"

#include "base/mem.h"
#include "gateway/args.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define USAGE "APP [-e|--env NAME=VALUE]... [--no-tty] [--] [COMMAND...]"
#define COMMON "[-a|--app APP] [--json]"

static void parse(const char *line, struct args *a)
{
    cleanup_vec struct vec words = VEC_INIT;
    struct err err = ERR_INIT;

    assert_int_equal(command_split(line, strlen(line), &words, &err), 0);
    if (args_parse(USAGE, COMMON, NULL, vec_argv(&words), (int) words.n, a, &err) != 0)
        fail_msg("%s: %s", line, err.msg);
}

static void test_options_end(void **state)
{
    static const struct { const char *line, *words; int env; } cases[] = {
        { "shop ls -l --json -- x", "shop|ls|-l|--json|--|x|", 0 },
        { "-a shop ls -a", "ls|-a|", 0 },
        { "shop -e A=1 --env=B=2 -eC=3 ls -e D=4", "shop|ls|-e|D=4|", 3 },
        { "shop --no-tty -- -x y", "shop|-x|y|", 0 },
        { "-e A=1 shop - -e", "shop|-|-e|", 1 },
        { "--app=shop -- -- -e", "--|-e|", 0 },
        { "shop", "shop|", 0 },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct args a = ARGS_INIT;
        struct buf b;
        int n = 0;

        parse(cases[i].line, &a);
        buf_init(&b, 1000);
        for (size_t k = 0; k < a.words.n; k++)
            (void) buf_addf(&b, "%s|", a.words.v[k]);
        assert_string_equal(buf_str(&b), cases[i].words);
        while (args_option_nth(&a.options, "--env", (size_t) n) != NULL)
            n++;
        assert_int_equal(n, cases[i].env);
        buf_release(&b);
        args_release(&a);
    }
}

static void test_once_only(void **state)
{
    char *const argv[] = { (char *) "--no-tty", (char *) "--no-tty", NULL };
    struct args a = ARGS_INIT;
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(args_parse(USAGE, COMMON, NULL, argv, 2, &a, &err), -1);
    assert_non_null(strstr(err.msg, "given twice"));
}

static void test_refusals(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "anna", "run shop", 2, "needs a command");
    desk_expect(d, "anna", "run shop --process web ls", 2, "needs a command");
    desk_expect(d, "anna", "run shop --process ../web", 2, NULL);
    desk_expect(d, "anna", "run shop a '&&' b", 2, "quote the whole line");
    desk_expect(d, "anna", "run shop --ttl 10 ls", 2, "--ttl 10m");
    desk_expect(d, "anna", "run shop --ttl 31d ls", 2, "30 days");
    desk_expect(d, "anna", "run:detached shop", 2, "needs a command");
    desk_expect(d, "anna", "run:logs shop", 2, "NAME is missing");
    desk_expect(d, "anna", "enter shop", 2, "PROCESS is missing");
    desk_expect(d, "anna", "enter shop web.0", 2, "web.1");
    desk_expect(d, "anna", "run shop ls", 1, "no live release");
    desk_expect(d, "anna", "enter shop web", 1, "no live release");
    desk_expect(d, "anna", "run:list shop", 0, "No one-off command");
}

static void test_nobody_answers(void **state)
{
    struct desk *d = *state;

    fixture_live(d->f, d->f->shop);
    desk_expect(d, "anna", "run shop -e A ls", 2, "-e DEBUG=1");
    desk_expect(d, "anna", "run shop -e 1A=2 ls", 2, "1A");
    desk_expect(d, "anna", "run shop ls", 6, "deployer does not answer");
    desk_expect(d, "anna", "enter shop web ls", 6, "deployer does not answer");
    desk_expect(d, "anna", "audit shop -n 1", 0, "web ls");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_end),
        cmocka_unit_test(test_once_only),
        cmocka_unit_test_setup_teardown(test_refusals, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_nobody_answers, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
