#include "config.h"

#include "builder/pack.h"

#include "base/mem.h"
#include "builder/project.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HEX "02c6bd85fc6949fc5c5382295b43ff7384c4bc9a5d27169edd170b46a5c83a6d"
#define OTHER "12c6bd85fc6949fc5c5382295b43ff7384c4bc9a5d27169edd170b46a5c83a6d"

static bool feed(struct pack_seen *s, const char *line)
{
    return pack_line(s, line, strlen(line), true);
}

static void test_digest(void **state)
{
    struct pack_seen one = { .trusted = true }, five = { .trusted = false };

    (void) state;
    assert_false(feed(&one, "*** Images (sha256:02c6):"));
    assert_false(feed(&one, " *** Images (sha256:" HEX "):"));
    assert_false(feed(&one, "*** Images (sha256:02C6bd85fc6949fc5c5382295b43ff7384c4bc9a5d27169edd170b46a5c83a6d):"));
    assert_false(pack_line(&one, "*** Images (sha256:" HEX "):", 19 + 64, false));
    assert_true(feed(&one, "*** Images (sha256:" HEX "):"));
    assert_string_equal(one.digest, "sha256:" HEX);
    /* In five phases the app's own code cannot print the exporter's prefix. */
    assert_false(feed(&five, "*** Images (sha256:" HEX "):"));
    assert_false(feed(&five, "[builder] *** Images (sha256:" HEX "):"));
    assert_false(feed(&five, "[builder] [exporter] *** Images (sha256:" HEX "):"));
    assert_true(feed(&five, "[exporter] *** Images (sha256:" HEX "):"));
    assert_string_equal(five.digest, "sha256:" HEX);
}

static void reason_is(const char *line, int code, int keep, const char *why)
{
    struct pack_seen s = { .trusted = true };
    char text[1024];

    if (line != NULL)
        (void) feed(&s, line);
    assert_int_equal(pack_reason(&s, code, text, sizeof(text)), keep);
    if (strstr(text, why) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", why, text);
}

static void test_reasons(void **state)
{
    (void) state;
    reason_is("ERROR: failed to build: executing lifecycle: failed with status code: 20", 1, 20, "no buildpack fits");
    reason_is("ERROR: failed to build: executing lifecycle: failed with status code: 51", 1, 51,
              "a buildpack failed; see its output above");
    reason_is("ERROR: failed to build: executing lifecycle: failed with status code: 77", 1, 77, "status 77");
    reason_is("ERROR: failed to build: failed to fetch builder image 'x': no such image", 1, 1,
              "pack failed: failed to build: failed to fetch builder image 'x'");
    reason_is("my code says: failed with status code: 20", 3, 3, "exit code 3");
    reason_is(NULL, -9, -9, "signal 9");
}

static void test_phase_error(void **state)
{
    struct pack_seen s = { .trusted = false };
    char text[1024];

    (void) state;
    (void) feed(&s, "[analyzer] ERROR: failed to initialize analyzer: no registry");
    (void) feed(&s, "ERROR: failed to build: executing lifecycle: failed with status code: 1");
    assert_int_equal(pack_reason(&s, 1, text, sizeof(text)), 1);
    assert_string_equal(text, "the lifecycle failed: failed to initialize analyzer: no registry");
}

static const char *const bases[] = {
    "pack", "build", "localhost:5000/t/shop", "--path", "/s/tree", "--publish", "--no-color", "--tag",
    "localhost:5000/t/shop:b7",
};

static struct conf conf_new(void)
{
    struct err err = ERR_INIT;
    struct conf c;

    assert_int_equal(conf_load(&c, NULL, &err), 0);
    assert_int_equal(conf_set(&c, "registry.host=localhost:5000/t", &err), 0);
    return c;
}

static bool has(const struct vec *v, const char *a, const char *b)
{
    for (size_t i = 0; i < v->n; i++) {
        if (strcmp(v->v[i], a) == 0
            && (b == NULL || (i + 1 < v->n && strcmp(v->v[i + 1], b) == 0)))
            return true;
    }
    return false;
}

static void test_arguments(void **state)
{
    struct pack_job job = {
        .image = "localhost:5000/t/shop", .tag = "b7", .path = "/s/tree", .report_dir = "/s/report",
        .cache_volume = "slipway-cache-1", .descriptor = "/s/project.toml", .lifecycle_image = "l:1",
    };
    struct conf c = conf_new();
    struct err err = ERR_INIT;
    struct vec v = VEC_INIT;

    (void) state;
    assert_int_equal(pack_argv(&c, &job, &v, &err), 0);
    for (size_t i = 0; i < countof(bases); i++)
        assert_string_equal(v.v[i], bases[i]);
    /* Not trusted by us, so not by pack's own list either. */
    assert_true(has(&v, "--builder", "docker.io/heroku/builder:24"));
    assert_false(has(&v, "--trust-builder", NULL));
    assert_true(has(&v, "--lifecycle-image", "l:1"));
    assert_true(has(&v, "--cache", "type=build;format=volume;name=slipway-cache-1"));
    assert_true(has(&v, "--descriptor", "/s/project.toml"));
    assert_false(has(&v, "--volume", NULL));
    assert_false(has(&v, "--clear-cache", NULL));
    assert_false(has(&v, "--env", NULL));
    vec_release(&v);

    assert_int_equal(conf_set(&c, "build.trusted_builders=a/b:1 heroku/builder:24", &err), 0);
    job.env_dir = "/s/env";
    job.clear_cache = true;
    assert_int_equal(pack_argv(&c, &job, &v, &err), 0);
    assert_true(has(&v, "--builder", "heroku/builder:24"));
    assert_true(has(&v, "--trust-builder", NULL));
    assert_false(has(&v, "--lifecycle-image", NULL));
    assert_true(has(&v, "--volume", "/s/env:/platform/env:ro"));
    assert_true(has(&v, "--clear-cache", NULL));
    vec_release(&v);

    assert_int_equal(conf_set(&c, "build.builder=gcr.io/buildpacks/builder:google-22", &err), 0);
    assert_int_equal(pack_argv(&c, &job, &v, &err), -1);
    vec_release(&v);
    conf_release(&c);
}

static void test_insecure(void **state)
{
    static const struct { const char *host; bool flag; } cases[] = {
        { "localhost:5000", false }, { "127.0.0.1:5000/x", false }, { "10.1.2.3:5000", false },
        { "192.168.7.1", false }, { "172.16.0.1:80", false }, { "172.32.0.1:80", true },
        { "registry.local:5000", false }, { "registry.example.com:5000/x", true }, { "11.0.0.1", true },
    };
    struct pack_job job = { .image = "i", .tag = "b1", .path = "p", .report_dir = "r", .cache_volume = "c" };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct conf c = conf_new();
        struct err err = ERR_INIT;
        struct vec v = VEC_INIT;

        free(c.registry);
        c.registry = xstrdup(cases[i].host);
        c.registry_insecure = true;
        assert_int_equal(pack_argv(&c, &job, &v, &err), 0);
        assert_int_equal(has(&v, "--insecure-registry", NULL), cases[i].flag);
        vec_release(&v);
        conf_release(&c);
    }
}

