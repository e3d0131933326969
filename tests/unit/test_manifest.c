#include "config.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "deployer/kubernetes/manifest.h"
#include "deployer/kubernetes/shown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct conf conf;
    struct app app;
    struct release release;
    struct config_var vars[4];
    struct config_set config;
    struct manifest_input in;
};

static void fixture_make(struct fixture *f)
{
    struct err err = ERR_INIT;

    memset(f, 0, sizeof(*f));
    assert_int_equal(conf_load(&f->conf, NULL, &err), 0);
    f->app = (struct app) { .id = 3, .name = (char *) (uintptr_t) "shop", .handle = (char *) (uintptr_t) "shop" };
    f->release = (struct release) { .id = 41, .version = 7, .build_id = 57,
                                    .commit = (char *) (uintptr_t) "3f2c1ab" };
    assert_int_equal(processes_parse("[{\"type\":\"web\",\"command\":[\"/cnb/process/web\"],\"args\":[],\"default\":true},"
                                     "{\"type\":\"worker\",\"command\":[\"/entry\",\"-x\"],\"args\":[\"$(HOME) $\"],\"default\":false},"
                                     "{\"type\":\"release\",\"command\":[\"/cnb/process/release\"],\"args\":[],\"default\":false}]",
                                     &f->release.processes, &err), 0);
    formation_set(&f->release.formation, "web", 2);
    formation_set(&f->release.formation, "worker", 8);
    f->vars[0] = (struct config_var) { .name = (char *) (uintptr_t) "GREETING", .run = true,
                                       .value = (char *) (uintptr_t) "a=\"b\"\n$c /\\ \xc3\xbc",
                                       .value_len = 14 };
    f->vars[1] = (struct config_var) { .name = (char *) (uintptr_t) "BUILD_ONLY", .build = true };
    f->vars[2] = (struct config_var) { .name = (char *) (uintptr_t) "EMPTY", .run = true,
                                       .value = (char *) (uintptr_t) "" };
    f->config = (struct config_set) { f->vars, 3 };
    f->in = (struct manifest_input) {
        .conf = &f->conf, .app = &f->app, .release = &f->release, .config = &f->config,
        .image = "registry.example.com/shop@sha256:7f1956ab", .secret = "config-0011223344556677",
    };
}

static void fixture_release(struct fixture *f)
{
    processes_release(&f->release.processes);
    formation_release(&f->release.formation);
    conf_release(&f->conf);
}

/* Compares with tests/unit/data/NAME.json; GOLDEN_WRITE=1 in the environment writes it instead. */
static void assert_golden(const char *name, const json_t *doc)
{
    const char *top = getenv("top_srcdir");
    cleanup_free char *path = xasprintf("%s/tests/unit/data/%s.json", top != NULL ? top : ".", name);
    char *text = json_dumps(doc, JSON_INDENT(2));
    cleanup_buf struct buf b;
    struct err err = ERR_INIT;

    if (getenv("GOLDEN_WRITE") != NULL) {
        cleanup_free char *line = xasprintf("%s\n", text);

        assert_int_equal(path_write(path, line, strlen(line), 0644, &err), 0);
    }
    buf_init(&b, 1 << 20);
    if (path_read(path, &b, &err) < 0)
        fail_msg("%s", err.msg);
    buf_truncate(&b, buf_len(&b) - 1);
    assert_string_equal(text, buf_str(&b));
    free(text);
}

static json_t *all(const struct manifest *m)
{
    json_t *a = json_array();

    json_array_append(a, m->namespace_);
    json_array_extend(a, m->base);
    json_array_extend(a, m->workload);
    return a;
}

