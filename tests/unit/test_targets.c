/* What the targets say of themselves. */
#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "deployer/target.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void document(struct buf *b)
{
    buf_init(b, 1 << 16);
    target_print_markdown(b);
    assert_false(b->overflow);
}

/* docs/targets.md is what the targets say. To write it anew: tests/unit/test_targets --markdown > FILE. */
static void test_document(void **state)
{
    const char *top = getenv("top_srcdir");
    cleanup_free char *path = xasprintf("%s/docs/targets.md", top != NULL ? top : ".");
    struct buf want, got;

    (void) state;
    document(&want);
    buf_init(&got, 1 << 16);
    OK(path_read(path, &got, &err));
    if (strcmp(buf_str(&want), buf_str(&got)) != 0)
        fail_msg("docs/targets.md is not what the targets say: tests/unit/test_targets --markdown > docs/targets.md");
    buf_release(&want);
    buf_release(&got);
}

/* They say of everything whether and how, and have the functions that they say. */
static void test_says(void **state)
{
    (void) state;
    for (const struct target_ops *const *t = target_all; *t != NULL; t++) {
        const struct target_ops *ops = *t;

        for (int i = 0; i < TRAITS; i++) {
            assert_non_null(target_trait_text((enum target_trait) i));
            assert_non_null(ops->says[i].how);
        }
        assert_int_equal(ops->says[TRAIT_RUN].can, ops->run != NULL && ops->run_list != NULL && ops->run_logs != NULL &&
                         ops->run_stop != NULL);
        assert_int_equal(ops->says[TRAIT_EXEC].can, ops->exec != NULL);
        assert_int_equal(ops->says[TRAIT_MAINTENANCE].can, ops->maintenance != NULL);
        assert_int_equal(ops->says[TRAIT_COMMAND].can, ops->release_command != NULL);
        assert_int_equal(ops->says[TRAIT_LOGS].can, ops->logs != NULL);
        assert_int_equal(ops->says[TRAIT_ROUTER].can, ops->requests != NULL);
    }
    assert_null(target_find("moon"));
    for (const char *const *name = conf_targets; *name != NULL; name++)
        assert_non_null(target_find(*name));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document), cmocka_unit_test(test_says),
    };

    if (argc == 2 && strcmp(argv[1], "--markdown") == 0) {
        struct buf b;

        document(&b);
        (void) fwrite(buf_str(&b), 1, buf_len(&b), stdout);
        buf_release(&b);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
