/* Every word and every option's value of every command, given wrong: the sentence names which and what was given, has an
 * example or all that it may be, and nothing has changed. */
#include "config.h"

#include "base/mem.h"
#include "gateway/args.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TEXT_MAX (1 << 20)
#define SECRET NULL /* what stands there may be a part of a secret: it isn't repeated */
#define NAME_TOO_LONG "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* What a usage line calls a value: one that fits, one that does not, and what of that is in the sentence. `command`: for
 * this one only; NULL: for all. wrong NULL: there any text fits. */
static const struct value {
    const char *command, *name, *fits, *wrong, *shown;
} values[] = {
    { "apps:clone", "NEW", "other", "Bad_Name", "Bad_Name" },
    { "apps:rename", "NEW", "other", "Bad_Name", "Bad_Name" },
    { "apps:set", "VALUE", "main", "a..b", "a..b" },
    { "config:get", "NAME", "A", "1-A", "1-A" },
    { "config:unset", "NAME", "A", "1-A", "1-A" },
    { "config:set", "NAME=VALUE", "A=1", "half-of-a-secret", SECRET },
    { "help", "COMMAND", "ps", "nope", "nope" },
    { "keys:add", "NAME", "laptop", NAME_TOO_LONG, "xxxxxxxxxx" },
    { "keys:add", "KEY", "x", "not-a-key", SECRET },
    { "keys:remove", "NAME|FINGERPRINT", "laptop", NULL, NULL },
    { "run:logs", "NAME", "run.1", NULL, NULL }, /* the deployer's to tell: deployer/one_off.c */
    { "run:stop", "NAME", "run.1", NULL, NULL },
    { "users:remove", "NAME", "carl", "Bad Name", "Bad Name" },
    { NULL, "APP", "shop", "Bad_Name", "Bad_Name" },
    { NULL, "APP|BUILD", "shop", "7x", "7x" },
    { NULL, "BRANCH", "main", "a..b", "a..b" },
    { NULL, "COMMAND", "true", NULL, NULL },
    { NULL, "DOMAIN", "www.example.com", "http://x/", "http://x/" },
    { NULL, "FORMAT", "env", "xml", "xml" },
    { NULL, "FROM", "v1", "seven", "seven" },
    { NULL, "ID", "1a2b3c4d", "one", "one" },
    { NULL, "IMAGE", "docker.io/library/hello:1", "Bad Image", "Bad Image" },
    { NULL, "KEY", NULL, "no-key", SECRET },
    { NULL, "LINES", "5", "many", "many" },
    { NULL, "NAME", "name", "Bad Name", "Bad Name" },
    { NULL, "NAME=PATH", "A=x", "1-A=x", SECRET },
    { NULL, "NAME=VALUE", "A=1", "half-of-a-secret", SECRET },
    { NULL, "PROCESS", "web.1", "web.x", "web.x" },
    { NULL, "PROPERTY", "deploy-branch", "colour", "colour" },
    { NULL, "RANGE", "192.0.2.0/24", "192.0.2.1/8", "192.0.2.1/8" },
    { NULL, "REASON", "noon", NULL, NULL },
    { NULL, "ROLE", "view", "king", "king" },
    { NULL, "SHELL", "bash", "tcsh", "tcsh" },
    { NULL, "SOURCE", "-", "http://x/y", "http://x/y" },
    { NULL, "TARGET", "docker", "moon", "moon" },
    { NULL, "TEAM", "ops", "Bad Team", "Bad Team" },
    { NULL, "TIME", "10m", "soon", "soon" },
    { NULL, "TO", "v1", "seven", "seven" },
    { NULL, "TYPE", "web", "We_b", "We_b" },
    { NULL, "TYPE=COUNT", "web=1", "web=many", "many" },
    { NULL, "USER", "bert", "Bad User", "Bad User" },
    { NULL, "USER|@TEAM", "bert", "Bad User", "Bad User" },
    { NULL, "VERBS", "push", "push,fly", "fly" },
    { NULL, "VERSION", "v1", "seven", "seven" },
};

static const struct value *value_find(const struct command *c, const char *name)
{
    for (size_t i = 0; i < countof(values); i++)
        if (strcmp(values[i].name, name) == 0 && (values[i].command == NULL || strcmp(values[i].command, c->name) == 0))
            return &values[i];
    fail_msg("%s %s: this test has no wrong value for %s", c->name, c->args, name);
    return NULL;
}

static int row_add(void *to, int n, char **v, char **names)
{
    (void) names;
    for (int i = 0; i < n; i++)
        (void) buf_addf(to, "%s|", v[i] != NULL ? v[i] : "");
    return 0;
}

/* All rows but the audit's. */
static void dump(struct desk *d, struct buf *to)
{
    cleanup_stmt sqlite3_stmt *st = NULL;

    buf_clear(to);
    OK(store_prepare(d->f->store, &st, &err, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE "
                     "'sqlite%' AND name <> 'audit'", ""));
    while (store_step(d->f->store, st, NULL) == 1) {
        cleanup_free char *sql = xasprintf("SELECT * FROM %s", (const char *) sqlite3_column_text(st, 0));

        assert_int_equal(sqlite3_exec(d->f->store->db, sql, row_add, to, NULL), SQLITE_OK);
    }
}