static void test_golden(void **state)
{
    struct fixture f;
    struct manifest m;
    struct err err = ERR_INIT;
    json_t *doc;

    (void) state;
    fixture_make(&f);
    assert_int_equal(manifest_render(&f.in, &m, &err), 0);
    doc = all(&m);
    assert_golden("manifest_nodeport", doc);
    json_decref(doc);
    doc = manifest_public(&m);
    assert_golden("manifest_public", doc);
    json_decref(doc);
    manifest_release(&m);
    doc = manifest_job(&f.in, NULL, 600);
    assert_golden("manifest_job", doc);
    json_decref(doc);
    fixture_release(&f);
}

static void set(char **setting, const char *value)
{
    free(*setting);
    *setting = xstrdup(value);
}

static void test_ingress(void **state)
{
    struct certificate own = { .chain = (char *) (uintptr_t) "chain", .key = (char *) (uintptr_t) "key" };
    struct fixture f;
    struct manifest m;
    struct err err = ERR_INIT;
    json_t *doc;

    (void) state;
    fixture_make(&f);
    set(&f.conf.expose, "ingress");
    assert_int_equal(manifest_render(&f.in, &m, &err), -1);
    assert_non_null(strstr(err.msg, "domain"));
    set(&f.conf.domain, "apps.example.com");
    set(&f.conf.ingress_class, "nginx");
    f.conf.tls = true;
    f.in.secret = NULL;
    f.in.pull_config = "{\"auths\":{}}";
    assert_int_equal(manifest_render(&f.in, &m, &err), 0);
    doc = all(&m);
    assert_golden("manifest_ingress", doc);
    json_decref(doc);
    manifest_release(&m);
    vec_addl(&f.app.domains, "example.com", "www.example.com", NULL);
    vec_add(&own.names, "*.example.com");
    f.in.certificate = &own;
    assert_int_equal(manifest_render(&f.in, &m, &err), 0);
    doc = all(&m);
    assert_golden("manifest_certificate", doc);
    vec_release(&own.names);
    vec_release(&f.app.domains);
    json_decref(doc);
    manifest_release(&m);
    fixture_release(&f);
}

/* A release that changes neither image nor config has the same pod template; one that does, not. */
static void test_template(void **state)
{
    struct fixture f;
    struct manifest a, b;
    struct err err = ERR_INIT;
    json_t *x, *y;

    (void) state;
    fixture_make(&f);
    assert_int_equal(manifest_render(&f.in, &a, &err), 0);
    f.release.version = 8;
    f.release.id = 42;
    f.release.commit = NULL;
    formation_set(&f.release.formation, "web", 3);
    assert_int_equal(manifest_render(&f.in, &b, &err), 0);
    x = json_at(json_array_get(a.workload, 0), "spec.template");
    y = json_at(json_array_get(b.workload, 0), "spec.template");
    assert_true(json_equal(x, y));
    manifest_release(&b);
    f.in.secret = "config-ffffffffffffffff";
    assert_int_equal(manifest_render(&f.in, &b, &err), 0);
    y = json_at(json_array_get(b.workload, 0), "spec.template");
    assert_string_not_equal(
        json_string_value(json_object_get(json_at(x, "metadata.annotations"), ANNOTATION_TEMPLATE)),
        json_string_value(json_object_get(json_at(y, "metadata.annotations"), ANNOTATION_TEMPLATE)));
    manifest_release(&a);
    manifest_release(&b);
    fixture_release(&f);
}

static void test_values(void **state)
{
    struct fixture f;
    struct manifest m;
    struct err err = ERR_INIT;

    (void) state;
    fixture_make(&f);
    f.vars[0].value = (char *) (uintptr_t) "a\xff";
    f.vars[0].value_len = 2;
    assert_int_equal(manifest_render(&f.in, &m, &err), -1);
    assert_non_null(strstr(err.msg, "GREETING"));
    f.vars[0].value = (char *) (uintptr_t) "a\0b";
    f.vars[0].value_len = 3;
    assert_int_equal(manifest_render(&f.in, &m, &err), -1);
    fixture_release(&f);
}

