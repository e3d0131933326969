/* The dispatcher and what it is made of: splitting, usage lines, the table, the document. */
#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "gateway/args.h"
#include "gateway/habits.h"
#include "tests/unit/command_fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *top_path(const char *name)
{
    const char *top = getenv("top_srcdir");

    return xasprintf("%s/%s", top != NULL ? top : ".", name);
}

static void test_split(void **state)
{
    static const struct { const char *line, *words; } known[] = {
        { "apps:list", "apps:list" },
        { "  a  b\tc\n", "a|b|c" },
        { "config:set shop A=b\\ c", "config:set|shop|A=b c" },
        { "config:set shop 'A=\"b c\"'", "config:set|shop|A=\"b c\"" },
        { "config:set shop A=\"b c\"", "config:set|shop|A=b c" },
        { "A='it'\\''s'", "A=it's" },
        { "A=\"$HOME `id` \\$x \\\" \\\\ \\n\"", "A=$HOME `id` $x \" \\ \\n" },
        { "A='$(id)' *;id|cat", "A=$(id)|*;id|cat" },
        { "''", "" },
        { "a '' b", "a||b" },
        { "A='new\nline'", "A=new\nline" },
        { "A=\"x\\\ny\"", "A=xy" },
        { "a=b=c", "a=b=c" },
        { "caf\xc3\xa9", "caf\xc3\xa9" },
    };

    (void) state;
    for (size_t i = 0; i < countof(known); i++) {
        cleanup_vec struct vec v = VEC_INIT;
        cleanup_free char *joined = NULL;
        struct buf b;

        OK(command_split(known[i].line, strlen(known[i].line), &v, &err));
        buf_init(&b, 1000);
        for (size_t k = 0; k < v.n; k++)
            (void) buf_addf(&b, "%s%s", k > 0 ? "|" : "", v.v[k]);
        joined = buf_steal(&b);
        assert_string_equal(joined, known[i].words);
    }
}

static void test_split_refused(void **state)
{
    cleanup_vec struct vec v = VEC_INIT;
    char many[2 * (COMMAND_ARGS_MAX + 1)];

    (void) state;
    REFUSED(ERR_USAGE, "not closed", command_split("a 'b", 4, &v, &err));
    REFUSED(ERR_USAGE, "not closed", command_split("a \"b", 4, &v, &err));
    REFUSED(ERR_USAGE, "backslash", command_split("a \\", 3, &v, &err));
    REFUSED(ERR_USAGE, "NUL", command_split("a\0b", 3, &v, &err));
    REFUSED(ERR_USAGE, "NUL", command_split("'a\0b'", 5, &v, &err));
    REFUSED(ERR_USAGE, "control", command_split("a\033[2Jb", 6, &v, &err));
    for (size_t i = 0; i < sizeof(many); i += 2)
        memcpy(many + i, "a ", 2);
    REFUSED(ERR_USAGE, "256 words", command_split(many, sizeof(many), &v, &err));
    assert_int_equal(v.n, 0);
}

static void test_args(void **state)
{
    static const char usage[] = "APP NAME=VALUE... [-n|--num LINES] [-t|--tail] [--build]";
    char *const good[] = { (char *) "shop", (char *) "-n5", (char *) "A=-x", (char *) "--tail", (char *) "-",
                           (char *) "--", (char *) "--build" };
    char *const equal[] = { (char *) "--num=7", (char *) "-t" };
    char *const unknown[] = { (char *) "--nope" };
    char *const lacks[] = { (char *) "-n" };
    char *const flag[] = { (char *) "--tail=x" };
    char *const twice[] = { (char *) "-t", (char *) "--tail" };
    struct args a;
    char name[32];
    int needs, allows;

    (void) state;
    OK(args_parse(usage, NULL, NULL, good, 7, &a, &err));
    assert_int_equal(a.words.n, 4);
    assert_string_equal(a.words.v[3], "--build");
    assert_string_equal(args_option(&a.options, "--num"), "5");
    assert_string_equal(args_option(&a.options, "--tail"), "");
    assert_null(args_option(&a.options, "--build"));
    args_release(&a);
    OK(args_parse(usage, NULL, NULL, equal, 2, &a, &err));
    assert_string_equal(args_option(&a.options, "--num"), "7");
    args_release(&a);
    REFUSED(ERR_USAGE, "no option --nope", args_parse(usage, "[--json]", NULL, unknown, 1, &a, &err));
    REFUSED(ERR_USAGE, "--num needs a value", args_parse(usage, NULL, NULL, lacks, 1, &a, &err));
    REFUSED(ERR_USAGE, "takes no value", args_parse(usage, NULL, NULL, flag, 1, &a, &err));
    REFUSED(ERR_USAGE, "given twice", args_parse(usage, NULL, NULL, twice, 2, &a, &err));
    args_count(usage, 1, &needs, &allows);
    assert_int_equal(needs, 1);
    assert_int_equal(allows, -1);
    args_count("APP USER ROLE [--owner]", 1, &needs, &allows);
    assert_int_equal(needs, 2);
    assert_int_equal(allows, 2);
    args_word_name(usage, 1, name, sizeof(name));
    assert_string_equal(name, "NAME=VALUE");
    assert_true(args_missing_option("APP --confirm NAME", &(struct vec) VEC_INIT, name, sizeof(name)));
    assert_string_equal(name, "--confirm");
    args_count("APP --confirm NAME", 1, &needs, &allows);
    assert_int_equal(allows, 0);
}

