#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "sql/model.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_app_names(void **state)
{
    static const char *const good[] = { "a", "shop", "shop-api", "a1", "s-1-2", "abcdefghijabcdefghijabcdefghij" };
    static const char *const bad[] = {
        "", "-", "-shop", "shop-", "1shop", "Shop", "sh_op", "sh.op", "sh op", "../shop", "shop/", "sh\nop",
        "sh\xc3\xb6p", "abcdefghijabcdefghijabcdefghijk", "$(id)", "shop;id", "--help",
    };

    (void) state;
    for (size_t i = 0; i < countof(good); i++)
        OK(app_name_check(good[i], &err));
    for (size_t i = 0; i < countof(bad); i++)
        REFUSED(ERR_USAGE, "name", app_name_check(bad[i], &err));
    REFUSED(ERR_USAGE, "sh?op", app_name_check("sh\033op", &err));
}

static void test_other_names(void **state)
{
    (void) state;
    OK(user_name_check("anna.b-c_d1", &err));
    REFUSED(ERR_USAGE, "user name", user_name_check("Anna", &err));
    REFUSED(ERR_USAGE, "user name", user_name_check("anna.", &err));
    OK(config_name_check("_A1b", &err));
    REFUSED(ERR_USAGE, "config name", config_name_check("1A", &err));
    REFUSED(ERR_USAGE, "config name", config_name_check("A-B", &err));
    REFUSED(ERR_USAGE, "config name", config_name_check("", &err));
    REFUSED(ERR_USAGE, "PORT", config_name_check("PORT", &err));
    OK(process_name_check("web", &err));
    OK(process_name_check("2web-x", &err));
    REFUSED(ERR_USAGE, "process type", process_name_check("web.1", &err));
}

static void test_roles(void **state)
{
    enum role r = ROLE_NONE;

    (void) state;
    for (int i = ROLE_VIEW; i <= ROLE_OWN; i++) {
        OK(role_parse(role_name((enum role) i), &r, &err));
        assert_int_equal(r, i);
    }
    REFUSED(ERR_USAGE, "no role", role_parse("admin", &r, &err));
    REFUSED(ERR_USAGE, "no role", role_parse("none", &r, &err));
}

static void test_processes(void **state)
{
    struct processes p = { NULL, 0 }, again = { NULL, 0 };
    cleanup_free char *text = NULL, *text2 = NULL;

    (void) state;
    json_init();
    OK(processes_parse(fixture_processes, &p, &err));
    assert_int_equal(p.n, 3);
    assert_string_equal(processes_find(&p, "web")->args.v[0], "app:app");
    assert_null(processes_find(&p, "clock"));
    text = processes_json(&p);
    assert_string_equal(text, fixture_processes);
    OK(processes_parse(text, &again, &err));
    text2 = processes_json(&again);
    assert_string_equal(text, text2);
    processes_release(&p);
    processes_release(&again);
    REFUSED(ERR_FAILED, "not a list", processes_parse("{}", &p, &err));
    REFUSED(ERR_FAILED, "no name", processes_parse("[{}]", &p, &err));
    REFUSED(ERR_FAILED, "twice", processes_parse("[{\"type\":\"web\"},{\"type\":\"web\"}]", &p, &err));
    REFUSED(ERR_FAILED, "not text", processes_parse("[{\"type\":\"web\",\"command\":[1]}]", &p, &err));
    REFUSED(ERR_USAGE, "process type", processes_parse("[{\"type\":\"../x\"}]", &p, &err));
}

static void test_formation(void **state)
{
    struct formation f = { NULL, 0 }, fit;
    struct processes p = { NULL, 0 };
    cleanup_free char *text = NULL;

    (void) state;
    OK(formation_parse("{\"web\":2,\"clock\":1}", &f, &err));
    assert_int_equal(formation_count(&f, "web"), 2);
    assert_int_equal(formation_count(&f, "worker"), -1);
    OK(processes_parse(fixture_processes, &p, &err));
    formation_fit(&f, &p, &fit);
    text = formation_json(&fit);
    assert_string_equal(text, "{\"web\":2,\"worker\":0}");
    formation_release(&fit);
    formation_release(&f);
    formation_fit(&f, &p, &fit);
    assert_int_equal(formation_count(&fit, "web"), 1);
    formation_release(&fit);
    processes_release(&p);
    REFUSED(ERR_FAILED, "0 to 1000", formation_parse("{\"web\":1001}", &f, &err));
    REFUSED(ERR_FAILED, "0 to 1000", formation_parse("{\"web\":\"2\"}", &f, &err));
    REFUSED(ERR_FAILED, "0 to 1000", formation_parse("{\"web\":-1}", &f, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app_names),   cmocka_unit_test(test_other_names), cmocka_unit_test(test_roles),
        cmocka_unit_test(test_processes),   cmocka_unit_test(test_formation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
