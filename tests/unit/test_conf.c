#include "config.h"

#include "base/conf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct err err;

static int parse(struct conf *c, const char *text)
{
    err_clear(&err);
    return conf_parse(c, "/etc/slipway/slipway.conf", text, strlen(text), &err);
}

static void assert_wrong(const char *text, const char *why)
{
    struct conf c;

    assert_int_equal(parse(&c, text), -1);
    assert_string_equal(err.msg, why);
    assert_int_equal(err.code, ERR_USAGE);
}

/* Every row's default passes its own check (else it aborts), and lies where it should. */
static void test_defaults(void **state)
{
    struct conf c;

    (void) state;
    assert_int_equal(conf_load(&c, NULL, &err), 0);
    assert_null(c.file);
    assert_string_equal(c.state, "/var/lib/slipway");
    assert_int_equal(c.port, 2222);
    assert_int_equal(c.login_grace_time, 30000);
    assert_int_equal(c.max_pack, 1LL << 30);
    assert_string_equal(c.kubeconfig, "");
    assert_false(c.trust_builder);
    assert_int_equal(c.trusted_builders.n, 0);
    conf_release(&c);
    conf_release(&c);
}

static void test_table(void **state)
{
    (void) state;
    for (const struct conf_setting *s = conf_settings; s->name != NULL; s++) {
        for (const struct conf_setting *t = conf_settings; t < s; t++) {
            assert_true(s->offset != t->offset);
            assert_true(strcmp(s->section, t->section) != 0 || strcmp(s->name, t->name) != 0);
        }
        /* libinih cuts names at 49 characters */
        assert_true(strlen(s->name) < 50 && strlen(s->section) < 50);
        assert_int_equal(s->meaning[strlen(s->meaning) - 1], '.');
    }
}

static void test_values(void **state)
{
    struct conf c;

    (void) state;
    assert_int_equal(parse(&c, "# comment\n"
                               "[server]\n"
                               "state = ../lib  ; where\n"
                               "\n"
                               "[build]\n"
                               "trusted_builders = a/b:1, c/d:2\n"
                               "    e/f:3\n"
                               "trust_builder = yes\n"
                               "build_timeout: 90\r\n"
                               "build_output = 2M\n"
                               "[kubernetes]\n"
                               "kubeconfig = /etc/kube\n"
                               "domain ="), 0);
    assert_string_equal(c.file, "/etc/slipway/slipway.conf");
    assert_string_equal(c.state, "/etc/slipway/../lib");
    assert_int_equal(c.trusted_builders.n, 3);
    assert_string_equal(c.trusted_builders.v[1], "c/d:2");
    assert_string_equal(c.trusted_builders.v[2], "e/f:3");
    assert_true(c.trust_builder);
    assert_int_equal(c.build_timeout, 90000);
    assert_int_equal(c.build_output, 2 << 20);
    assert_string_equal(c.kubeconfig, "/etc/kube");
    assert_string_equal(c.domain, "");
    conf_release(&c);
}

static void test_wrong(void **state)
{
    char line[400];

    (void) state;
    assert_wrong("[ssh]\nprot = 22\n", "/etc/slipway/slipway.conf, line 2: there is no setting prot in [ssh]; "
                                       "the nearest is port in [ssh]");
    assert_wrong("[ssh]\nbuilder = x\n", "/etc/slipway/slipway.conf, line 2: there is no setting builder in [ssh]; "
                                         "the nearest is builder in [build]");
    assert_wrong("[shs]\nport = 22\n", "/etc/slipway/slipway.conf, line 2: there is no section [shs]; the nearest is [ssh]");
    assert_wrong("[whatever-else]\nport = 22\n", "/etc/slipway/slipway.conf, line 2: there is no section [whatever-else]; "
                                                 "see slipway.conf(5)");
    assert_wrong("[ssh]\ncompletely_different = 22\n", "/etc/slipway/slipway.conf, line 2: there is no setting "
                                                       "completely_different in [ssh]; see slipway.conf(5)");
    assert_wrong("port = 1\n", "/etc/slipway/slipway.conf, line 1: port stands before the first [section]");
    assert_wrong("[ssh]\n\nport = x\n", "/etc/slipway/slipway.conf, line 3: [ssh] port: \"x\" is not a whole number");
    assert_wrong("[ssh]\nport = 22x\n", "/etc/slipway/slipway.conf, line 2: [ssh] port: \"22x\" is not a whole number");
    assert_wrong("[ssh]\nport = 65536\n", "/etc/slipway/slipway.conf, line 2: [ssh] port: 65536 is not between 1 and 65535");
    assert_wrong("[ssh]\nport = 99999999999999999999\n", "/etc/slipway/slipway.conf, line 2: [ssh] port: "
                                                         "\"99999999999999999999\" is not a whole number");
    assert_wrong("[ssh]\nport = 1\nport = 2\n", "/etc/slipway/slipway.conf, line 3: [ssh] port was already set in line 2");
    assert_wrong("[ssh]\nlogin_grace_time = 5 minutes\n",
                 "/etc/slipway/slipway.conf, line 2: [ssh] login_grace_time: \"5 minutes\" is not "
                 "a time such as 500ms, 30s, 10m, 1h or 7d");
    assert_wrong("[ssh]\nlogin_grace_time = 1ms\n",
                 "/etc/slipway/slipway.conf, line 2: [ssh] login_grace_time: 1ms is not between 1s and 1h");
    assert_wrong("[git]\nmax_pack = 9999999999G\n",
                 "/etc/slipway/slipway.conf, line 2: [git] max_pack: \"9999999999G\" is not "
                 "a size such as 512, 64K, 20M or 1G");
    assert_wrong("[build]\ntrust_builder = true\n",
                 "/etc/slipway/slipway.conf, line 2: [build] trust_builder: \"true\" is neither yes nor no");
    assert_wrong("[server]\nlog_format = jso\n",
                 "/etc/slipway/slipway.conf, line 2: [server] log_format: \"jso\" is not one of: text json");
    assert_wrong("[server]\nlog_format = text json\n",
                 "/etc/slipway/slipway.conf, line 2: [server] log_format: \"text json\" is not one of: text json");
    assert_wrong("[ssh]\nmax_startups = 10:30\n",
                 "/etc/slipway/slipway.conf, line 2: [ssh] max_startups: \"10:30\" is not START:RATE:FULL, as in 20:30:100");
    assert_wrong("[ssh]\nwhat is this\nprot = 1\n",
                 "/etc/slipway/slipway.conf, line 2: neither [section], NAME = VALUE nor a comment");
    assert_wrong("[server]\nhost = a\n  b\n",
                 "/etc/slipway/slipway.conf, line 3: [server] host: only a list may go on in the next line");
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    memcpy(line, "[server]\nhost = ", 16);
    assert_wrong(line, "/etc/slipway/slipway.conf, line 2: longer than 198 characters; "
                       "a list may go on in a line that begins with a space");
    {
        struct conf c;

        assert_int_equal(conf_parse(&c, "f", "[ssh]\nport = 1\0\n", 16, &err), -1);
        assert_string_equal(err.msg, "f, line 2: there is a NUL byte in it");
    }
}

