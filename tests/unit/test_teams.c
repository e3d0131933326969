/* Teams: what their roles give to whom, and what takes it away again. */
#include "config.h"

#include "base/mem.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static enum role role_of(struct desk *d, const char *name, int64_t bound_app)
{
    enum role r = ROLE_OWN;
    struct user u;

    OK(users_get(d->f->store, name, &u, &err));
    u.bound_app = bound_app;
    OK(access_role(d->f->store, &u, d->f->shop, &r, &err));
    user_release(&u);
    return r;
}

static int64_t rows(struct desk *d)
{
    int64_t n = -1;

    assert_int_equal(store_int(d->f->store, &n, NULL, "SELECT (SELECT count(*) FROM team_members) + "
                               "(SELECT count(*) FROM team_access)", ""), 1);
    return n;
}

static void test_highest(void **state)
{
    struct desk *d = *state;

    desk_user(d, "carl", ROLE_NONE);
    desk_expect(d, "anna", "teams:create ops", 0, "Creating the team ops... done");
    desk_expect(d, "anna", "teams:create web", 0, NULL);
    desk_expect(d, "anna", "teams:add ops carl", 0, "Adding carl to the team ops... done");
    desk_expect(d, "anna", "teams:add @web carl --json", 0, "{\"team\":\"web\",\"user\":\"carl\"}");
    assert_int_equal(role_of(d, "carl", 0), ROLE_NONE);
    desk_expect(d, "bert", "access:grant shop @ops operate", 0, "Granting operate to @ops on shop... done");
    assert_int_equal(role_of(d, "carl", 0), ROLE_OPERATE);
    desk_expect(d, "bert", "access:grant shop @web view --json", 0,
                "{\"app\":\"shop\",\"user\":null,\"team\":\"web\",\"role\":\"view\",\"owner\":false}");
    assert_int_equal(role_of(d, "carl", 0), ROLE_OPERATE);
    desk_expect(d, "bert", "access:grant shop carl deploy", 0, NULL);
    assert_int_equal(role_of(d, "carl", 0), ROLE_OPERATE);
    /* With a deploy key: in its app only, and at most operate. */
    desk_expect(d, "bert", "access:grant shop @web own", 0, NULL);
    assert_int_equal(role_of(d, "carl", 0), ROLE_OWN);
    assert_int_equal(role_of(d, "carl", d->f->shop), ROLE_OPERATE);
    assert_int_equal(role_of(d, "carl", d->f->shop + 1), ROLE_NONE);
    desk_expect(d, "anna", "teams:remove web carl", 0, "Removing carl from the team web... done");
    assert_int_equal(role_of(d, "carl", 0), ROLE_OPERATE);
    desk_expect(d, "bert", "access:revoke shop @ops", 0, "Revoking the access of @ops to shop... done");
    assert_int_equal(role_of(d, "carl", 0), ROLE_DEPLOY);
    desk_expect(d, "bert", "access:revoke shop carl --json", 0, "{\"app\":\"shop\",\"user\":\"carl\",\"team\":null}");
    assert_int_equal(role_of(d, "carl", 0), ROLE_NONE);
    /* The owner's own role is not lowered by a team's. */
    desk_expect(d, "anna", "teams:add ops bert", 0, NULL);
    desk_expect(d, "bert", "access:grant shop @ops view", 0, NULL);
    assert_int_equal(role_of(d, "bert", 0), ROLE_OWN);
}

/* With a deploy key for shop, or without. */
static void key_bind(struct desk *d, bool bound)
{
    d->verbs = bound ? "logs apps:info" : NULL;
    d->bound_app = bound ? d->f->shop : 0;
}

