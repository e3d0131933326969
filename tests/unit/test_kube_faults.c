#include "config.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "deployer/kubernetes/watch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* tests/fakes/kube_server.py */
static struct { pid_t pid; int in; int port; } server;

static int start_server(void **state)
{
    const char *top = getenv("top_srcdir");
    cleanup_free char *script = xasprintf("%s/tests/fakes/kube_server.py", top != NULL ? top : ".");
    char *argv[] = { (char *) (uintptr_t) "python3", script, NULL };
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;
    char line[32] = "";
    int in[2], out[2];

    (void) state;
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return -1;
    s.argv = argv;
    s.fd_in = in[0];
    s.fd_out = out[1];
    s.fd_err = 2;
    server.pid = spawn_start(&s, NULL, &err);
    (void) close(in[0]);
    (void) close(out[1]);
    server.in = in[1];
    if (server.pid < 0 || read(out[0], line, sizeof(line) - 1) <= 0)
        return -1;
    (void) close(out[0]);
    server.port = (int) strtol(line, NULL, 10);
    return 0;
}

static int stop_server(void **state)
{
    struct spawn_result result;

    (void) state;
    (void) close(server.in);
    return spawn_wait(server.pid, &result, NULL);
}

static struct kube *client(const char *token_file)
{
    struct kubeconfig k = { 0 };
    struct kube *kube = NULL;
    struct err err = ERR_INIT;

    k.server = xasprintf("http://127.0.0.1:%d", server.port);
    k.token_file = token_file != NULL ? xstrdup(token_file) : NULL;
    assert_int_equal(kube_new(&k, &kube, &err), 0);
    return kube;
}

static void get(struct kube *k, const char *path)
{
    struct err err = ERR_INIT;
    json_t *answer = NULL;

    if (kube_do(k, "GET", path, NULL, NULL, &answer, &err) < 0)
        fail_msg("%s: %s", path, err.msg);
    assert_true(json_bool(answer, "ok", 0));
    json_decref(answer);
}

static long long count(struct kube *k, const char *path)
{
    cleanup_free char *url = xasprintf("/count?of=%s", path);
    json_t *answer = NULL;
    long long n;

    assert_int_equal(kube_do(k, "GET", url, NULL, NULL, &answer, NULL), 0);
    n = json_int(answer, "n", -1);
    json_decref(answer);
    return n;
}

static void test_tried_again(void **state)
{
    struct kube *k = client(NULL);

    (void) state;
    get(k, "/busy");
    assert_int_equal(count(k, "/busy"), 3);
    get(k, "/wait");
    assert_int_equal(count(k, "/wait"), 2);
    get(k, "/drop");
    assert_int_equal(count(k, "/drop"), 2);
    kube_free(k);
}

