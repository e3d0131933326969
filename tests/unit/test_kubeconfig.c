#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "deployer/kubernetes/credential.h"
#include "deployer/kubernetes/kubeconfig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char two_contexts[] =
    "apiVersion: v1\n"
    "kind: Config\n"
    "current-context: east\n"
    "clusters:\n"
    "- name: e\n"
    "  cluster:\n"
    "    server: https://10.0.0.1:6443/\n"
    "    certificate-authority-data: LS0t\n"
    "    tls-server-name: api.example.com\n"
    "- {name: w, cluster: {server: 'https://west:443', certificate-authority: pki/ca.pem}}\n"
    "contexts:\n"
    "- {name: east, context: {cluster: e, user: cert, namespace: x}}\n"
    "- {name: west, context: {cluster: w, user: exec}}\n"
    "- {name: file, context: {cluster: w, user: tokenfile}}\n"
    "- {name: bare, context: {cluster: w}}\n"
    "users:\n"
    "- name: cert\n"
    "  user: {client-certificate-data: Y2VydA==, client-key-data: a2V5}\n"
    "- name: tokenfile\n"
    "  user: {tokenFile: /run/token, token: fixed}\n"
    "- name: exec\n"
    "  user:\n"
    "    exec:\n"
    "      apiVersion: client.authentication.k8s.io/v1\n"
    "      command: bin/login\n"
    "      args: [get-token, --name, 'a b']\n"
    "      env:\n"
    "      - {name: PROFILE, value: prod}\n"
    "      provideClusterInfo: true\n";

static int parse(const char *text, const char *context, struct kubeconfig *k, struct err *err)
{
    err_clear(err);
    return kubeconfig_parse(text, strlen(text), "/etc/kube", context, k, err);
}

static void test_contexts(void **state)
{
    struct kubeconfig k;
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(parse(two_contexts, NULL, &k, &err), 0);
    assert_string_equal(k.server, "https://10.0.0.1:6443");
    assert_string_equal(k.ca_pem, "---");
    assert_string_equal(k.tls_server_name, "api.example.com");
    assert_string_equal(k.cert_pem, "cert");
    assert_string_equal(k.key_pem, "key");
    assert_null(k.token);
    kubeconfig_release(&k);

    assert_int_equal(parse(two_contexts, "west", &k, &err), 0);
    assert_string_equal(k.ca_file, "/etc/kube/pki/ca.pem");
    assert_true(k.has_exec);
    assert_string_equal(k.exec.command, "/etc/kube/bin/login");
    assert_int_equal(k.exec.args.n, 3);
    assert_string_equal(k.exec.args.v[2], "a b");
    assert_string_equal(k.exec.env.v[0], "PROFILE=prod");
    assert_true(k.exec.provide_cluster_info);
    kubeconfig_release(&k);

    assert_int_equal(parse(two_contexts, "file", &k, &err), 0);
    assert_string_equal(k.token_file, "/run/token");
    kubeconfig_release(&k);
    assert_int_equal(parse(two_contexts, "bare", &k, &err), 0);
    assert_null(k.token_file);
    kubeconfig_release(&k);
}

#define CLUSTER "clusters: [{name: c, cluster: {server: 'https://x'}}]\n" \
    "contexts: [{name: a, context: {cluster: c, user: u}}]\ncurrent-context: a\n"

static void test_refusals(void **state)
{
    static const struct { const char *text, *context, *says; } cases[] = {
        { "", NULL, "no current-context" },
        { "a: [", NULL, "not YAML" },
        { "[1, 2]", NULL, "no current-context" },
        { two_contexts, "north", "no context \"north\"" },
        { CLUSTER, NULL, "no user \"u\"" },
        { CLUSTER "users: [{name: u, user: {username: a, password: b}}]", NULL, "removed" },
        { CLUSTER "users: [{name: u, user: {auth-provider: {name: gcp}}}]", NULL, "exec plugin" },
        { CLUSTER "users: [{name: u, user: {token: t, as: root}}]", NULL, "impersonation" },
        { CLUSTER "users: [{name: u, user: {client-certificate-data: Y2VydA==}}]", NULL,
          "without its key" },
        { CLUSTER "users: [{name: u, user: {client-key-data: '#'}}]", NULL, "not base64" },
        { CLUSTER "users: [{name: u, user: {exec: {command: x, apiVersion: "
                  "client.authentication.k8s.io/v1alpha1}}}]", NULL, "v1beta1" },
        { CLUSTER "users: [{name: u, user: {exec: {apiVersion: "
                  "client.authentication.k8s.io/v1}}}]", NULL, "no command" },
        { "clusters: [{name: c, cluster: {server: 'ftp://x'}}]\n"
          "contexts: [{name: a, context: {cluster: c}}]\ncurrent-context: a\n", NULL, "https://" },
        { "clusters: [{name: c, cluster: {server: 'https://x?a'}}]\n"
          "contexts: [{name: a, context: {cluster: c}}]\ncurrent-context: a\n", NULL, "plain URL" },
        { "clusters: [{name: c, cluster: {server: 'https://x', proxy-url: 'http://p'}}]\n"
          "contexts: [{name: a, context: {cluster: c}}]\ncurrent-context: a\n", NULL, "proxy" },
        { "a: &a [*a]\ncurrent-context: *a\n", NULL, "no current-context" },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct kubeconfig k;
        struct err err = ERR_INIT;

        assert_int_equal(parse(cases[i].text, cases[i].context, &k, &err), -1);
        if (strstr(err.msg, cases[i].says) == NULL)
            fail_msg("case %zu says: %s", i, err.msg);
        assert_int_equal(err.code, ERR_USAGE);
    }
}