static void test_config_bytes(void **state)
{
    struct fixture f;
    struct buf a, b;

    (void) state;
    fixture_make(&f);
    buf_init(&a, 1000);
    buf_init(&b, 1000);
    assert_true(manifest_config_bytes(&f.config, &a));
    f.vars[3] = (struct config_var) { .name = (char *) (uintptr_t) "PORT", .run = true,
                                      .value = (char *) (uintptr_t) "1", .value_len = 1 };
    f.config.n = 4; /* PORT is never taken from the config */
    assert_true(manifest_config_bytes(&f.config, &b));
    assert_string_equal(buf_str(&a), buf_str(&b));
    buf_clear(&b);
    f.vars[2].run = false;
    assert_true(manifest_config_bytes(&f.config, &b));
    assert_string_not_equal(buf_str(&a), buf_str(&b));
    f.config.n = 0;
    assert_false(manifest_config_bytes(&f.config, &b));
    buf_release(&a);
    buf_release(&b);
    fixture_release(&f);
}

static const json_t *container_of(const struct manifest *m, size_t at)
{
    return json_array_get(json_at(json_array_get(m->workload, at), "spec.template.spec.containers"), 0);
}

/* Healthchecks replace web's own probes, and give others some. */
static void test_checks(void **state)
{
    static const char kept[] = "{\"healthchecks\": {\"web\": [{\"path\": \"/up\", \"type\": \"readiness\", \"wait\": 2}],"
        "\"worker\": [{\"command\": [\"test\", \"$X\"], \"attempts\": 9}, {\"type\": \"liveness\", \"listening\": true, "
        "\"port\": 99}]}}";
    struct err err = ERR_INIT;
    struct app_json a;
    struct fixture f;
    struct manifest m;

    (void) state;
    fixture_make(&f);
    assert_int_equal(app_json_parse(kept, sizeof(kept) - 1, &a, &err), 0);
    f.in.app_json = &a;
    assert_int_equal(manifest_render(&f.in, &m, &err), 0);
    assert_string_equal(json_str(container_of(&m, 0), "readinessProbe.httpGet.path", ""), "/up");
    assert_string_equal(json_str(container_of(&m, 0), "readinessProbe.httpGet.port", ""), "http");
    assert_int_equal(json_int(container_of(&m, 0), "readinessProbe.periodSeconds", 0), 2);
    assert_null(json_at(container_of(&m, 0), "readinessProbe.tcpSocket"));
    assert_non_null(json_at(container_of(&m, 0), "livenessProbe.tcpSocket"));
    assert_int_equal(json_int(container_of(&m, 1), "startupProbe.failureThreshold", 0), 9);
    assert_string_equal(json_string_value(json_array_get(json_at(container_of(&m, 1), "startupProbe.exec.command"), 1)),
                        "$X");
    assert_int_equal(json_int(container_of(&m, 1), "livenessProbe.tcpSocket.port", 0), 99);
    assert_int_equal(manifest_boot_limit(&f.release), BOOT_LIMIT_S);
    f.release.app_json = (char *) (uintptr_t) "{\"healthchecks\": {\"web\": [{\"path\": \"/up\"}]}}";
    assert_int_equal(manifest_boot_limit(&f.release), 0);
    manifest_release(&m);
    app_json_release(&a);
    fixture_release(&f);
}

