/* app.json: what is read, what is refused and where, what a release keeps. */
#include "config.h"

#include "base/mem.h"
#include "sql/app_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char whole[] =
    "{\n  \"name\": \"Shop\", \"keywords\": [\"a\"], \"stack\": \"heroku-24\", \"image\": \"x\",\n"
    "  \"env\": {\n    \"A\": \"1\",\n    \"KEY\": {\"generator\": \"secret\", \"description\": \"signs\"},\n"
    "    \"URL\": {\"description\": \"where\"},\n    \"MAYBE\": {\"required\": false}, \"EMPTY\": {\"value\": \"\"}\n  },\n"
    "  \"formation\": {\"web\": {\"quantity\": 2, \"size\": \"standard-1x\"}, \"worker\": {\"quantity\": 0}, \"x\": {}},\n"
    "  \"scripts\": {\"postdeploy\": \"rake seed\", \"test\": \"rake test\", \"dokku\": {\"predeploy\": \"true\"}},\n"
    "  \"healthchecks\": {\"web\": [{\"type\": \"readiness\", \"name\": \"r\", \"path\": \"/up\", \"attempts\": 2},\n"
    "    {\"command\": [\"test\", \"-e\", \"/tmp/x\"], \"timeout\": 7, \"wait\": 3, \"initialDelay\": 1}]},\n"
    "  \"cron\": [{\"command\": \"rake tidy\", \"schedule\": \"0 4 * * *\"},\n"
    "    {\"command\": \"rake tidy\", \"schedule\": \"@hourly\", \"concurrency_policy\": \"forbid\"}],\n"
    "  \"addons\": [\"heroku-postgresql\"], \"buildpacks\": [{\"url\": \"x\"}]\n}\n";

