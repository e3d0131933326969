/* What is said of a tree that no buildpack knows. */
#include "config.h"

#include "builder/misplaced.h"

#include "base/mem.h"
#include "base/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void put(const char *tree, const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", tree, name);
    char *slash = strrchr(path, '/');
    struct err err = ERR_INIT;

    if (strchr(name, '/') != NULL) {
        *slash = '\0';
        (void) path_mkdir(path, 0755, &err);
        *slash = '/';
    }
    assert_int_equal(path_write(path, "x", 1, 0644, &err), 0);
}

static void test_hints(void **state)
{
    static const struct {
        const char *files[4], *hint;
    } cases[] = {
        { { "notes.txt", "docs/index.md" }, NULL },
        { { "procfile", "requirements.TXT" }, "There is procfile, but the name must be Procfile: git mv procfile Procfile" },
        { { "package.json", "back/Procfile" }, "There is package.json, and no buildpack of this builder took it; perhaps a file beside it "
                                               "is missing, such as its lock file" },
        { { "front/x", "b/package.json", "a/x", "c/Procfile" }, "There is b/package.json, but a push is built from its top folder; "
                                                    "to push that folder alone: git subtree push --prefix=b REMOTE trunk" },
        { { "a\033[2Jb/go.mod", ".git2/Procfile" }, "There is ab/go.mod, but a push is built from its top folder; to push that folder "
                                                    "alone: git subtree push --prefix=ab REMOTE trunk" },
    };
    const char *tmp = getenv("TMPDIR");

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        cleanup_free char *tree = xasprintf("%s/slipway-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
        cleanup_free char *got = NULL;
        struct err err = ERR_INIT;

        assert_non_null(mkdtemp(tree));
        for (size_t f = 0; f < countof(cases[i].files) && cases[i].files[f] != NULL; f++)
            put(tree, cases[i].files[f]);
        got = misplaced(tree, "trunk");
        if (cases[i].hint == NULL)
            assert_null(got);
        else
            assert_string_equal(got, cases[i].hint);
        (void) path_remove_all(tree, &err);
    }
    assert_null(misplaced("/nowhere", "main"));
}

/* A link is no file, whatever stands behind it. */
static void test_links(void **state)
{
    const char *tmp = getenv("TMPDIR");
    cleanup_free char *tree = xasprintf("%s/slipway-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    cleanup_free char *file = NULL, *folder = NULL;
    struct err err = ERR_INIT;

    (void) state;
    assert_non_null(mkdtemp(tree));
    file = xasprintf("%s/Procfile", tree);
    folder = xasprintf("%s/app", tree);
    assert_int_equal(symlink("/etc/passwd", file), 0);
    assert_int_equal(symlink("/etc", folder), 0);
    assert_null(misplaced(tree, "main"));
    (void) path_remove_all(tree, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_hints), cmocka_unit_test(test_links) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
