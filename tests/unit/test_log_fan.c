/* One reader's lines for all who follow. */
#include "config.h"

#include "base/ipc.h"
#include "base/mem.h"
#include "deployer/log_fan.h"
#include "deployer/log_join.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define DAY "2026-01-02T03:04:"
#define MUCH (8 * 1024 * 1024) /* more than is kept, and than sockets hold */

struct fixture {
    char folder[64], *path;
    struct log_fan *fan;
    struct log_lines lines;
    struct log_cursor cursor;
};

static json_t *marks(void *arg)
{
    json_t *all = json_array();

    json_array_append_new(all, log_mark_json("abc", arg));
    return all;
}

static bool serve(struct fixture *f)
{
    return log_fan_service(f->fan, &f->lines, marks, &f->cursor);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct err err = ERR_INIT;
    int fd;

    (void) snprintf(f->folder, sizeof(f->folder), "/tmp/slipway-fan-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->path = xasprintf("%s/sock", f->folder);
    fd = ipc_listen(f->path, &err);
    assert_true(fd >= 0);
    f->fan = log_fan_new(fd, &err);
    assert_non_null(f->fan);
    assert_true(serve(f)); /* nobody has come yet */
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_fan_free(f->fan);
    log_lines_release(&f->lines);
    (void) unlink(f->path);
    (void) rmdir(f->folder);
    free(f->path);
    free(f);
    return 0;
}

/* The two steps of one who comes: returns the connection. */
static int ask(struct fixture *f, const char *only)
{
    json_auto_t *request = json_pack("{s:s?}", "only", only);
    cleanup_free char *text = json_dumps(request, JSON_COMPACT);
    struct err err = ERR_INIT;
    enum ipc_type type = IPC_STDIN;
    struct buf b;
    int fd = ipc_connect(f->path, &err);

    assert_true(fd >= 0);
    assert_int_equal(ipc_write(fd, IPC_REQUEST, text, strlen(text), &err), 0);
    for (int i = 0; i < 2; i++)
        assert_true(serve(f));
    buf_init(&b, IPC_PAYLOAD_MAX);
    assert_int_equal(ipc_read(fd, &type, &b, &err), 1);
    assert_int_equal(type, IPC_STDOUT);
    assert_string_equal(buf_str(&b), "[{\"id\":\"abc\",\"ns\":0,\"at\":0}]");
    assert_int_equal(ipc_read(fd, &type, &b, &err), 1);
    assert_int_equal(type, IPC_RESULT);
    buf_release(&b);
    return fd;
}

struct handed { int fd, session, rc; };

static void *hand_main(void *arg)
{
    struct handed *h = arg;

    h->rc = log_join_hand(h->fd, h->session, NULL);
    return NULL;
}

/* Returns the session's end. */
static int hand(struct fixture *f, int fd)
{
    struct handed h = { .fd = fd };
    struct pollfd p = { .fd = log_fan_fd(f->fan), .events = POLLIN };
    pthread_t thread;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    h.session = pair[0];
    assert_int_equal(pthread_create(&thread, NULL, hand_main, &h), 0);
    assert_int_equal(poll(&p, 1, 10000), 1);
    (void) serve(f);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(h.rc, 0);
    (void) close(fd);
    (void) close(pair[0]);
    return pair[1];
}

static void say(struct fixture *f, const char *name, const char *text)
{
    cleanup_free char *line = xasprintf(DAY "05Z %s", text);

    log_lines_take(&f->lines, &f->cursor, name, line, strlen(line));
}

/* Lines wait for others a moment. */
static void serve_all(struct fixture *f)
{
    do {
        assert_true(serve(f));
        if (f->lines.n > 0)
            (void) poll(NULL, 0, log_fan_ms(f->fan, &f->lines));
    } while (f->lines.n > 0);
}

static void got(int fd, const char *expected)
{
    enum ipc_type type = IPC_STDIN;
    struct buf b;

    buf_init(&b, IPC_PAYLOAD_MAX);
    assert_int_equal(ipc_read(fd, &type, &b, NULL), 1);
    assert_int_equal(type, IPC_STDOUT);
    assert_string_equal(buf_str(&b), expected);
    buf_release(&b);
}

static void test_each_what_it_follows(void **state)
{
    struct fixture *f = *state;
    int all = hand(f, ask(f, NULL)), web = hand(f, ask(f, "web")), held = ask(f, "web.1"), one;

    say(f, "web.1", "a");
    say(f, "webhook.1", "b");
    say(f, "web.12", "c");
    serve_all(f);
    got(all, DAY "05Z web.1 a\n" DAY "05Z webhook.1 b\n" DAY "05Z web.12 c\n");
    got(web, DAY "05Z web.1 a\n" DAY "05Z web.12 c\n");
    one = hand(f, held); /* has what has come since it asked */
    got(one, DAY "05Z web.1 a\n");
    (void) close(web);
    say(f, "web.1", "d");
    serve_all(f);
    got(all, DAY "05Z web.1 d\n");
    got(one, DAY "05Z web.1 d\n");
    (void) close(all);
    assert_true(serve(f));
    (void) close(one);
    assert_false(serve(f)); /* nobody is left */
}

static void test_why_it_ends(void **state)
{
    struct fixture *f = *state;
    struct err why = ERR_INIT;
    enum ipc_type type = IPC_STDIN;
    int fd = hand(f, ask(f, NULL));
    struct buf b;

    (void) err_set(&why, ERR_DOWN, "the engine is gone");
    log_fan_end(f->fan, &why);
    buf_init(&b, IPC_PAYLOAD_MAX);
    assert_int_equal(ipc_read(fd, &type, &b, NULL), 1);
    assert_int_equal(type, IPC_RESULT);
    assert_string_equal(buf_str(&b), "{\"code\":6,\"error\":\"the engine is gone\"}");
    buf_release(&b);
    (void) close(fd);
}

/* One that takes nothing holds up nobody, and is told what it has missed. */
static void test_slow(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *text = xcalloc(1, 1000);
    int slow = hand(f, ask(f, NULL)), fast = hand(f, ask(f, NULL));
    uint64_t said = 0, had = 0, left = 0, n = 0;
    enum ipc_type type = IPC_STDIN;
    struct buf b;

    memset(text, 'x', 999);
    buf_init(&b, IPC_PAYLOAD_MAX);
    while (said * 1000 < MUCH) {
        for (int i = 0; i < 50; i++)
            say(f, "web.1", text);
        said += 50;
        serve_all(f);
        assert_int_equal(ipc_read(fast, &type, &b, NULL), 1);
        for (const char *s = buf_str(&b); (s = strchr(s, '\n')) != NULL; s++)
            had++;
        assert_int_equal(had, said);
    }
    say(f, "web.1", "the last");
    serve_all(f);
    while (strstr(buf_str(&b), "the last") == NULL) {
        const char *end;

        (void) serve(f);
        assert_int_equal(ipc_read(slow, &type, &b, NULL), 1);
        for (const char *s = buf_str(&b); (end = strchr(s, '\n')) != NULL; s = end + 1)
            if (sscanf(s, "%*s slipway %" SCNu64 " lines", &left) == 1) {
                n += left;
                say(f, "web.1", "the last");
                said++;
                serve_all(f);
            } else {
                n++;
            }
    }
    assert_true(left > 0);
    assert_true(n == said + 1);
    buf_release(&b);
    (void) close(fast);
    (void) close(slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_what_it_follows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_why_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
