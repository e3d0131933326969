#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "deployer/docker/certificates.h"
#include "deployer/docker/container.h"
#include "deployer/docker/quantity.h"
#include "deployer/docker/requests.h"
#include "deployer/docker/router.h"
#include "deployer/docker/shown.h"

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
    struct config_var vars[3];
    struct config_set config;
    struct container_input in;
};

static int fixture_make(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct err err = ERR_INIT;

    assert_int_equal(conf_load(&f->conf, NULL, &err), 0);
    f->app = (struct app) { .id = 3, .name = (char *) (uintptr_t) "shop", .handle = (char *) (uintptr_t) "shop" };
    f->release = (struct release) { .id = 41, .version = 7 };
    f->vars[0] = (struct config_var) { .name = (char *) (uintptr_t) "GREETING", .run = true,
                                       .value = (char *) (uintptr_t) "a=\"b\"\n$c \xc3\xbc", .value_len = 11 };
    f->vars[1] = (struct config_var) { .name = (char *) (uintptr_t) "BUILD_ONLY", .build = true };
    f->vars[2] = (struct config_var) { .name = (char *) (uintptr_t) "PORT", .run = true,
                                       .value = (char *) (uintptr_t) "1", .value_len = 1 };
    f->config = (struct config_set) { f->vars, 3 };
    f->in = (struct container_input) {
        .conf = &f->conf, .app = &f->app, .release = &f->release, .config = &f->config, .init = true,
        .image = "registry.example.com/shop@sha256:7f1956ab", .network = "slipway-shop",
    };
    assert_int_equal(container_limits_read(&f->conf, 4, &f->in.limits, &err), 0);
    *state = f;
    return 0;
}

static int fixture_free(void **state)
{
    struct fixture *f = *state;

    conf_release(&f->conf);
    free(f);
    return 0;
}

