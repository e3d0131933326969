#include "config.h"

#include "base/http.h"
#include "base/library.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* tests/fakes/http_server.py, started once for all tests. */
static struct {
    pid_t pid;
    int in;
    char folder[64], ca[96], unix_socket[128];
    int plain, tls;
} server;

extern char **environ;

static int start_server(void **state)
{
    int in[2], out[2];
    char line[256] = "", path[64];
    const char *top = getenv("top_srcdir");
    cleanup_free char *script = xasprintf("%s/tests/fakes/http_server.py", top != NULL ? top : ".");
    char python[] = "python3";
    char *argv[] = { python, script, server.folder, NULL };
    posix_spawn_file_actions_t fa;
    ssize_t n;

    (void) state;
    (void) snprintf(server.folder, sizeof(server.folder), "/tmp/slipway-http-XXXXXX");
    if (mkdtemp(server.folder) == NULL || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return -1;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, in[0], 0);
    posix_spawn_file_actions_adddup2(&fa, out[1], 1);
    if (posix_spawn(&server.pid, "/usr/bin/python3", &fa, NULL, argv, environ) != 0)
        return -1;
    posix_spawn_file_actions_destroy(&fa);
    close(in[0]);
    close(out[1]);
    server.in = in[1];
    n = read(out[0], line, sizeof(line) - 1);
    close(out[0]);
    if (n <= 0 || sscanf(line, "%d %d %63s", &server.plain, &server.tls, path) != 3)
        return -1;
    (void) snprintf(server.unix_socket, sizeof(server.unix_socket), "%s", path);
    (void) snprintf(server.ca, sizeof(server.ca), "%s/ca.pem", server.folder);
    return 0;
}

static int stop_server(void **state)
{
    static const char *const files[] = { "ca.pem", "key.pem", "socket" };

    (void) state;
    close(server.in);
    (void) waitpid(server.pid, NULL, 0);
    for (size_t i = 0; i < countof(files); i++) {
        cleanup_free char *path = xasprintf("%s/%s", server.folder, files[i]);
        (void) unlink(path);
    }
    return rmdir(server.folder);
}

static struct http *client(const struct http_options *o)
{
    struct err err = ERR_INIT;
    struct http *h = http_new(o, &err);

    assert_non_null(h);
    return h;
}

static char *plain_url(const char *path)
{
    return xasprintf("http://127.0.0.1:%d%s", server.plain, path);
}

static char *tls_url(const char *path)
{
    return xasprintf("https://localhost:%d%s", server.tls, path);
}

static int get(struct http *h, const char *url, struct http_response *r, struct err *err)
{
    return http_do(h, &(struct http_request){ .method = "GET", .url = url }, r, err);
}

static void test_plain(void **state)
{
    struct http *h = client(&(struct http_options){ .unix_socket = NULL });
    struct http_response r;
    struct err err = ERR_INIT;
    cleanup_free char *url = plain_url("/hello"), *none = plain_url("/none"), *n = plain_url("/count");
    long first;

    (void) state;
    http_response_init(&r);
    assert_int_equal(get(h, n, &r, &err), 0);
    first = strtol(buf_str(&r.body), NULL, 10);
    assert_int_equal(get(h, url, &r, &err), 0);
    assert_int_equal(r.status, 200);
    assert_string_equal(buf_str(&r.body), "hello\n");
    assert_string_equal(http_header(&r, "x-kind"), "greeting");
    assert_null(http_header(&r, "x"));
    assert_int_equal(get(h, none, &r, &err), 0);
    assert_int_equal(r.status, 404);
    assert_int_equal(http_do(h, &(struct http_request){ .method = "HEAD", .url = url }, &r, &err), 0);
    assert_int_equal(buf_len(&r.body), 0);
    assert_string_equal(http_header(&r, "content-length"), "6");
    /* One connection for all. */
    assert_int_equal(get(h, n, &r, &err), 0);
    assert_int_equal(strtol(buf_str(&r.body), NULL, 10), first);
    http_response_release(&r);
    http_free(h);
}

static void test_unix(void **state)
{
    struct http *h = client(&(struct http_options){ .unix_socket = server.unix_socket });
    struct http *none = client(&(struct http_options){ .unix_socket = "/nonexistent/socket" });
    struct http_response r;
    struct err err = ERR_INIT;

    (void) state;
    http_response_init(&r);
    assert_int_equal(get(h, "http://engine/hello", &r, &err), 0);
    assert_string_equal(buf_str(&r.body), "hello\n");
    assert_int_equal(get(none, "http://engine/hello", &r, &err), -1);
    assert_int_equal(err.code, ERR_DOWN);
    assert_non_null(strstr(err.msg, "/nonexistent/socket"));
    http_response_release(&r);
    http_free(h);
    http_free(none);
}

