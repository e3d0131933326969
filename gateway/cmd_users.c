#include "config.h"

#include "base/mem.h"
#include "base/word.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

int cmd_users_add(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool admin = command_option(c, "--admin") != NULL, create = admin || command_option(c, "--create") != NULL;

    (void) argc;
    if (user_name_check(argv[0], err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%s%s%s", argv[0], admin ? " --admin" : "", create && !admin ? " --create" : "");
    if (strcmp(argv[0], "local") == 0)
        return err_set(err, ERR_USAGE, "the name local stands for slipway admin in the audit; choose another one");
    if (users_add(c->store, argv[0], admin, create, NULL, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:b, s:b}", "name", argv[0], "admin", (int) admin, "may_create",
                                      (int) create));
    (void) io_outf(c->io, "Adding %s... done; now a key: keys:add --user %s < id_ed25519.pub\n", argv[0], argv[0]);
    return 0;
}

int cmd_users_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct table t = TABLE_INIT(3);
    struct user *v = NULL;
    json_t *all;
    size_t n = 0;

    (void) argv;
    (void) argc;
    if (users_list(c->store, &v, &n, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        (void) json_array_append_new(all, json_pack("{s:s, s:b, s:b, s:o}", "name", v[i].name, "admin",
                                                    (int) v[i].admin, "may_create", (int) v[i].may_create,
                                                    "created_at", show_json_time(v[i].created_at)));
        table_add(&t, v[i].name);
        table_add(&t, v[i].admin ? "admin" : v[i].may_create ? "may create apps" : "");
        table_add(&t, show_time(v[i].created_at).s);
        user_release(&v[i]);
    }
    free(v);
    return show_list(c, all, &t);
}

int cmd_users_set(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    static const struct { const char *word, *does; bool admin, create; } roles[] = {
        { "user", "an ordinary user", false, false }, { "create", "a user who may create apps", false, true },
        { "admin", "an admin of this server", true, true },
    };
    size_t i = 0;

    (void) argc;
    if (user_name_check(argv[0], err) != 0)
        return -1;
    while (i < countof(roles) && strcmp(roles[i].word, argv[1]) != 0)
        i++;
    if (i == countof(roles))
        return err_set(err, ERR_USAGE, "a role on the server is user, create or admin, not \"%s\"; for example: users:set %s create",
                       word_shown(argv[1]).s, word_shown(argv[0]).s);
    (void) buf_addf(&c->detail, "%s %s", argv[0], roles[i].word);
    if (users_set(c->store, argv[0], roles[i].admin, roles[i].create, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:b, s:b}", "name", argv[0], "admin", (int) roles[i].admin, "may_create",
                                      (int) roles[i].create));
    (void) io_outf(c->io, "Making %s %s... done\n", argv[0], roles[i].does);
    return 0;
}

int cmd_users_remove(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argc;
    if (user_name_check(argv[0], err) != 0)
        return -1;
    (void) buf_addstr(&c->detail, argv[0]);
    if (users_remove(c->store, argv[0], err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s}", "name", argv[0]));
    (void) io_outf(c->io, "Removing %s with all keys and access... done\n", argv[0]);
    return 0;
}