static void test_whole(void **state)
{
    struct err err = ERR_INIT;
    struct app_json a;

    (void) state;
    if (app_json_parse(whole, sizeof(whole) - 1, &a, &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(a.n_env, 5);
    assert_string_equal(a.env[0].name, "A");
    assert_string_equal(a.env[0].value, "1");
    assert_int_equal(a.env[0].line, 4);
    assert_true(a.env[1].secret && !a.env[1].required && a.env[1].value == NULL);
    assert_true(a.env[2].required && a.env[2].line == 6);
    assert_false(a.env[3].required);
    assert_true(!a.env[4].required && a.env[4].value[0] == '\0');
    assert_int_equal(a.formation.n, 2);
    assert_int_equal(formation_count(&a.formation, "web"), 2);
    assert_int_equal(formation_count(&a.formation, "worker"), 0);
    assert_string_equal(a.postdeploy, "rake seed");
    assert_int_equal(a.n_checks, 2);
    assert_string_equal(app_json_check_find(&a, "web", CHECK_READINESS)->path, "/up");
    assert_int_equal(app_json_check_find(&a, "web", CHECK_READINESS)->attempts, 2);
    assert_int_equal(app_json_check_find(&a, "web", CHECK_STARTUP)->command.n, 3);
    assert_null(app_json_check_find(&a, "worker", CHECK_STARTUP));
    assert_int_equal(a.n_cron, 2);
    assert_string_not_equal(a.cron[0].id, a.cron[1].id);
    assert_ptr_equal(app_json_cron_find(&a, a.cron[1].id), &a.cron[1]);
    assert_int_equal(a.warnings.n, 3);
    assert_non_null(strstr(a.warnings.v[0], "line 10: scripts.dokku.predeploy is not run"));
    assert_non_null(strstr(a.warnings.v[1], "line 15: addons has no effect"));
    app_json_release(&a);
}

static void test_kept(void **state)
{
    cleanup_free char *kept = NULL, *again = NULL;
    struct app_json a, b;

    (void) state;
    assert_int_equal(app_json_parse(whole, sizeof(whole) - 1, &a, NULL), 0);
    kept = app_json_kept(&a);
    assert_null(strstr(kept, "KEY"));
    assert_int_equal(app_json_parse(kept, strlen(kept), &b, NULL), 0);
    again = app_json_kept(&b);
    assert_string_equal(kept, again);
    assert_string_equal(a.cron[0].id, b.cron[0].id);
    assert_int_equal(b.checks[1].timeout_s, 7);
    assert_string_equal(b.postdeploy, "rake seed");
    app_json_release(&a);
    app_json_release(&b);
    assert_int_equal(app_json_parse("{\"env\": {\"A\": \"1\"}}", 19, &a, NULL), 0);
    assert_null(app_json_kept(&a));
    app_json_release(&a);
}

static void test_refused(void **state)
{
    static const struct { const char *text, *why; } bad[] = {
        { "{\n\"a\": 1,\n}", "app.json line 3: it is no JSON: " },
        { "", "app.json line 1: it is no JSON: " },
        { "[]", "the file is not an object" },
        { "{\"a\": 1, \"a\": 2}", "duplicate object key" },
        { "{\n\"env\": {\n\"A\": 5}}", "app.json line 3: env.A is neither text nor an object" },
        { "{\"env\": {\"A\": {\"value\": 5}}}", "app.json line 1: env.A.value is not text" },
        { "{\"env\": {\"A\": {\"generator\": \"uuid\"}}}", "env.A.generator can only be \"secret\"" },
        { "{\"env\": {\"A\": {\"required\": \"no\"}}}", "env.A.required is neither true nor false" },
        { "{\"env\": {\"PORT\": \"80\"}}", "env.PORT can't be set: PORT is set by the server" },
        { "{\"env\": {\"A-B\": \"80\"}}", "env.A-B can't be set" },
        { "{\"env\": []}", "env is not an object" },
        { "{\"formation\": {\"web\": {\n\"quantity\": -1}}}", "line 2: formation.web.quantity is not a number from 0 to 1000" },
        { "{\"formation\": {\"web\": 2}}", "formation.web is not an object" },
        { "{\"formation\": {\"We\": {}}}", "formation.We can't be" },
        { "{\"scripts\": {\"postdeploy\": [1]}}", "scripts.postdeploy is not text" },
        { "{\"scripts\": {\"postdeploy\": \"  \"}}", "scripts.postdeploy is empty" },
        { "{\"cron\": [{\"command\": \"a\", \"schedule\": \"* * * * *\"},\n{\"command\": \"b\",\n\"schedule\": \"x\"}]}",
          "app.json line 3: cron[1].schedule can't be used: \"x\" is no schedule" },
        { "{\"cron\": [\n{\"command\": \"a\"}]}", "app.json line 2: cron[0] has no schedule" },
        { "{\"cron\": [5]}", "cron[0] is not an object" },
        { "{\"cron\": {}}", "cron is not a list" },
        { "{\"cron\": [{\"command\": \"a\", \"schedule\": \"* * * * *\"}, {\"command\": \"a\", \"schedule\": \"* * * * *\"}]}",
          "cron[1] is the same as cron[0]" },
        { "{\"cron\": [{\"command\": \"a\", \"schedule\": \"* * * * *\", \"concurrency_policy\": \"allow\"}]}",
          "cron[0].concurrency_policy can only be \"forbid\"" },
        { "{\"healthchecks\": {\"web\": [{\"path\": \"up\"}]}}", "healthchecks.web[0].path does not begin with /" },
        { "{\"healthchecks\": {\"web\": [{\"path\": \"/a b\"}]}}", "healthchecks.web[0].path has a character" },
        { "{\"healthchecks\": {\"web\": [{\"path\": \"/\", \"listening\": true}]}}", "needs exactly one of" },
        { "{\"healthchecks\": {\"web\": [{}]}}", "healthchecks.web[0] needs exactly one of" },
        { "{\"healthchecks\": {\"web\": [{\"path\": \"/\"},\n{\"path\": \"/x\"}]}}",
          "line 2: healthchecks.web[1] is a second startup check of web" },
        { "{\"healthchecks\": {\"web\": [{\"path\": \"/\", \"type\": \"up\"}]}}", "type is not startup, readiness or liveness" },
        { "{\"healthchecks\": {\"web\": [{\"path\": \"/\", \"content\": \"x\"}]}}",
          "healthchecks.web[0].content is not supported" },
        { "{\"healthchecks\": {\"web\": [{\"path\": \"/\", \"port\": 70000}]}}", "port is not a number from 1 to 65535" },
        { "{\"healthchecks\": {\"web\": [{\"path\": \"/\", \"scheme\": \"https\"}]}}", "scheme can only be \"http\"" },
        { "{\"healthchecks\": {\"web\": [{\"command\": \"true\"}]}}", "command is not a list of 1 to 50 words" },
        { "{\"healthchecks\": {\"worker\": [{\"path\": \"/\"}]}}", "healthchecks.worker[0] needs a port" },
        { "{\"healthchecks\": {\"web\": {}}}", "healthchecks.web is not a list" },
    };

    (void) state;
    for (size_t i = 0; i < countof(bad); i++) {
        struct err err = ERR_INIT;
        struct app_json a;

        if (app_json_parse(bad[i].text, strlen(bad[i].text), &a, &err) != -1 || err.code != ERR_FAILED ||
            strstr(err.msg, bad[i].why) == NULL)
            fail_msg("%s: %s", bad[i].text, err.msg);
    }
}

static void test_line(void **state)
{
    static const char text[] = "{\n\"a\\\"b\": \"}]{[,\",\n\"c\": [1, [2,\n3], {\"d\":\n\"x\"}]}";
    const struct app_json_at c = { NULL, "c", 0 }, second = { &c, NULL, 1 }, third = { &c, NULL, 2 };
    const struct app_json_at inner = { &second, NULL, 1 }, d = { &third, "d", 0 }, none = { &third, "e", 0 };
    const struct app_json_at fourth = { &c, NULL, 3 };

    (void) state;
    assert_int_equal(app_json_line(text, sizeof(text) - 1, NULL), 1);
    assert_int_equal(app_json_line(text, sizeof(text) - 1, &c), 3);
    assert_int_equal(app_json_line(text, sizeof(text) - 1, &inner), 4);
    assert_int_equal(app_json_line(text, sizeof(text) - 1, &third), 4);
    assert_int_equal(app_json_line(text, sizeof(text) - 1, &d), 5);
    assert_int_equal(app_json_line(text, sizeof(text) - 1, &none), 0);
    assert_int_equal(app_json_line(text, sizeof(text) - 1, &fourth), 0);
}

static void test_large(void **state)
{
    cleanup_free char *text = xmalloc(APP_JSON_MAX + 2);
    struct err err = ERR_INIT;
    struct app_json a;

    (void) state;
    memset(text, ' ', APP_JSON_MAX + 1);
    text[0] = '{';
    text[APP_JSON_MAX] = '}';
    assert_int_equal(app_json_parse(text, APP_JSON_MAX + 1, &a, &err), -1);
    assert_string_equal(err.msg, "app.json is larger than 64 KiB");
    text[APP_JSON_MAX - 1] = '}';
    assert_int_equal(app_json_parse(text, APP_JSON_MAX, &a, &err), 0);
    app_json_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_kept), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_line), cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