static long read_abc(char *data, size_t n, void *arg)
{
    int *left = arg;

    if (*left == 0)
        return 0;
    assert_true(n >= 1);
    *data = (char) ('a' + 3 - (*left)--);
    return 1;
}

static long read_fails(char *data, size_t n, void *arg)
{
    (void) data, (void) n, (void) arg;
    return -1;
}

static void test_bodies(void **state)
{
    struct http *h = client(&(struct http_options){ .unix_socket = NULL });
    struct http_response r;
    struct err err = ERR_INIT;
    struct vec headers = VEC_INIT;
    cleanup_free char *url = plain_url("/echo");
    int left = 3;
    struct http_request q = { .method = "POST", .url = url, .headers = &headers,
                              .body = "a\0b", .body_len = 3 };

    (void) state;
    vec_addl(&headers, "X-One: 1", NULL);
    http_response_init(&r);
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_memory_equal(buf_str(&r.body), "POST\n", 5);
    assert_non_null(strstr(buf_str(&r.body), "X-One: 1"));
    assert_null(strstr(buf_str(&r.body), "Content-Type"));
    assert_memory_equal(buf_str(&r.body) + buf_len(&r.body) - 3, "a\0b", 3);

    q = (struct http_request){ .method = "PUT", .url = url };
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_non_null(strstr(buf_str(&r.body), "Content-Length: 0"));

    q = (struct http_request){ .method = "PATCH", .url = url, .read = read_abc, .read_arg = &left,
                               .read_len = 3 };
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_memory_equal(buf_str(&r.body), "PATCH\n", 6);
    assert_non_null(strstr(buf_str(&r.body), "\n\nabc"));
    left = 3;
    q.read_len = -1;
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_non_null(strstr(buf_str(&r.body), "\n\nabc"));

    q.read = read_fails;
    assert_int_equal(http_do(h, &q, &r, &err), -1);
    assert_int_equal(err.code, ERR_FAILED);
    vec_release(&headers);
    http_response_release(&r);
    http_free(h);
}

static void test_bounds(void **state)
{
    struct http *h = client(&(struct http_options){ .unix_socket = NULL });
    struct http_response r;
    struct err err = ERR_INIT;
    cleanup_free char *fits = plain_url("/big?n=1048576"), *big = plain_url("/big?n=1048577");
    cleanup_free char *many = plain_url("/headers?n=80");
    struct http_request q = { .method = "GET", .url = big, .body_max = 2000000 };

    (void) state;
    http_response_init(&r);
    assert_int_equal(get(h, fits, &r, &err), 0);
    assert_int_equal(buf_len(&r.body), 1048576);
    assert_int_equal(get(h, big, &r, &err), -1);
    assert_int_equal(err.code, ERR_FAILED);
    assert_non_null(strstr(err.msg, "longer"));
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_int_equal(buf_len(&r.body), 1048577);
    assert_int_equal(get(h, many, &r, &err), -1);
    http_response_release(&r);
    http_free(h);
}

static void test_times(void **state)
{
    struct http *h = client(&(struct http_options){ .unix_socket = NULL });
    struct http_response r;
    struct err err = ERR_INIT;
    cleanup_free char *silent = plain_url("/silent"), *stall = plain_url("/stall"), *cut = plain_url("/cut");
    struct http_request q = { .method = "GET", .url = silent, .timeout_ms = 100 };

    (void) state;
    http_response_init(&r);
    assert_int_equal(http_do(h, &q, &r, &err), -1);
    assert_int_equal(err.code, ERR_DOWN);
    q = (struct http_request){ .method = "GET", .url = stall, .timeout_ms = -1, .stall_ms = 1000 };
    assert_int_equal(http_do(h, &q, &r, &err), -1);
    assert_int_equal(err.code, ERR_DOWN);
    assert_int_equal(get(h, cut, &r, &err), -1);
    assert_int_equal(err.code, ERR_DOWN);
    http_response_release(&r);
    http_free(h);
}

