#include "config.h"

#include "base/mem.h"
#include "base/path.h"

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

static char folder[] = "/tmp/slipway-path-XXXXXX";

static int setup(void **state)
{
    (void) state;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void) state;
    return path_remove_all(folder, NULL);
}

static void test_read_write(void **state)
{
    struct err err = ERR_INIT;
    struct stat st;
    struct buf b;

    (void) state;
    buf_init(&b, 6);
    assert_int_equal(path_write("f", "a\0b\nc\n", 6, 0640, &err), 0);
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(path_read("f", &b, &err), 0); /* exactly the maximum */
    assert_int_equal(buf_len(&b), 6);
    assert_memory_equal(buf_str(&b), "a\0b\nc\n", 6);
    buf_clear(&b);
    assert_int_equal(path_write("f", "1234567", 7, 0600, &err), 0);
    assert_int_equal(path_read("f", &b, &err), -1);
    assert_string_equal(err.msg, "f is larger than 6 bytes");
    assert_int_equal(path_read("missing", &b, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(path_read(".", &b, &err), -1);
    assert_int_equal(path_write("missing/f", "", 0, 0600, &err), -1);
    assert_int_equal(path_write("/", "", 0, 0600, &err), -1);
    buf_release(&b);
}

static void test_mkdir(void **state)
{
    struct err err = ERR_INIT;
    struct stat st;
    mode_t old = umask(077);

    (void) state;
    assert_int_equal(path_mkdir("d", 02770, &err), 0);
    (void) umask(old);
    assert_int_equal(stat("d", &st), 0);
    assert_int_equal(st.st_mode & 07777, 02770);
    assert_int_equal(path_mkdir("d", 0700, &err), 0);
    assert_int_equal(stat("d", &st), 0);
    assert_int_equal(st.st_mode & 07777, 02770);
    assert_int_equal(path_write("file", "", 0, 0600, &err), 0);
    assert_int_equal(path_mkdir("file", 0700, &err), -1);
    assert_int_equal(path_mkdir("no/d", 0700, &err), -1);
}

static void test_remove_all(void **state)
{
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(path_mkdir("keep", 0700, &err), 0);
    assert_int_equal(path_write("keep/file", "k", 1, 0600, &err), 0);
    assert_int_equal(path_mkdir("gone", 0700, &err), 0);
    assert_int_equal(path_mkdir("gone/sub", 0700, &err), 0);
    assert_int_equal(path_write("gone/sub/file", "x", 1, 0400, &err), 0);
    assert_int_equal(symlink("../keep", "gone/link"), 0);
    assert_int_equal(symlink("../../keep", "gone/sub/link"), 0);
    assert_int_equal(mkfifo("gone/fifo", 0600), 0);
    assert_int_equal(chmod("gone/sub", 0), 0); /* ours, but closed */
    if (path_remove_all("gone", &err) < 0)
        fail_msg("%s", err.msg);
    assert_false(path_exists("gone"));
    assert_true(path_exists("keep/file"));
    assert_int_equal(path_remove_all("gone", &err), 0);
    assert_int_equal(symlink("keep", "link"), 0);
    assert_int_equal(path_remove_all("link", &err), 0); /* the link, not what it names */
    assert_true(path_exists("keep/file"));
    assert_int_equal(path_remove_all("keep/file", &err), 0);
    assert_false(path_exists("keep/file"));
}

static void test_write_all(void **state)
{
    struct err err = ERR_INIT;
    cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void) state;
    assert_true(full >= 0);
    assert_int_equal(fd_write_all(full, "x", 1, &err), -1);
    assert_string_equal(err.msg, "cannot write: No space left on device");
}

static void test_size(void **state)
{
    static const char text[20000] = "x";
    struct err err = ERR_INIT;
    int64_t n = -1;

    (void) state;
    assert_int_equal(path_size("none", &n, &err), 0);
    assert_int_equal(n, 0);
    assert_int_equal(path_mkdir("size", 0700, &err), 0);
    assert_int_equal(path_mkdir("size/in", 0700, &err), 0);
    assert_int_equal(path_write("size/a", text, sizeof(text), 0600, &err), 0);
    assert_int_equal(path_write("size/in/b", text, sizeof(text), 0600, &err), 0);
    assert_int_equal(symlink("/", "size/in/link"), 0);
    assert_int_equal(path_size("size", &n, &err), 0);
    assert_in_range(n, 2 * sizeof(text), 8 * sizeof(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_write),
        cmocka_unit_test(test_mkdir),
        cmocka_unit_test(test_remove_all),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_write_all),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
