/* Every command of the table, by everybody, in every way to name the app: who has too small a role is refused
 * and changes nothing; an app that one has nothing to do with looks like one that is not there. */
#include "config.h"

#include "base/mem.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct { const char *name; enum role role; const char *team; } people[] = {
    { "nobody", ROLE_NONE, NULL }, { "viewer", ROLE_VIEW, NULL }, { "deployer", ROLE_DEPLOY, NULL },
    { "operator", ROLE_OPERATE, NULL }, { "owner", ROLE_OWN, NULL },
    /* The same by nothing but a team. */
    { "idler", ROLE_NONE, "t0" }, { "watcher", ROLE_VIEW, "t1" }, { "pusher", ROLE_DEPLOY, "t2" },
    { "mender", ROLE_OPERATE, "t3" }, { "keeper", ROLE_OWN, "t4" },
};

static void member_add(struct desk *d, const char *name, enum role role, const char *team)
{
    struct user u;
    struct team t;

    desk_user(d, name, ROLE_NONE);
    OK(users_get(d->f->store, name, &u, &err));
    OK(teams_create(d->f->store, team, &err));
    OK(teams_get(d->f->store, team, &t, &err));
    OK(team_add(d->f->store, t.id, u.id, &err));
    if (role != ROLE_NONE)
        OK(team_grant(d->f->store, d->f->shop, t.id, role, &err));
    user_release(&u);
    team_release(&t);
}

static void people_add(struct desk *d)
{
    for (size_t i = 0; i < countof(people); i++) {
        if (people[i].team != NULL)
            member_add(d, people[i].name, people[i].role, people[i].team);
        else
            desk_user(d, people[i].name, people[i].role);
    }
    desk_user(d, "stranger", ROLE_NONE); /* an owner, but of another app */
    desk_expect(d, "anna", "apps:create blog", 0, NULL);
    desk_expect(d, "anna", "access:grant blog stranger own", 0, NULL);
}

static void fingerprint_of_state(struct desk *d, char ret[256])
{
    int64_t n = 0, m = 0, k = 0;

    assert_int_equal(store_int(d->f->store, &n, NULL, "SELECT count(*) FROM roles", ""), 1);
    assert_int_equal(store_int(d->f->store, &m, NULL, "SELECT sum(config_version) + count(lock_reason) + sum(deleting) "
                               "FROM apps", ""), 1);
    assert_int_equal(store_int(d->f->store, &k, NULL, "SELECT count(*) + count(CASE WHEN cancel = 1 THEN 1 END) "
                               "FROM builds", ""), 1);
    (void) snprintf(ret, 256, "%lld %lld %lld", (long long) n, (long long) m, (long long) k);
}

/* One denial, by this line. */
static void deny(struct desk *d, const char *who, const char *line, int code, int *count)
{
    char before[256], after[256];

    fingerprint_of_state(d, before);
    desk_expect(d, who, line, code, code == ERR_NOT_FOUND ? "not found" : NULL);
    fingerprint_of_state(d, after);
    assert_string_equal(before, after);
    assert_int_equal(buf_len(&d->out), 0);
    (*count)++;
}

/* The first of a command's names, and each of its other ones. */
static int names_of(const struct command *cmd, struct vec *ret)
{
    vec_add(ret, cmd->name);
    for (const char *p = cmd->alias; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, " ");

        vec_addf(ret, "%.*s", (int) n, p);
        p += n + strspn(p + n, " ");
    }
    return (int) ret->n;
}

static void test_matrix(void **state)
{
    struct desk *d = *state;
    int64_t build = fixture_queue(d->f, d->f->shop);
    int denials = 0;

    people_add(d);
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        cleanup_vec struct vec names = VEC_INIT;

        if ((cmd->flags & (CMD_APP | CMD_BUILD)) == 0)
            continue;
        (void) names_of(cmd, &names);
        for (size_t i = 0; i < countof(people) + 1; i++) {
            bool stranger = i == countof(people);
            const char *who = stranger ? "stranger" : people[i].name;
            enum role role = stranger ? ROLE_NONE : people[i].role;
            int code = role == ROLE_NONE ? ERR_NOT_FOUND : ERR_DENIED;

            if (role >= cmd->role)
                continue;
            for (size_t k = 0; k < names.n; k++) {
                cleanup_free char *word = xasprintf("%s shop", names.v[k]);
                cleanup_free char *option = xasprintf("%s -a shop x y", names.v[k]);
                cleanup_free char *json = xasprintf("%s --json --app=shop", names.v[k]);

                deny(d, who, word, code, &denials);
                deny(d, who, option, code, &denials);
                deny(d, who, json, code, &denials);
                if ((cmd->flags & CMD_BUILD) != 0) {
                    cleanup_free char *number = xasprintf("%s %lld", names.v[k], (long long) build);

                    deny(d, who, number, code, &denials);
                }
            }
        }
    }
    print_message("%d denials\n", denials);
    assert_true(denials >= 200);
}