static void test_table(void **state)
{
    (void) state;
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (c[1].name != NULL)
            assert_true(strcmp(c->name, c[1].name) < 0);
        assert_non_null(c->run);
        assert_ptr_equal(command_find(c->name), c);
        assert_true(c->summary[strlen(c->summary) - 1] != '.');
        if (strstr(c->help, c->name) == NULL || strstr(c->help, "    ") == NULL)
            fail_msg("%s has no example", c->name);
        /* Whoever changes something leaves a trace; who needs a role in an app names the app. */
        assert_true((c->flags & (CMD_APP | CMD_BUILD)) == 0 || c->role != ROLE_NONE);
        assert_true((c->flags & CMD_AUDIT) != 0 || c->role < ROLE_DEPLOY || (c->flags & CMD_APP) != 0);
        if ((c->flags & CMD_APP) != 0)
            assert_true(strncmp(c->args, "APP", 3) == 0 || strncmp(c->args, "[APP]", 5) == 0);
    }
    assert_string_equal(command_find("config")->name, "config:list");
    assert_string_equal(command_find("ssh-keys:add")->name, "keys:add");
    assert_null(command_find("ssh-keys"));
    assert_null(command_find(""));
    assert_string_equal(command_nearest("apps:lst")->name, "apps:list");
    assert_string_equal(command_nearest("confg:set")->name, "config:set");
    assert_null(command_nearest("frobnicate"));
    assert_string_equal(command_nearest("lgs")->name, "logs");
    assert_null(command_nearest("foo"));
}

/* The names of commands in an answer: words with a colon inside, and the first word of all. */
static void habit_check(const struct habit *h)
{
    cleanup_free char *copy = xstrdup(h->answer);
    char *rest = NULL;

    for (char *w = strtok_r(copy, " ,;()", &rest); w != NULL; w = strtok_r(NULL, " ,;()", &rest)) {
        size_t n = strcspn(w, ":");

        if (w[n] == ':' && w[n + 1] != '\0' && command_find(w) == NULL)
            fail_msg("what is said to who types %s names %s, which is no command", h->typed, w);
    }
}

