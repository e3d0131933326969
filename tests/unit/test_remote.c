/* What run and enter read from outside: the handshake and channels of a WebSocket, requests, pods of one-off
 * commands; and what they make. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "deployer/kubernetes/channels.h"
#include "deployer/kubernetes/gate.h"
#include "deployer/kubernetes/instances.h"
#include "deployer/kubernetes/runs.h"
#include "deployer/kubernetes/websocket_head.h"
#include "deployer/stream_run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* RFC 6455 §1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define PROOF "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define GOOD "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" \
             "sec-websocket-accept:  " PROOF " \r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"

static void test_accept(void **state)
{
    char proof[WEBSOCKET_ACCEPT_SIZE];

    (void) state;
    websocket_accept(KEY, proof);
    assert_string_equal(proof, PROOF);
}

static void test_head(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.0 101 x\r\n\r\n", "SSH-2.0-x\r\n\r\n", "\r\n\r\n", "HTTP/1.1 1x1 x\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: " PROOF "\r\n\r\n",
    };
    static const char refused[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\nX\r\n\r\n{\"a\":\"bc\"}..";
    struct websocket_head h;
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(websocket_head_parse(GOOD "frames", strlen(GOOD) + 6, KEY, &h, &err), 1);
    assert_int_equal(h.status, 101);
    assert_int_equal(h.len, strlen(GOOD));
    assert_string_equal(h.protocol, "v5.channel.k8s.io");
    for (size_t n = 0; n < strlen(GOOD); n++)
        assert_int_equal(websocket_head_parse(GOOD, n, KEY, &h, &err), 0);
    assert_int_equal(websocket_head_parse(refused, strlen(refused), KEY, &h, &err), 1);
    assert_int_equal(h.status, 403);
    assert_int_equal(h.content_length, 12);
    for (size_t i = 0; i < countof(bad); i++) {
        assert_int_equal(websocket_head_parse(bad[i], strlen(bad[i]), KEY, &h, &err), -1);
        assert_int_equal(err.code, ERR_DOWN);
    }
}

static bool take(const char *message, size_t n, struct channels_status *s, enum channel *channel, const char **data)
{
    return channels_take((const uint8_t *) message, n, s, channel, data, &n);
}

static void test_channels(void **state)
{
    struct channels_status s = { 0 };
    enum channel channel;
    const char *data;
    struct buf b;

    (void) state;
    assert_true(take("\1ab", 3, &s, &channel, &data));
    assert_int_equal(channel, CHANNEL_STDOUT);
    assert_memory_equal(data, "ab", 2);
    assert_true(take("\2\0", 2, &s, &channel, &data));
    assert_int_equal(channel, CHANNEL_STDERR);
    assert_false(take("", 0, &s, &channel, &data));
    assert_false(take("\1", 1, &s, &channel, &data));
    assert_false(take("\7xx", 3, &s, &channel, &data));
    assert_false(take("\xff\1", 2, &s, &channel, &data));
    assert_false(s.is);
    assert_false(take("\3{\"status\":\"Success\"}", 21, &s, &channel, &data));
    assert_true(s.is);
    assert_int_equal(s.exit_code, 0);
    buf_init(&b, 100);
    channels_resize(&b, 80, 24);
    assert_string_equal(buf_str(&b), "\4{\"Width\":80,\"Height\":24}");
    buf_release(&b);
}

static void test_status(void **state)
{
    static const struct { const char *text; int code; const char *message; } cases[] = {
        { "{\"status\":\"Success\"}", 0, "" },
        { "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"message\":\"m\",\"details\":{\"causes\":"
          "[{\"reason\":\"X\",\"message\":\"9\"},{\"reason\":\"ExitCode\",\"message\":\"137\"}]}}", 137, "m" },
        { "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"message\":\"m\"}", -1, "m" },
        { "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":"
          "[{\"reason\":\"ExitCode\",\"message\":\"0\"}]}}", -1, "the cluster doesn't say why" },
        { "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"message\":\"m\",\"details\":{\"causes\":"
          "[{\"reason\":\"ExitCode\",\"message\":\"3x\"},{\"reason\":\"ExitCode\",\"message\":\"99999999999\"}]}}", -1,
          "m" },
        { "{\"status\":\"Failure\",\"message\":\"no \\u001b[2Jsuch container\"}", -1, "no such container" },
        { "not JSON", -1, "the cluster doesn't say why" },
        { "", -1, "the cluster doesn't say why" },
        { "[]", -1, "the cluster doesn't say why" },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct channels_status s;

        channels_status_parse(cases[i].text, strlen(cases[i].text), &s);
        assert_true(s.is);
        assert_int_equal(s.exit_code, cases[i].code);
        assert_string_equal(s.message, cases[i].message);
    }
}

/* --- the gate */

