#include "config.h"

#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

int access_change(struct command_ctx *c, const char *who, enum role role, struct err *err)
{
    int64_t app = c->app.id;
    struct team t;
    struct user u;
    int rc;

    if (who[0] == '@') {
        if (teams_get(c->store, who + 1, &t, err) != 0)
            return -1;
        rc = role != ROLE_NONE ? team_grant(c->store, app, t.id, role, err) : team_revoke(c->store, app, t.id, err);
        team_release(&t);
        return rc;
    }
    if (users_get(c->store, who, &u, err) != 0)
        return -1;
    rc = role != ROLE_NONE ? access_grant(c->store, app, u.id, role, err) : access_revoke(c->store, app, u.id, err);
    user_release(&u);
    return rc;
}

static int owner_change(struct command_ctx *c, const char *name, struct err *err)
{
    struct user u;
    int rc;

    if (name[0] == '@')
        return err_set(err, ERR_USAGE, "an app's owner is a person, not a team; for example: access:grant %s carl own --owner",
                       c->app.name);
    if (users_get(c->store, name, &u, err) != 0)
        return -1;
    rc = access_owner(c->store, c->app.id, u.id, err);
    user_release(&u);
    return rc;
}

static json_t *user_json(const char *who)
{
    return show_json_text(who[0] != '@' ? who : NULL);
}

static json_t *team_json(const char *who)
{
    return show_json_text(who[0] == '@' ? who + 1 : NULL);
}

int cmd_access_grant(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool owner = command_option(c, "--owner") != NULL;
    enum role role = ROLE_NONE;

    (void) argc;
    if (grantee_name_check(argv[0], err) != 0 || role_parse(argv[1], &role, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%s %s%s", argv[0], role_name(role), owner ? " --owner" : "");
    if (owner && role != ROLE_OWN)
        return err_set(err, ERR_USAGE, "--owner goes with the role own only");
    if ((owner ? owner_change(c, argv[0], err) : access_change(c, argv[0], role, err)) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:o, s:o, s:s, s:b}", "app", c->app.name, "user", user_json(argv[0]), "team",
                                      team_json(argv[0]), "role", role_name(role), "owner", (int) owner));
    (void) io_outf(c->io, "Granting %s to %s on %s... done\n", owner ? "ownership" : role_name(role), argv[0],
                   c->app.name);
    return 0;
}

int cmd_access_revoke(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argc;
    if (grantee_name_check(argv[0], err) != 0)
        return -1;
    (void) buf_addstr(&c->detail, argv[0]);
    if (access_change(c, argv[0], ROLE_NONE, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:o, s:o}", "app", c->app.name, "user", user_json(argv[0]), "team",
                                      team_json(argv[0])));
    (void) io_outf(c->io, "Revoking the access of %s to %s... done\n", argv[0], c->app.name);
    return 0;
}

int cmd_access_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct table t = TABLE_INIT(3);
    struct access_row *v = NULL;
    json_t *all;
    size_t n = 0;

    (void) argv;
    (void) argc;
    if (access_list(c->store, c->app.id, true, &v, &n, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        const char *who = v[i].who, *through = v[i].through;
        bool owner = through == NULL && strcmp(who, c->app.owner) == 0;

        (void) json_array_append_new(all, json_pack("{s:o, s:o, s:s, s:b}", "user", user_json(who), "team",
                                                    through != NULL ? json_string(through) : team_json(who), "role",
                                                    role_name(v[i].role), "owner", (int) owner));
        table_add(&t, who);
        table_add(&t, role_name(v[i].role));
        table_addf(&t, "%s%s", through != NULL ? "through @" : owner ? "owner" : "", through != NULL ? through : "");
    }
    access_rows_free(v, n);
    return show_list(c, all, &t);
}
