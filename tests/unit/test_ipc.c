#include "config.h"

#include "base/ipc.h"
#include "base/mem.h"
#include "base/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/slipway-ipc-XXXXXX";

static int setup(void **state)
{
    (void) state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void) state;
    return path_remove_all(folder, NULL);
}

static void test_frames(void **state)
{
    struct err err = ERR_INIT;
    enum ipc_type type;
    const char *payload;
    struct buf b;
    size_t n;

    (void) state;
    buf_init(&b, 20);
    assert_int_equal(ipc_put(&b, IPC_STDOUT, "hello", 5), 0);
    assert_int_equal(ipc_put(&b, IPC_STDIN, NULL, 0), 0);
    assert_int_equal(ipc_put(&b, IPC_STDERR, "x", 1), -1);
    assert_int_equal(buf_len(&b), 15);

    assert_int_equal(ipc_get(&b, &type, &payload, &n, &err), 1);
    assert_int_equal(type, IPC_STDOUT);
    assert_int_equal(n, 5);
    assert_memory_equal(payload, "hello", 5);
    buf_consume(&b, IPC_HEADER + n);
    assert_int_equal(ipc_get(&b, &type, &payload, &n, &err), 1);
    assert_int_equal(type, IPC_STDIN);
    assert_int_equal(n, 0);
    buf_truncate(&b, 4);
    assert_int_equal(ipc_get(&b, &type, &payload, &n, &err), 0);
    buf_clear(&b);
    assert_int_equal(ipc_get(&b, &type, &payload, &n, &err), 0);

    assert_int_equal(buf_add(&b, "z\0\0\0\0", 5), 0);
    assert_int_equal(ipc_get(&b, &type, &payload, &n, &err), -1);
    assert_string_equal(err.msg, "unknown frame type 0x7a");
    buf_clear(&b);
    assert_int_equal(buf_add(&b, "o\0\1\0\1", 5), 0);
    assert_int_equal(ipc_get(&b, &type, &payload, &n, &err), -1);
    assert_string_equal(err.msg, "a frame of 65537 bytes; at most 65536 are allowed");
    buf_clear(&b);
    assert_int_equal(buf_add(&b, "o\377\377\377\377", 5), 0);
    assert_int_equal(ipc_get(&b, &type, &payload, &n, &err), -1);
    buf_release(&b);
}

/* The folder's path is longer than a socket's address may be. */
static void test_sockets(void **state)
{
    cleanup_free char *deep = xasprintf("%s/%0100d", folder, 0), *path = xasprintf("%s/x.sock", deep);
    struct err err = ERR_INIT;
    enum ipc_type type;
    struct stat st;
    struct buf b;
    int server, client, peer;

    (void) state;
    assert_int_equal(path_mkdir(deep, 0700, &err), 0);
    assert_int_equal(ipc_connect(path, &err), -1);
    assert_int_equal(err.code, ERR_DOWN);
    server = ipc_listen(path, &err);
    assert_true(server >= 0);
    (void) close(server);
    assert_int_equal(ipc_connect(path, &err), -1); /* the file is there, but nobody listens */
    assert_int_equal(err.code, ERR_DOWN);
    server = ipc_listen(path, &err); /* replaces it */
    if (server < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    client = ipc_connect(path, &err);
    assert_true(client >= 0);
    peer = accept(server, NULL, NULL);
    assert_true(peer >= 0);

    buf_init(&b, IPC_PAYLOAD_MAX);
    assert_int_equal(ipc_write(client, IPC_REQUEST, "{}", 2, &err), 0);
    assert_int_equal(ipc_write(client, IPC_STDIN, "", 0, &err), 0);
    assert_int_equal(ipc_read(peer, &type, &b, &err), 1);
    assert_int_equal(type, IPC_REQUEST);
    assert_string_equal(buf_str(&b), "{}");
    assert_int_equal(ipc_read(peer, &type, &b, &err), 1);
    assert_int_equal(type, IPC_STDIN);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(send(client, "o\0\0", 3, 0), 3);
    (void) close(client);
    assert_int_equal(ipc_read(peer, &type, &b, &err), -1);
    assert_string_equal(err.msg, "the stream ended within a frame");
    assert_int_equal(ipc_read(peer, &type, &b, &err), 0);
    assert_int_equal(ipc_write(peer, IPC_RESULT, "{}", 2, &err), -1); /* and no SIGPIPE */
    buf_release(&b);
    (void) close(peer);
    (void) close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_sockets),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