static void test_reach(void **state)
{
    struct desk *d = *state;

    desk_user(d, "carl", ROLE_NONE);
    desk_user(d, "dora", ROLE_NONE);
    desk_expect(d, "anna", "teams:create ops", 0, NULL);
    desk_expect(d, "anna", "teams:add ops carl", 0, NULL);
    desk_expect(d, "carl", "apps:list --json", 0, "[]");
    desk_expect(d, "carl", "apps:info shop", 4, "app shop not found");
    desk_expect(d, "bert", "access:grant shop @ops deploy", 0, NULL);
    desk_expect(d, "carl", "apps:list --json", 0, "\"name\":\"shop\"");
    desk_expect(d, "carl", "apps:info shop", 0, "bert");
    desk_expect(d, "carl", "config:set shop A=1", 3, "yours is deploy");
    desk_expect(d, "carl", "whoami", 0, "carl\nteams ops\nkey ");
    desk_expect(d, "carl", "whoami --json", 0, "\"teams\":[\"ops\"]");
    desk_expect(d, "dora", "whoami --json", 0, "\"teams\":[]");
    desk_expect(d, "carl", "teams", 0, "ops  1 member  1 app\n");
    desk_expect(d, "carl", "teams:list --json", 0, "[{\"name\":\"ops\",\"members\":1,\"apps\":1,\"created_at\":\"");
    desk_expect(d, "carl", "teams:info ops", 0, "Apps:     shop: deploy\n");
    desk_expect(d, "carl", "teams:info ops --json", 0, "{\"name\":\"ops\",\"members\":[\"carl\"],\"apps\":[{\"app\":\"shop\","
                "\"role\":\"deploy\"}],\"created_at\":\"");
    /* Who is in no team learns of none. */
    desk_expect(d, "dora", "teams", 0, "You are in no team\n");
    desk_expect(d, "dora", "teams:info ops", 4, "there is no team ops");
    desk_expect(d, "dora", "teams:info web", 4, "there is no team web");
    desk_expect(d, "dora", "apps:info shop", 4, "app shop not found");
    desk_expect(d, "anna", "teams:info @ops", 0, "Members:  carl\n");
    /* A member who has a role leaves a deploy key behind, which falls with the membership. */
    key_bind(d, true);
    desk_expect(d, "carl", "apps:info shop", 0, NULL);
    desk_expect(d, "carl", "whoami --json", 0, "\"teams\":[]");
    desk_expect(d, "carl", "teams:info ops", 3, "this deploy key");
    key_bind(d, false);
    desk_expect(d, "anna", "teams:remove ops carl", 0, NULL);
    key_bind(d, true);
    desk_expect(d, "carl", "apps:info shop", 4, "not found");
    key_bind(d, false);
    desk_expect(d, "carl", "apps:info shop", 4, "not found");
    desk_expect(d, "carl", "apps:list --json", 0, "[]");
    desk_expect(d, "carl", "teams:info ops", 4, "there is no team ops");
}

static void test_list(void **state)
{
    struct desk *d = *state;

    desk_user(d, "carl", ROLE_VIEW);
    desk_user(d, "dora", ROLE_NONE);
    desk_expect(d, "anna", "teams:create ops", 0, NULL);
    desk_expect(d, "anna", "teams:add ops dora", 0, NULL);
    desk_expect(d, "anna", "teams:add ops carl", 0, NULL);
    desk_expect(d, "bert", "access:grant shop @ops deploy", 0, NULL);
    desk_expect(d, "bert", "access:list shop", 0, "bert  own     owner\ncarl  view\n@ops  deploy\n"
                "carl  deploy  through @ops\ndora  deploy  through @ops\n");
    desk_expect(d, "bert", "access:list shop --json", 0,
                "{\"user\":\"carl\",\"team\":null,\"role\":\"view\",\"owner\":false},"
                "{\"user\":null,\"team\":\"ops\",\"role\":\"deploy\",\"owner\":false},"
                "{\"user\":\"carl\",\"team\":\"ops\",\"role\":\"deploy\",\"owner\":false},");
}