static void test_report(void **state)
{
    static const char good[] = "[build]\n[image]\n  tags = [\"a\"]\n  digest = \"sha256:" HEX "\"\n  manifest-size = 1\n";
    static const char other[] = "[x]\n  digest = \"sha256:" OTHER "\"\n[image]\n  tags = []\n";
    char digest[DIGEST_SIZE];

    (void) state;
    assert_true(pack_report_digest(good, sizeof(good) - 1, digest));
    assert_string_equal(digest, "sha256:" HEX);
    assert_false(pack_report_digest(other, sizeof(other) - 1, digest));
    for (size_t n = 0; n < sizeof(good) - 30; n++)
        assert_false(pack_report_digest(good, n, digest));
}

static void test_project(void **state)
{
    static const char *const good[] = {
        "", "[_]\nschema-version = \"0.2\"\n[io.buildpacks]\nexclude = [\"script\", \"*.md\"]\n",
        "[[build.buildpacks]]\nid = \"heroku/python\"\nversion=\"1\"\n",
        "[[build.buildpacks]]\nuri = \"docker://example.com/bp\"\n", "uri = './bp'\n",
        "# script = 1\ndescription = \"\"\"\nscript = 1\n\"\"\"\n", "exclude = [\n \"a\",\n \"script\"\n]\n",
    };
    static const char *const bad[] = {
        "[[build.buildpacks]]\nid='x'\nscript = { inline = 'x' }\n", "  Script.inline = 'x'\n",
        "[[build.buildpacks]]\n[build.buildpacks.script]\ninline='x'\n", "\"script\" = { }\n",
        "a = { id = 'x', script = { inline = 'y' } }\n", "\"\\u0073cript\" = {}\n", "[a.\"script\"]\n", "script\t= {}\n",
        "uri = \"file:///etc\"\n", "uri = \"/etc\"\n", "uri='../../x'\n", "'uri' = \"\"\"/etc\"\"\"\n",
        "uri = \"\\u002fetc\"\n", "a = {uri = '/x'}\n", "a = [{ id='x' }, { uri = '/x'}]\n", "a = 'x' # y\nscript = 1\n",
    };
    struct err err = ERR_INIT;

    (void) state;
    for (size_t i = 0; i < countof(good); i++) {
        if (project_check(good[i], strlen(good[i]), &err) != 0)
            fail_msg("%zu: %s", i, err.msg);
    }
    for (size_t i = 0; i < countof(bad); i++) {
        if (project_check(bad[i], strlen(bad[i]), &err) == 0)
            fail_msg("%zu passes: %s", i, bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_phase_error),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_insecure),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_project),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