/* What is printed can be read, and is then the same. */
static void test_print(void **state)
{
    cleanup_free char *first = NULL, *second = NULL;
    size_t n;
    struct conf c;
    FILE *f;

    (void) state;
    assert_int_equal(parse(&c, "[build]\ntrusted_builders = a b,c\n[git]\nmax_pack = 1536K\n[ssh]\nidle_timeout=90s\n"), 0);
    f = open_memstream(&first, &n);
    conf_print(&c, f);
    (void) fclose(f);
    conf_release(&c);
    if (parse(&c, first) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(c.trusted_builders.n, 3);
    assert_int_equal(c.max_pack, 1536 * 1024);
    assert_int_equal(c.idle_timeout, 90000);
    f = open_memstream(&second, &n);
    conf_print(&c, f);
    (void) fclose(f);
    conf_release(&c);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "\nmax_pack = 1536K\n"));
}

static void test_set(void **state)
{
    struct conf c;

    (void) state;
    assert_int_equal(conf_load(&c, NULL, &err), 0);
    assert_int_equal(conf_set(&c, "ssh.port=22", &err), 0);
    assert_int_equal(c.port, 22);
    assert_int_equal(conf_set(&c, "build.builder=a.b/c=d", &err), 0);
    assert_string_equal(c.builder, "a.b/c=d");
    assert_int_equal(conf_set(&c, "ssh.port", &err), -1);
    assert_string_equal(err.msg, "\"ssh.port\" is not SECTION.NAME=VALUE, as in ssh.port=2222");
    assert_int_equal(conf_set(&c, "ssh.prt=1", &err), -1);
    assert_string_equal(err.msg, "there is no setting prt in [ssh]; the nearest is port in [ssh]");
    assert_int_equal(conf_set(&c, "ssh.port=0", &err), -1);
    assert_string_equal(err.msg, "ssh.port: 0 is not between 1 and 65535");
    conf_release(&c);
}

static void test_load(void **state)
{
    char file[] = "/tmp/slipway-conf-XXXXXX";
    int fd = mkstemp(file);
    struct conf c;

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[ssh]\nport = 24\n", 16), 16);
    (void) close(fd);
    assert_int_equal(chdir("/tmp"), 0);
    assert_int_equal(conf_load(&c, file + 5, &err), 0);
    assert_string_equal(c.file, file);
    assert_int_equal(c.port, 24);
    {
        cleanup_free char *path = conf_state_path(&c, "logs/%d.log", 7);

        assert_string_equal(path, "/var/lib/slipway/logs/7.log");
    }
    conf_release(&c);
    (void) unlink(file);
    assert_int_equal(conf_load(&c, file, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

/* Which targets a server has: that of new apps, and what else is set. */
static void test_targets(void **state)
{
    struct conf c;

    (void) state;
    (void) unsetenv("KUBERNETES_SERVICE_HOST");
    assert_int_equal(conf_load(&c, NULL, &err), 0);
    assert_int_equal(conf_set(&c, "server.state=/nowhere", &err), 0);
    assert_string_equal(conf_target(&c), "docker");
    assert_int_equal(conf_target_check(&c, "docker", &err), 0);
    assert_int_equal(conf_target_check(&c, "kubernetes", &err), -1);
    assert_non_null(strstr(err.msg, "[kubernetes] kubeconfig"));
    assert_int_equal(conf_target_check(&c, "moon", &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_int_equal(conf_set(&c, "kubernetes.kubeconfig=/k", &err), 0);
    assert_string_equal(conf_target(&c), "kubernetes");
    assert_int_equal(conf_target_check(&c, "kubernetes", &err), 0);
    assert_int_equal(conf_target_check(&c, "docker", &err), -1);
    assert_non_null(strstr(err.msg, "[docker] socket"));
    assert_int_equal(conf_set(&c, "docker.socket=/s", &err), 0);
    assert_int_equal(conf_target_check(&c, "docker", &err), 0);
    assert_int_equal(conf_set(&c, "target.target=docker", &err), 0);
    assert_string_equal(conf_target(&c), "docker");
    assert_int_equal(conf_target_check(&c, "kubernetes", &err), 0);
    conf_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_table), cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong),    cmocka_unit_test(test_print), cmocka_unit_test(test_set),
        cmocka_unit_test(test_load),     cmocka_unit_test(test_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