static void test_admin_only(void **state)
{
    struct desk *d = *state;
    int denials = 0;

    people_add(d);
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        if ((cmd->flags & CMD_ADMIN) == 0)
            continue;
        for (size_t i = 0; i < countof(people); i++)
            deny(d, people[i].name, cmd->name, ERR_DENIED, &denials);
    }
    assert_true(denials >= 20);
    deny(d, "owner", "keys:list --all", ERR_DENIED, &denials);
    deny(d, "owner", "keys:list --user anna", ERR_DENIED, &denials);
    deny(d, "owner", "keys:add --user anna", ERR_DENIED, &denials);
    deny(d, "owner", "keys:remove --user anna x", ERR_DENIED, &denials);
    deny(d, "owner", "apps:create newapp", ERR_DENIED, &denials);
    deny(d, "viewer", "config:list shop --show", ERR_DENIED, &denials);
}

/* What is another's and what is not there give the same words. */
static void test_same_words(void **state)
{
    static const char *const lines[] = {
        "apps:info shop", "config:set shop A=1", "builds:list -a shop", "logs shop -t",
    };
    struct desk *d = *state;

    people_add(d);
    for (size_t i = 0; i < countof(lines); i++) {
        cleanup_free char *line = xstrdup(lines[i]), *theirs = NULL, *none = NULL;

        desk_expect(d, "nobody", line, ERR_NOT_FOUND, "not found");
        theirs = xstrdup(buf_str(&d->err));
        memcpy(strstr(line, "shop"), "shep", 4);
        desk_expect(d, "nobody", line, ERR_NOT_FOUND, "not found");
        none = xstrdup(buf_str(&d->err));
        memcpy(strstr(none, "shep"), "shop", 4);
        assert_string_equal(theirs, none);
    }
    (void) fixture_queue(d->f, d->f->shop);
    desk_expect(d, "nobody", "builds:output 1", ERR_NOT_FOUND, "build 1 not found");
    desk_expect(d, "nobody", "builds:output 7", ERR_NOT_FOUND, "build 7 not found");
    desk_expect(d, "stranger", "builds:output blog 1", ERR_NOT_FOUND, "build 1 not found");
    desk_expect(d, "nobody", "apps:list", 0, "no apps yet");
    desk_expect(d, "nobody", "apps:list --json", 0, "[]");
}

/* The roles that may, may: no command is out of everybody's reach. */
static void test_allowed(void **state)
{
    struct desk *d = *state;

    people_add(d);
    (void) fixture_live(d->f, d->f->shop);
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        for (size_t i = 0; i < countof(people); i++) {
            cleanup_free char *line = xasprintf("%s shop", cmd->name);
            int code;

            if ((cmd->flags & CMD_APP) == 0 || people[i].role < cmd->role)
                continue;
            code = desk_type(d, people[i].name, line);
            if (code == ERR_DENIED || code == ERR_NOT_FOUND)
                fail_msg("%s by %s: %d %s", line, people[i].name, code, buf_str(&d->err));
        }
    }
}

static void role_goes(struct desk *d)
{
    struct user u;

    OK(users_get(d->f->store, "owner", &u, &err));
    OK(access_revoke(d->f->store, d->f->shop, u.id, &err));
    user_release(&u);
}

static void rights_go(struct desk *d)
{
    OK(users_set(d->f->store, "admin", false, false, &err));
}

/* Who had a role when a command began, and none any more when its input is there, changes nothing. */
static void test_input_waits(void **state)
{
    static const struct { const char *line, *input; } asked[] = {
        { "config:set shop A=@-", "1" }, { "config:import shop", "A=1\n" }, { "apps:apply shop", "{\"slipway\": 1}" },
    };
    static const char key[] =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC73Zra08QV7GeKy+k7XfVbq7Zabshvif+0VQiHiwpH1 test@laptop\n";
    struct desk *d = *state;

    people_add(d);
    for (size_t i = 0; i < countof(asked); i++) {
        desk_expect(d, "anna", "access:grant shop owner own", 0, NULL);
        d->meanwhile = role_goes;
        d->input = asked[i].input;
        desk_expect(d, "owner", asked[i].line, ERR_NOT_FOUND, "app shop not found");
        desk_expect(d, "anna", "config:keys shop --json", 0, "[]");
    }
    OK(users_add(d->f->store, "admin", true, true, NULL, &err));
    d->meanwhile = rights_go;
    d->input = key;
    desk_expect(d, "admin", "keys:add --user viewer", ERR_DENIED, "only admins");
    desk_expect(d, "anna", "keys:list --all --json", 0, "[]");
    OK(users_set(d->f->store, "admin", true, true, &err));
    d->meanwhile = rights_go;
    d->input = "{\"slipway\": 1}";
    desk_expect(d, "admin", "apps:import newapp", ERR_DENIED, "you may not create apps here");
    desk_expect(d, "anna", "apps:info newapp", ERR_NOT_FOUND, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_matrix, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_admin_only, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_same_words, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_input_waits, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_allowed, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