/* Compares with tests/unit/data/NAME.json; GOLDEN_WRITE=1 in the environment writes it instead. */
static void assert_golden(const char *name, const json_t *doc)
{
    const char *top = getenv("top_srcdir");
    cleanup_free char *path = xasprintf("%s/tests/unit/data/%s.json", top != NULL ? top : ".", name);
    cleanup_free char *text = json_dumps(doc, JSON_INDENT(2)), *line = xasprintf("%s\n", text);
    cleanup_buf struct buf b;
    struct err err = ERR_INIT;

    if (getenv("GOLDEN_WRITE") != NULL)
        assert_int_equal(path_write(path, line, strlen(line), 0644, &err), 0);
    buf_init(&b, 1 << 20);
    if (path_read(path, &b, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(line, buf_str(&b));
}

static void test_golden(void **state)
{
    struct fixture *f = *state;
    json_auto_t *web = NULL, *release = NULL, *shown = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(container_render(&f->in, "web", &web, &err), 0);
    container_place(web, &f->in, "web", 2, 3, "0011223344556677", "10.213.5.96");
    assert_golden("docker_web", web);
    f->conf.read_only = true;
    f->in.limits = (struct container_limits) { 0, 0 };
    assert_int_equal(container_render(&f->in, "release", &release, &err), 0);
    container_place(release, &f->in, "release", 1, -1, "0011223344556677", NULL);
    assert_golden("docker_release", release);
    shown = container_public(web);
    assert_string_equal(json_string_value(json_array_get(json_object_get(shown, "Env"), 1)), "GREETING=");
    assert_string_equal(json_string_value(json_array_get(json_object_get(web, "Env"), 1)),
                        "GREETING=a=\"b\"\n$c \xc3\xbc");
}

/* The same input makes the same template, and another value, image or limit another. */
static void test_template(void **state)
{
    struct fixture *f = *state;
    char first[TEMPLATE_SIZE], again[TEMPLATE_SIZE];
    struct err err = ERR_INIT;

    for (int i = 0; i < 5; i++) {
        json_auto_t *body = NULL;

        f->in.release = &f->release;
        f->release.version = 7 + i;             /* not a part of it */
        if (i == 2)
            f->vars[0].value = (char *) (uintptr_t) "a=\"b\"\n$d \xc3\xbc";
        if (i == 3)
            f->in.image = "registry.example.com/shop@sha256:00";
        if (i == 4)
            f->conf.pids_limit++;
        assert_int_equal(container_render(&f->in, "web", &body, &err), 0);
        container_template(body, again);
        if (i >= 2)
            assert_string_not_equal(first, again);
        if (i == 1)
            assert_string_equal(first, again);
        memcpy(first, again, sizeof(first));
    }
}

static void test_value(void **state)
{
    struct fixture *f = *state;
    json_auto_t *body = NULL;
    struct err err = ERR_INIT;

    f->vars[0].value = (char *) (uintptr_t) "\xff";
    f->vars[0].value_len = 1;
    assert_int_equal(container_render(&f->in, "web", &body, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.msg, "GREETING"));
    f->vars[0].value = (char *) (uintptr_t) "a\0b";
    f->vars[0].value_len = 3;
    assert_int_equal(container_render(&f->in, "web", &body, &err), -1);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    char *name = container_name(&f->conf, "shop", "web", 2, 7, 0x1a3f1);
    char *later = container_renamed(name, 12), *old = container_retired(later);

    assert_string_equal(name, "slipway-shop.web.2.v7.a3f1");
    assert_string_equal(later, "slipway-shop.web.2.v12.a3f1");
    assert_string_equal(old, "slipway-shop.web.2.v12.a3f1.old");
    assert_null(container_renamed("somebody", 1));
    assert_null(container_renamed("x.v.y", 1));
    free(name);
    free(later);
    free(old);
}

static json_t *listed(const char *name, const char *app, const char *state)
{
    return json_pack("{s:s, s:[s], s:s, s:s, s:i, s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:{s:s}, s:{s:{s:{s:s}}}}", "Id",
                     "0123456789abcdef", "Names", name, "Image", "r/shop@sha256:00", "State", state, "Created", 100,
                     "Labels", LABEL_STATE, "/s", LABEL_APP, app, LABEL_PROCESS, "web", LABEL_NUMBER, "2", LABEL_SET,
                     "3", LABEL_TEMPLATE, "t", "HostConfig", "NetworkMode", "n", "NetworkSettings", "Networks", "n",
                     "IPAddress", "10.0.0.9");
}

static void test_read(void **state)
{
    json_auto_t *doc = listed("/p-shop.web.2.v7.a3f1", "shop", "restarting");
    json_auto_t *old = listed("/p-shop.web.2.v7.a3f1.old", "shop", "paused");
    json_auto_t *foreign = listed("/p-shop.web.2.v7.a3f1", "Not A Name", "running"), *empty = json_object();
    struct container c;

    (void) state;
    assert_true(container_read(doc, "/s", &c));
    assert_string_equal(c.name, "p-shop.web.2.v7.a3f1");
    assert_string_equal(c.address, "10.0.0.9");
    assert_int_equal(c.number, 2);
    assert_int_equal(c.set, 3);
    assert_int_equal(c.version, 7);
    assert_int_equal(c.state, CONTAINER_RESTARTING);
    assert_false(c.retired);
    container_release(&c);
    assert_true(container_read(old, "/s", &c));
    assert_true(c.retired);
    assert_int_equal(c.state, CONTAINER_RUNNING);
    container_release(&c);
    assert_false(container_read(doc, "/another", &c));
    assert_false(container_read(foreign, "/s", &c));
    assert_false(container_read(empty, "/s", &c));
}

static void test_quantity(void **state)
{
    static const struct { const char *text; int64_t bytes, nano; } cases[] = {
        { "", 0, 0 }, { "1", 1, 1000000000 }, { "512Mi", 512 << 20, -1 }, { "1.5Gi", 1610612736, -1 },
        { "500m", -1, 500000000 }, { "0.25", 0, 250000000 }, { "2k", 2000, -1 }, { "x", -1, -1 }, { "-1", -1, -1 },
        { "1.", -1, -1 }, { "99999999999999999999", -1, -1 }, { "9223372036854775807Ti", -1, -1 }, { "1 Mi", -1, -1 },
        { "0.1234567891234Gi", 132560717, -1 },
    };
    int64_t n;

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        assert_int_equal(quantity_bytes(cases[i].text, &n, NULL), cases[i].bytes < 0 ? -1 : 0);
        if (cases[i].bytes >= 0)
            assert_int_equal(n, cases[i].bytes);
        assert_int_equal(quantity_nano_cpus(cases[i].text, &n, NULL), cases[i].nano < 0 ? -1 : 0);
        if (cases[i].nano >= 0)
            assert_int_equal(n, cases[i].nano);
    }
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    struct container_limits l;
    struct err err = ERR_INIT;

    assert_int_equal(container_limits_read(&f->conf, 1, &l, &err), 0);
    assert_int_equal(l.memory, 512 << 20);
    assert_int_equal(l.nano_cpus, 0); /* no less than the machine has */
    free(f->conf.cpu_limit);
    f->conf.cpu_limit = xstrdup("much");
    assert_int_equal(container_limits_read(&f->conf, 1, &l, &err), -1);
    assert_non_null(strstr(err.msg, "cpu_limit"));
}

static void test_subnet(void **state)
{
    static const char *const bad[] = { "", "10.0.0.0", "10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8",
                                       "10.0.0.0/8x", "fd00::/64" };
    struct subnet range, used[3], s;
    char *text;

    (void) state;
    for (size_t i = 0; i < countof(bad); i++)
        assert_int_equal(subnet_parse(bad[i], &range, NULL), -1);
    assert_int_equal(subnet_parse("10.213.0.0/22", &range, NULL), 0);
    assert_int_equal(subnet_parse("10.213.0.0/24", &used[0], NULL), 0);
    assert_int_equal(subnet_parse("10.213.1.128/25", &used[1], NULL), 0);
    assert_true(subnet_pick(&range, used, 0, &s));
    assert_int_equal(s.base, range.base);
    assert_true(subnet_pick(&range, used, 2, &s));
    text = subnet_text(&s);
    assert_string_equal(text, "10.213.2.0/24");
    free(text);
    text = subnet_web_address(&s, SETS - 1, SET_SIZE);
    assert_string_equal(text, "10.213.2.125");
    free(text);
    s = subnet_dynamic(&s);
    text = subnet_text(&s);
    assert_string_equal(text, "10.213.2.128/25");
    free(text);
    s = subnet_of(0x0ad50201, 0xffffff80); /* 10.213.2.1/25 */
    assert_int_equal(s.base, 0x0ad50200);
    assert_int_equal(s.bits, 25);
    assert_int_equal(subnet_parse("10.0.0.0/8", &used[2], NULL), 0);
    assert_false(subnet_pick(&range, used, 3, &s));
}

static void request_is(const char *line, const struct vec *hosts, const char *expected)
{
    cleanup_free char *text = requests_line(line, strlen(line), hosts);

    if (expected == NULL)
        assert_null(text);
    else
        assert_string_equal(text, expected);
}

/* A line of Caddy's log of requests. */
static void test_request(void **state)
{
    cleanup_vec struct vec hosts = VEC_INIT;

    (void) state;
    vec_addl(&hosts, "shop.localhost", "example.com", NULL);
    request_is("{\"ts\":1795857450.483264,\"request\":{\"remote_ip\":\"127.0.0.1\",\"method\":\"GET\","
               "\"host\":\"Shop.localhost:8080\",\"uri\":\"/a \\\"b\\n\"},\"duration\":0.0126,\"size\":6,"
               "\"status\":200}", &hosts,
               "2026-11-28T09:17:30Z at=info method=GET path=\"/a \\\"b\\n\" host=Shop.localhost fwd=\"127.0.0.1\" "
               "service=13ms status=200 bytes=6 protocol=http");
    request_is("{\"ts\":1,\"request\":{\"host\":\"example.com\",\"tls\":{}}}", &hosts,
               "1970-01-01T00:00:01Z at=info method=- path=\"\" host=example.com fwd=\"\" service=0ms status=0 bytes=0 "
               "protocol=https");
    request_is("{\"ts\":1,\"request\":{\"host\":\"shop.localhost.example.com\"}}", &hosts, NULL);
    request_is("{\"ts\":1,\"request\":{\"host\":\"\"}}", &hosts, NULL);
    request_is("{\"ts\":1,\"request\":[]}", &hosts, NULL);
    request_is("{\"ts\":1,\"request\":{\"host\":\"exam", &hosts, NULL); /* the last of a full disk */
}

static void failure_is(const char *log, const char *host, const char *why, int64_t at)
{
    cleanup_free char *got = NULL;
    int64_t got_at = 0;

    if (why == NULL) {
        assert_false(issuance_failure(log, strlen(log), host, &got_at, &got));
        return;
    }
    assert_true(issuance_failure(log, strlen(log), host, &got_at, &got));
    assert_string_equal(got, why);
    assert_int_equal(got_at, at);
}

/* Why a certificate doesn't come, out of lines as Caddy 2.6 writes them. */
static void test_issuance(void **state)
{
#define CHALLENGE(ts, host, kind, error) "{\"level\":\"error\",\"ts\":" ts ",\"logger\":\"http.acme_client\",\"msg\":\"challenge " \
    "failed\",\"identifier\":\"" host "\",\"challenge_type\":\"" kind "\",\"status_code\":403,\"error\":\"" error "\"}\n"
#define END(ts, host, error) "{\"level\":\"error\",\"ts\":" ts ",\"logger\":\"tls.obtain\",\"msg\":\"could not get certificate " \
    "from issuer\",\"identifier\":\"" host "\",\"issuer\":\"x\",\"error\":\"" error "\"}\n"
    static const char log[] =
        CHALLENGE("1795869060.161", "a.example.com", "tls-alpn-01", "no way")
        "{\"level\":\"error\",\"ts\":1,\"msg\":\"validating authorization\",\"identifier\":\"a.example.com\",\"error\":\"x\"}\n"
        CHALLENGE("1795869061.5", "a.example.com", "http-01", "refused\\u001b[2J")
        CHALLENGE("1795869061.6", "b.example.com", "http-01", "other")
        END("1795869062", "a.example.com", "no solvers available")
        "{\"level\":\"error\",\"ts\":3,\"msg\":\"will retry\",\"error\":\"no solvers available\"}\n"
        "{\"level\":\"error\",\"ts\":3,\"msg\":\"unable to unlock\",\"identifier\":\"c.example.com\",\"error\":\"x\"}\n"
        "no JSON\n[]\n\n"
        END("1795869070", "a.example.com", "[a.example.com] context canceled (ca=x)");
    static const char later[] =
        CHALLENGE("1", "a.example.com", "http-01", "refused") END("2", "a.example.com", "no solvers available")
        END("9", "a.example.com", "HTTP 429 rateLimited");
    static const char forgotten[] = END("1795884773.869", "a.example.com", "HTTP 400 urn:ietf:params:acme:error:accountDoesNotExist"
                                        " - Account https://localhost/my-account/6b not found.");
    cleanup_vec struct vec hosts = VEC_INIT;
    cleanup_free char *cut = xstrndup(log, sizeof(log) - 40);

    (void) state;
    failure_is(log, "a.example.com", "http-01: refused", 1795869062000);
    failure_is(cut, "a.example.com", "http-01: refused", 1795869062000);
    failure_is(log, "b.example.com", "http-01: other", 1795869061600);
    failure_is(log, "c.example.com", NULL, 0);
    failure_is("", "a.example.com", NULL, 0);
    failure_is(later, "a.example.com", "HTTP 429 rateLimited", 9000);
    failure_is(forgotten, "a.example.com", "the ACME server does not know Caddy's account any more; remove the folder "
               "run/docker/caddy/acme in the server's state folder, and Caddy makes another account when it tries again",
               1795884773869);
    issuance_failed_hosts(log, strlen(log), &hosts);
    assert_int_equal(hosts.n, 2);
    assert_string_equal(hosts.v[1], "b.example.com");
#undef CHALLENGE
#undef END
}

static void test_router(void **state)
{
    struct fixture *f = *state;
    struct route routes[] = { { .app = (char *) (uintptr_t) "blog", .name = (char *) (uintptr_t) "blog" },
                              { .app = (char *) (uintptr_t) "shop", .name = (char *) (uintptr_t) "shop",
                                .counts = { 1, 1, 2, 0 } } }, again;
    json_auto_t *doc = NULL, *one = NULL;
    struct err err = ERR_INIT;
    struct app names = { .name = (char *) (uintptr_t) "shop" };
    char *url;

    vec_addl(&routes[1].domains, "example.com", "www.example.com", NULL);
    names.domains = routes[1].domains;
    routes[1].certificate = names.certificate = (char *) (uintptr_t) "0123abcd";
    assert_int_equal(subnet_parse("10.213.0.0/24", &routes[0].subnet, &err), 0);
    assert_int_equal(subnet_parse("10.213.1.0/24", &routes[1].subnet, &err), 0);
    doc = router_render(&f->conf, routes, 2);
    assert_golden("docker_router", doc);
    one = route_json(&routes[1]);
    assert_int_equal(route_read(one, &again, &err), 0);
    assert_memory_equal(again.counts, routes[1].counts, sizeof(again.counts));
    assert_int_equal(again.subnet.base, routes[1].subnet.base);
    assert_true(route_names_are(&again, &names));
    route_release(&again);
    json_object_set_new(one, "certificate", json_string("../x"));
    assert_int_equal(route_read(one, &again, &err), -1);
    json_object_del(one, "certificate");
    names.certificate = NULL;
    json_object_set_new(one, "domains", json_pack("[s]", "not a domain"));
    assert_int_equal(route_read(one, &again, &err), -1);
    json_object_del(one, "domains");
    assert_int_equal(route_read(one, &again, &err), 0);
    assert_false(route_names_are(&again, &names));
    vec_release(&routes[1].domains);
    names.domains = routes[1].domains;
    assert_true(route_names_are(&again, &names));
    route_release(&again);
    /* An app that was renamed; a file from before there was such a thing. */
    json_object_set_new(one, "name", json_string("store"));
    assert_int_equal(route_read(one, &again, &err), 0);
    assert_string_equal(again.app, "shop");
    assert_string_equal(again.name, "store");
    route_release(&again);
    json_object_del(one, "name");
    assert_int_equal(route_read(one, &again, &err), 0);
    assert_string_equal(again.name, "shop");
    route_release(&again);
    json_object_set_new(one, "name", json_string("a.b"));
    assert_int_equal(route_read(one, &again, &err), -1);
    json_object_del(one, "name");
    json_object_set_new(one, "app", json_string("../x"));
    assert_int_equal(route_read(one, &again, &err), -1);
    url = router_url(&f->conf, "shop");
    assert_string_equal(url, "http://shop.localhost:8080");
    free(url);
    f->conf.router_tls = true;
    f->conf.https_port = 443;
    json_decref(doc);
    doc = router_render(&f->conf, &routes[1], 1);
    assert_golden("docker_router_tls", doc);
    url = router_url(&f->conf, "shop");
    assert_string_equal(url, "https://shop.localhost");
    free(url);
}

static void text_set(char **at, const char *text)
{
    free(*at);
    *at = xstrdup(text);
}

static void acme_is(struct fixture *f, const struct route *r, const char *want)
{
    json_auto_t *doc = router_render(&f->conf, r, 1);
    const json_t *automation = json_at(doc, "apps.tls.automation");
    cleanup_free char *text = automation != NULL ? json_text(automation) : xstrdup("none");

    assert_string_equal(text, want);
}

/* What an ACME server is asked for: also private names, but none below localhost. */
static void test_acme(void **state)
{
    struct fixture *f = *state;
    struct route r = { .app = (char *) (uintptr_t) "shop", .name = (char *) (uintptr_t) "shop" };
    struct err err = ERR_INIT;

    assert_int_equal(subnet_parse("10.213.1.0/24", &r.subnet, &err), 0);
    vec_addl(&r.domains, "example.com", "shop.internal", "x.localhost", NULL);
    f->conf.router_tls = true;
    acme_is(f, &r, "none"); /* Caddy's own choice */
    text_set(&f->conf.acme_email, "dev@example.com");
    acme_is(f, &r, "{\"policies\":[{\"subjects\":[\"example.com\",\"shop.internal\"],\"issuers\":[{\"module\":\"acme\","
            "\"email\":\"dev@example.com\"}]}]}");
    text_set(&f->conf.acme_email, "");
    text_set(&f->conf.acme_directory, "https://ca.internal/acme/dir");
    text_set(&f->conf.acme_ca, "/etc/slipway/acme.pem");
    text_set(&f->conf.router_domain, "apps.internal");
    acme_is(f, &r, "{\"policies\":[{\"subjects\":[\"shop.apps.internal\",\"example.com\",\"shop.internal\"],\"issuers\":[{"
            "\"module\":\"acme\",\"ca\":\"https://ca.internal/acme/dir\",\"trusted_roots_pem_files\":["
            "\"/etc/slipway/acme.pem\"]}]}]}");
    vec_release(&r.domains);
    r.domains = (struct vec) VEC_INIT;
    text_set(&f->conf.router_domain, "localhost");
    acme_is(f, &r, "none");
}

/* Requests go to the old set or to the new one: after each single change of a file one of both is found. */
static void test_switch(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/slipway-test-docker-XXXXXX";
    cleanup_free char *run = NULL, *docker = NULL, *sets = NULL;
    struct err err = ERR_INIT;
    static const int to[] = { 1, 3, 2, 0, 3, 0, 2, 1, 1 };

    assert_non_null(mkdtemp(folder));
    free(f->conf.state);
    f->conf.state = xstrdup(folder);
    run = conf_state_path(&f->conf, "run");
    docker = conf_state_path(&f->conf, "run/docker");
    sets = conf_state_path(&f->conf, "run/docker/sets");
    assert_int_equal(path_mkdir(run, 0755, &err), 0);
    assert_int_equal(path_mkdir(docker, 0755, &err), 0);
    assert_int_equal(path_mkdir(sets, 0755, &err), 0);
    assert_int_equal(router_live_set(&f->conf, "shop"), 0);
    for (size_t i = 0; i < countof(to); i++) {
        assert_int_equal(router_switch(&f->conf, "shop", to[i], &err), 0);
        assert_int_equal(router_live_set(&f->conf, "shop"), to[i]);
        assert_int_equal(router_live_set(&f->conf, "blog"), 0);
    }
    assert_int_equal(path_remove_all(folder, &err), 0);
}

static void test_status(void **state)
{
    json_auto_t *doc = json_pack("{s:{s:s, s:b, s:i, s:s, s:s}, s:i}", "State", "Status", "restarting", "OOMKilled", 1,
                                 "ExitCode", 137, "StartedAt", "2026-01-02T03:04:05.6Z", "Error", "", "RestartCount", 4);
    json_auto_t *empty = json_object();
    struct container_status s;
    char *text;

    (void) state;
    container_status_read(doc, &s);
    assert_int_equal(s.state, CONTAINER_RESTARTING);
    assert_true(s.oom);
    assert_int_equal(s.restarts, 4);
    assert_int_equal(s.started_at, 1767323045600);
    assert_null(s.error);
    text = container_exit_text(s.exit_code);
    assert_string_equal(text, "SIGKILL");
    free(text);
    container_status_release(&s);
    container_status_read(empty, &s);
    assert_int_equal(s.state, CONTAINER_GONE);
    container_status_release(&s);
}

/* What a plan compares: our document and the engine's answer of a container that was made from it are the same. */
static void test_shown(void **state)
{
    struct fixture *f = *state;
    json_auto_t *body = NULL, *inspected = NULL, *wanted = NULL, *live = NULL, *changed = NULL;
    cleanup_free char *text = NULL;
    struct err err = ERR_INIT;
    const char *name;
    json_t *v;

    assert_int_equal(container_render(&f->in, "web", &body, &err), 0);
    inspected = json_pack("{s:{}, s:O}", "Config", "HostConfig", json_object_get(body, "HostConfig"));
    json_object_foreach(body, name, v)
        if (strcmp(name, "HostConfig") != 0)
            json_object_set(json_object_get(inspected, "Config"), name, v);
    json_object_set_new(json_at(inspected, "HostConfig"), "CpuShares", json_integer(0)); /* not ours */
    wanted = container_shown(body, false, "0011223344556677", 2);
    live = container_shown(inspected, true, "0011223344556677", 2);
    assert_true(json_equal(wanted, live));
    text = json_text(live);
    assert_null(strstr(text, "GREETING"));
    assert_int_equal(json_int(live, "instances", 0), 2);
    assert_int_equal(json_int(live, "pids_limit", 0), f->conf.pids_limit);
    assert_false(container_is_kept_changed(live, wanted));
    /* Another number is no change of a container; another limit is, and the template says whether it is kept. */
    json_object_set_new(live, "instances", json_integer(1));
    assert_false(container_is_kept_changed(live, wanted));
    json_object_set_new(json_at(inspected, "HostConfig"), "PidsLimit", json_integer(77));
    changed = container_shown(inspected, true, "0011223344556677", 2);
    assert_true(container_is_kept_changed(changed, wanted));
    json_object_set_new(changed, "template", json_string("7766554433221100"));
    assert_false(container_is_kept_changed(changed, wanted));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_make, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_golden), TEST(test_template), TEST(test_value), TEST(test_names), TEST(test_read),
        TEST(test_quantity), TEST(test_limits), TEST(test_subnet), TEST(test_router), TEST(test_acme), TEST(test_issuance), TEST(test_request),
        TEST(test_switch), TEST(test_status), TEST(test_shown),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
