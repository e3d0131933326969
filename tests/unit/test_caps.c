/* The limits of a build's containers, against a Docker engine that is a process of this test: it says that pack has made a
 * container, and later that its memory was used up and that it is gone. */
#include "config.h"

#include "base/http.h"
#include "base/json.h"
#include "base/mem.h"
#include "builder/caps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

#define DIR "/spool/build-7"
#define TAG "reg/shop:b7"
#define EVENT(action, id) "{\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id "\"}}\n"

/* What the engine does. */
struct script {
    const char *list;   /* its containers */
    const char *first;  /* events at once */
    const char *then;   /* events when the test says so; the stream ends behind them where ends is set */
    int status;         /* of an update */
    bool ends;
    const char *why;    /* the message of a status that isn't 200; NULL: "no" */
};

struct fake {
    pid_t pid;
    char folder[32], path[64];
    int updates[2];     /* requests to limit, one a line, for the test */
    int go[2];          /* a byte of the test's: the other events */
    struct docker *docker;
    struct caps *caps;
};

static void answer(int fd, int status, const char *body)
{
    dprintf(fd, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
            strlen(body), body);
}

/* One connection, one request. */
static void serve(struct fake *f, const struct script *s, int fd)
{
    char text[8192] = "", byte;
    const char *end = NULL;
    size_t n = 0, length;
    ssize_t got;

    do {
        got = read(fd, text + n, sizeof(text) - 1 - n);
        n += got > 0 ? (size_t) got : 0;
        end = strstr(text, "\r\n\r\n");
    } while (got > 0 && (end == NULL || (strncmp(text, "POST", 4) == 0 && text[n - 1] != '}')));
    if (end == NULL)
        return;
    length = strcspn(text, "\r");
    if (strstr(text, "GET /events?") == text) {
        dprintf(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", s->first);
        if (read(f->go[0], &byte, 1) == 1)
            dprintf(fd, "%s", s->then);
        while (!s->ends && read(fd, &byte, 1) > 0)
            ;
    } else if (strstr(text, "GET /containers/json?") == text) {
        answer(fd, 200, s->list);
    } else {
        dprintf(f->updates[1], "%.*s %s\n", (int) length, text, end + 4);
        (void) snprintf(text, sizeof(text), "{\"message\":\"%s\"}", s->why != NULL ? s->why : "no");
        answer(fd, s->status, s->status == 200 ? "{\"Warnings\":null}" : text);
    }
}

static void engine(struct fake *f, const struct script *s, int listening)
{
    for (;;) {
        int fd = accept(listening, NULL, NULL);

        if (fork() == 0) {
            (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(f, s, fd);
            _exit(0);
        }
        (void) close(fd);
    }
}

static void begin(struct fake *f, const struct script *s)
{
    static const struct caps_limits limits = { 512 << 20, 128, 4096 };
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct err err = ERR_INIT;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(f->folder, sizeof(f->folder), "/tmp/slipway-caps-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void) snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
    (void) snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->path);
    assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(pipe(f->updates), 0);
    assert_int_equal(pipe(f->go), 0);
    f->pid = fork();
    if (f->pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) signal(SIGCHLD, SIG_IGN);
        engine(f, s, fd);
    }
    (void) close(fd);
    f->docker = docker_new(f->path, &err);
    assert_non_null(f->docker);
    f->caps = caps_open(f->docker, &limits, DIR, TAG, &err);
    assert_non_null(f->caps);
}

static void end(struct fake *f)
{
    caps_close(f->caps);
    docker_free(f->docker);
    (void) kill(f->pid, SIGKILL);
    (void) waitpid(f->pid, NULL, 0);
    for (int i = 0; i < 2; i++) {
        (void) close(f->updates[i]);
        (void) close(f->go[i]);
    }
    (void) unlink(f->path);
    (void) rmdir(f->folder);
}

/* The engine sends its other events; whether memory is the reason. */
static bool exceeded(struct fake *f)
{
    assert_int_equal(write(f->go[1], "", 1), 1);
    return caps_exceeded(f->caps);
}

/* Goes on until n containers were limited: what the engine was asked is in said. */
static void wait_for(struct fake *f, int n, char *said, size_t size)
{
    struct err err = ERR_INIT;
    size_t have = 0;

    said[0] = '\0';
    while (n > 0) {
        ssize_t got;

        if (caps_wait(f->caps, -1, f->updates[0], &err) != 0)
            fail_msg("%s", err.msg);
        do { /* what caps_wait asked is in the pipe when it has its answer */
            struct timeval none = { 0, 0 };
            fd_set set;

            FD_ZERO(&set);
            FD_SET(f->updates[0], &set);
            if (select(f->updates[0] + 1, &set, NULL, NULL, &none) != 1)
                break;
            got = read(f->updates[0], said + have, 1);
            assert_int_equal(got, 1);
            n -= said[have] == '\n';
            said[++have] = '\0';
            assert_true(have < size);
        } while (n > 0);
    }
}

/* Two of this build, the second known by the volume that the first shares with it; one of another. */
#define LIST                                                                                                            \
    "[{\"Id\":\"second\",\"Command\":\"detector\",\"Mounts\":[{\"Name\":\"pack-layers-a\"}]},"                             \
    "{\"Id\":\"first\",\"Command\":\"analyzer " TAG "\",\"Mounts\":[{\"Name\":\"pack-layers-a\"}]},"                       \
    "{\"Id\":\"other\",\"Command\":\"analyzer " TAG "1\",\"Mounts\":[{\"Name\":\"pack-layers-b\"}]}]"
#define LIMITS " {\"Memory\":536870912,\"MemorySwap\":536870912,\"CpuShares\":128,\"PidsLimit\":4096}\n"

static void test_limited(void **state)
{
    static const struct script s = { LIST, EVENT("create", "first"),
                                     EVENT("oom", "other") EVENT("destroy", "first") EVENT("oom", "second")
                                     EVENT("destroy", "second"), 200, false };
    struct fake f;
    char said[1024];

    (void) state;
    begin(&f, &s);
    wait_for(&f, 2, said, sizeof(said));
    assert_string_equal(said, "POST /containers/first/update HTTP/1.1" LIMITS "POST /containers/second/update HTTP/1.1" LIMITS);
    assert_true(exceeded(&f));
    assert_int_equal(caps_memory(f.caps), 512 << 20);
    end(&f);
}

/* Another build's memory is not this one's reason, and an engine that ends its events is not waited for. */
static void test_not_exceeded(void **state)
{
    static const struct script s[] = {
        { LIST, EVENT("create", "first"), EVENT("oom", "other") EVENT("destroy", "first") EVENT("destroy", "second"), 200,
          false },
        { LIST, EVENT("create", "first"), EVENT("oom", "other") "{\"Action", 200, true },
    };
    struct fake f;
    char said[1024];

    (void) state;
    for (size_t i = 0; i < countof(s); i++) {
        begin(&f, &s[i]);
        wait_for(&f, 2, said, sizeof(said));
        assert_false(exceeded(&f));
        end(&f);
    }
}

/* A container that is gone or has ended when it is limited is fine; limits that the engine does not take are an error. */
static void test_refused(void **state)
{
    static const struct script gone = { LIST, EVENT("create", "first"), "", 404, false, NULL };
    static const struct script ended = { LIST, EVENT("create", "first"), "", 500, false,
                                         "Cannot update container first: cannot update a stopped container: unknown" };
    static const struct script bad = { LIST, EVENT("create", "first"), "", 400, false, NULL };
    struct err err = ERR_INIT;
    struct fake f;
    char said[1024];

    (void) state;
    begin(&f, &gone);
    wait_for(&f, 2, said, sizeof(said));
    end(&f);
    begin(&f, &ended);
    wait_for(&f, 2, said, sizeof(said));
    end(&f);
    begin(&f, &bad);
    while (caps_wait(f.caps, -1, -1, &err) == 0)
        ;
    assert_string_equal(err.msg, "limiting the container first: the Docker engine answers 400: no");
    end(&f);
}

static void test_default(void **state)
{
    const int64_t g = (int64_t) 1 << 30;

    (void) state;
    assert_int_equal(caps_default_memory(4 * g, 1), 3 * g);
    assert_int_equal(caps_default_memory(4 * g, 2), 3 * g / 2);
    assert_int_equal(caps_default_memory(4 * g + 12345, 3), g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limited),
        cmocka_unit_test(test_not_exceeded),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_default),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