/* Who types what Heroku or Dokku has learns what there is here, and what stands in the list is no command. */
static void test_habits(void **state)
{
    struct desk *d = *state;

    for (const struct habit *h = habits; h->typed != NULL; h++) {
        cleanup_free char *copy = xstrdup(h->typed);
        char *rest = NULL;

        habit_check(h);
        for (char *w = strtok_r(copy, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
            w[strlen(w) - 1] = w[strlen(w) - 1] == ':' ? '\0' : w[strlen(w) - 1];
            if (command_find(w) != NULL)
                fail_msg("%s is a command", w);
            if (habit_answer(w) != h->answer)
                fail_msg("%s stands in the list twice", w);
        }
    }
    assert_null(habit_answer(""));
    assert_null(habit_answer("pgx"));
    assert_null(habit_answer("open:x"));
    assert_non_null(habit_answer("pg:backups:schedule"));
    desk_expect(d, "bert", "pg:psql -a shop", 2, "\"pg:psql\" is no command here: Slipway runs no databases");
    desk_expect(d, "bert", "login", 2, "your SSH key says who you are: whoami");
    desk_expect(d, "bert", "drains:add shop x", 2, "logs APP -t");
    desk_expect(d, "bert", "help git:sync", 2, "git:from-archive");
    assert_null(strstr(buf_str(&d->out), "did you mean"));
}

static void document(struct buf *b)
{
    buf_init(b, 1 << 20);
    command_print_markdown(b);
    assert_false(b->overflow);
}

/* docs/commands.md is what the table says. To write it anew: tests/unit/test_command --markdown > FILE. */
static void test_document(void **state)
{
    cleanup_free char *path = top_path("docs/commands.md");
    struct buf want, got;

    (void) state;
    document(&want);
    buf_init(&got, 1 << 20);
    OK(path_read(path, &got, &err));
    if (strcmp(buf_str(&want), buf_str(&got)) != 0)
        fail_msg("docs/commands.md is not what the table says: tests/unit/test_command --markdown > docs/commands.md");
    buf_release(&want);
    buf_release(&got);
}

static void test_help(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "help", 0, "config:set APP [NAME=VALUE...]");
    desk_expect(d, "bert", "help config", 0, "config:unset");
    assert_null(strstr(buf_str(&d->out), "apps:list"));
    desk_expect(d, "bert", "help config:set", 0, "Needs the role operate");
    desk_expect(d, "bert", "help releases:rollback", 0, "Usage: rollback");
    desk_expect(d, "bert", "rollback --help", 0, "Usage: rollback");
    desk_expect(d, "bert", "--help", 0, "apps:list");
    desk_expect(d, "bert", "help --json", 0, "{\"name\":\"config:set\",\"aliases\":[\"config:add\"],\"usage\":");
    desk_expect(d, "bert", "help apps:lst", 2, "apps:list");
    desk_expect(d, "bert", "apps:lst", 2, "did you mean apps:list");
    desk_expect(d, "bert", "'x\x7fy'", 2, "\"x?y\" is no command");
    desk_expect(d, "bert", "version", 0, "slipway " PACKAGE_VERSION);
    desk_expect(d, "bert", "version --json", 0, "{\"version\":\"" PACKAGE_VERSION "\"}\n");
    desk_expect(d, "anna", "whoami", 0, "anna (admin)");
    desk_expect(d, "bert", "whoami --json", 0, "\"may_create\":true,\"teams\":[],\"fingerprint\":\"SHA256:test\"");
}

static void test_usage(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "config:get shop", 2, "NAME is missing; usage: config:get APP NAME");
    desk_expect(d, "bert", "config:get shop A B", 2, "too many words");
    desk_expect(d, "bert", "config:get", 2, "the app is missing");
    desk_expect(d, "bert", "config:get -a shop", 2, "NAME is missing");
    desk_expect(d, "bert", "config:get -a", 2, "--app needs a value");
    desk_expect(d, "bert", "apps:destroy shop", 2, "apps:destroy shop --confirm shop");
    desk_expect(d, "bert", "apps:info shop --nope", 2, "no option --nope here; usage: apps:info APP");
    desk_expect(d, "bert", "builds:output", 2, "a build's number or an app is missing");
    desk_expect(d, "bert", "apps:info Shop", 2, "must begin with a letter");
    desk_expect(d, "bert", "apps:create -- -x", 2, "must begin with a letter");
    desk_expect(d, "bert", "apps:list --json=1", 2, "takes no value");
    desk_expect(d, "bert", "apps:info --app=shop", 0, "=== shop");
    desk_expect(d, "bert", "apps:info shop --json", 0, "{\"name\":\"shop\"");
}

/* Of every command: what is missing or too much is named, with how it is used and an example. */
static void test_usage_of_all(void **state)
{
    struct desk *d = *state;
    int missing = 0, surplus = 0;

    for (const struct command *c = commands; c->name != NULL; c++) {
        bool takes = (c->flags & (CMD_APP | CMD_BUILD)) != 0;
        cleanup_free char *bare = xasprintf("%s%s", c->name, takes ? " shop" : "");
        cleanup_free char *usage = xasprintf("usage: %s", c->name);
        struct buf line;
        int needs, allows;

        if ((c->flags & CMD_LOCAL) != 0)
            continue;
        args_count(c->args, takes, &needs, &allows);
        if (needs > 0) {
            char name[64];

            args_word_name(c->args, takes, name, sizeof(name));
            desk_expect(d, "anna", bare, ERR_USAGE, name);
            assert_non_null(strstr(buf_str(&d->err), " is missing; usage: "));
            assert_non_null(strstr(buf_str(&d->err), "; for example: "));
            missing++;
        }
        if (allows < 0 || (c->flags & CMD_BUILD) != 0) /* a second word is a build's number there */
            continue;
        buf_init(&line, 4096);
        (void) buf_addstr(&line, bare);
        for (int i = 0; i <= allows; i++)
            (void) buf_addf(&line, " word%d", i);
        desk_expect(d, "anna", buf_str(&line), ERR_USAGE, usage);
        buf_clear(&line);
        (void) buf_addf(&line, "the first of them is \"word%d\"", allows);
        assert_non_null(strstr(buf_str(&d->err), buf_str(&line)));
        assert_non_null(strstr(buf_str(&d->err), "; for example: "));
        buf_release(&line);
        surplus++;
    }
    assert_true(missing >= 20 && surplus >= 50);
    /* A command's own sentence gets the example, too. */
    desk_expect(d, "anna", "access:grant shop bert king", ERR_USAGE, "for example: access:grant shop");
    desk_expect(d, "anna", "apps:create Bad_Name", ERR_USAGE, "for example: apps:create");
}