/* "-n|--num" has two names, and either may stand in the sentence. */
static bool is_named(const char *text, const char *usage, const char *name)
{
    const char *p = strstr(usage, name);
    char other[3] = "";

    if (p != NULL && p - usage >= 3 && p[-1] == '|')
        (void) snprintf(other, sizeof(other), "%.2s", p - 3);
    return strstr(text, name) != NULL || (other[0] != '\0' && strstr(text, other) != NULL);
}

/* usage and option: NULL where it is a word that is wrong. */
static void assert_told(struct desk *d, const char *line, const char *usage, const char *option, const struct value *v,
                        const struct buf *before)
{
    struct buf after;

    desk_expect(d, "anna", line, ERR_USAGE, v->shown);
    if (option != NULL && !is_named(buf_str(&d->err), usage, option))
        fail_msg("%s: %s is not named: %s", line, option, buf_str(&d->err));
    if (v->shown == SECRET && strstr(buf_str(&d->err), v->wrong) != NULL)
        fail_msg("%s: %s is repeated: %s", line, v->wrong, buf_str(&d->err));
    if (strstr(buf_str(&d->err), "for example") == NULL)
        fail_msg("%s: there is no example: %s", line, buf_str(&d->err));
    buf_init(&after, TEXT_MAX);
    dump(d, &after);
    assert_string_equal(buf_str(before), buf_str(&after));
    buf_release(&after);
}

/* The line with the words that it needs, and those before number `word`, which is `wrong`; -1: none is. */
static char *line_make(const struct command *c, int word, const char *wrong)
{
    cleanup_buf struct buf b;
    int needs, allows;
    char name[64];

    buf_init(&b, 4096);
    (void) buf_addf(&b, "%s%s", c->name, word >= 0 && args_missing_option(c->args, &(struct vec) VEC_INIT, name, sizeof(name))
                    ? " --to docker" : "");
    args_count(c->args, 0, &needs, &allows);
    for (int i = 0; i < needs || i <= word; i++) {
        args_word_name(c->args, i, name, sizeof(name));
        (void) buf_addf(&b, " '%s'", i == word ? wrong : value_find(c, name)->fits);
    }
    return buf_steal(&b);
}

static void test_words(void **state)
{
    struct desk *d = *state;
    struct buf before;
    int tried = 0;

    desk_expect(d, "anna", "teams:create name", 0, NULL);
    buf_init(&before, TEXT_MAX);
    dump(d, &before);
    for (const struct command *c = commands; c->name != NULL; c++) {
        char name[64] = "";

        for (int i = 0; (c->flags & CMD_LOCAL) == 0; i++) {
            const struct value *v;
            cleanup_free char *line = NULL;

            args_word_name(c->args, i, name, sizeof(name));
            if (name[0] == '\0')
                break;
            v = value_find(c, name);
            if (v->wrong == NULL)
                continue;
            line = line_make(c, i, v->wrong);
            assert_told(d, line, NULL, NULL, v, &before);
            tried++;
        }
    }
    buf_release(&before);
    assert_true(tried >= 80);
}

/* What the option number i calls its value; false where it takes none. */
static bool option_value(const char *usage, const char *name, char *ret, size_t size)
{
    const char *p = strstr(usage, name);

    p += strlen(name);
    if (*p != ' ')
        return false;
    (void) snprintf(ret, size, "%.*s", (int) strcspn(p + 1, " ]"), p + 1);
    return true;
}

static void test_options(void **state)
{
    struct desk *d = *state;
    struct buf before;
    int tried = 0;

    desk_expect(d, "anna", "teams:create name", 0, NULL);
    buf_init(&before, TEXT_MAX);
    dump(d, &before);
    for (const struct command *c = commands; c->name != NULL; c++) {
        char name[64], value[64];
        bool takes;

        for (int i = 0; (c->flags & CMD_LOCAL) == 0 && args_option_at(c->args, i, name, sizeof(name), &takes); i++) {
            bool of_deploy_key = strcmp(c->name, "keys:add") == 0 && strcmp(name, "--user") != 0 && strcmp(name, "--deploy") != 0;
            bool runs = strncmp(c->name, "run", 3) == 0 && strcmp(name, "--process") != 0;
            cleanup_free char *line = NULL, *words = NULL;
            const struct value *v;

            if (!takes)
                continue;
            assert_true(option_value(c->args, name, value, sizeof(value)));
            v = value_find(c, value);
            words = line_make(c, -1, NULL);
            line = xasprintf("%s %s '%s'%s%s", words, name, v->wrong, of_deploy_key ? " --deploy shop" : "", runs ? " true" : "");
            assert_told(d, line, c->args, name, v, &before);
            tried++;
        }
        if ((c->flags & (CMD_APP | CMD_BUILD)) != 0) {
            cleanup_free char *line = xasprintf("%s --app Bad_Name", c->name);

            assert_told(d, line, "", "--app", value_find(c, "APP"), &before);
        }
    }
    buf_release(&before);
    assert_true(tried >= 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_words, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_options, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
