#include "config.h"

#include "base/mem.h"
#include "gateway/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LINES_MIN 400 /* hostile lines: fewer are a file that was cut */

static const struct {
    const char *line;
    enum request_kind kind;
    const char *app;
} accepted[] = {
    { "git-receive-pack '/shop.git'", REQUEST_RECEIVE_PACK, "shop" },
    { "git-receive-pack 'shop'", REQUEST_RECEIVE_PACK, "shop" },
    { "git-receive-pack shop", REQUEST_RECEIVE_PACK, "shop" },
    { "git-receive-pack /shop", REQUEST_RECEIVE_PACK, "shop" },
    { "git-receive-pack \"/my-shop-2.git\"", REQUEST_RECEIVE_PACK, "my-shop-2" },
    { "git receive-pack '/shop.git'", REQUEST_RECEIVE_PACK, "shop" },
    { "git-upload-pack '/shop'", REQUEST_UPLOAD_PACK, "shop" },
    { "git upload-pack 'a.git'", REQUEST_UPLOAD_PACK, "a" },
    { "git-upload-pack 'abcdefghijklmnopqrstuvwxyz0123'", REQUEST_UPLOAD_PACK, "abcdefghijklmnopqrstuvwxyz0123" },
};

static void test_services(void **state)
{
    (void) state;
    for (size_t i = 0; i < countof(accepted); i++) {
        struct request r = REQUEST_INIT;
        struct err err = ERR_INIT;

        if (request_parse(accepted[i].line, strlen(accepted[i].line), &r, &err) != 0)
            fail_msg("%s: %s", accepted[i].line, err.msg);
        assert_int_equal(r.kind, accepted[i].kind);
        assert_string_equal(r.app, accepted[i].app);
        request_release(&r);
    }
}

static void test_command(void **state)
{
    const char *line = "  config:set shop 'A=b c' \"D=\\\"\"";
    struct request r = REQUEST_INIT;
    struct err err = ERR_INIT;

    (void) state;
    assert_int_equal(request_parse(line, strlen(line), &r, &err), 0);
    assert_int_equal(r.kind, REQUEST_COMMAND);
    assert_int_equal(r.words.n, 4);
    assert_string_equal(r.words.v[0], "config:set");
    assert_string_equal(r.words.v[2], "A=b c");
    assert_string_equal(r.words.v[3], "D=\"");
    request_release(&r);
}

/* Dokku's client: the app stands in front. */
static void test_front(void **state)
{
    static const char *const good[] = { "--app shop config", "-a shop config", "--app=shop --quiet --force config" };
    static const struct { const char *line, *says; } bad[] = {
        { "--app shop", "no command" }, { "--app", "needs a value" }, { "--nope config", "not a command's name" },
        { "--app shop ./config", "not a command's name" },
    };
    struct request r = REQUEST_INIT;

    (void) state;
    for (size_t i = 0; i < countof(good); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(request_parse(good[i], strlen(good[i]), &r, &err), 0);
        assert_string_equal(r.words.v[r.words.n - 1], "config");
        request_release(&r);
    }
    for (size_t i = 0; i < countof(bad); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(request_parse(bad[i].line, strlen(bad[i].line), &r, &err), -1);
        assert_non_null(strstr(err.msg, bad[i].says));
    }
}

static void test_limits(void **state)
{
    struct request r = REQUEST_INIT;
    struct err err = ERR_INIT;
    char *line = xmalloc(REQUEST_LINE_MAX + 1);

    (void) state;
    memset(line, 'a', REQUEST_LINE_MAX + 1);
    assert_int_equal(request_parse(line, REQUEST_LINE_MAX + 1, &r, &err), -1);
    assert_non_null(strstr(err.msg, "standard input"));
    assert_int_equal(request_parse("", 0, &r, &err), -1);
    assert_int_equal(request_parse("   ", 3, &r, &err), -1);
    free(line);
}

static size_t unescape(const char *s, char *out)
{
    size_t n = 0;

    while (*s != '\0' && *s != '\n') {
        if (s[0] == '\\' && s[1] == 'x') {
            char hex[3] = { s[2], s[3], '\0' };

            out[n++] = (char) strtol(hex, NULL, 16);
            s += 4;
        } else {
            out[n++] = *s++;
        }
    }
    return n;
}

/* Every line gets exactly the refusal that it deserves, or is a harmless command. */
static void test_hostile(void **state)
{
    static const struct { const char *kind, *says; } says[] = {
        { "path", "app" },
        { "service", "served" },
        { "word", "not a command's name" },
        { "split", "" },
    };
    cleanup_free char *path = xasprintf("%s/tests/unit/hostile_lines.txt", getenv("top_srcdir"));
    cleanup_fclose FILE *f = fopen(path, "re");
    char text[40000], line[40000];
    int n = 0;

    (void) state;
    assert_non_null(f);
    while (fgets(text, sizeof(text), f) != NULL) {
        char *tab = strchr(text, '\t');
        struct request r = REQUEST_INIT;
        struct err err = ERR_INIT;
        size_t len;
        int rc;

        assert_non_null(tab);
        *tab = '\0';
        len = unescape(tab + 1, line);
        rc = request_parse(line, len, &r, &err);
        n++;
        if (strcmp(text, "command") == 0) {
            if (rc != 0 || r.kind != REQUEST_COMMAND)
                fail_msg("line %d: %s: not a command: %s", n, tab + 1, err.msg);
            request_release(&r);
            continue;
        }
        if (rc == 0)
            fail_msg("line %d: %s: accepted", n, tab + 1);
        assert_int_equal(err.code, ERR_USAGE);
        for (size_t i = 0; i < countof(says); i++) {
            if (strcmp(text, says[i].kind) == 0 && strstr(err.msg, says[i].says) == NULL)
                fail_msg("line %d: %s: %s", n, tab + 1, err.msg);
        }
    }
    assert_true(n >= LINES_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_front),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