static void test_given_up(void **state)
{
    struct kube *k = client(NULL);
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(kube_do(k, "GET", "/down", NULL, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_DOWN);
    assert_string_equal(err.msg, "starting");
    assert_int_equal(count(k, "/down"), 5);
    kube_free(k);
}

/* Each of several says for itself how it went; one failure doesn't stop the others. */
static void test_several(void **state)
{
    struct kube *k = client(NULL);
    struct kube_op ops[] = {
        { .method = "GET", .path = "/a" },
        { .method = "PATCH", .path = "/conflict", .type = KUBE_APPLY, .body = json_object() },
        { .method = "GET", .path = "/b", .raw = true },
    };
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(kube_do_all(k, ops, countof(ops), &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    assert_non_null(strstr(err.msg, "\"kubectl-edit\""));
    assert_int_equal(ops[1].status, 409);
    assert_string_equal(ops[1].reason, "Conflict");
    assert_true(json_bool(ops[0].answer, "ok", 0));
    assert_string_equal(ops[2].text, "{\"ok\": true}");
    json_decref((json_t *) (uintptr_t) ops[1].body);
    for (size_t i = 0; i < countof(ops); i++)
        kube_op_release(&ops[i]);
    kube_free(k);
}

/* A rejected token is read again from its file, once. */
static void test_token(void **state)
{
    char file[] = "/tmp/kube-token-XXXXXX";
    int fd = mkstemp(file);
    struct kube *k = client(file);
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(write(fd, "old", 3), 3);
    assert_int_equal(kube_do(k, "GET", "/token", NULL, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(count(k, "/token"), 2);
    assert_int_equal(pwrite(fd, "new", 3, 0), 3);
    get(k, "/token");
    assert_int_equal(count(k, "/token"), 4);
    kube_free(k);
    (void) close(fd);
    (void) unlink(file);
}

/* What is asked while a plugin runs, and while an answer is waited for. */
struct attending { int pipe[2]; const char *go; int asked; };

static bool attended(void *arg)
{
    struct attending *a = arg;
    char byte;

    if (read(a->pipe[0], &byte, 1) != 1)
        return false;
    if (++a->asked == 1) { /* by the plugin's wait: it goes on when this has been written */
        int fd = open(a->go, O_WRONLY | O_CLOEXEC);

        assert_int_equal(write(fd, "new\n", 4), 4);
        (void) close(fd);
    }
    return false;
}

static void test_attends(void **state)
{
    char folder[] = "/tmp/kube-attends-XXXXXX";
    cleanup_free char *script = NULL, *go = NULL, *text = NULL;
    struct attending a = { .asked = 0 };
    struct kubeconfig k = { .has_exec = true };
    struct kube *kube = NULL;
    struct err err = ERR_INIT;

    (void) state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(pipe2(a.pipe, O_NONBLOCK | O_CLOEXEC), 0);
    script = xasprintf("%s/plugin", folder);
    a.go = go = xasprintf("%s/go", folder);
    assert_int_equal(mkfifo(go, 0600), 0);
    /* It wakes who waits for it, so that nothing is asked before it runs. */
    text = xasprintf("#!/bin/sh\nprintf x > /proc/%d/fd/%d\nread word < %s\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"v\","
                     "\"status\":{\"token\":\"'$word'\"}}'\n", (int) getpid(), a.pipe[1], go);
    assert_int_equal(path_write(script, text, strlen(text), 0700, &err), 0);
    k.server = xasprintf("http://127.0.0.1:%d", server.port);
    k.exec.command = xstrdup(script);
    k.exec.api_version = xstrdup("v");
    assert_int_equal(kube_new(&k, &kube, &err), 0);
    kube_attend(kube, a.pipe[0], attended, &a);
    get(kube, "/token");
    assert_int_equal(a.asked, 1);
    assert_int_equal(write(a.pipe[1], "x", 1), 1);
    get(kube, "/token");
    assert_int_equal(a.asked, 2);
    kube_free(kube);
    (void) close(a.pipe[0]);
    (void) close(a.pipe[1]);
    assert_int_equal(path_remove_all(folder, &err), 0);
}

struct events { char text[256]; };

static void on_event(void *arg, enum kube_event event, const json_t *object)
{
    struct events *e = arg;
    size_t n = strlen(e->text);

    (void) snprintf(e->text + n, sizeof(e->text) - n, "%s ",
                    event == KUBE_RESET ? "reset" : json_str(object, "metadata.name", "?"));
}

/* Whatever ends a watch, it goes on, and its user is told to forget what it knew. */
static void test_watch_goes_on(void **state)
{
    struct kube *k = client(NULL);
    struct events e = { "" };
    struct err err = ERR_INIT;
    struct kube_watch *w = kube_watch_open(k, "/watch", "a", on_event, &e, &err);

    (void) state;
    assert_non_null(w);
    while (strstr(e.text, "three") == NULL) {
        int ms = kube_watch_service(w, &err);

        assert_int_not_equal(ms, KUBE_WATCH_FAILED);
        assert_int_equal(kube_poll(k, ms, -1, NULL, &err), 0);
    }
    assert_string_equal(e.text, "one reset two reset three ");
    kube_watch_close(w);
    w = kube_watch_open(k, "/conflict", "a", on_event, &e, &err);
    assert_non_null(w);
    kube_watch_close(w); /* in flight */
    kube_free(k);
}

static void on_line(void *arg, const char *line, size_t n)
{
    struct events *e = arg;
    size_t len = strlen(e->text);

    (void) snprintf(e->text + len, sizeof(e->text) - len, "%c%zu ", line[0], n);
}

static void test_lines(void **state)
{
    struct kube *k = client(NULL);
    struct events e = { "" };
    struct err err = ERR_INIT;
    struct kube_stream *s = kube_stream_open(k, "/log", 1000, 0, on_line, &e, &err);
    int rc;

    (void) state;
    assert_non_null(s);
    while ((rc = kube_stream_done(s, &err)) == 0)
        assert_int_equal(kube_poll(k, -1, -1, NULL, &err), 0);
    assert_string_equal(e.text, "x100 y1000 y1000 y1000 z1 ");
    kube_stream_close(s);
    kube_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tried_again),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_attends),
        cmocka_unit_test(test_watch_goes_on),
        cmocka_unit_test(test_lines),
    };

    json_init();
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