static void test_refused(void **state)
{
    static const char *const lines[] = {
        "teams:create web", "teams:destroy ops --confirm ops", "teams:add ops bert", "teams:remove ops anna",
    };
    struct desk *d = *state;

    desk_expect(d, "anna", "teams", 0, "There are no teams yet");
    desk_expect(d, "anna", "teams:create ops", 0, NULL);
    desk_expect(d, "anna", "teams:add ops anna", 0, NULL);
    for (size_t i = 0; i < countof(lines); i++)
        desk_expect(d, "bert", lines[i], 3, "only admins of this server");
    assert_int_equal(rows(d), 1);
    desk_expect(d, "anna", "teams:create ops", 1, "the team ops exists already");
    desk_expect(d, "anna", "teams:create Ops", 2, "no team name");
    desk_expect(d, "anna", "teams:create", 2, "NAME is missing");
    desk_expect(d, "anna", "teams:create 'a\033b'", 2, "\"a?b\" is no team name");
    desk_expect(d, "anna", "teams:add ops anna", 1, "in the team already");
    desk_expect(d, "anna", "teams:add ops nobody", 4, "no user nobody");
    desk_expect(d, "anna", "teams:add web anna", 4, "no team web");
    desk_expect(d, "anna", "teams:add ops", 2, "USER is missing");
    desk_expect(d, "anna", "teams:remove ops bert", 4, "not in the team");
    desk_expect(d, "anna", "teams:destroy web --force", 4, "no team web");
    desk_expect(d, "anna", "teams:destroy ops", 2, "repeat its name: teams:destroy ops --confirm ops");
    desk_expect(d, "anna", "teams:destroy ops --confirm web", 2, "--confirm ops");
    desk_expect(d, "bert", "access:grant shop @web view", 4, "no team web");
    desk_expect(d, "bert", "access:grant shop @ view", 2, "no team name");
    desk_expect(d, "bert", "access:grant shop ops view", 4, "no user ops");
    desk_expect(d, "bert", "access:grant shop @ops own --owner", 2, "a person, not a team");
    desk_expect(d, "bert", "access:revoke shop @ops", 4, "the team has no access");
    assert_int_equal(rows(d), 1);
    desk_expect(d, "anna", "audit --json", 0, "\"command\":\"teams:add\",\"detail\":\"ops nobody\"");
}

/* What goes away takes no other's role with it, and leaves nothing. */
static void test_gone(void **state)
{
    struct desk *d = *state;

    desk_deployer(d);
    desk_user(d, "carl", ROLE_NONE);
    desk_expect(d, "anna", "teams:create ops", 0, NULL);
    desk_expect(d, "anna", "teams:create web", 0, NULL);
    desk_expect(d, "anna", "teams:add ops carl", 0, NULL);
    desk_expect(d, "anna", "teams:add web carl", 0, NULL);
    desk_expect(d, "bert", "access:grant shop @ops operate", 0, NULL);
    desk_expect(d, "bert", "access:grant shop @web view", 0, NULL);
    desk_expect(d, "bert", "apps:rename shop store", 0, "done");
    desk_expect(d, "carl", "apps:info store", 0, NULL);
    desk_expect(d, "anna", "teams:destroy ops -c ops", 0, "Destroying the team ops with its roles... done");
    assert_int_equal(role_of(d, "carl", 0), ROLE_VIEW);
    /* A new team of the name has none of the former one's roles. */
    desk_expect(d, "anna", "teams:create ops", 0, NULL);
    desk_expect(d, "anna", "teams:add ops carl", 0, NULL);
    assert_int_equal(role_of(d, "carl", 0), ROLE_VIEW);
    desk_expect(d, "anna", "apps:clone store copy --skip-deploy", 0, NULL);
    desk_expect(d, "anna", "access:list copy --json", 0, "[{\"user\":\"anna\",\"team\":null,\"role\":\"own\",\"owner\":true}]");
    desk_expect(d, "bert", "apps:destroy store --confirm store", 0, NULL);
    desk_expect(d, "carl", "teams:info web --json", 0, "\"apps\":[]");
    desk_expect(d, "anna", "users:remove carl", 0, NULL);
    assert_int_equal(rows(d), 0);
}

static void apply(struct desk *d, const char *line, const char *document, int code, const char *text)
{
    d->input = document;
    desk_expect(d, "bert", line, code, text);
}

/* In an app's document a team stands among the people, with @. */
static void test_document(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "anna", "teams:create ops", 0, NULL);
    desk_expect(d, "bert", "access:grant shop @ops deploy", 0, NULL);
    desk_expect(d, "bert", "apps:export shop --json", 0, "\"access\":{\"bert\":\"own\",\"@ops\":\"deploy\"}");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"access\": {\"@ops\": \"deploy\"}}", 0, "Nothing to do");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"access\": {\"@ops\": \"view\"}}", 0, "~ access.@ops: deploy -> view");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"access\": {\"@web\": \"view\"}}", 4, "access.@web: there is no team web");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"access\": {\"@W\": \"view\"}}", 2, "no team name");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"access\": {}}", 0, "- access.@ops: view");
    apply(d, "apps:import copy", "{\"slipway\": 1, \"access\": {\"@ops\": \"operate\"}}", 0, "+ access.@ops: operate");
    desk_expect(d, "bert", "access:list copy", 0, "@ops  operate\n");
    assert_int_equal(rows(d), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_highest, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_reach, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_list, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_refused, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_gone, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_document, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
