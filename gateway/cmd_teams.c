#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/word.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

/* A team as it was typed, also as access:grant takes it ("@ops"). Names it in the audit row. */
static int name_read(struct command_ctx *c, const char *typed, const char **ret, struct err *err)
{
    const char *name = typed[0] == '@' ? typed + 1 : typed;

    if (team_name_check(name, err) != 0)
        return -1;
    (void) buf_addstr(&c->detail, name);
    *ret = name;
    return 0;
}

static int team_load(struct command_ctx *c, const char *typed, struct team *ret, struct err *err)
{
    const char *name;

    return name_read(c, typed, &name, err) == 0 ? teams_get(c->store, name, ret, err) : -1;
}

int cmd_teams_create(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *name;

    (void) argc;
    if (name_read(c, argv[0], &name, err) != 0 || teams_create(c->store, name, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s}", "name", name));
    (void) io_outf(c->io, "Creating the team %s... done; now its members: teams:add %s USER\n", name, name);
    return 0;
}

int cmd_teams_destroy(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *confirm = command_option(c, "--confirm");
    struct team t;
    int rc;

    (void) argc;
    if (team_load(c, argv[0], &t, err) != 0)
        return -1;
    if (confirm == NULL && command_option(c, "--force") == NULL)
        rc = err_set(err, ERR_USAGE, "this takes %s's roles in %lld apps from its %lld members; repeat its name: teams:destroy %s "
                     "--confirm %s", t.name, (long long) t.apps, (long long) t.members, t.name, t.name);
    else if (confirm != NULL && strcmp(confirm, t.name) != 0)
        rc = err_set(err, ERR_USAGE, "--confirm must repeat the team's name, and \"%s\" is not it; for example: teams:destroy %s "
                     "--confirm %s", word_shown(confirm).s, t.name, t.name);
    else
        rc = teams_destroy(c->store, t.id, err);
    if (rc == 0 && c->json)
        (void) show_json(c, json_pack("{s:s}", "name", t.name));
    else if (rc == 0)
        (void) io_outf(c->io, "Destroying the team %s with its roles... done\n", t.name);
    team_release(&t);
    return rc;
}

/* Both ways. */
static int member_change(struct command_ctx *c, char *const *argv, bool add, struct err *err)
{
    struct team t;
    struct user u;
    int rc;

    if (user_name_check(argv[1], err) != 0 || team_load(c, argv[0], &t, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, " %s", argv[1]);
    if (users_get(c->store, argv[1], &u, err) != 0) {
        team_release(&t);
        return -1;
    }
    rc = add ? team_add(c->store, t.id, u.id, err) : team_remove(c->store, t.id, u.id, err);
    if (rc == 0 && c->json)
        (void) show_json(c, json_pack("{s:s, s:s}", "team", t.name, "user", u.name));
    else if (rc == 0)
        (void) io_outf(c->io, "%s %s %s the team %s... done\n", add ? "Adding" : "Removing", u.name, add ? "to" : "from", t.name);
    user_release(&u);
    team_release(&t);
    return rc;
}

int cmd_teams_add(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argc;
    return member_change(c, argv, true, err);
}

int cmd_teams_remove(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argc;
    return member_change(c, argv, false, err);
}

int cmd_teams_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct table t = TABLE_INIT(3);
    struct team *v = NULL;
    json_t *all;
    size_t n = 0;

    (void) argv;
    (void) argc;
    if (teams_list(c->store, c->user.admin ? 0 : c->user.id, &v, &n, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        (void) json_array_append_new(all, json_pack("{s:s, s:I, s:I, s:o}", "name", v[i].name, "members",
                                                    (json_int_t) v[i].members, "apps", (json_int_t) v[i].apps, "created_at",
                                                    show_json_time(v[i].created_at)));
        table_add(&t, v[i].name);
        table_addf(&t, "%lld member%s", (long long) v[i].members, v[i].members == 1 ? "" : "s");
        table_addf(&t, "%lld app%s", (long long) v[i].apps, v[i].apps == 1 ? "" : "s");
        team_release(&v[i]);
    }
    free(v);
    if (n == 0 && !c->json)
        (void) io_outf(c->io, c->user.admin ? "There are no teams yet. Make one: teams:create NAME\n"
                                            : "You are in no team\n");
    return show_list(c, all, &t);
}

static void info_show(struct command_ctx *c, const struct team *team, const struct vec *members, const struct team_app *apps,
                      size_t n_apps)
{
    struct table t = TABLE_INIT(2);
    json_t *all = json_array();

    for (size_t i = 0; i < members->n; i++) {
        table_add(&t, i == 0 ? "Members:" : "");
        table_add(&t, members->v[i]);
    }
    for (size_t i = 0; i < n_apps; i++) {
        (void) json_array_append_new(all, json_pack("{s:s, s:s}", "app", apps[i].app, "role", role_name(apps[i].role)));
        table_add(&t, i == 0 ? "Apps:" : "");
        table_addf(&t, "%s: %s", apps[i].app, role_name(apps[i].role));
    }
    table_add(&t, "Created:");
    table_add(&t, show_time(team->created_at).s);
    if (c->json) {
        (void) show_json(c, json_pack("{s:s, s:o, s:o, s:o}", "name", team->name, "members", json_list(members), "apps", all,
                                      "created_at", show_json_time(team->created_at)));
    } else {
        json_decref(all);
        (void) io_outf(c->io, "=== %s\n", team->name);
        table_print(&t, c);
    }
    table_release(&t);
}

/* A team of others looks like one that is not there. */
int cmd_teams_info(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_vec struct vec members = VEC_INIT;
    struct team_app *apps = NULL;
    struct team t;
    size_t n = 0;
    int rc;

    (void) argc;
    if (team_load(c, argv[0], &t, err) != 0)
        return -1;
    rc = team_members(c->store, t.id, &members, err);
    if (rc == 0 && !c->user.admin && !vec_has(&members, c->user.name))
        rc = err_set(err, ERR_NOT_FOUND, "there is no team %s", t.name);
    if (rc == 0)
        rc = team_apps(c->store, t.id, &apps, &n, err);
    if (rc == 0)
        info_show(c, &t, &members, apps, n);
    for (size_t i = 0; i < n; i++)
        free(apps[i].app);
    free(apps);
    team_release(&t);
    return rc;
}
