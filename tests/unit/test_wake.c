#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "base/wake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/slipway-wake-XXXXXX";

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

static void test_wake(void **state)
{
    cleanup_free char *one = xasprintf("%s/one.wake", folder), *two = xasprintf("%s/two.wake", folder);
    struct err err = ERR_INIT;
    struct stat st;
    mode_t old = umask(077);
    int fd, watch;

    (void) state;
    fd = wake_open(&err);
    assert_true(fd >= 0);
    watch = wake_watch(fd, one, &err);
    assert_true(watch >= 0);
    assert_true(wake_watch(fd, two, &err) >= 0);
    assert_int_equal(stat(one, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660); /* for the group, whatever the umask is */
    (void) umask(old);
    assert_int_equal(wake_wait(fd, 0, &err), 0); /* making a file is no event */

    assert_int_equal(wake_touch(one, &err), 0);
    assert_int_equal(wake_wait(fd, 5000, &err), 1);
    assert_int_equal(wake_drain(fd, &err), 0);

    assert_int_equal(wake_touch(one, &err), 0);
    assert_int_equal(wake_touch(two, &err), 0);
    assert_int_equal(wake_drain(fd, &err), 1); /* both at once */
    assert_int_equal(wake_drain(fd, &err), 0);

    assert_int_equal(path_write(one, "x", 1, 0600, &err), 0); /* another inode now */
    wake_unwatch(fd, watch);
    assert_int_equal(wake_wait(fd, 5000, &err), 1); /* unwatching is told, too */
    assert_int_equal(wake_touch(one, &err), 0);
    assert_int_equal(wake_drain(fd, &err), 0);
    (void) close(fd);
}

static void test_wake_errors(void **state)
{
    struct err err = ERR_INIT;
    cleanup_free char *link = xasprintf("%s/link", folder);

    (void) state;
    assert_int_equal(wake_touch("/nonexistent/x.wake", &err), -1);
    assert_string_equal(err.msg, "cannot open /nonexistent/x.wake: No such file or directory");
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(wake_touch(link, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wake),
        cmocka_unit_test(test_wake_errors),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