static bool gate_give(struct gate *g, enum channel channel, const char *text, const char *expect)
{
    const char *data;
    size_t n;

    if (!gate_take(g, channel, text, strlen(text), &data, &n)) {
        assert_null(expect);
        return false;
    }
    assert_non_null(expect);
    assert_int_equal(n, strlen(expect));
    assert_memory_equal(data, expect, n);
    return true;
}

static void test_gate(void **state)
{
    cleanup_free char *answer = NULL, *go = NULL;
    struct gate g;

    (void) state;
    gate_init(&g, false);
    answer = xasprintf("%s?\n", g.token);
    go = xasprintf("%s?\n%s!\nfirst", g.token, g.token);
    gate_give(&g, CHANNEL_STDOUT, "something before\n", NULL);
    gate_give(&g, CHANNEL_STDOUT, answer, NULL);
    assert_false(gate_answered(&g)); /* standard error has not */
    for (const char *p = answer; *p != '\0'; p++) {
        char byte[] = { *p, '\0' };

        gate_give(&g, CHANNEL_STDERR, byte, NULL);
    }
    assert_true(gate_answered(&g));
    gate_give(&g, CHANNEL_STDOUT, go, "first");
    gate_give(&g, CHANNEL_STDOUT, answer, answer); /* from here on all is the command's */
    gate_give(&g, CHANNEL_STDERR, "late", NULL);
    assert_true(gate_is_line(answer, strlen(answer)));
    assert_false(gate_is_line("slipway-gat", 11));
    gate_release(&g);

    gate_init(&g, true);
    free(answer);
    answer = xasprintf("?\r\n%s?\r\ngo\r\n%s!\r", g.token, g.token);
    gate_give(&g, CHANNEL_STDOUT, answer, NULL);
    assert_true(gate_answered(&g));
    gate_give(&g, CHANNEL_STDOUT, "\n", NULL);
    gate_give(&g, CHANNEL_STDOUT, "x", "x");
    gate_release(&g);
}

/* The script, by a real shell: the command gets what stands behind "go", nothing behind "none", and
 * nothing of the gate's is left. */
static void test_gate_script(void **state)
{
    static const struct { const char *input, *out; int code; } cases[] = {
        { "go\nrest", "!rest|1|", 3 }, { "?\n?\ngo\nrest\n", "?" "?!rest\n|1|", 3 }, { "?\n", "?", GATE_EXIT },
        { "", "", GATE_EXIT }, { "none\nrest", "!|1|", 3 }, { "?\nnone\n", "?!|1|", 3 },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        cleanup_free char *script = NULL, *shell = NULL, *expect = NULL;
        cleanup_buf struct buf out;
        struct gate g;
        FILE *pipe_in;
        char path[] = "/tmp/slipway-gate-XXXXXX";
        const char *argv[] = { "sh", "-c", NULL, NULL };
        cleanup_close int fd = mkstemp(path), result = -1;
        struct spawn s = SPAWN_INIT;
        struct err err = ERR_INIT;
        const char *data;
        int status;
        pid_t pid;

        buf_init(&out, 4096);
        assert_true(fd >= 0);
        (void) unlink(path);
        pipe_in = tmpfile();
        assert_non_null(pipe_in);
        (void) fputs(cases[i].input, pipe_in);
        rewind(pipe_in);
        gate_init(&g, false);
        script = gate_script(&g, 0, 0);
        shell = xasprintf("%scat; printf '|%%s|%%s' \"$m\" \"$(set | grep -i slipway_gate)\"; exit 3", script);
        argv[2] = shell;
        s.path = "/bin/sh";
        s.argv = (char *const *) (uintptr_t) argv;
        s.env = (char *const[]) { (char *) "PATH=/usr/bin:/bin", (char *) "m=1", NULL };
        s.fd_in = fileno(pipe_in);
        s.fd_out = fd;
        pid = spawn_start(&s, NULL, &err);
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void) fclose(pipe_in);
        assert_int_equal(WEXITSTATUS(status), cases[i].code);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        result = dup(fd);
        data = buf_reserve(&out, 4000);
        buf_added(&out, (size_t) read(result, (char *) (uintptr_t) data, 4000));
        expect = xstrdup("");
        for (const char *p = cases[i].out; *p != '\0'; p++) {
            char *more = *p == '?' || *p == '!' ? xasprintf("%s%s%c\n", expect, g.token, *p)
                                                : xasprintf("%s%c", expect, *p);

            free(expect);
            expect = more;
        }
        assert_string_equal(buf_str(&out), expect);
        gate_release(&g);
    }
}