#define V1 "client.authentication.k8s.io/v1"

static int credential(const char *text, struct credential *c, struct err *err)
{
    memset(c, 0, sizeof(*c));
    err_clear(err);
    return credential_parse(text, strlen(text), V1, c, err);
}

static void test_exec_output(void **state)
{
    struct credential c;
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(credential("{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"
                                "{\"token\":\"abc\",\"expirationTimestamp\":\"2026-01-02T03:04:05Z\"}}",
                                &c, &err), 0);
    assert_string_equal(c.token, "abc");
    assert_int_equal(c.renew_at, 1767323045000 - 60000);
    credential_release(&c);
    assert_int_equal(credential("{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"
                                "{\"clientCertificateData\":\"C\",\"clientKeyData\":\"K\"}}", &c, &err),
                     0);
    assert_string_equal(c.cert_pem, "C");
    credential_release(&c);
    assert_int_equal(credential("{\"kind\":\"ExecCredential\",\"apiVersion\":\"other\",\"status\":"
                                "{\"token\":\"abc\"}}", &c, &err), -1);
    assert_int_equal(credential("{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"
                                "{\"token\":\"a\\nb\"}}", &c, &err), -1);
    assert_int_equal(credential("{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}", &c, &err),
                     -1);
    assert_int_equal(credential("please log in", &c, &err), -1);
    assert_null(strstr(err.msg, "please"));
}

/* A real program as a plugin; what it prints is looked at, and when it is asked again. */
static void test_exec_plugin(void **state)
{
    char folder[] = "/tmp/kubeconfig-XXXXXX";
    cleanup_free char *script = NULL, *count = NULL, *text = NULL;
    struct kubeconfig k;
    struct credential c = { 0 };
    struct err err = ERR_INIT;

    (void) state;
    assert_non_null(mkdtemp(folder));
    script = xasprintf("%s/plugin", folder);
    count = xasprintf("%s/count", folder);
    text = xasprintf("#!/bin/sh\necho x >> %s\n"
                     "case $KUBERNETES_EXEC_INFO in *'\"server\":\"https://x\"'*) ;; *) exit 3;; esac\n"
                     "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"
                     "{\"token\":\"'$WHO-$1'\",\"expirationTimestamp\":\"2026-01-02T03:04:05Z\"}}'\n",
                     count);
    assert_int_equal(path_write(script, text, strlen(text), 0700, &err), 0);
    free(text);
    text = xasprintf(CLUSTER "users: [{name: u, user: {exec: {apiVersion: " V1 ", command: %s, "
                     "args: [one], env: [{name: WHO, value: me}], provideClusterInfo: true}}}]\n",
                     script);
    assert_int_equal(parse(text, NULL, &k, &err), 0);
    assert_int_equal(credential_refresh(&k, &c, 1767323045000 - 120000, false, NULL, &err), 1);
    assert_string_equal(c.token, "me-one");
    assert_int_equal(credential_refresh(&k, &c, 1767323045000 - 90000, false, NULL, &err), 0);
    assert_int_equal(credential_refresh(&k, &c, 1767323045000 - 30000, false, NULL, &err), 0);
    assert_int_equal(credential_refresh(&k, &c, 0, true, NULL, &err), 0);
    {
        struct stat st;

        assert_int_equal(stat(count, &st), 0);
        assert_int_equal(st.st_size, 3 * 2); /* first, about to expire, rejected */
    }
    credential_release(&c);
    vec_release(&k.exec.env);
    k.exec.provide_cluster_info = false;
    assert_int_equal(credential_refresh(&k, &c, 0, false, NULL, &err), -1);
    assert_non_null(strstr(err.msg, "exit 3"));
    kubeconfig_release(&k);
    assert_int_equal(path_remove_all(folder, &err), 0);
}

/* Who waits for a plugin, and is woken meanwhile. */
struct waiter {
    int pipe[2];       /* a byte in it wakes */
    const char *fifo;  /* what the plugin waits for; NULL: it gets nothing */
    int asked;
    int stop_from;     /* so many times asked is too long; 0: never */
};

