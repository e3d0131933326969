#include "config.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char line[65536];
static int pipe_fds[2], old_stderr;

static int setup(void **state)
{
    (void) state;
    old_stderr = dup(STDERR_FILENO);
    return old_stderr >= 0 && pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : -1;
}

/* Runs one logging statement and leaves what it wrote in `line`. */
#define LOGGED(statement)                                                                        \
    do {                                                                                         \
        ssize_t n_;                                                                              \
        assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);                                      \
        statement;                                                                               \
        assert_true(dup2(old_stderr, STDERR_FILENO) >= 0);                                       \
        n_ = read(pipe_fds[0], line, sizeof(line) - 1);                                          \
        line[n_ > 0 ? n_ : 0] = '\0';                                                            \
    } while (0)

static void test_text(void **state)
{
    (void) state;
    log_init("listener", LOG_LEVEL_INFO, false);
    errno = ENOENT;
    LOGGED(log_info("%s", "hello"));
    assert_int_equal(errno, ENOENT);
    assert_non_null(strstr(line, "Z listener["));
    assert_string_equal(strstr(line, "] info: "), "] info: hello\n");
    log_set(LOG_APP, "shop");
    log_set(LOG_USER, "ann\nroot");
    LOGGED(log_error("a\033[2Jb\nc \xc3\xa9 \xc2\x9b \xff"));
    assert_string_equal(strstr(line, "] error: "),
                        "] error: a\\x1b[2Jb\\x0ac \xc3\xa9 \\xc2\\x9b \\xff user=ann\\x0aroot app=shop\n");
    log_set(LOG_APP, NULL);
    log_set(LOG_USER, "");
    LOGGED(log_debug("not shown"));
    assert_string_equal(line, "");
}

static void test_json(void **state)
{
    struct err err = ERR_INIT;
    json_t *o;

    (void) state;
    log_init("builder", LOG_LEVEL_DEBUG, true);
    log_set(LOG_BUILD, "57");
    LOGGED(log_debug("say \"a\\b\"\t\x01 \xe2\x82\xac \xed\xa0\x80 \xf0\x9f\x98\x80 \xc3"));
    o = json_parse(line, strlen(line), "the line", &err);
    if (o == NULL)
        fail_msg("%s: %s", err.msg, line);
    assert_string_equal(json_str(o, "role", ""), "builder");
    assert_string_equal(json_str(o, "level", ""), "debug");
    assert_string_equal(json_str(o, "build", ""), "57");
    assert_int_equal(json_int(o, "pid", 0), getpid());
    assert_string_equal(json_str(o, "message", ""),
                        "say \"a\\b\"\t\x01 \xe2\x82\xac \xc3\xad\xc2\xa0\xc2\x80 \xf0\x9f\x98\x80 \xc3\x83");
    json_decref(o);
    log_set(LOG_BUILD, NULL);
}

static void test_long(void **state)
{
    cleanup_free char *text = xmalloc(20001);

    (void) state;
    memset(text, '\x01', 20000);
    text[20000] = '\0';
    log_init("builder", LOG_LEVEL_DEBUG, false);
    LOGGED(log_info("%s", text));
    assert_in_range(strlen(line), 4095 * 4, 4096 * 4 + 100);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_long),
    };

    json_init();
    return cmocka_run_group_tests(tests, setup, NULL);
}
