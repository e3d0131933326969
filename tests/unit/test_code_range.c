/* The commits between two releases, in a real repository. */
#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "gateway/code_range.h"
#include "gateway/refs.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOWHERE "1111111111111111111111111111111111111111"

struct place {
    struct desk *d;
    git_repository *repo;
};

static struct place place_make(struct desk *d)
{
    cleanup_free char *repos = xasprintf("%s/repos", d->f->state);
    struct place p = { .d = d };

    OK(path_mkdir(repos, 0750, &err));
    OK(refs_init(&err));
    OK(refs_open(&d->conf, d->f->shop, &p.repo, &err));
    return p;
}

/* A commit of the empty tree, written as it is: its parent may be missing. */
static void commit(struct place *p, const char *parent, const char *message, char ret[41])
{
    cleanup_free char *line = parent != NULL ? xasprintf("parent %s\n", parent) : xstrdup("");
    cleanup_free char *text = xasprintf("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n%s"
        "author Anna <anna@example.com> 1700000000 +0000\ncommitter Anna <anna@example.com> 1700000000 +0000\n\n%s\n",
        line, message);
    git_odb *odb;
    git_oid oid;

    assert_int_equal(git_repository_odb(&odb, p->repo), 0);
    assert_int_equal(git_odb_write(&oid, odb, text, strlen(text), GIT_OBJECT_COMMIT), 0);
    (void) git_oid_tostr(ret, 41, &oid);
    git_odb_free(odb);
}

static struct code_range range(struct place *p, const char *from, const char *to)
{
    struct code_range r;

    code_range_fill(&p->d->conf, p->d->f->shop, from, to, &r);
    return r;
}

static void assert_text(struct place *p, const char *from, const char *to, const char *want)
{
    struct code_range r = range(p, from, to);
    cleanup_free char *text = code_range_text(&r);
    json_auto_t *doc = code_range_json(&r);

    assert_non_null(doc);
    if (want == NULL)
        assert_null(text);
    else
        assert_string_equal(text, want);
    code_range_release(&r);
}

static void test_directions(void **state)
{
    struct place p = place_make(*state);
    char a[41], b[41], c[41], other[41], root[41];

    commit(&p, NULL, "first", a);
    commit(&p, a, "second", b);
    commit(&p, b, "third", c);
    commit(&p, a, "second, otherwise", other);
    commit(&p, NULL, "another beginning", root);
    assert_text(&p, a, a, NULL);
    assert_text(&p, NULL, NULL, NULL);
    assert_text(&p, a, c, "2 commits forward");
    assert_text(&p, c, b, "1 commit back");
    assert_text(&p, c, other, "2 commits back and 1 commit forward: the history was rewritten");
    assert_text(&p, b, root, "2 commits back and 1 commit forward: the history was rewritten");
    git_repository_free(p.repo);
}

static void test_unknown(void **state)
{
    struct place p = place_make(*state);
    cleanup_free char *shallow = xasprintf("%sshallow", git_repository_path(p.repo)), *cut = NULL;
    char a[41], b[41], c[41];

    commit(&p, NULL, "first", a);
    commit(&p, NOWHERE, "its parent is missing", b);
    commit(&p, b, "and on", c);
    assert_text(&p, a, NULL, "commits unknown: one of the releases has no commit");
    assert_text(&p, a, NOWHERE, "commits unknown: the repository does not keep both commits any more");
    assert_text(&p, a, "--all", "commits unknown: the repository does not keep both commits any more");
    assert_text(&p, a, b, "commits unknown: the repository does not have all commits between");
    cut = xasprintf("%s\n", b);
    OK(path_write(shallow, cut, strlen(cut), 0640, &err));
    assert_text(&p, a, c, "commits unknown: the history was cut by a shallow push");
    git_repository_free(p.repo);
}

static void test_many(void **state)
{
    struct place p = place_make(*state);
    char first[41], at[41];
    struct code_range r;

    commit(&p, NULL, "first", first);
    memcpy(at, first, sizeof(at));
    for (int i = 0; i < 70; i++) {
        cleanup_free char *message = xasprintf("number %d\n\nmore", i);

        commit(&p, at, message, at);
    }
    r = range(&p, first, at);
    assert_int_equal(r.added.n, CODE_LISTED);
    assert_int_equal(r.added.all, 70);
    assert_string_equal(r.added.v[0].summary, "number 69"); /* newest first, within one second, too */
    assert_string_equal(r.added.v[49].summary, "number 20");
    assert_string_equal(r.added.v[0].author, "Anna");
    assert_int_equal(r.added.v[0].at, 1700000000000);
    code_range_release(&r);
    git_repository_free(p.repo);
}

/* A first line is whatever somebody wrote. */
static void test_hostile(void **state)
{
    struct place p = place_make(*state);
    char first[41], at[41], *text;
    cleanup_free char *line = xcalloc(1, 4001);
    json_auto_t *doc = NULL;
    struct code_range r;

    memset(line, 0xc3, 4000);
    commit(&p, NULL, "first", first);
    commit(&p, first, line, at);
    commit(&p, at, "\033[2J\033]0;title\007red \033[31mink \xff\xfe latin \xe4", at);
    r = range(&p, first, at);
    doc = code_range_json(&r);
    assert_non_null(doc);
    text = json_dumps(doc, JSON_COMPACT);
    assert_non_null(text);
    assert_null(strchr(r.added.v[0].summary, '\033'));
    assert_true(strlen(r.added.v[1].summary) <= 8 * 200);
    assert_true(json_is_string(json_object_get(json_array_get(json_object_get(doc, "added"), 0), "summary")));
    free(text);
    code_range_release(&r);
    git_repository_free(p.repo);
}

/* As typed. */
static void test_typed(void **state)
{
    struct desk *d = *state;
    struct place p = place_make(d);
    char a[41], b[41];
    cleanup_free char *rows = NULL;

    commit(&p, NULL, "first", a);
    commit(&p, a, "Add the cart", b);
    (void) fixture_live(d->f, d->f->shop);
    (void) fixture_live(d->f, d->f->shop);
    OK(store_exec(d->f->store, &err, "UPDATE releases SET commit_id = iif(version = 1, ?, ?)", "ss", a, b));
    rows = xasprintf("Code:       %s..%s, 1 commit forward\n            + %.7s Add the cart\n", a, b, b);
    desk_expect(d, "bert", "releases:diff shop v1 v2", 0, rows);
    desk_expect(d, "bert", "releases:diff shop v2 v1", 0, "1 commit back\n");
    desk_expect(d, "bert", "releases:diff shop v1 --json", 0, "\"code\":{\"direction\":\"forward\",\"added\":[{\"id\":");
    desk_expect(d, "bert", "releases:diff shop v1 --json", 0, "\"summary\":\"Add the cart\",\"author\":\"Anna\","
                "\"at\":\"2023-11-14T22:13:20Z\"}],\"added_count\":1,\"removed\":[],\"removed_count\":0}");
    git_repository_free(p.repo);
}

/* LeakSanitizer finds the suppressed function (tests/lsan.supp) only in a whole stack, and libgit2 has no frame
 * pointers. https://github.com/google/sanitizers/wiki/SanitizerCommonFlags */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_directions, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_unknown, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_many, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_hostile, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_typed, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
