#include "config.h"

#include "base/mem.h"
#include "deployer/mask.h"
#include "deployer/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const enum outcome outcomes[] = {
    OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_CANCELED, OUTCOME_STOPPING, OUTCOME_LOST,
};

/* From every step, whatever comes of each, an end is reached, and never a step back to an earlier one but
 * for the way through RESTORE to FAIL. */
static void test_ends(void **state)
{
    (void) state;
    for (enum step s = STEP_PUBLISH; s <= STEP_END; s++) {
        for (size_t i = 0; i < countof(outcomes); i++) {
            enum step at = step_next(s, outcomes[i]);
            int steps = 0;

            assert_true(at > s || at == STEP_END);
            while (at != STEP_END) {
                enum step next = step_next(at, OUTCOME_FAILED);

                assert_true(next > at);
                at = next;
                assert_true(++steps < 10);
            }
        }
    }
}

static void test_rows(void **state)
{
    const enum step way[] = { STEP_PUBLISH, STEP_COMMAND, STEP_APPLY, STEP_ROLLOUT, STEP_POSTDEPLOY, STEP_FINISH,
                              STEP_END };

    (void) state;
    for (size_t i = 0; i + 1 < countof(way); i++)
        assert_int_equal(step_next(way[i], OUTCOME_DONE), way[i + 1]);
    /* Each pair stands once. */
    for (const struct step_row *r = step_rows; r->from != STEP_END; r++) {
        for (const struct step_row *o = r + 1; o->from != STEP_END; o++)
            assert_false(r->from == o->from && r->outcome == o->outcome);
        /* Who lost the lease touches nothing. */
        if (r->outcome == OUTCOME_LOST)
            assert_int_equal(r->to, STEP_END);
        /* What may have been applied is undone before it has failed. */
        if (r->to == STEP_FAIL)
            assert_true(r->from == STEP_PUBLISH || r->from == STEP_COMMAND || r->from == STEP_RESTORE);
    }
}

static void test_first(void **state)
{
    (void) state;
    assert_int_equal(step_first("", false, false), STEP_PUBLISH);
    assert_int_equal(step_first("nonsense", false, false), STEP_PUBLISH);
    assert_int_equal(step_first("", true, false), STEP_COMMAND);
    assert_int_equal(step_first("command", false, false), STEP_PUBLISH);
    assert_int_equal(step_first("command", true, false), STEP_COMMAND);
    assert_int_equal(step_first("apply", true, false), STEP_APPLY);
    assert_int_equal(step_first("rollout", true, false), STEP_APPLY);
    assert_int_equal(step_first("postdeploy", true, false), STEP_APPLY);
    assert_int_equal(step_first("postdeploy", true, true), STEP_RESTORE);
    assert_int_equal(step_first("restore", true, false), STEP_RESTORE);
    assert_int_equal(step_first("", false, true), STEP_FAIL);
    assert_int_equal(step_first("command", true, true), STEP_FAIL);
    assert_int_equal(step_first("apply", true, true), STEP_RESTORE);
    assert_int_equal(step_first("rollout", true, true), STEP_RESTORE);
    assert_int_equal(step_first("restore", true, true), STEP_RESTORE);
}

static void test_mask(void **state)
{
    char a[] = "A", b[] = "B", c[] = "C", d[] = "D", secret[] = "hunter2-hunter2", longer[] = "hunter2-hunter2-2",
         shorter[] = "true", lines[] = "first line\nsecond line\r\n", none[] = "";
    struct config_var v[] = { { .name = a, .value = secret }, { .name = b, .value = longer },
                              { .name = c, .value = shorter }, { .name = d, .value = lines },
                              { .name = c, .value = none }, { .name = c } };
    struct config_set set = { v, countof(v) };
    static const struct { const char *in, *out; } cases[] = {
        { "plain", "plain" },
        { "x hunter2-hunter2 y", "x [A hidden] y" },
        { "hunter2-hunter2-2hunter2-hunter2", "[B hidden][A hidden]" },
        { "it is true", "it is true" },
        { "second line, first line", "[D hidden], [D hidden]" },
        { "hunter2-hunter", "hunter2-hunter" },
    };
    struct buf out;

    (void) state;
    buf_init(&out, 100);
    for (size_t i = 0; i < countof(cases); i++) {
        buf_clear(&out);
        mask_line(&set, cases[i].in, &out);
        assert_string_equal(buf_str(&out), cases[i].out);
    }
    buf_clear(&out);
    mask_line(NULL, "hunter2-hunter2", &out);
    assert_string_equal(buf_str(&out), "hunter2-hunter2");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_first), cmocka_unit_test(test_mask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