static void test_redirects(void **state)
{
    struct http *h = client(&(struct http_options){ .ca_file = server.ca });
    struct http_response r;
    struct err err = ERR_INIT;
    struct vec headers = VEC_INIT;
    cleanup_free char *same = plain_url("/redirect?to=/echo");
    cleanup_free char *other = xasprintf("http://127.0.0.1:%d/redirect?to=http://localhost:%d/echo",
                                         server.plain, server.plain);
    cleanup_free char *port = xasprintf("http://localhost:%d/redirect?to=https://localhost:%d/echo",
                                        server.plain, server.tls);
    cleanup_free char *down = xasprintf("https://localhost:%d/redirect?to=http://localhost:%d/echo",
                                        server.tls, server.plain);
    cleanup_free char *loop = plain_url("/redirect?to=/redirect?to=/redirect");
    cleanup_free char *file = plain_url("/redirect?to=file:///etc/passwd");
    struct http_request q = { .method = "GET", .url = same, .headers = &headers };

    (void) state;
    vec_addl(&headers, "Authorization: Bearer secret", NULL);
    http_response_init(&r);
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_int_equal(r.status, 307);
    assert_string_equal(http_header(&r, "location"), "/echo");
    q.follow = true;
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_non_null(strstr(buf_str(&r.body), "Bearer secret"));
    assert_null(http_header(&r, "location"));
    /* Another host, another port: no credentials. */
    q.url = other;
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_int_equal(r.status, 200);
    assert_null(strstr(buf_str(&r.body), "secret"));
    q.url = port;
    assert_int_equal(http_do(h, &q, &r, &err), 0);
    assert_int_equal(r.status, 200);
    assert_null(strstr(buf_str(&r.body), "secret"));
    q.url = down;
    assert_int_equal(http_do(h, &q, &r, &err), -1);
    q.url = file;
    assert_int_equal(http_do(h, &q, &r, &err), -1);
    q.url = loop;
    (void) http_do(h, &q, &r, &err);
    vec_release(&headers);
    http_response_release(&r);
    http_free(h);
}

/* The test's authority vouches for itself, for two days or so; nobody has to trust it to look at it. */
static void certificate_is(struct http *h, const char *url)
{
    struct http_certificate c;
    struct err err = ERR_INIT;
    int64_t now = (int64_t) time(NULL) * 1000;

    if (http_certificate_get(h, url, &c, &err) < 0)
        fail_msg("%s", err.msg);
    assert_non_null(strstr(c.issuer, "localhost"));
    assert_true(c.not_before <= now + 60000 && c.not_after > now);
    http_certificate_release(&c);
}

