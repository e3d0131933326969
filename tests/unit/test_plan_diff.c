/* What a release would change, as a person reads it. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/plan_diff.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *changes(const char *text)
{
    json_auto_t *objects = json_loads(text, 0, NULL);

    assert_non_null(objects);
    return plan_changes(objects);
}

static void assert_lines(const char *text, const char *lines)
{
    json_auto_t *c = changes(text);
    cleanup_buf struct buf out;

    buf_init(&out, 1 << 20);
    assert_int_equal(plan_lines(c, &out), 0);
    assert_string_equal(buf_str(&out), lines);
}

static void test_lines(void **state)
{
    (void) state;
    assert_lines("[]", "");
    /* Sorted; elements of lists go by their names, whatever their order. */
    assert_lines("[{\"kind\":\"Service\",\"name\":\"web\",\"before\":{\"a\":1},\"after\":null},"
                 "{\"kind\":\"Deployment\",\"name\":\"web\",\"before\":{\"spec\":{\"replicas\":3,\"env\":["
                 "{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"value\":\"2\"}]}},"
                 "\"after\":{\"spec\":{\"replicas\":1,\"env\":[{\"name\":\"B\",\"value\":\"3\"},{\"name\":\"A\",\"value\":\"1\"}],"
                 "\"paused\":true}},\"note\":\"held by kubectl\"},"
                 "{\"kind\":\"Route\",\"name\":\"shop\",\"before\":null,\"after\":{\"hosts\":[\"a\",\"b\"],\"empty\":{}}}]",
                 "~ Deployment web\n"
                 "-     spec.env.B.value: 2\n"
                 "+     spec.env.B.value: 3\n"
                 "+     spec.paused: true\n"
                 "-     spec.replicas: 3\n"
                 "+     spec.replicas: 1\n"
                 " !     held by kubectl\n"
                 "+ Route shop\n"
                 "+     empty: {}\n"
                 "+     hosts.0: a\n"
                 "+     hosts.1: b\n"
                 "- Service web\n");
    /* One line each, also of a value with more. */
    assert_lines("[{\"kind\":\"app.json\",\"name\":\"\",\"before\":{\"a\":\"x\\ny\"},\"after\":{\"a\":\"x\"}}]",
                 "~ app.json\n-     a: x y\n+     a: x\n");
}

static void test_changes(void **state)
{
    json_auto_t *c = changes("[{\"kind\":\"A\",\"name\":\"\",\"before\":{\"x\":1},\"after\":{\"x\":2},\"note\":null},"
                             "{\"kind\":\"B\",\"name\":\"b\",\"before\":{\"x\":1},\"after\":{\"x\":1},\"note\":\"n\"},7,"
                             "{\"kind\":\"C\",\"name\":\"c\",\"before\":null,\"after\":null}]");
    cleanup_free char *text = json_text(c);

    (void) state;
    assert_string_equal(text, "[{\"object\":\"A\",\"change\":\"changed\",\"fields\":[{\"field\":\"x\",\"from\":1,\"to\":2}],"
                              "\"note\":null},{\"object\":\"B b\",\"change\":\"same\",\"fields\":[],\"note\":\"n\"}]");
}

static void test_bounds(void **state)
{
    json_auto_t *after = json_object(), *objects = NULL, *c = NULL;
    char *huge = xmalloc(3001);
    cleanup_buf struct buf out;

    buf_init(&out, 1 << 20);
    (void) state;
    for (int i = 0; i < 1000; i += 1) {
        cleanup_free char *name = xasprintf("f%03d", i);

        json_object_set_new(after, name, json_integer(i));
        memcpy(huge + 3 * (size_t) i, "\xe2\x82\xac", 3);
    }
    huge[3000] = '\0';
    json_object_set_new(after, "a", json_string(huge));
    free(huge);
    objects = json_pack("[{s:s, s:s, s:n, s:O}]", "kind", "K", "name", "k", "before", "after", after);
    c = plan_changes(objects);
    assert_int_equal(json_array_size(json_object_get(json_array_get(c, 0), "fields")), PLAN_FIELDS_MAX);
    assert_int_equal(plan_lines(c, &out), 0);
    assert_non_null(strstr(buf_str(&out), "\xe2\x82\xac...\n")); /* whole characters */
    assert_non_null(strstr(buf_str(&out), "      ... and more\n"));
}

/* --- the command */

static void test_command(void **state)
{
    struct desk *d = *state;
    json_auto_t *doc = NULL;

    desk_user(d, "carl", ROLE_VIEW);
    desk_user(d, "dora", ROLE_NONE);
    desk_expect(d, "carl", "apps:plan shop", ERR_FAILED, "shop runs nothing yet; to plan its first release: git push -o plan");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "dora", "apps:plan shop", ERR_NOT_FOUND, NULL);
    desk_expect(d, "carl", "apps:plan shop", ERR_DOWN, "the deployer does not answer");
    desk_deployer(d);
    desk_expect(d, "carl", "apps:plan shop", 0, "(v1 is live)\n~ Deployment web\n-     replicas: 3\n+     replicas: 1\n");
    desk_expect(d, "bert", "config:set shop --no-restart WORD=secret", 0, NULL);
    desk_expect(d, "carl", "apps:plan shop", 0, "~ config\n+     WORD\n~ Deployment web\n");
    desk_expect(d, "carl", "apps:plan shop --json", 0, NULL);
    doc = json_loads(buf_str(&d->out), 0, NULL);
    assert_non_null(doc);
    assert_string_equal(json_str(doc, "app", ""), "shop");
    assert_int_equal(json_int(doc, "live", 0), 1);
    assert_true(json_is_null(json_object_get(doc, "build")));
    assert_string_equal(json_string_value(json_array_get(json_at(doc, "config.added"), 0)), "WORD");
    assert_string_equal(json_str(json_array_get(json_object_get(doc, "changes"), 0), "object", ""), "Deployment web");
    assert_null(strstr(buf_str(&d->out), "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test_setup_teardown(test_command, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
