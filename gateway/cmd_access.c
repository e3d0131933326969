#include "config.h"

#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

int cmd_access_grant(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool owner = command_option(c, "--owner") != NULL;
    enum role role = ROLE_NONE;
    struct user u;
    int rc;

    (void) argc;
    if (user_name_check(argv[0], err) != 0 || role_parse(argv[1], &role, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%s %s%s", argv[0], role_name(role), owner ? " --owner" : "");
    if (owner && role != ROLE_OWN)
        return err_set(err, ERR_USAGE, "--owner goes with the role own only");
    if (users_get(c->store, argv[0], &u, err) != 0)
        return -1;
    rc = owner ? access_owner(c->store, c->app.id, u.id, err)
               : access_grant(c->store, c->app.id, u.id, role, err);
    user_release(&u);
    if (rc != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s, s:s, s:b}", "app", c->app.name, "user", argv[0], "role",
                                      role_name(role), "owner", (int) owner));
    (void) io_outf(c->io, "Granting %s to %s on %s... done\n", owner ? "ownership" : role_name(role), argv[0],
                   c->app.name);
    return 0;
}

int cmd_access_revoke(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct user u;
    int rc;

    (void) argc;
    if (user_name_check(argv[0], err) != 0)
        return -1;
    (void) buf_addstr(&c->detail, argv[0]);
    if (users_get(c->store, argv[0], &u, err) != 0)
        return -1;
    rc = access_revoke(c->store, c->app.id, u.id, err);
    user_release(&u);
    if (rc != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s}", "app", c->app.name, "user", argv[0]));
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
    if (access_list(c->store, c->app.id, &v, &n, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        bool owner = strcmp(v[i].user, c->app.owner) == 0;

        (void) json_array_append_new(all, json_pack("{s:s, s:s, s:b}", "user", v[i].user, "role",
                                                    role_name(v[i].role), "owner", (int) owner));
        table_add(&t, v[i].user);
        table_add(&t, role_name(v[i].role));
        table_add(&t, owner ? "owner" : "");
        free(v[i].user);
    }
    free(v);
    if (c->json) {
        (void) show_json(c, all);
    } else {
        json_decref(all);
        table_print(&t, c);
    }
    table_release(&t);
    return 0;
}
