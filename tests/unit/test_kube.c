#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/kubernetes/watch.h"
#include "deployer/rfc3339.h"
#include "deployer/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_status(void **state)
{
    static const struct { long http; const char *doc; enum err_code code; const char *says; } cases[] = {
        { 409, "{\"reason\":\"Conflict\",\"message\":\"long\",\"details\":{\"causes\":[{\"reason\":"
               "\"FieldManagerConflict\",\"message\":\"conflict with \\\"kubectl-edit\\\" using apps/v1\","
               "\"field\":\".spec.replicas\"}]}}",
          ERR_BUSY, ".spec.replicas is held by \"kubectl-edit\" with another value" },
        { 409, "{\"reason\":\"AlreadyExists\",\"message\":\"jobs x already exists\"}", ERR_BUSY,
          "jobs x already exists" },
        { 404, "{\"message\":\"no\\nsuch\\u001b[31mthing\"}", ERR_NOT_FOUND, "no suchthing" },
        { 403, "{\"message\":\"forbidden\"}", ERR_DENIED, "forbidden" },
        { 503, "[]", ERR_DOWN, "the cluster answered with HTTP status 503" },
        { 422, "{\"message\":7}", ERR_FAILED, "the cluster answered with HTTP status 422" },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        json_t *doc = json_loads(cases[i].doc, 0, NULL);
        struct err err = ERR_INIT;

        assert_int_equal(kube_status_error(doc, cases[i].http, &err), -1);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.msg, cases[i].says);
        json_decref(doc);
    }
}

static int line(const char *text, enum kube_event *event, struct err *err)
{
    json_t *object = NULL;
    int rc;

    err_clear(err);
    rc = kube_watch_parse(text, strlen(text), event, &object, err);
    json_decref(object);
    return rc;
}

static void test_watch(void **state)
{
    enum kube_event event = KUBE_RESET;
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(line("{\"type\":\"ADDED\",\"object\":{\"a\":\"x\\u0000y\"}}", &event, &err), 1);
    assert_int_equal(event, KUBE_CHANGED);
    assert_int_equal(line("{\"type\":\"DELETED\",\"object\":{}}", &event, &err), 1);
    assert_int_equal(event, KUBE_DELETED);
    assert_int_equal(line("{\"type\":\"BOOKMARK\",\"object\":{}}", &event, &err), 0);
    assert_int_equal(line("{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"too old\"}}", &event,
                          &err), -1);
    assert_string_equal(err.msg, "too old");
    assert_int_equal(line("{\"type\":\"ADDED\"}", &event, &err), -1);
    assert_int_equal(line("{\"type\":\"OTHER\",\"object\":{}}", &event, &err), -1);
    assert_int_equal(line("{\"type\":", &event, &err), -1);
}

static void test_times(void **state)
{
    static const struct { const char *text; size_t len; int64_t ns; } cases[] = {
        { "1970-01-01T00:00:00Z", 20, 0 },
        { "2026-01-02T03:04:05.5Z rest", 22, 1767323045500000000 },
        { "2026-01-02T03:04:05.000000001+02:00", 35, 1767323045000000001 - 7200000000000 },
        { "2026-01-02T03:04:05-00:30", 25, 1767323045000000000 + 1800000000000 },
        { "2026-01-02T03:04:05", 0, 0 },
        { "2026-13-02T03:04:05Z", 0, 0 },
        { "2026-01-02 03:04:05Z", 0, 0 },
        { "2026-01-02T03:04:05.", 0, 0 },
        { "2026-01-02T03:04:05+0200", 0, 0 },
        { "9999-01-02T03:04:05Z", 0, 0 },
        { "", 0, 0 },
    };
    char text[RFC3339_SIZE];

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        int64_t ns = 0;

        assert_int_equal(rfc3339_parse(cases[i].text, strlen(cases[i].text), &ns), cases[i].len);
        if (cases[i].len > 0)
            assert_int_equal(ns, cases[i].ns);
    }
    rfc3339_format(1767323045999, text);
    assert_string_equal(text, "2026-01-02T03:04:05Z");
    assert_int_equal(rfc3339_ms("2026-01-02T03:04:05Z"), 1767323045000);
    assert_int_equal(rfc3339_ms(NULL), 0);
}

static void test_text(void **state)
{
    static const struct { const char *in, *out; } cases[] = {
        { "plain\r\n", "plain" },
        { "tab\there", "tab\there" },
        { "\033[31mred", "\033[31mred\033[m" },
        { "\033[2J\033[10;20Hgone", "gone" },
        { "\033]0;title\007after \033]8;;http://x\033\\link", "after link" },
        { "\033", "" },
        { "\033[", "" },
        { "\033[31", "" },
        { "a\033Mb", "ab" },
        { "bell\a back\b", "bell back" },
        { "\xff\xc3\xbc\xc3", "?\xc3\xbc?" },
        { "\xed\xa0\x80", "???" },
        { "\xc2\x9b" "31m", "??31m" },
        { "one\ntwo", "one two" },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        cleanup_buf struct buf b;

        buf_init(&b, 100);
        (void) text_clean(&b, cases[i].in, strlen(cases[i].in), true);
        assert_string_equal(buf_str(&b), cases[i].out);
    }
}

static int request(const char *text, struct stream_request *r, json_t **doc)
{
    struct err err = ERR_INIT;

    *doc = json_loads(text, 0, NULL);
    return stream_request_read(*doc, r, &err);
}

static void test_requests(void **state)
{
    static const char *const bad[] = {
        "{}", "[]", "{\"op\":\"list\"}", "{\"op\":\"shell\",\"app_id\":1}",
        "{\"op\":\"list\",\"app_id\":0}", "{\"op\":\"list\",\"app_id\":\"1\"}",
        "{\"op\":\"logs\",\"app_id\":1,\"tail\":-2}", "{\"op\":\"logs\",\"app_id\":1,\"process\":7}",
        "{\"op\":\"logs\",\"app_id\":1,\"since\":99999999999}",
        "{\"op\":\"config\",\"app_id\":1,\"names\":[1]}", "{\"op\":\"config\",\"app_id\":1,\"names\":\"A\"}",
    };
    struct stream_request r;
    json_t *doc;

    (void) state;
    assert_int_equal(request("{\"op\":\"logs\",\"app_id\":3,\"process\":\"web\",\"instance\":null,\"tail\":10,"
                             "\"since\":60,\"follow\":true}", &r, &doc), 0);
    assert_int_equal(r.op, STREAM_LOGS);
    assert_int_equal(r.app_id, 3);
    assert_string_equal(r.process, "web");
    assert_null(r.instance);
    assert_int_equal(r.tail, 10);
    assert_true(r.follow);
    json_decref(doc);
    assert_int_equal(request("{\"op\":\"logs\",\"app_id\":3}", &r, &doc), 0);
    assert_int_equal(r.tail, -1);
    json_decref(doc);
    for (size_t i = 0; i < countof(bad); i++) {
        assert_int_equal(request(bad[i], &r, &doc), -1);
        json_decref(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_requests),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