/* A scheduled task is a CronJob around the same pod as a one-off command's. */
static void test_cron(void **state)
{
    static const char kept[] = "{\"cron\": [{\"command\": \"echo $X\", \"schedule\": \"*/30 * * * sun\"}]}";
    cleanup_vec struct vec suspended = VEC_INIT;
    struct err err = ERR_INIT;
    struct app_json a;
    struct fixture f;
    struct manifest m;
    json_t *o, *pod;

    (void) state;
    fixture_make(&f);
    assert_int_equal(app_json_parse(kept, sizeof(kept) - 1, &a, &err), 0);
    f.in.app_json = &a;
    vec_add(&suspended, "00000000");
    f.in.suspended = &suspended;
    assert_int_equal(manifest_render(&f.in, &m, &err), 0);
    o = json_array_get(m.workload, 2);
    assert_string_equal(json_str(o, "kind", ""), "CronJob");
    assert_string_equal(json_str(o, "metadata.name", "") + 5, a.cron[0].id);
    assert_string_equal(json_str(o, "spec.schedule", ""), "0,30 * * * 0");
    assert_string_equal(json_str(o, "spec.concurrencyPolicy", ""), "Forbid");
    assert_int_equal(json_bool(o, "spec.suspend", -1), 0);
    pod = json_at(o, "spec.jobTemplate.spec.template.spec");
    assert_int_equal(json_bool(pod, "securityContext.runAsNonRoot", 0), 1);
    assert_string_equal(json_str(json_array_get(json_object_get(pod, "containers"), 0), "image", ""), f.in.image);
    assert_int_equal(json_int(o, "spec.jobTemplate.spec.backoffLimit", -1), 0);
    manifest_release(&m);
    vec_add(&suspended, a.cron[0].id);
    assert_int_equal(manifest_render(&f.in, &m, &err), 0);
    assert_int_equal(json_bool(json_array_get(m.workload, 2), "spec.suspend", -1), 1);
    manifest_release(&m);
    app_json_release(&a);
    fixture_release(&f);
}

/* What a plan compares. */
static void test_shown(void **state)
{
    json_auto_t *live = json_loads("{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\","
        "\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"7\",\"generation\":2,\"managedFields\":[{}],"
        "\"annotations\":{\"slipway/release\":\"7\",\"deployment.kubernetes.io/revision\":\"3\"},\"labels\":{\"a\":\"b\"}},"
        "\"spec\":{\"replicas\":3,\"template\":{\"metadata\":{\"annotations\":{\"slipway/template\":\"x\",\"mine\":\"1\"}}}},"
        "\"status\":{\"replicas\":3}}", 0, NULL);
    json_auto_t *shown = object_shown(live);
    cleanup_free char *text = json_text(shown);

    (void) state;
    assert_string_equal(text, "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"replicas\":3,\"template\":{\"metadata\":"
                              "{\"annotations\":{\"mine\":\"1\"}}}}}");
    assert_non_null(json_at(live, "metadata.uid")); /* it was a copy */
}

static void test_hide_values(void **state)
{
    json_auto_t *a = json_loads("{\"data\":{\"SAME\":\"c2VjcmV0\",\"OTHER\":\"c2VjcmV0\",\"GONE\":\"c2VjcmV0\"}}", 0, NULL);
    json_auto_t *b = json_loads("{\"data\":{\"SAME\":\"c2VjcmV0\",\"OTHER\":\"Z2VoZWlt\",\"NEW\":\"Z2VoZWlt\"}}", 0, NULL);
    cleanup_free char *before = NULL, *after = NULL;

    (void) state;
    object_hide_values(a, b);
    before = json_text(a);
    after = json_text(b);
    assert_string_equal(before, "{\"data\":{\"SAME\":\"(hidden)\",\"OTHER\":\"(hidden)\",\"GONE\":\"(hidden)\"}}");
    assert_string_equal(after, "{\"data\":{\"SAME\":\"(hidden)\",\"OTHER\":\"(another value)\",\"NEW\":\"(hidden)\"}}");
    object_hide_values(NULL, b);
    object_hide_values(a, NULL);
    free(steal_ptr(after));
    after = json_text(b);
    assert_null(strstr(after, "Z2Vo"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_ingress),
        cmocka_unit_test(test_template),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_config_bytes), cmocka_unit_test(test_checks), cmocka_unit_test(test_cron),
        cmocka_unit_test(test_shown), cmocka_unit_test(test_hide_values),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
