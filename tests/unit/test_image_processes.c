#include "config.h"

#include "builder/image.h"

#include "base/json.h"
#include "base/mem.h"
#include "sql/image_label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *processes_of(const char *label, const char *entry, const char *procfile, size_t *ret_warnings)
{
    struct procfile f = PROCFILE_INIT;
    struct processes p = { NULL, 0 };
    struct vec warnings = VEC_INIT;
    struct err err = ERR_INIT;
    char *text = NULL;
    json_t *config = json_pack("{s:{s:{s:s},s:[s]}}", "config", "Labels", "io.buildpacks.build.metadata", label,
                               "Entrypoint", entry);

    procfile_parse(procfile, strlen(procfile), &f, &warnings);
    if (image_processes(config, &f, &p, &warnings, &err) == 0)
        text = processes_json(&p);
    *ret_warnings = warnings.n;
    processes_release(&p);
    procfile_release(&f);
    vec_release(&warnings);
    json_decref(config);
    return text;
}

static void test_types(void **state)
{
    size_t warnings;
    cleanup_free char *text = processes_of(
        "{\"processes\":[{\"type\":\"web\",\"command\":[\"bash\"],\"args\":[\"x\"],\"direct\":true},"
        "{\"type\":\"worker\",\"command\":[\"w\"]}]}",
        "/cnb/process/worker", "web: other\nclock: tick $X\nrelease: m\n", &warnings);

    (void) state;
    assert_string_equal(text, "[{\"type\":\"web\",\"command\":[\"/cnb/process/web\"],\"args\":[],\"default\":false},"
                        "{\"type\":\"worker\",\"command\":[\"/cnb/process/worker\"],\"args\":[],\"default\":true},"
                        "{\"type\":\"clock\",\"command\":[\"/cnb/lifecycle/launcher\"],"
                        "\"args\":[\"--\",\"bash\",\"-c\",\"tick $X\"],\"default\":false},"
                        "{\"type\":\"release\",\"command\":[\"/cnb/lifecycle/launcher\"],"
                        "\"args\":[\"--\",\"bash\",\"-c\",\"m\"],\"default\":false}]");
    assert_int_equal(warnings, 0);
}

static void test_odd(void **state)
{
    size_t warnings;
    cleanup_free char *names = NULL, *none = NULL;

    (void) state;
    names = processes_of("{\"processes\":[{\"type\":\"We.b\"},{\"type\":\"../x\"},{\"type\":7},{},\"x\",{\"type\":\"a\"},"
                         "{\"type\":\"a\"}]}", "/x", "", &warnings);
    assert_string_equal(names, "[{\"type\":\"a\",\"command\":[\"/cnb/process/a\"],\"args\":[],\"default\":false}]");
    assert_int_equal(warnings, 5);
    none = processes_of("{}", "/x", "", &warnings);
    assert_string_equal(none, "[]");
    assert_null(processes_of("{", "/x", "", &warnings));
    assert_null(processes_of("[1,", "/x", "", &warnings));
}

static void test_no_label(void **state)
{
    struct procfile f = PROCFILE_INIT;
    struct processes p = { NULL, 0 };
    struct vec warnings = VEC_INIT;
    struct err err = ERR_INIT;
    json_t *config = json_pack("{s:{s:{}}}", "config", "Labels");

    (void) state;
    assert_int_equal(image_processes(config, &f, &p, &warnings, &err), -1);
    assert_int_equal(err.code, ERR_FAILED);
    assert_int_equal(image_processes(NULL, &f, &p, &warnings, &err), -1);
    json_decref(config);
}

/* An image that wasn't built here: by its label, else what it runs by itself is web. */
static void any_is(const char *config, const char *wanted)
{
    struct processes p = { NULL, 0 };
    struct vec warnings = VEC_INIT;
    struct err err = ERR_INIT;
    json_t *doc = json_parse(config, strlen(config), "", &err);
    cleanup_free char *text = NULL;
    int rc = image_any_processes(doc, &p, &warnings, &err);

    if (rc == 0)
        text = processes_json(&p);
    assert_string_equal(rc == 0 ? text : err.msg, wanted);
    processes_release(&p);
    vec_release(&warnings);
    json_decref(doc);
}

static void test_any(void **state)
{
    (void) state;
    any_is("{\"config\":{\"Entrypoint\":[\"/e\",\"-x\"],\"Cmd\":[\"c\"]}}",
           "[{\"type\":\"web\",\"command\":[\"/e\",\"-x\"],\"args\":[\"c\"],\"default\":true}]");
    any_is("{\"config\":{\"Entrypoint\":null,\"Cmd\":[\"c\",7]}}",
           "[{\"type\":\"web\",\"command\":[\"c\"],\"args\":[],\"default\":true}]");
    any_is("{\"config\":{\"Labels\":{\"io.buildpacks.build.metadata\":\"{\\\"processes\\\":[{\\\"type\\\":\\\"worker\\\"}]}\"},"
           "\"Cmd\":[\"c\"]}}",
           "[{\"type\":\"worker\",\"command\":[\"/cnb/process/worker\"],\"args\":[],\"default\":false}]");
    any_is("{\"config\":{}}", "the image says no command: it has neither Entrypoint nor Cmd");
    any_is("[]", "the image says no command: it has neither Entrypoint nor Cmd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_odd),
        cmocka_unit_test(test_no_label),
        cmocka_unit_test(test_any),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