static void test_tls(void **state)
{
    cleanup_buf struct buf pem;
    struct http_options o = { .ca_file = server.ca };
    struct http *file = client(&o), *memory, *none, *insecure, *named, *cert;
    struct http_response r;
    struct err err = ERR_INIT;
    cleanup_free char *url = tls_url("/hello");
    cleanup_free char *address = xasprintf("https://127.0.0.1:%d/hello", server.tls);
    cleanup_free char *key = xasprintf("%s/key.pem", server.folder);
    int fd = open(server.ca, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    (void) state;
    buf_init(&pem, 65536);
    n = read(fd, buf_reserve(&pem, 60000), 60000);
    assert_true(n > 0);
    buf_added(&pem, (size_t) n);
    close(fd);
    http_response_init(&r);
    assert_int_equal(get(file, url, &r, &err), 0);
    o = (struct http_options){ .ca_pem = buf_str(&pem) };
    memory = client(&o);
    assert_int_equal(get(memory, url, &r, &err), 0);
    assert_int_equal(get(memory, address, &r, &err), -1); /* not the certificate's name */
    assert_int_equal(err.code, ERR_DOWN);
    none = client(&(struct http_options){ .unix_socket = NULL });
    assert_int_equal(get(none, url, &r, &err), -1);
    insecure = client(&(struct http_options){ .insecure = true });
    assert_int_equal(get(insecure, address, &r, &err), 0);
    o.tls_server_name = "localhost";
    named = client(&o);
    assert_int_equal(get(named, address, &r, &err), 0);
    certificate_is(none, address);
    certificate_is(named, address);
    assert_string_equal(buf_str(&r.body), "hello\n");
    o.cert_file = server.ca;
    o.key_file = key;
    cert = client(&o);
    assert_int_equal(get(cert, url, &r, &err), 0);
    /* The certificate is shown to no other host. */
    assert_int_equal(http_do(cert, &(struct http_request){ .method = "GET", .url = url, .follow = true },
                             &r, &err), -1);
    http_response_release(&r);
    http_free(file);
    http_free(memory);
    http_free(none);
    http_free(insecure);
    http_free(named);
    http_free(cert);
}

static void test_http2(void **state)
{
    struct http *h = client(&(struct http_options){ .ca_file = server.ca, .http2 = true });
    struct http_call *c[2];
    struct http_response r[2];
    struct err err = ERR_INIT;
    cleanup_free char *both = tls_url("/both"), *n = tls_url("/count");
    struct http_request q = { .method = "GET", .url = both };
    int open = 2;

    (void) state;
    for (int i = 0; i < 2; i++) {
        http_response_init(&r[i]);
        c[i] = http_start(h, &q, &r[i], &err);
        assert_non_null(c[i]);
    }
    /* The server answers when both are open on one connection. */
    while (open > 0) {
        assert_int_equal(http_poll(h, 10000, -1, NULL, &err), 0);
        for (int i = 0; i < 2; i++) {
            int rc = c[i] != NULL ? http_done(c[i], &err) : 0;

            assert_int_not_equal(rc, -1);
            if (rc == 1) {
                c[i] = NULL;
                open--;
            }
        }
    }
    assert_string_equal(buf_str(&r[0].body), "both");
    assert_string_equal(http_header(&r[1], "x-kind"), "h2");
    assert_int_equal(get(h, n, &r[0], &err), 0);
    assert_string_equal(buf_str(&r[0].body), "1");
    http_response_release(&r[0]);
    http_response_release(&r[1]);
    http_free(h);
}

/* A pipe from one client's download to another's upload, one piece at a time. */
struct pipe_state {
    char piece[4096 * 8];
    size_t n, at;
    bool ended;
    struct http_call *down, *up;
    unsigned pauses;
};

static int pipe_in(const char *data, size_t n, void *arg)
{
    struct pipe_state *p = arg;

    if (p->n != 0) {
        p->pauses++;
        return HTTP_PAUSE;
    }
    assert_true(n <= sizeof(p->piece));
    memcpy(p->piece, data, n);
    p->n = n;
    p->at = 0;
    return 0;
}

static long pipe_out(char *data, size_t n, void *arg)
{
    struct pipe_state *p = arg;

    if (p->n == 0)
        return p->ended ? 0 : HTTP_PAUSE;
    if (n > p->n - p->at)
        n = p->n - p->at;
    memcpy(data, p->piece + p->at, n);
    p->at += n;
    if (p->at == p->n)
        p->n = 0;
    return (long) n;
}

static void test_pause(void **state)
{
    struct http *from = client(&(struct http_options){ .unix_socket = NULL });
    struct http *to = client(&(struct http_options){ .unix_socket = server.unix_socket, .share = from });
    struct http_response r[2];
    struct err err = ERR_INIT;
    struct pipe_state p = { .n = 0 };
    cleanup_free char *url = plain_url("/big?n=5000000");
    struct http_request get_it = { .method = "GET", .url = url, .on_body = pipe_in, .on_body_arg = &p };
    struct http_request put_it = { .method = "PUT", .url = "http://engine/echo", .read = pipe_out,
                                   .read_arg = &p, .read_len = 5000000, .body_max = 6000000 };

    (void) state;
    http_response_init(&r[0]);
    http_response_init(&r[1]);
    p.down = http_start(from, &get_it, &r[0], &err);
    p.up = http_start(to, &put_it, &r[1], &err);
    assert_non_null(p.down);
    assert_non_null(p.up);
    while (p.up != NULL) {
        int rc;

        assert_int_equal(http_poll(to, 10000, -1, NULL, &err), 0);
        if (p.down != NULL && (rc = http_done(p.down, &err)) != 0) {
            assert_int_equal(rc, 1);
            p.down = NULL;
            p.ended = true;
        }
        if ((rc = http_done(p.up, &err)) != 0) {
            assert_int_equal(rc, 1);
            p.up = NULL;
        }
        http_resume(p.n == 0 ? p.down : p.up);
        if (p.ended)
            http_resume(p.up);
    }
    assert_true(buf_len(&r[1].body) > 5000000);
    assert_true(p.pauses > 0);
    http_response_release(&r[0]);
    http_response_release(&r[1]);
    http_free(from);
    http_free(to);
}

static void test_extra_fd(void **state)
{
    struct http *h = client(&(struct http_options){ .unix_socket = NULL });
    struct http_response r;
    struct err err = ERR_INIT;
    cleanup_free char *url = plain_url("/silent");
    struct http_call *c;
    int fd[2];
    bool extra = true;

    (void) state;
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    http_response_init(&r);
    c = http_start(h, &(struct http_request){ .method = "GET", .url = url, .timeout_ms = -1 }, &r, &err);
    assert_non_null(c);
    assert_int_equal(http_poll(h, 50, fd[0], &extra, &err), 0);
    assert_false(extra);
    assert_int_equal(write(fd[1], "x", 1), 1);
    assert_int_equal(http_poll(h, -1, fd[0], &extra, &err), 0);
    assert_true(extra);
    assert_int_equal(http_done(c, &err), 0);
    http_cancel(c);
    close(fd[0]);
    close(fd[1]);
    http_response_release(&r);
    http_free(h);
}

static long resident_pages(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long size = 0, resident = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
    (void) fclose(f);
    return resident;
}

/* What libraries' pages are given back is seen in the process's memory, and the libraries work on. */
static void test_pages(void **state)
{
    long before = resident_pages();

    library_pages_release();
    assert_true(resident_pages() < before - 100);
    test_plain(state);
    test_tls(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),     cmocka_unit_test(test_unix),
        cmocka_unit_test(test_bodies),    cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_times),     cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_tls),       cmocka_unit_test(test_http2),
        cmocka_unit_test(test_pause),     cmocka_unit_test(test_extra_fd),
        cmocka_unit_test(test_pages),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