static int64_t rows(struct desk *d)
{
    int64_t n = 0;

    assert_int_equal(store_int(d->f->store, &n, NULL, "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM apps) "
                               "+ (SELECT count(*) FROM keys) + (SELECT count(*) FROM access) "
                               "+ (SELECT count(*) FROM config_items) + (SELECT count(*) FROM releases)", ""), 1);
    return n;
}

/* Each line of the corpus, typed by somebody without any role: refused, nothing changes, nothing breaks. */
static void test_hostile(void **state)
{
    cleanup_free char *folder = top_path("tests/fuzz/corpus/split");
    struct desk *d = *state;
    DIR *dir = opendir(folder);
    int64_t before;
    struct dirent *e;
    int lines = 0;

    desk_user(d, "mallory", ROLE_NONE);
    before = rows(d);
    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        cleanup_free char *path = xasprintf("%s/%s", folder, e->d_name);
        struct buf b;

        if (e->d_name[0] == '.')
            continue;
        buf_init(&b, 1 << 20);
        OK(path_read(path, &b, &err));
        for (const char *p = buf_str(&b), *end = p + buf_len(&b), *nl; p < end; p = nl + 1) {
            cleanup_vec struct vec words = VEC_INIT;
            cleanup_free char *line = NULL;

            nl = memchr(p, '\n', (size_t) (end - p));
            if (nl == NULL)
                nl = end;
            line = xstrndup(p, (size_t) (nl - p));
            if (strlen(line) != (size_t) (nl - p) || command_split(line, strlen(line), &words, NULL) != 0)
                continue;
            assert_in_range(desk_type(d, "mallory", line), 0, ERR_DOWN);
            lines++;
            /* What goes to the terminal holds nothing that the terminal obeys. */
            assert_null(strchr(buf_str(&d->err), '\033'));
            assert_null(strchr(buf_str(&d->out), '\033'));
        }
        buf_release(&b);
    }
    (void) closedir(dir);
    assert_true(lines > 100);
    assert_int_equal(rows(d), before);
}

static void test_audit(void **state)
{
    struct desk *d = *state;

    desk_user(d, "carl", ROLE_VIEW);
    desk_expect(d, "bert", "config:set shop SECRET=hunter2 --no-restart", 0, "done");
    desk_expect(d, "carl", "config:set shop SECRET=hunter3", 3, "operate");
    desk_expect(d, "carl", "apps:destroy other --confirm other", 4, "not found");
    desk_expect(d, "carl", "apps:list", 0, "shop");
    desk_expect(d, "anna", "audit --json", 0, "\"command\":\"config:set\",\"detail\":\"SECRET\",\"result\":0}");
    assert_non_null(strstr(buf_str(&d->out), "\"user\":\"carl\",\"fingerprint\":\"SHA256:test\",\"address\":\"192.0.2.1\","
                           "\"app\":\"shop\",\"command\":\"config:set\",\"detail\":\"\",\"result\":3}"));
    assert_non_null(strstr(buf_str(&d->out), "\"app\":\"other\",\"command\":\"apps:destroy\",\"detail\":\"\",\"result\":4}"));
    assert_null(strstr(buf_str(&d->out), "hunter"));
    assert_null(strstr(buf_str(&d->out), "apps:list"));
    desk_expect(d, "bert", "audit", 3, "without an app only admins");
    desk_expect(d, "bert", "audit shop", 0, "exit 3");
    assert_null(strstr(buf_str(&d->out), "other"));
    desk_expect(d, "bert", "audit shop -n 1 --json", 0, "\"user\":\"carl\"");
    desk_expect(d, "bert", "audit shop -n none", 2, "whole number");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_refused),
        cmocka_unit_test(test_args),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_document),
        cmocka_unit_test_setup_teardown(test_help, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_habits, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_usage, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_usage_of_all, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_hostile, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_audit, desk_setup, desk_teardown),
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