static bool waiter_stop(void *arg)
{
    struct waiter *w = arg;
    char byte;

    w->asked++;
    if (read(w->pipe[0], &byte, 1) == 1 && w->fifo != NULL && w->asked == 2) {
        int fd = open(w->fifo, O_WRONLY | O_CLOEXEC); /* the plugin opens its end */

        assert_int_equal(write(fd, "go\n", 3), 3);
        (void) close(fd);
    }
    return w->stop_from != 0 && w->asked >= w->stop_from;
}

/* A plugin that ends when who waits for it has been asked meanwhile, as a release's worker is, which renews its lease then. */
static void test_exec_plugin_waits(void **state)
{
    char folder[] = "/tmp/kubeconfig-XXXXXX";
    cleanup_free char *script = NULL, *go = NULL, *text = NULL;
    struct waiter w = { .stop_from = 0 };
    struct credential_wait wait = { .stop = waiter_stop, .arg = &w };
    struct kubeconfig k;
    struct credential c = { 0 };
    struct err err = ERR_INIT;

    (void) state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(pipe2(w.pipe, O_NONBLOCK | O_CLOEXEC), 0);
    wait.fd = w.pipe[0];
    script = xasprintf("%s/plugin", folder);
    go = xasprintf("%s/go", folder);
    assert_int_equal(mkfifo(go, 0600), 0);
    text = xasprintf("#!/bin/sh\nread word < %s\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"
                     "{\"token\":\"'$word'\"}}'\n", go);
    assert_int_equal(path_write(script, text, strlen(text), 0700, &err), 0);
    free(text);
    text = xasprintf(CLUSTER "users: [{name: u, user: {exec: {apiVersion: " V1 ", command: %s}}}]\n", script);
    assert_int_equal(parse(text, NULL, &k, &err), 0);

    /* Asked before it begins, and woken meanwhile. */
    assert_int_equal(write(w.pipe[1], "xx", 2), 2);
    w.fifo = go;
    assert_int_equal(credential_refresh(&k, &c, 0, false, &wait, &err), 1);
    assert_string_equal(c.token, "go");
    credential_release(&c);

    /* Woken in order to stop. */
    w = (struct waiter){ .pipe = { w.pipe[0], w.pipe[1] }, .stop_from = 2 };
    assert_int_equal(write(w.pipe[1], "xx", 2), 2);
    assert_int_equal(credential_refresh(&k, &c, 0, false, &wait, &err), -1);
    assert_non_null(strstr(err.msg, "/plugin: canceled"));
    assert_int_equal(w.asked, 2);

    /* To stop since before it began: what is cleaned up logs in all the same. */
    w = (struct waiter){ .pipe = { w.pipe[0], w.pipe[1] }, .fifo = go, .stop_from = 1 };
    assert_int_equal(write(w.pipe[1], "xx", 2), 2);
    assert_int_equal(credential_refresh(&k, &c, 0, false, &wait, &err), 1);
    assert_string_equal(c.token, "go");
    credential_release(&c);

    /* A time of its own, which is said. */
    wait.timeout_ms = 50;
    assert_int_equal(credential_refresh(&k, &c, 0, false, &wait, &err), -1);
    assert_non_null(strstr(err.msg, "/plugin took longer than 1 s and was ended; it has to log in without a person"));
    assert_null(c.token);

    kubeconfig_release(&k);
    (void) close(w.pipe[0]);
    (void) close(w.pipe[1]);
    assert_int_equal(path_remove_all(folder, &err), 0);
}

static void test_token_file(void **state)
{
    char file[] = "/tmp/kubeconfig-token-XXXXXX";
    struct kubeconfig k = { 0 };
    struct credential c = { 0 };
    struct err err = ERR_INIT;
    int fd = mkstemp(file);

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "one\n", 4), 4);
    k.token_file = xstrdup(file);
    assert_int_equal(credential_refresh(&k, &c, 1000, false, NULL, &err), 1);
    assert_string_equal(c.token, "one");
    assert_int_equal(pwrite(fd, "two\n", 4, 0), 4);
    assert_int_equal(credential_refresh(&k, &c, 1000 + 59000, false, NULL, &err), 0);
    assert_int_equal(credential_refresh(&k, &c, 1000 + 60000, false, NULL, &err), 1);
    assert_string_equal(c.token, "two");
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(credential_refresh(&k, &c, 1000, true, NULL, &err), -1);
    assert_string_equal(c.token, "two"); /* untouched */
    credential_release(&c);
    kubeconfig_release(&k);
    (void) close(fd);
    (void) unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_exec_output),
        cmocka_unit_test(test_exec_plugin),
        cmocka_unit_test(test_exec_plugin_waits),
        cmocka_unit_test(test_token_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
