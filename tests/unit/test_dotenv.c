/* Dotenv files and the commands on the config as a whole. */
#include "config.h"

#include "base/mem.h"
#include "gateway/dotenv.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_parse(void **state)
{
    static const char text[] =
        "\xef\xbb\xbf# comment\n\nA=1\r\nexport B=two words # why\n  C = 'lit\\n $x' # c\nD=\"a\\n\\\"b\\\"\\$\\q\nnext\"\n"
        "E=\nF=a#b\nG='x\ny'\nexport=1";
    static const struct { const char *name, *value; } want[] = {
        { "A", "1" }, { "B", "two words" }, { "C", "lit\\n $x" }, { "D", "a\n\"b\"$\\q\nnext" }, { "E", "" },
        { "F", "a#b" }, { "G", "x\ny" }, { "export", "1" },
    };
    struct dotenv d;

    (void) state;
    OK(dotenv_parse(text, sizeof(text) - 1, &d, &err));
    assert_int_equal(d.n, countof(want));
    for (size_t i = 0; i < d.n; i++) {
        assert_string_equal(d.v[i].name, want[i].name);
        assert_string_equal(d.v[i].value, want[i].value);
        assert_int_equal(d.v[i].value_len, strlen(want[i].value));
    }
    dotenv_release(&d);
    OK(dotenv_parse("", 0, &d, &err));
    assert_int_equal(d.n, 0);
}

static void test_refused(void **state)
{
    struct dotenv d;

    (void) state;
    REFUSED(ERR_USAGE, "line 2 is not NAME=VALUE", dotenv_parse("A=1\nsecret\n", 11, &d, &err));
    REFUSED(ERR_USAGE, "line 1: the quote", dotenv_parse("A=\"secret\n\n", 11, &d, &err));
    REFUSED(ERR_USAGE, "line 2: only a comment", dotenv_parse("A='\n' x", 7, &d, &err));
    REFUSED(ERR_USAGE, "NUL", dotenv_parse("A=\0", 3, &d, &err));
    REFUSED(ERR_USAGE, "line 1 is not", dotenv_parse("=1", 2, &d, &err));
    REFUSED(ERR_USAGE, "line 1 is not", dotenv_parse("A-B=1", 5, &d, &err));
}

static void test_write(void **state)
{
    static const struct { enum dotenv_format format; const char *text; } want[] = {
        { FORMAT_ENV, "export A='it'\\''s'\nexport no='x\ny'\n" },
        { FORMAT_DOTENV, "A=\"it's\"\nno=\"x\\ny\"\n" },
        { FORMAT_DOCKER_ARGS, "--env=A='it'\\''s' --env=no='x\ny'\n" },
        { FORMAT_JSON, "{\n  \"A\": \"it's\",\n  \"no\": \"x\\ny\"\n}\n" },
        { FORMAT_YAML, "\"A\": \"it's\"\n\"no\": \"x\\ny\"\n" },
    };
    struct dotenv_item items[] = { { (char *) "A", (char *) "it's", 4 }, { (char *) "no", (char *) "x\ny", 3 } };
    const struct dotenv d = { items, 2 };
    enum dotenv_format format;

    (void) state;
    for (size_t i = 0; i < countof(want); i++) {
        struct buf b;

        buf_init(&b, 1000);
        OK(dotenv_write(&d, want[i].format, &b, &err));
        assert_string_equal(buf_str(&b), want[i].text);
        buf_release(&b);
    }
    OK(dotenv_format_parse("docker-args", &format, &err));
    assert_int_equal(format, FORMAT_DOCKER_ARGS);
    REFUSED(ERR_USAGE, "--format is env", dotenv_format_parse("xml", &format, &err));
}

static void test_commands(void **state)
{
    struct desk *d = *state;
    char many[4000];
    size_t n = 0;

    desk_deployer(d);
    desk_user(d, "vera", ROLE_VIEW);
    desk_expect(d, "bert", "config:clear shop", 0, "Nothing to do");
    desk_expect(d, "bert", "config:clear shop --json", 0, "\"names\":[]");
    (void) fixture_live(d->f, d->f->shop);
    d->input = "A=1\nB=\"two\nlines\"\n";
    desk_expect(d, "bert", "config:import shop", 0, "Setting A and B and restarting shop... done, v2");
    desk_expect(d, "vera", "config:keys shop", 0, "A\nB\n");
    desk_expect(d, "bert", "config:keys -a shop --json", 0, "[\"A\",\"B\"]\n");
    desk_expect(d, "bert", "config:export shop", 0, "export A='1'\nexport B='two\nlines'\n");
    desk_expect(d, "bert", "config:export -a shop --json", 0, "\"B\": \"two\\nlines\"");
    desk_expect(d, "bert", "config:export shop --format dotenv", 0, "A='1'\nB=\"two\\nlines\"\n");
    desk_expect(d, "bert", "config:export shop --format xml", 2, "--format is env");
    desk_expect(d, "bert", "config:export shop --json --format env", 2, "two formats");
    desk_expect(d, "vera", "config:export shop", 3, "operate");
    d->input = "A=1\nA=2\n";
    desk_expect(d, "bert", "config:import shop", 2, "A is given twice");
    d->input = "C=3\nbad line secretvalue\n";
    desk_expect(d, "bert", "config:import shop", 2, "line 2 is not NAME=VALUE");
    assert_null(strstr(buf_str(&d->err), "secretvalue"));
    d->input = "# nothing\n";
    desk_expect(d, "bert", "config:import shop", 2, "no NAME=VALUE line");
    desk_expect(d, "bert", "config:keys shop --json", 0, "[\"A\",\"B\"]\n");
    for (int i = 0; i < 300; i++) /* more than a command line may have */
        n += (size_t) snprintf(many + n, sizeof(many) - n, "V%d=x\n", i);
    d->input = many;
    desk_expect(d, "bert", "config:import -a shop --no-restart --json", 0, "\"V299\"");
    desk_expect(d, "bert", "config:set shop A=other-value-with-a-hint K=build --build --run", 0, "done, v3");
    desk_expect(d, "bert", "config:diff shop v2 --json", 0, "{\"name\":\"A\",\"change\":\"changed\",\"from\":null,\"to\":null}");
    desk_expect(d, "bert", "config:diff shop v2 v3", 0, "hint");
    desk_expect(d, "vera", "config:diff shop 2 3", 0, "+ V9 ");
    assert_null(strstr(buf_str(&d->out), "hint"));
    desk_expect(d, "vera", "config:diff shop v2 --show", 3, "operate");
    desk_expect(d, "bert", "config:diff -a shop v2 v3 --show", 0, "1 -> other-value-with-a-hint");
    desk_expect(d, "bert", "config:diff shop v3", 0, "No difference");
    desk_expect(d, "bert", "config:diff shop v99", 4, "v99");
    desk_expect(d, "bert", "config:diff shop x", 2, "v7");
    desk_expect(d, "bert", "config:set shop L=x --build --no-restart", 0, "done");
    desk_expect(d, "bert", "config:export shop", 0, "build scope only: L");
    desk_expect(d, "bert", "config:clear shop", 0, "done, v4");
    desk_expect(d, "bert", "config:keys shop --json", 0, "[]");
    desk_expect(d, "bert", "rollback shop v3", 0, "done, v5");
    desk_expect(d, "bert", "config:diff shop v3", 0, "No difference");
    desk_expect(d, "anna", "audit shop --json", 0, "\"command\":\"config:import\",\"detail\":\"A B\",\"result\":0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_write),
        cmocka_unit_test_setup_teardown(test_commands, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