/* --- requests */

static int read_request(const char *text, struct stream_run *ret, json_t **ret_doc)
{
    struct stream_request r;
    struct err err = ERR_INIT;

    *ret_doc = json_loads(text, 0, NULL);
    assert_non_null(*ret_doc);
    assert_int_equal(stream_request_read(*ret_doc, &r, &err), 0);
    return stream_run_read(&r, ret, &err);
}

static void test_requests(void **state)
{
    static const char *const bad[] = {
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":\"ls\"}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":[1]}",
        "{\"op\":\"run\",\"app_id\":1,\"argv\":[\"ls\"]}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":99999999,\"argv\":[\"ls\"]}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":[\"ls\"],\"process\":\"web\"}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"process\":\"../web\"}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":[\"ls\",\"-l\"],\"shell\":true}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":[\"ls\"],\"env\":{\"A\":1}}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":[\"ls\"],\"env\":{\"PORT\":\"1\"}}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":[\"ls\"],\"env\":[]}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":[\"ls\"],\"term\":\"x; rm\"}",
        "{\"op\":\"run\",\"app_id\":1,\"ttl\":60,\"argv\":[\"ls\"],\"cols\":-1}",
        "{\"op\":\"exec\",\"app_id\":1}",
        "{\"op\":\"run-stop\",\"app_id\":1}",
        "{\"op\":\"run-logs\",\"app_id\":1,\"name\":7}",
    };
    struct stream_run r;
    json_t *doc;

    (void) state;
    assert_int_equal(read_request("{\"op\":\"run\",\"app_id\":1,\"argv\":[\"ls\",\"-l\"],\"env\":{\"A\":\"1\"},"
                                  "\"user\":\"anna\",\"text\":\"ls -l\",\"ttl\":60,\"tty\":true,\"cols\":80,\"rows\":24,"
                                  "\"term\":\"xterm\",\"detached\":false}", &r, &doc), 0);
    assert_string_equal(r.run.argv[1], "-l");
    assert_null(r.run.argv[2]);
    assert_true(r.run.tty.is);
    assert_int_equal(r.run.tty.cols, 80);
    assert_int_equal(r.run.ttl_s, 60);
    stream_run_release(&r);
    json_decref(doc);
    assert_int_equal(read_request("{\"op\":\"exec\",\"app_id\":1,\"instance\":\"web.1\"}", &r, &doc), 0);
    assert_null(r.exec.argv[0]);
    stream_run_release(&r);
    json_decref(doc);
    for (size_t i = 0; i < countof(bad); i++) {
        assert_int_equal(read_request(bad[i], &r, &doc), -1);
        json_decref(doc);
    }
}

static void test_target_without(void **state)
{
    static const struct target_ops none = { .name = "docker" };
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(stream_run_possible(&none, &err), -1);
    assert_non_null(strstr(err.msg, "docker"));
    assert_int_equal(stream_run_possible(&target_kubernetes, &err), 0);
}

/* --- names, commands, pods */

static void test_names(void **state)
{
    static const char *const bad[] = { "", "run.", "web.1", "run.1x", "run.123456789012", "run.-1", "run.1/../x",
                                       "cron.7", "run.1a2b3c4d-7", "cron.1a2b3c4d-", "cron.1a2b3c4-7",
                                       "cron.1a2b3c4d-7/x", "cron.1a2b3c4d-1234567890123456789012345" };
    char number[RUN_NUMBER_SIZE];
    cleanup_free char *name = NULL;
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(run_number_parse("run.48213", number, &err), 0);
    assert_string_equal(number, "48213");
    assert_int_equal(run_number_parse("7", number, &err), 0);
    assert_false(run_is_cron(number));
    assert_int_equal(run_number_parse("cron.1a2b3c4d-29384756", number, &err), 0);
    assert_string_equal(number, "1a2b3c4d-29384756");
    name = run_name(number);
    assert_string_equal(name, "cron.1a2b3c4d-29384756");
    for (size_t i = 0; i < countof(bad); i++)
        assert_int_equal(run_number_parse(bad[i], number, &err), -1);
}

static void test_owner(void **state)
{
    cleanup_free char *me = NULL, *gone = NULL;
    struct err err = ERR_INIT;
    char boot[64];

    (void) state;
    me = run_owner(&err);
    assert_non_null(me);
    assert_false(run_owner_is_dead(me));
    assert_int_equal(sscanf(me, "%63s", boot), 1);
    gone = xasprintf("%s %d 1", boot, (int) getpid()); /* the number was given to another process since */
    assert_true(run_owner_is_dead(gone));
    assert_false(run_owner_is_dead("other-boot 1 1")); /* of another machine: not ours to judge */
    assert_false(run_owner_is_dead(""));
    assert_false(run_owner_is_dead("x y z"));
}

static void test_command(void **state)
{
    char *const words[] = { (char *) "printf", (char *) "$HOME", (char *) "a b", NULL };
    char *const line[] = { (char *) "a && b", NULL }, *const none[] = { NULL };
    cleanup_vec struct vec v = VEC_INIT, w = VEC_INIT, x = VEC_INIT;

    (void) state;
    run_command(&v, "", words, false);
    assert_string_equal(v.v[0], "sh");
    assert_non_null(strstr(v.v[2], "exec /cnb/lifecycle/launcher -- sh -c \"$0\" \"$@\"")); /* where there is one */
    assert_string_equal(v.v[3], "exec \"$@\"");
    assert_string_equal(v.v[5], "printf");
    assert_string_equal(v.v[6], "$HOME");
    assert_int_equal(v.n, 8);
    run_command(&w, "first; ", line, true);
    assert_memory_equal(w.v[3], "first; ", 7);
    assert_null(strstr(w.v[3], "&& b")); /* the line is an argument, never part of the script */
    assert_string_equal(w.v[5], "a && b");
    run_command(&x, "", none, false);
    assert_int_equal(x.n, 5);
}

static json_t *rendered(bool detached)
{
    struct conf conf;
    struct app app = { .id = 3, .name = (char *) "shop", .handle = (char *) "shop" };
    struct release release = { .id = 41, .version = 7 };
    struct config_set config = { NULL, 0 };
    struct manifest_input in = { .conf = &conf, .app = &app, .release = &release, .config = &config,
                                 .image = "registry.example.com/shop@sha256:7f1956ab", .secret = "config-00" };
    cleanup_vec struct vec command = VEC_INIT;
    json_auto_t *env = json_pack("{s:s}", "A", "$(B)");
    struct manifest_run r = { .number = "48213", .command = &command, .env = env, .user = "anna", .text = "ls",
                              .owner = detached ? NULL : "boot 1 2", .ttl_s = 60, .tty = true };
    struct err err = ERR_INIT;
    json_t *doc;

    assert_int_equal(conf_load(&conf, NULL, &err), 0);
    vec_addl(&command, "echo", "$$ $(HOME) $", NULL);
    doc = manifest_run(&in, &r);
    conf_release(&conf);
    return doc;
}

static void test_manifest(void **state)
{
    json_auto_t *pod = rendered(false), *job = rendered(true);
    json_t *spec = json_object_get(pod, "spec"), *c = json_array_get(json_object_get(spec, "containers"), 0);
    struct instances all = { 0 };
    struct target_one_off o;

    (void) state;
    assert_string_equal(json_str(pod, "kind", ""), "Pod");
    assert_string_equal(json_str(spec, "restartPolicy", ""), "Never");
    assert_int_equal(json_int(spec, "activeDeadlineSeconds", 0), 60);
    assert_true(json_bool(spec, "shareProcessNamespace", 0));
    assert_true(json_bool(spec, "securityContext.runAsNonRoot", 0));
    assert_true(json_bool(c, "stdinOnce", 0));
    assert_true(json_bool(c, "tty", 0));
    assert_null(json_object_get(c, "ports"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(c, "command"), 1)), "$$$$ $$(HOME) $$");
    assert_string_equal(json_str(json_array_get(json_object_get(c, "env"), 1), "value", ""), "$$(B)");
    /* no process of the formation: neither in ps nor in logs nor in a rollout */
    assert_null(json_object_get(json_at(pod, "metadata.labels"), LABEL_PROCESS));
    json_object_set_new(json_object_get(pod, "metadata"), "uid", json_string("u1"));
    assert_null(instances_take(&all, pod));
    assert_int_equal(run_read(pod, &o), 0);
    assert_string_equal(o.name, "run.48213");
    assert_string_equal(o.command, "ls");
    assert_string_equal(o.state, "pending");
    assert_int_equal(o.exit_code, -1);
    assert_false(o.detached);
    target_one_off_release(&o);
    instances_release(&all);

    assert_string_equal(json_str(job, "kind", ""), "Job");
    assert_int_equal(json_int(job, "spec.backoffLimit", -1), 0);
    assert_int_equal(json_int(job, "spec.ttlSecondsAfterFinished", 0), ONE_OFF_KEEP_S);
    c = json_array_get(json_at(job, "spec.template.spec.containers"), 0);
    assert_null(json_object_get(c, "stdin"));
    assert_null(json_object_get(json_at(job, "spec.template.metadata.annotations"), ANNOTATION_OWNER));
}

static void test_pods(void **state)
{
    static const struct { const char *status, *state; int code; } cases[] = {
        { "{\"phase\":\"Pending\"}", "pending", -1 },
        { "{\"phase\":\"Running\",\"hostIP\":\"1\",\"containerStatuses\":[{\"name\":\"app\",\"state\":{\"running\":{}}}]}",
          "running", -1 },
        { "{\"phase\":\"Succeeded\",\"containerStatuses\":[{\"name\":\"app\",\"state\":{\"terminated\":"
          "{\"exitCode\":0}}}]}", "done", 0 },
        { "{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"app\",\"state\":{\"terminated\":"
          "{\"exitCode\":137,\"reason\":\"OOMKilled\"}}}]}", "failed", 137 },
        { "{\"phase\":\"Failed\",\"reason\":\"Evicted\"}", "failed", -1 },
    };
    struct target_one_off o;

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        json_auto_t *pod = json_pack("{s:{s:s, s:s, s:{s:s}}, s:o}", "metadata", "name", "run-1-x", "uid", "u",
                                     "labels", LABEL_RUN, "1", "status", json_loads(cases[i].status, 0, NULL));

        assert_int_equal(run_read(pod, &o), 0);
        assert_string_equal(o.state, cases[i].state);
        assert_int_equal(o.exit_code, cases[i].code);
        target_one_off_release(&o);
        json_object_set_new(json_at(pod, "metadata.labels"), LABEL_RUN, json_string("../x"));
        assert_int_equal(run_read(pod, &o), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),  cmocka_unit_test(test_head),     cmocka_unit_test(test_channels),
        cmocka_unit_test(test_status),  cmocka_unit_test(test_requests), cmocka_unit_test(test_target_without),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_owner),    cmocka_unit_test(test_command),
        cmocka_unit_test(test_manifest), cmocka_unit_test(test_pods),
        cmocka_unit_test(test_gate),     cmocka_unit_test(test_gate_script),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
